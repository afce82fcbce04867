package e2e

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

var waitToTryAgain = regexp.MustCompile(`try again in [0-9]+ (seconds|minutes)`)

// tune has Vault pass headers of requests through to the mount.
func (m *mount) tune(headers ...string) {
	m.t.Helper()
	args := []string{"auth", "tune"}
	for _, header := range headers {
		args = append(args, "-passthrough-request-headers="+header)
	}
	vaultCommand(m.t, m.vault, append(args, m.Path+"/")...)
}

// requireLogged waits until a line of Vault's log has all of the words, which come
// in no fixed order. Vault writes the lines of a plugin when it gets to it.
func (m *mount) requireLogged(words ...string) {
	m.t.Helper()
	eventually(m.t, fmt.Sprintf("%q in the log", words), func() bool {
		log, err := os.ReadFile(m.vault.LogPath)
		require.NoError(m.t, err)
		for line := range strings.Lines(string(log)) {
			missing := func(word string) bool { return !strings.Contains(line, word) }
			if !slices.ContainsFunc(words, missing) {
				return true
			}
		}
		return false
	})
}

// While a push waits, another login gets none, whatever its address: it may be somebody
// who knows the password. A passcode is as good as ever.
func TestPushWhileOneWaits(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	clock := m.ownClock()
	u := m.addUser("bombed@acme.test")
	f, generator := u.AddPush(), u.AddTOTP("OKTA")
	first := m.at("127.0.0.2").begin(u).require(object{"state": "waiting"}) // for minutes
	require.Equal(t, 1, f.Waiting())

	there := m.at("127.0.0.3")
	for range 2 {
		a := there.login(u)
		requireRefused(t, a, http.StatusTooManyRequests, "a push is waiting on your phone")
		require.Regexp(t, waitToTryAgain, a.Errors())
	}
	requireRefused(t, there.login(u, object{"wait": false}), http.StatusTooManyRequests, "waiting on your phone")
	requireRefused(t, there.login(u, object{"device": f.ID}), http.StatusTooManyRequests, "waiting on your phone")
	requireRefused(t, m.at("127.0.0.2").login(u), http.StatusTooManyRequests, "waiting on your phone")
	cli := m.person() // at 127.0.0.1; it repeats the request by itself
	result := m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...)
	require.Equal(t, 2, result.Code)
	require.Contains(t, result.Stderr, "Code: 429")
	require.Regexp(t, waitToTryAgain, result.Stderr)

	there.mustLogin(u, object{"totp": generator.Code()})
	clock.Advance(time.Minute)
	m.requireLoggedIn(cli, m.runLogin(cli, m.loginArgs(u, "password="+u.Password(), "totp="+generator.Code())...))
	require.Equal(t, 1, f.Pushes())
	require.Equal(t, 1, f.Approve(), "the first one waits all the while")
	first.requireEnd(first.wait())

	f.SetScript("SUCCESS")
	there.mustLogin(u)
	require.Equal(t, 2, f.Pushes())
	for _, address := range []string{"127.0.0.1", "127.0.0.3"} {
		m.requireLogged("[WARN]", "no push or code was sent", "okta_user_id="+u.ID, "client_address="+address)
	}
}

// sameNonce is that of a client which repeats its request.
var sameNonce = object{"nonce": "nonce-of-one-client"}

// A client that repeats its login, with the same nonce, takes the place of the first.
func TestPushWithTheSameNonce(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush()
	here := m.at("127.0.0.2")
	first := here.start(t.Context(), u, sameNonce)
	eventually(t, "a push", func() bool { return f.Waiting() == 1 })
	second := here.start(t.Context(), u, sameNonce)
	requireRefused(t, (<-first).Answer, http.StatusBadRequest, "another login")
	eventually(t, "the second push", func() bool { return f.Pushes() == 2 })
	soon(t, 1, f.Withdrawn)
	require.Equal(t, 1, f.Waiting(), "never two at once")
	require.Equal(t, 1, f.Approve())
	requireSuccess(t, <-second)

	var paths []string
	for _, r := range m.org.Requests() {
		paths = append(paths, r.Path[strings.LastIndex(r.Path, "/")+1:])
	}
	// The groups of each are read beside its push.
	without := slices.DeleteFunc(slices.Clone(paths), func(path string) bool { return path == "groups" })
	require.Contains(t, []int{1, 2}, len(paths)-len(without), "the first may end before it reads them")
	require.Regexp(t, `^authn verify (verify )*authn (verify )*cancel verify( verify)*$`, strings.Join(without, " "))

	h := here.begin(u, sameNonce)
	other := here.begin(u, sameNonce).require(object{"state": "waiting"})
	ended := h.post() // Vault may have had the mount forget it already
	requireRefused(t, ended, http.StatusBadRequest)
	require.Regexp(t, "another login|no login of this user is open", ended.Errors())
	h.requireOver()
	require.Equal(t, 1, f.Waiting())
	require.NoError(t, other.post(object{"cancel": true}).Err())
	soon(t, 3, f.Withdrawn)
}

