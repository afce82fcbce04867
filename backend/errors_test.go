package backend

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Each fault at each of Okta's endpoints: the status, in bounded time, with the
// password delivered once.
func TestOktaFaults(t *testing.T) {
	elsewhere := oktatest.NewServer(t)
	tests := []struct {
		name   string
		fault  oktatest.Fault
		status int
		says   string
	}{
		{"closed connection", oktatest.CloseConnection(), 502, "could not be reached"},
		{"redirect 302", oktatest.Redirect(302, elsewhere.URL+"/api/v1/authn"), 502, "makes no sense"},
		{"redirect 307", oktatest.Redirect(307, elsewhere.URL+"/api/v1/authn"), 502, "makes no sense"},
		{"HTML with 200", oktatest.HTML(200), 502, "makes no sense"},
		{"HTML with 403", oktatest.HTML(403), 502, "base_url"},
		{"HTML with 502", oktatest.HTML(502), 502, "HTTP 502"},
		{"truncated JSON", oktatest.TruncatedJSON(), 502, ""},
		{"5 MB body", oktatest.HugeBody(5 << 20), 502, "makes no sense"},
		{"endless body", oktatest.EndlessBody(), 502, ""},
		{"hanging body", oktatest.HangBody(), 504, "in time"},
		{"no answer", oktatest.Hang(), 504, "in time"},
		{"500", oktatest.Status(500, "E0000009", "Internal Server Error"), 502, "(E0000009)"},
		{"503", oktatest.Status(503, "E0000010", "Read only"), 502, "(E0000010)"},
		{"504", oktatest.Status(504, "E0000067", "Factors Service timeout"), 504, "(E0000067)"},
		{"202 with an error", oktatest.Accepted202(), 502, "(E0000070)"},
		{"429", oktatest.RateLimited(0, 23*time.Second), 429, "23 seconds"},
		{"429 of concurrency", oktatest.RateLimitedConcurrency(), 429, "seconds"},
		{"429 without headers", oktatest.RateLimitedBare(), 429, "60 seconds"},
		{"403", oktatest.Status(403, "E0000085", "You do not have permission"), 400, "(E0000085)"},
		{"empty object", oktatest.Body(200, "application/json", `{}`), 502, "makes no sense"},
		{"empty answer", oktatest.Body(200, "application/json", ``), 502, "makes no sense"},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.impatient()
		m.configure(nil)
		totp := m.addUser("Everyone").AddTOTP("GOOGLE")
		for _, endpoint := range []string{"authn", "verify", "groups"} {
			for _, test := range tests {
				name := endpoint + ": " + test.name
				m.okta.Reset()
				m.okta.ClearFaults()
				m.okta.Fail(endpoint, test.fault)
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
				resp, status, text := m.send(ctx, m.request(logical.UpdateOperation, "login/"+testLogin,
					fields{"password": testPassword, "totp": m.nextCode(totp)}))
				require.NoError(t, ctx.Err(), name)
				cancel()
				assert.Equal(t, test.status, status, "%s: %s", name, text)
				assert.Contains(t, text, test.says, name)
				assert.True(t, resp == nil || resp.Auth == nil, name)
				assert.Equal(t, 1, m.authnCalls(), name)
				assert.LessOrEqual(t, len(m.okta.Requests()), 4, name)
			}
		}
		m.okta.ClearFaults()
		m.mustLogin(fields{"totp": m.nextCode(totp)})
		assert.Empty(t, elsewhere.Requests(), "nothing follows a redirect")
	})
}

