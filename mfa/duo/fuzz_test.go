package duo_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// FuzzAnswer: of all answers, those with HTTP status 200, the stat OK and the result allow
// alone let anybody in. No error has a key or the passcode, and what a push shows is a
// number of few digits.
func FuzzAnswer(f *testing.F) {
	const ok = `{"stat":"OK","response":`
	for _, body := range []string{
		ok + `{"result":"allow","status":"allow"}}`, ok + `{"result":"auth","devices":[{"device":"DP1","type":"phone","capabilities":["push","sms"]}]}}`, ok + `{"result":"deny","status":"deny","status_msg":"no"}}`,
		ok + `{"result":"auth","devices":[{"device":"DP1","capabilities":["push"]}],"txid":"t","verification_code":"0123","expiration":1e3}}`, ok + `{"result":"waiting","status":"pushed"}}`,
		ok + `{"result":"enroll","enroll_portal_url":"https://x"}}`, ok + `{"txid":"t"}}`, ok + `{"result":["allow"]}}`, ok + `null}`, `{"stat":"FAIL","code":40002,"message":"m","message_detail":"username"}`,
		`{"stat":"FAIL","code":"","message":"73519408"}`, `{"stat":"ok","response":{"result":"allow"}}`, `{"STAT":"OK","Response":{"Result":"allow"}}`, `null`, `[]`, ``, `<p>`, `{"stat":"OK","stat":"FAIL"}`,
	} {
		f.Add(200, body, body, body, "", "")
		f.Add(200, body, body, body, "73519408", "1")
		f.Add(429, body, body, body, "", "Thu, 01 Jan 1970 00:00:00 GMT")
		f.Add(200, ok+`{"result":"auth","devices":[{"device":"DP1","capabilities":["push","phone"]}]}}`, ok+`{"txid":"t"}}`, body, "", "")
		f.Add(200, ok+`{"result":"auth","devices":[]}}`, body, "", "73519408", "")
	}
	const secret = "5e1f-the-secret-key-of-duo"
	type answers struct {
		status                     int
		preauth, auth, state, wait string
	}
	var current atomic.Pointer[answers]
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := current.Load()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Retry-After", now.wait)
		w.WriteHeader(now.status)
		body := now.state
		switch {
		case strings.HasSuffix(r.URL.Path, "/preauth"):
			body = now.preauth
		case strings.HasSuffix(r.URL.Path, "/auth"):
			body = now.auth
		}
		_, _ = w.Write([]byte(body))
	}))
	f.Cleanup(srv.Close)
	clock := methodtest.NewMoving()
	method, err := duo.New(duo.Config{IntegrationKey: "DI5e1f", SecretKey: okta.NewSecret(secret), APIHostname: strings.TrimPrefix(srv.URL, "https://"),
		RootCAs: srv.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, UserAgent: "test", Clock: clock})
	require.NoError(f, err)
	allows := func(body string) bool {
		var doc struct {
			Stat     string
			Response struct{ Result string }
		}
		return json.Unmarshal([]byte(body), &doc) == nil && doc.Stat == "OK" && doc.Response.Result == "allow"
	}
	f.Fuzz(func(t *testing.T, status int, preauth, auth, state, passCode, wait string) {
		if status < 200 || status > 599 {
			t.Skip("no answer")
		}
		current.Store(&answers{status, preauth, auth, state, wait})
		attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{PassCode: passCode})
		talk := methodtest.Talk{Clock: clock, Numbers: true}
		if err == nil && !attempt.Passed {
			err = talk.Satisfy(t.Context(), attempt, 5*time.Second)
		}
		if err == nil && (status != http.StatusOK || !allows(preauth) && !allows(auth) && !allows(state)) {
			t.Errorf("HTTP %d with %s, %s, %s lets somebody in", status, preauth, auth, state)
		}
		secrets := []string{secret}
		if passCode == "73519408" && !strings.Contains(preauth, passCode) { // which is not sent with that
			secrets = append(secrets, passCode)
		}
		methodtest.AssertNoSecret(t, secrets, err)
		if n := talk.Told.Number; n != nil && (len(n.Code) > 9 || strings.Trim(n.Code, "0123456789") != "" || n.Answer < 0) {
			t.Errorf("shows %+v", n)
		}
	})
}