// Behind a gateway all logins come from its address, and an address proves nothing: a
// second login gets no push, whatever the header says. The log has the client's address,
// as far as the mount believes what it is told.
func TestGuardBehindAGateway(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.tune("X-Forwarded-For")
	u := m.addUser("mia@acme.test")
	f := u.AddPush()
	here := m.at("127.0.0.2", "X-Forwarded-For", "203.0.113.7")
	first := here.start(t.Context(), u)
	eventually(t, "a push", func() bool { return f.Waiting() == 1 })
	for _, forwarded := range []string{"203.0.113.7", "203.0.113.8"} {
		requireRefused(t, m.at("127.0.0.2", "X-Forwarded-For", forwarded).login(u), http.StatusTooManyRequests, "waiting on your phone")
	}
	m.requireLogged("[WARN]", "no push or code was sent", "client_address=127.0.0.2")
	m.mustWrite("config", object{"trusted_proxies": "127.0.0.2"})
	for _, forwarded := range []string{"203.0.113.7", "203.0.113.8"} {
		requireRefused(t, m.at("127.0.0.2", "X-Forwarded-For", forwarded).login(u), http.StatusTooManyRequests, "waiting on your phone")
		m.requireLogged("[WARN]", "no push or code was sent", "client_address="+forwarded)
	}
	require.Equal(t, 1, f.Pushes())
	require.Equal(t, 1, f.Approve())
	requireSuccess(t, <-first)
}

// One person's push is nobody else's, and each mount counts for itself.
func TestGuardIsForOnePersonAndMount(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u, other := m.addUser("mia@acme.test"), m.addUser("eve@acme.test")
	f := u.AddPush()
	other.AddPush("SUCCESS")
	first := m.at("127.0.0.2").start(t.Context(), u)
	eventually(t, "a push", func() bool { return f.Waiting() == 1 })
	m.at("127.0.0.3").mustLogin(other)

	twin := enableOn(t, suite.vault, m.org, suite.mountVersion)
	twin.configure()
	second := twin.at("127.0.0.3").start(t.Context(), u)
	eventually(t, "a push by the other mount", func() bool { return f.Waiting() == 2 })
	require.Equal(t, 2, f.Approve())
	requireSuccess(t, <-first)
	requireSuccess(t, <-second)
}

// After too many pushes that went wrong there are none, until the window has
// passed since the last.
func TestPushFailureWindow(t *testing.T) {
	t.Parallel()
	const window = 30 * time.Second
	m := newMount(t, object{"max_push_failures": 2, "push_failure_window": "10m"})
	u := m.addUser("rejecting@acme.test")
	f, generator := u.AddPush("REJECTED"), u.AddTOTP("OKTA")
	requireRefused(t, m.login(u), http.StatusBadRequest, "rejected")
	cli := m.person()
	requireCLIRefused(t, m.runLogin(cli, m.loginArgs(u, "password="+u.Password())...), "rejected")
	last := time.Now()

	f.SetScript("SUCCESS")
	refused := m.login(u)
	requireRefused(t, refused, http.StatusTooManyRequests, "too many pushes", "passcode")
	require.Regexp(t, `try again in [1-9]\d? minutes`, refused.Errors())
	requireRefused(t, m.login(u, object{"wait": false}), http.StatusTooManyRequests, "too many pushes")
	requireRefused(t, m.at("127.0.0.9").login(u, object{"device": f.Name()}), http.StatusTooManyRequests, "too many pushes")
	m.mustLogin(u, object{"totp": generator.Code()})
	require.Equal(t, 2, f.Pushes())

	m.mustWrite("config", object{"push_failure_window": window.String()})
	eventually(t, "a push again", func() bool { return m.login(u).Status == http.StatusOK })
	require.GreaterOrEqual(t, time.Since(last), window-time.Second)
	require.Equal(t, 3, f.Pushes())
	m.requireLogged("[WARN]", "no push or code was sent", "okta_user_id="+u.ID, "client_address=127.0.0.9")
}