// Once a push was sent every failure is 400: Vault's Go client repeats a request
// on 429 and 5xx by itself, and the phone would ring again.
func TestFailuresAfterThePush(t *testing.T) {
	faults := map[string]oktatest.Fault{
		"closed connection": oktatest.CloseConnection(),
		"no answer":         oktatest.Hang(),
		"500":               oktatest.Status(500, "E0000009", "Internal Server Error"),
		"429":               oktatest.RateLimited(0, 23*time.Second),
		"HTML":              oktatest.HTML(200),
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_push_failures": 100})
		m.impatient()
		push := m.addUser("Everyone").AddPush("WAITING", "WAITING", "SUCCESS")
		for name, fault := range faults {
			for _, at := range []struct {
				endpoint string
				after    int
			}{{"verify", 0}, {"verify", 1}, {"verify", 2}, {"groups", 0}} {
				if name == "429" && at.endpoint == "verify" && at.after == 0 {
					continue // nothing was sent: see TestPushRefusedByOkta
				}
				m.okta.ClearFaults()
				m.okta.Fail(at.endpoint, fault.Delivered().After(at.after))
				before := push.Pushes()
				_, status, text := m.login(nil)
				assert.Equal(t, http.StatusBadRequest, status, "%s at %v: %s", name, at, text)
				assert.Contains(t, text, "push", "%s at %v", name, at)
				assert.Equal(t, before+1, push.Pushes(), "%s at %v", name, at)
			}
		}
	})
}

// Limits of Okta's that no short wait helps against: a client that repeats 429 by
// itself must not be asked to.
func TestQuotas(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone").AddFactor("sms", "OKTA")
		for code, says := range map[string]string{
			"E0000146": "no more SMS", "E0000186": "no more SMS", "E0000204": "no more SMS", "E0000150": "no more SMS",
			"E0000147": "no more calls", "E0000205": "no more calls", "E0000151": "no more calls",
		} {
			status := http.StatusTooManyRequests
			if code == "E0000150" || code == "E0000151" {
				status = http.StatusForbidden
			}
			m.okta.Fail("verify", oktatest.Status(status, code, "quota").Times(1))
			text := m.refused(nil)
			assert.Contains(t, text, says, code)
			assert.Contains(t, text, "use another factor ("+code+")")
		}
	})
}

// A mount keeps so many codes at most, and says so.
func TestTooManyCodes(t *testing.T) {
	t.Parallel()
	r := describe(mfa.ErrTooManyCodes)
	assert.Equal(t, reply{http.StatusTooManyRequests, "too many codes are waiting on this mount: try again in 5 seconds"}, r)
}

// What the log says is what was answered, and who must look at it is warned.
func TestLogLevels(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone").AddPush("WAITING", "SUCCESS")
		m.okta.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error"))
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, m.logs.String(), "[WARN]  login failed: status=400 okta_status=500 okta_code=E0000009")
		_, _, _ = m.login(fields{"password": "wrong"})
		assert.Contains(t, m.logs.String(), "[DEBUG] login denied: status=400 okta_status=401 okta_code=E0000004")
	})
}

func TestWrongCredentials(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		_, status, wrong := m.login(fields{"password": "guess"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, wrong, "(E0000004)")
		_, status, unknown := m.do(logical.UpdateOperation, "login/nobody", fields{"password": "guess"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, wrong, unknown, "nothing tells whether an account exists")
	})
}

func TestBadAPIToken(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"api_token": "00revoked"})
		m.addUser("Everyone")
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "api_token")
		assert.Contains(t, text, "(E0000011)")

		m.configure(nil)
		m.okta.Fail("groups", oktatest.Status(403, "E0000006", "You do not have permission"))
		_, status, text = m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "api_token")
		assert.Contains(t, text, "(E0000006)")

		m.okta.ClearFaults()
		m.configure(fields{"api_token": ""})
		m.okta.Fail("authn", oktatest.Status(401, "E0000011", "Invalid token provided"))
		_, status, text = m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.NotContains(t, text, "api_token", "there is none to blame")
	})
}

func TestUnreachable(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"base_url": "https://127.0.0.1:1"})
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status)
		assert.Contains(t, text, "could not be reached")
		assert.Contains(t, m.logs.String(), "refused", "the log tells the operator why")
	})
}

func TestLoginStorageFails(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.start() // a node that has read nothing yet
		m.storage.fail(true, false)
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusInternalServerError, status)
		assert.Empty(t, m.okta.Requests())
		m.storage.fail(false, false)
		m.mustLogin(nil)
		m.storage.fail(true, true)
		m.mustLogin(nil) // which needs no storage any more
	})
}
