package pingid_test

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
)

// FuzzAnswer: of all answers, signed ones with the id of a success and HTTP status 200
// alone let anybody in, and no error has a secret of the organization's or the passcode.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		`{"errorId":200}`, `{"errorId":200,"sessionId":"webs_x"}`, `{"errorId":30010,"sessionId":"webs_x"}`, `{"errorId":30003,"sessionId":"webs_x"}`,
		`{"errorId":30008,"sessionId":"x","userDevices":[{"deviceId":1,"type":"SMS"}]}`, `{"errorId":"200"}`, `{"errorId":200.0}`, `{"errorId":2e2}`, `{"errorId":null}`,
		`{"errorId":200,"clientData":"another"}`, `{"errorId":20513,"errorMsg":"wrong"}`, `{"errorId":400,"errorMsg":"x","uniqueMsgId":"y"}`, `{"errorID":200,"errorId":10551}`,
		`[]`, `null`, `{}`, `{"errorId":30001,"sessionId":"s","extendedAuthenticationDetails":{"numberForMatching":"7"}}`,
		`{"errorId":200,"userDetails":{"status":"ACTIVE","devicesDetails":[{"deviceId":"1","type":"YubiKey"},{"deviceId":-1},null]}}`, `{"errorId":200,"userDetails":{"status":"SUSPENDED"}}`,
	} {
		f.Add(body, true, 200, "")
		f.Add(body, false, 200, "73519408")
		f.Add(body, true, 200, "73519408")
		f.Add(body, false, 400, "")
		f.Add(body, true, 403, "")
	}
	srv := mfatest.NewPingID(f)
	srv.AddUser(methodtest.Person.Login)
	method := methodtest.PingID(f, srv, func(c *pingid.Config) { c.Start = true })
	f.Fuzz(func(t *testing.T, body string, signed bool, status int, passCode string) {
		if status < 200 || status > 599 {
			t.Skip("no answer")
		}
		var answer any
		isJSON := json.Unmarshal([]byte(body), &answer) == nil
		var decisive atomic.Bool // an answer that may let somebody in has been given
		srv.Forge(func(token *mfatest.Token) {
			token.Unsigned = !signed
			if !isJSON {
				answer = body
			}
			token.Payload["responseBody"] = answer
			raw, _ := json.Marshal(answer)
			var said struct {
				ErrorID int `json:"errorId"`
			}
			if json.Unmarshal(raw, &said) == nil && said.ErrorID == 200 && signed {
				decisive.Store(true)
			}
		})
		if status != http.StatusOK {
			raw, _ := json.Marshal(map[string]any{"responseBody": answer})
			srv.Fail(mfatest.Fault{Status: status, Body: string(raw)})
			defer srv.ClearFaults()
		}
		attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{PassCode: passCode})
		if err == nil && !attempt.Passed {
			talk := methodtest.Talk{Clock: methodtest.NewMoving()}
			err = talk.Satisfy(t.Context(), attempt, 5*time.Second)
		}
		if err == nil && (!decisive.Load() || status != http.StatusOK) {
			t.Errorf("%s lets somebody in: signed %v, HTTP %d", body, signed, status)
		}
		secrets := srv.Secrets()
		if passCode == "73519408" {
			secrets = append(secrets, passCode)
		}
		methodtest.AssertNoSecret(t, secrets, err)
	})
}