// What counts: rejections, pushes that nobody answered, and callers who left.
func TestWhatCountsAsAPushFailure(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(m *mount, l login){
		"rejected":  func(m *mount, l login) { l.phone.SetScript("REJECTED"); m.login(l.user) },
		"timed out": func(m *mount, l login) { l.phone.SetScript("TIMEOUT"); m.login(l.user) },
		"cancelled": func(m *mount, l login) { require.NoError(m.t, m.begin(l.user).post(object{"cancel": true}).Err()) },
		"switched":  func(m *mount, l login) { m.begin(l.user).next(object{"factor": "totp"}) },
		"no nonce":  func(m *mount, l login) { l.phone.Number(47, 0); m.login(l.user) },
		"given up":  func(m *mount, l login) { m.leave(l) },
		"given up before Okta's answer": func(m *mount, l login) {
			m.org.Fail("verify", oktatest.Hang().Delivered().Times(1))
			m.leave(l)
		},
		"no answer of Okta's":  func(m *mount, l login) { m.failSending(l, oktatest.CloseConnection()) },
		"a failure of Okta's":  func(m *mount, l login) { m.failSending(l, oktatest.Status(500, "E0000009", "Internal Server Error")) },
		"a page in its place":  func(m *mount, l login) { m.failSending(l, oktatest.HTML(200)) },
		"an answer of nothing": func(m *mount, l login) { m.failSending(l, oktatest.Body(200, "application/json", "{}")) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, allFactors, object{"max_push_failures": 2})
			u := m.addUser("mia@acme.test")
			l := login{u, u.AddPush()}
			u.AddTOTP("OKTA")
			fail(m, l)
			fail(m, l)
			l.phone.SetScript("SUCCESS")
			requireRefused(t, m.login(u, object{"factor": "push"}), http.StatusTooManyRequests, "too many pushes")
			require.Equal(t, 2, l.phone.Pushes())
		})
	}
}

// failSending has a push sent whose answer is a fault.
func (m *mount) failSending(l login, fault oktatest.Fault) {
	m.t.Helper()
	m.org.Fail("verify", fault.Delivered().Times(1))
	requireRefused(m.t, m.login(l.user, object{"factor": "push"}), http.StatusBadRequest)
}

// What does not count: a push that Okta refused to send, and one that was
// approved, whatever comes behind that.
func TestWhatDoesNotCountAsAPushFailure(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"max_push_failures": 1})
	u := m.addUser("mia@acme.test")
	f := u.AddPush("SUCCESS")
	for _, fault := range []oktatest.Fault{
		oktatest.RateLimited(0, 42*time.Second), oktatest.Status(403, "E0000006", "no"), oktatest.Status(400, "E0000074", "no"),
	} {
		m.org.Fail("verify", fault.Times(1))
		require.GreaterOrEqual(t, m.login(u).Status, 400)
	}
	require.Zero(t, f.Pushes())
	for _, status := range []string{"PASSWORD_EXPIRED", "LOCKED_OUT", "MFA_ENROLL"} {
		u.SetStatusAfterMFA(status)
		requireRefused(t, m.login(u), http.StatusBadRequest)
	}
	u.SetStatusAfterMFA("")
	m.org.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error"))
	requireRefused(t, m.login(u), http.StatusBadRequest, "E0000009")
	m.org.ClearFaults()
	m.mustLogin(u)
	require.Equal(t, 5, f.Pushes())
}

// The last push that may go wrong is not withdrawn for one that would not be
// sent then: the person would have none.
func TestLastPushIsNotReplaced(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"max_push_failures": 2, "push_devices": "first"})
	u := m.addUser("mia@acme.test")
	f, second := u.AddPush(), u.AddPush()
	first := m.start(t.Context(), u, sameNonce)
	eventually(t, "a push", func() bool { return f.Waiting() == 1 })
	ended := m.start(t.Context(), u, sameNonce)
	requireRefused(t, (<-first).Answer, http.StatusBadRequest, "another login")
	eventually(t, "the second push", func() bool { return f.Pushes() == 2 })
	for _, more := range []object{{}, {"wait": false}, {"device": second.ID}} {
		a := m.login(u, more, sameNonce)
		requireRefused(t, a, http.StatusTooManyRequests, "a push is waiting on your phone already")
		require.Regexp(t, waitToTryAgain, a.Errors())
	}
	require.Equal(t, 1, f.Approve())
	requireSuccess(t, <-ended)
	soon(t, []int{2, 1, 0}, func() []int { return []int{f.Pushes(), f.Withdrawn(), second.Pushes()} })

	// Nor is that of a held login, for another phone.
	f.SetScript("TIMEOUT")
	requireRefused(t, m.login(u), http.StatusBadRequest, "not answered")
	f.SetScript("WAITING")
	h := m.begin(u)
	requireRefused(t, h.post(object{"device": second.ID}), http.StatusBadRequest, "too many pushes", "still open")
	h.next().require(object{"state": "waiting", "device": "Phone 1"})
	require.Equal(t, 1, f.Approve())
	h.requireEnd(h.wait())
	require.Zero(t, second.Pushes())
}

