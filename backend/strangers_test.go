package backend

import (
	"fmt"
	"net/http"
	"os"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// stranger is a login with a wrong password from an address of its own.
func (m *mount) stranger(i int, name string) *logical.Request {
	req := m.request(logical.UpdateOperation, "login/"+name, fields{"password": "guess"})
	req.Connection = &logical.Connection{RemoteAddr: fmt.Sprintf("10.%d.%d.%d", i>>16&255, i>>8&255, i&255)}
	return req
}

// TestHonestLoginsBesideHangingStrangers: 500 strangers who keep hanging at a slow Okta
// keep nobody out who has logged in from where they are, neither by HTTP/2 nor through a
// proxy that speaks HTTP/1.1. What it costs is told, not judged: FIGURES=1 takes enough
// logins for a 99th percentile.
func TestHonestLoginsBesideHangingStrangers(t *testing.T) {
	for _, http1 := range []bool{false, true} {
		t.Run(fmt.Sprintf("HTTP/1.1 %v", http1), func(t *testing.T) { honestBesideStrangers(t, http1) })
	}
}

func honestBesideStrangers(t *testing.T, http1 bool) {
	const slow = 100 * time.Millisecond
	logins := 15
	if os.Getenv("FIGURES") != "" {
		logins = 300
	}
	m := &mount{t: t, storage: newStorage(), clock: newStepClock(), logs: &syncBuffer{}}
	m.okta = oktatest.NewServer(t, oktatest.Options{Now: m.clock.org.Now, HTTP1Only: http1})
	m.start()
	m.configure(nil)
	m.addUser("Everyone")
	m.mustLogin(nil)
	m.okta.SetLatency("authn", slow)
	measure := func() string {
		var took []time.Duration
		for range logins {
			begin := time.Now()
			m.mustLogin(nil)
			took = append(took, time.Since(begin))
		}
		slices.Sort(took)
		return fmt.Sprintf("p50 %v, p99 %v", took[logins/2], took[logins*99/100])
	}
	quiet := measure()

	stop := make(chan struct{})
	var strangers sync.WaitGroup
	answers := make([]map[int]int, 500)
	for i := range answers {
		answers[i] = map[int]int{}
		strangers.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
				}
				_, status, _ := m.send(t.Context(), m.stranger(i, fmt.Sprintf("invented-%d-%d", i, n)))
				answers[i][status]++
				if status == http.StatusTooManyRequests {
					time.Sleep(5 * time.Millisecond) // one who does not is a matter of the network
				}
			}
		})
	}
	m.eventually(func() bool { return m.okta.Count(http.MethodPost, "/api/v1/authn") > 100 }, "no strangers")
	flooded := measure()
	close(stop)
	strangers.Wait()
	all := map[int]int{}
	for _, of := range answers {
		for status, n := range of {
			all[status] += n
		}
	}
	t.Logf("%d honest logins at an Okta that takes %v: alone %s; beside 500 strangers %s; strangers by status: %v",
		logins, slow, quiet, flooded, all)
	assert.NotZero(t, all[http.StatusTooManyRequests], "strangers are refused at once")
	assert.Zero(t, all[http.StatusGatewayTimeout])
}

// TestInventedNamesTakeNoRoom: what the mount remembers of strangers is bounded. Package
// attempts has the figure for 200,000 names; here the rest of the mount shows that it keeps
// nothing beside.
func TestInventedNamesTakeNoRoom(t *testing.T) {
	m := newMount(t, false)
	m.configure(nil)
	m.addUser("Everyone")
	m.mustLogin(nil)
	m.okta.Fail("authn", oktatest.Status(401, "E0000004", "Sign-in refused"))
	heap := func() uint64 {
		m.okta.Reset() // which keeps the requests
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	try := func(from, to int) {
		for i := from; i < to; i++ {
			resp, status, text := m.send(t.Context(), m.stranger(i, fmt.Sprintf("invented-%d@acme.test", i)))
			require.Contains(t, []int{http.StatusBadRequest, http.StatusTooManyRequests}, status, text)
			require.True(t, resp == nil || resp.Auth == nil)
		}
	}
	const many = 4000
	try(0, many)
	before := heap()
	try(many, 2*many)
	grown := int64(heap()) - int64(before)
	t.Logf("%d more invented names: %d KiB of heap", many, grown>>10)
	assert.Less(t, grown, int64(many*1024), "%d bytes for each of %d names", grown/many, many)
	assert.Empty(t, m.inner.held.byID)
	assert.Empty(t, m.inner.numbers.byNonce)
	assert.Equal(t, 1, m.inner.known.byName.Len())
}

// TestKnownAndUnknownNamesAreTheSame: neither status nor text tells a stranger whether
// a name is somebody's, however often they try.
func TestKnownAndUnknownNamesAreTheSame(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.mustLogin(nil)
		tries := func(name string) (said []string) {
			for range 6 {
				resp, status, text := m.send(t.Context(), m.stranger(1, name))
				require.True(t, resp == nil || resp.Auth == nil)
				said = append(said, fmt.Sprint(status, " ", text))
			}
			return said
		}
		m.okta.Reset()
		known := tries(testLogin)
		assert.Equal(t, known, tries("nobody@acme.test"))
		assert.Contains(t, known[0], "400 ")
		assert.Contains(t, known[5], "429 ")
		assert.NotContains(t, m.order(), "groups", "and nothing is asked with the API token")
		m.mustLogin(nil)
	})
}

