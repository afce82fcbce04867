package backend

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// as sends a request to the mount as Vault does where it calls the mount by that name. A
// read does not tell the accessor.
func (m *mount) as(name string, op logical.Operation, path string, data fields) {
	m.t.Helper()
	req := m.request(op, path, data)
	req.MountPoint, req.MountAccessor = "auth/"+name+"/", ""
	if op != logical.ReadOperation {
		req.MountAccessor = "auth_okta_" + name
	}
	m.send(m.t.Context(), req)
}

// TestEachLineNamesItsMount: mounts that share a process, and its log, each have their own
// path and accessor in each of their lines, also where no request has the line written.
func TestEachLineNamesItsMount(t *testing.T) {
	bothWays(t, func(t *testing.T, a *mount) {
		b := a.another()
		named := map[string]*mount{"a": a, "b": b}
		for name, m := range named {
			m.as(name, logical.UpdateOperation, "config", fields{"org_name": "acme", "base_url": m.okta.URL, "api_token": m.okta.Token})
		}
		a.addUser("Everyone")
		login := "login/" + testLogin
		a.as("a", logical.UpdateOperation, login, fields{"password": testPassword})
		b.as("b", logical.UpdateOperation, login, fields{"password": "wrong"})
		a.clock.advance(6 * time.Minute)
		for name, m := range named { // a read in the background, that fails
			before := strings.Count(a.logs.String(), "event="+string(eventStorageStale))
			m.storage.fail(true, false)
			m.as(name, logical.ReadOperation, "config", nil)
			m.eventually(func() bool {
				return strings.Count(a.logs.String(), "event="+string(eventStorageStale)) > before
			}, "no line about storage")
			m.storage.fail(false, false)
		}
		a.as("moved", logical.UpdateOperation, login, fields{"password": "wrong"})

		told := map[string][]string{}
		for line := range strings.Lines(a.logs.String()) {
			if !strings.Contains(line, "[INFO]") && !strings.Contains(line, "event=") {
				continue // go-plugin's own
			}
			of := regexp.MustCompile(` event=(\w+).* mount_path=auth/(\w+)/ mount_accessor=auth_okta_(\w+)`).FindStringSubmatch(line)
			require.NotNil(t, of, line)
			assert.Equal(t, of[2], of[3], line)
			told[of[2]] = append(told[of[2]], of[1])
		}
		assert.Equal(t, map[string][]string{
			"a": {"login_ok", "storage_stale"}, "b": {"login_denied", "storage_stale"}, "moved": {"login_denied"},
		}, told)
	})
}

// TestEachLineHasAnEvent: nothing is logged without a word to search by.
func TestEachLineHasAnEvent(t *testing.T) {
	t.Parallel()
	files, err := os.ReadDir(".")
	require.NoError(t, err)
	call := regexp.MustCompile(`Logger\(\)\.(Trace|Debug|Info|Warn|Error)\((.*)`)
	lines := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") || strings.HasSuffix(file.Name(), "_test.go") {
			continue
		}
		source, err := os.ReadFile(file.Name())
		require.NoError(t, err)
		for _, at := range call.FindAllStringIndex(string(source), -1) {
			lines++
			around := string(source[max(0, at[0]-1300):min(len(source), at[1]+100)])
			assert.Regexp(t, `"event", e\b|"event", a\.event|"event", event[A-Z]`, around, file.Name())
		}
	}
	assert.GreaterOrEqual(t, lines, 6)
}

// TestLoginEvents: each reason why a login fails has its word.
func TestLoginEvents(t *testing.T) {
	t.Parallel()
	inMethod := func(err error) error { return &mfa.MethodError{Method: mfa.Required{Name: "my_duo"}, Err: err} }
	said := func(status int, code string) error { return &okta.Error{HTTPStatus: status, Code: code} }
	for _, row := range []struct {
		err  error
		want event
	}{
		{said(401, okta.CodeAuthenticationFailed), eventLoginDenied},
		{said(401, okta.CodeSignInFailed), eventLoginDenied},
		{invalid("password", "is required"), eventLoginDenied},
		{mfa.ErrRejected, eventLoginDenied},
		{mfa.ErrNoTime, eventLoginDenied},
		{&mfa.ChallengeRefusedError{Waiting: true}, eventLoginDenied},
		{logical.ErrPermissionDenied, eventLoginDenied},
		{errNotConfigured, eventLoginDenied},
		{&mfa.ChallengeRefusedError{}, eventLockout},
		{&attempts.BlockedError{}, eventLockout},
		{inMethod(&mfa.PassCodesBarredError{}), eventLockout},
		{mfa.ErrLockedOut, eventLockout},
		{said(403, okta.CodeUserLocked), eventLockout},
		{said(429, "E0000047"), eventRateLimited},
		{okta.ErrBusy, eventRateLimited},
		{errTooManyLogins, eventRateLimited},
		{inMethod(&mfa.ServiceError{Status: 429}), eventRateLimited},
		{said(500, okta.CodeInternal), eventOktaError},
		{okta.ErrTimeout, eventOktaError},
		{context.DeadlineExceeded, eventOktaError},
		{okta.ErrMalformed, eventOktaError},
		{&okta.DownError{}, eventOktaError},
		{fmt.Errorf("%w: %w", errAPIToken, said(401, okta.CodeInvalidToken)), eventOktaError},
		{inMethod(&mfa.ServiceError{Status: 500}), eventServiceError},
		{inMethod(mfa.ErrServiceUnreachable), eventServiceError},
		{inMethod(okta.ErrNoAPIToken), eventServiceError},
		{errMethodGone, eventMountError},
		{store.ErrTimeout, eventMountError},
		{&store.UnreadableError{}, eventMountError},
		{errors.New("storage"), eventMountError},
		{inMethod(&panics.Error{}), eventMountError},
		{context.Canceled, eventLoginGone},
		{fmt.Errorf("verifying: %w", context.Canceled), eventLoginGone},
		{errMountGone, eventLoginGone},
	} {
		assert.Equal(t, row.want, loginEvent(row.err), "%v", row.err)
		assert.Contains(t, loginEvents, row.want)
	}
}