// Limit and window are those of today, also for what went wrong before.
func TestGuardFollowsTheConfiguration(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush("REJECTED")
	requireRefused(t, m.login(u), http.StatusBadRequest, "rejected")
	requireRefused(t, m.login(u), http.StatusBadRequest, "rejected")
	m.mustWrite("config", object{"max_push_failures": 2})
	requireRefused(t, m.login(u), http.StatusTooManyRequests, "too many pushes")
	m.mustWrite("config", object{"max_push_failures": 4})
	f.SetScript("SUCCESS")
	m.mustLogin(u)
	m.mustWrite("config", object{"max_push_failures": 2})
	requireRefused(t, m.login(u), http.StatusTooManyRequests, "too many pushes")
	m.mustWrite("config", object{"push_failure_window": "1s"})
	eventually(t, "a push again", func() bool { return m.login(u).Status == http.StatusOK })
	require.Equal(t, 4, f.Pushes())
}

// login is a user with a phone.
type login struct {
	user  *oktatest.User
	phone *oktatest.Factor
}

// leave begins a login and does not wait for its end.
func (m *mount) leave(l login) {
	m.t.Helper()
	before := l.phone.Pushes()
	ctx, leave := context.WithCancel(m.t.Context())
	ended := m.start(ctx, l.user)
	eventually(m.t, "a push", func() bool { return l.phone.Pushes() == before+1 })
	leave()
	<-ended
	eventually(m.t, "its end", func() bool { return l.phone.Waiting() == 0 })
}

// An approval shows that nobody answered before because the person was away. It
// does not show who was behind what they rejected.
func TestApprovalClearsWhatWasNotAnswered(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"max_push_failures": 2})
	u := m.addUser("mia@acme.test")
	f := u.AddPush()
	for i, row := range []struct {
		result string
		status int
	}{
		{"TIMEOUT", 400}, {"SUCCESS", 200}, {"TIMEOUT", 400}, {"SUCCESS", 200},
		{"REJECTED", 400}, {"SUCCESS", 200}, {"REJECTED", 400}, {"SUCCESS", 429},
	} {
		f.SetScript(row.result)
		require.Equal(t, row.status, m.login(u).Status, i)
	}
	require.Equal(t, 7, f.Pushes())
}

// A renewal happens behind people's backs: it takes nobody's place, is subject
// to the same limits, and sends no codes.
func TestRenewalAndTheGuard(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors, object{"max_push_failures": 2})
	u := m.addUser("mia@acme.test")
	f := u.AddPush("SUCCESS")
	token := m.mustLogin(u).Token()
	f.SetScript("WAITING")
	ended := m.start(t.Context(), u)
	eventually(t, "a push", func() bool { return f.Waiting() == 1 })
	status, _ := m.renew(token)
	require.GreaterOrEqual(t, status, 400)
	require.Equal(t, 2, f.Pushes())
	require.Equal(t, 1, f.Approve())
	requireSuccess(t, <-ended)

	f.SetScript("TIMEOUT")
	for range 4 {
		status, _ := m.renew(token)
		require.GreaterOrEqual(t, status, 400)
	}
	require.Equal(t, 4, f.Pushes(), "two that nobody answered, and then none")
	f.SetScript("SUCCESS")
	m.mustLogin(u) // those were no person's
	require.Equal(t, 5, f.Pushes())

	f.SetScript("REJECTED")
	for range 4 {
		status, _ := m.renew(token)
		require.GreaterOrEqual(t, status, 400)
	}
	require.Equal(t, 7, f.Pushes())
	requireRefused(t, m.login(u), http.StatusTooManyRequests, "too many pushes")

	other := m.addUser("eve@acme.test")
	text := other.AddFactor("sms", "OKTA")
	requireRefused(t, m.login(other), http.StatusBadRequest, "by SMS")
	token = m.mustLogin(other, object{"totp": text.Code()}).Token()
	status, _ = m.renew(token)
	require.Equal(t, http.StatusBadRequest, status)
	require.Equal(t, 1, text.Sent())
}