// TestWrongPasswordsCountByAnyCode: whatever code Okta refuses a password by, its answers
// count. Those that say nothing about the password lock nobody out.
func TestWrongPasswordsCountByAnyCode(t *testing.T) {
	said := func(status int, code string) func(*mount) {
		return func(m *mount) { m.okta.Fail("authn", oktatest.Status(status, code, "no")) }
	}
	for name, row := range map[string]struct {
		answers func(*mount)
		counts  bool
	}{
		"E0000004":         {func(*mount) {}, true},
		"E0000207":         {func(m *mount) { m.okta.Configure(func(o *oktatest.Options) { o.SignInCode = okta.CodeSignInFailed }) }, true},
		"an unknown 401":   {said(401, "E0000999"), true},
		"the token":        {said(401, okta.CodeInvalidToken), false},
		"the session":      {said(401, okta.CodeInvalidSession), false},
		"the feature":      {said(401, okta.CodeNoFeature), false},
		"the role":         {said(403, okta.CodeAccessDenied), false},
		"the policy":       {said(403, okta.CodePolicyDenied), false},
		"the rate":         {func(m *mount) { m.okta.Fail("authn", oktatest.RateLimited(0, time.Minute)) }, false},
		"a gateway's page": {func(m *mount) { m.okta.Fail("authn", oktatest.HTML(401)) }, false},
		"a gateway's JSON": {func(m *mount) {
			m.okta.Fail("authn", oktatest.Body(401, "application/json", `{"error":"unauthorized"}`))
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				m.addUser("Everyone")
				row.answers(m)
				m.okta.Reset()
				for range 5 {
					m.send(t.Context(), m.stranger(1, testLogin))
				}
				sent := m.okta.Count(http.MethodPost, "/api/v1/authn")
				m.okta.ClearFaults()
				req := m.stranger(1, testLogin)
				req.Data["password"] = testPassword
				_, status, text := m.send(t.Context(), req)
				if !row.counts {
					assert.Equal(t, 5, sent)
					assert.Equal(t, http.StatusOK, status, text)
					return
				}
				assert.Equal(t, defaultLoginFailures/2, sent, "a stranger's share")
				assert.Equal(t, http.StatusTooManyRequests, status)
				assert.Contains(t, text, "too many wrong passwords were given for this name")
			})
		})
	}
}

// TestLockoutIsNoWeapon: whatever strangers do, the person gets in from where they have
// logged in before, and a wrong password of their own does not change that.
func TestLockoutIsNoWeapon(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.mustLogin(nil)
		for i := range 20 {
			m.send(t.Context(), m.stranger(i, []string{testLogin, "MIA.ITO", "mía.ito@acme.test"}[i%3]))
		}
		m.okta.Reset()
		m.refused(fields{"password": "a typo"})
		m.mustLogin(nil)
		_, status, text := m.send(t.Context(), m.stranger(99, "mia.ito"))
		assert.Equal(t, http.StatusTooManyRequests, status, text)
		assert.Contains(t, text, "too many wrong passwords were given for this name")
	})
}

// TestLoginFailureFields: the limits can be set, within bounds, and turned off.
func TestLoginFailureFields(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_login_failures": 6, "login_failure_window": "1h", "login_lockout_duration": 120})
		data := m.read("config")
		assert.Equal(t, "[6 1h 2m]", fmt.Sprint([]any{data["max_login_failures"], data["login_failure_window"], data["login_lockout_duration"]}))
		for field, values := range map[string][]any{
			"max_login_failures": {-1, 1, attempts.MaxLimit + 1}, "login_failure_window": {"59s", "25h", 0}, "login_lockout_duration": {"1s", "48h"},
		} {
			for _, value := range values {
				_, status, text := m.do(logical.UpdateOperation, "config", fields{field: value})
				assert.Equal(t, http.StatusBadRequest, status, "%s %v", field, value)
				assert.Contains(t, text, field+" must be")
			}
		}
		m.addUser("Everyone")
		for range 3 {
			m.refused(fields{"password": "wrong"})
		}
		_, status, _ := m.login(fields{"password": "wrong"})
		assert.Equal(t, http.StatusTooManyRequests, status, "strangers have half of it")
		m.write("config", fields{"max_login_failures": 0})
		m.refused(fields{"password": "wrong"})
		m.mustLogin(nil)
	})
}