// TestLogLineOfALogin: the line of a login has how it ended, how long it took, its factor,
// each request to Okta, and the id by which the audit log has it; and nobody's name.
func TestLogLineOfALogin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		totp := u.AddTOTP("GOOGLE")
		send := func(id string, data fields) {
			req := m.from(callerIP, nil, data)
			req.ID = id
			m.send(t.Context(), req)
		}
		send("id-1", fields{"totp": m.nextCode(totp)})
		line := logLine(m, "login succeeded")
		assert.Regexp(t, `\[INFO\]  login succeeded: event=login_ok kind=login request_id=id-1 duration_ms=\d+ factor=totp `+
			`okta_calls="authn 2xx \d+ms, (verify 2xx \d+ms, groups 2xx \d+ms|groups 2xx \d+ms, verify 2xx \d+ms)" mount_path=`, line)
		send("id-2", fields{"totp": "000000"})
		line = logLine(m, "request_id=id-2")
		assert.Regexp(t, `\[DEBUG\] login denied: event=login_denied status=400 kind=login `, line)
		assert.Regexp(t, `okta_calls="[^"]*authn 2xx [^"]*verify 4`, line) // the groups are read beside them
		assert.NotContains(t, m.logs.String(), testLogin)
		assert.NotContains(t, m.logs.String(), u.ID)
	})
}

// TestRequestsOfOperatorsAreNoLogins: what goes wrong in one is logged as what it is, and
// is none of the logins that are counted.
func TestRequestsOfOperatorsAreNoLogins(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		report := func() { m.do(logical.ListOperation, "config/aliases", fields{"username": "nobody"}) }
		report() // of no configuration
		assert.Contains(t, logLine(m, "event=request_denied"), "request denied")
		m.configure(nil)
		m.okta.Fail("users", oktatest.Status(500, "E0000009", "Internal Server Error"))
		report()
		assert.Contains(t, logLine(m, "event=okta_error"), "[WARN]  request failed")
		for kind, events := range m.numbers().Logins {
			for event, n := range events {
				assert.Zero(t, n, "%s %s", kind, event)
			}
		}
	})
}

// TestLongLoginsHaveShortLines: a login that polls for long does not tell each poll.
func TestLongLoginsHaveShortLines(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	ctx, a := m.inner.begin(t.Context(), m.request(logical.RenewOperation, "login/mia", nil))
	for range maxCalls + 3 {
		m.inner.observe(ctx, okta.Call{Endpoint: okta.EndpointVerify, Result: okta.CallOK, Duration: 5 * time.Millisecond})
	}
	m.inner.observe(t.Context(), okta.Call{}) // of no login, and to no endpoint that has a name
	told := fmt.Sprint(a.details(m.clock.Now()))
	assert.Equal(t, maxCalls, strings.Count(told, "verify 2xx 5ms"))
	assert.Contains(t, told, ", 3 more")
	assert.Contains(t, told, "kind renewal")
}

// TestLimitsAreSeen: the first login of a minute that meets a limit is logged at a level
// that is on, and the others, which strangers may cause, are not.
func TestLimitsAreSeen(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_login_failures": 2})
		m.addUser("Everyone")
		levels := func(event event) (levels string) {
			for line := range strings.Lines(m.logs.String()) {
				if strings.Contains(line, "event="+string(event)+" ") {
					levels += regexp.MustCompile(`\[(.)`).FindStringSubmatch(line)[1]
				}
			}
			return levels
		}
		m.okta.Fail("authn", oktatest.RateLimited(0, time.Minute).Times(3))
		for range 2 {
			_, status, _ := m.login(nil)
			require.Equal(t, http.StatusTooManyRequests, status)
		}
		assert.Equal(t, "WD", levels(eventRateLimited))
		m.clock.advance(seldomPause)
		_, _, _ = m.login(nil)
		assert.Equal(t, "WDW", levels(eventRateLimited))
		for range 4 {
			_, _, _ = m.login(fields{"password": "wrong"})
		}
		assert.Regexp(t, "^WD+$", levels(eventLockout))
	})
}
