package backend

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Whatever happens, what people and operators gave in secret is in no log, no
// error and no read.
func TestSecretsStaySecret(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_login_failures": 0, "max_push_failures": 100})
		u := m.addUser("Everyone")
		u.AddPush("WAITING", "SUCCESS")
		totp := u.AddTOTP("GOOGLE")
		code := m.nextCode(totp)
		var texts string
		for _, fault := range []oktatest.Fault{
			oktatest.CloseConnection(), oktatest.HTML(500), oktatest.TruncatedJSON(), oktatest.RateLimitedBare(),
			oktatest.Status(400, "E0000001", "The request is not valid"),
		} {
			for _, endpoint := range []string{"authn", "verify", "groups"} {
				m.okta.ClearFaults()
				m.okta.Fail(endpoint, fault)
				for _, data := range []fields{nil, {"totp": code}, {"password": "not-the-right-one"}} {
					_, _, text := m.login(data)
					texts += text + "\n"
				}
			}
		}
		m.okta.ClearFaults()
		m.mustLogin(nil)
		// Values that cannot be what they are given as.
		for field, path := range map[string]string{"password": "login/" + testLogin, "totp": "login/" + testLogin,
			"passcode": "login/" + testLogin, "transaction_id": "login/" + testLogin, "api_token": "config", "token": "config"} {
			for _, value := range []any{[]any{testPassword}, map[string]any{"a": testPassword}} {
				req := m.request(logical.UpdateOperation, path, fields{field: value})
				_, _, err := m.backend.HandleExistenceCheck(t.Context(), req)
				require.NoError(t, err)
				_, status, text := m.send(t.Context(), req)
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, text, field+" must be a string")
				texts += text
			}
		}
		secrets := append(m.okta.Secrets(), "not-the-right-one", testPassword, m.okta.Token, code)
		assert.Greater(t, len(secrets), 8)
		for _, secret := range secrets {
			assert.NotContains(t, texts, secret)
			assert.NotContains(t, m.logs.String(), secret)
		}
		assert.Contains(t, m.logs.String(), "okta_request_id", "the log is not empty")
	})
}

// Passcodes, codes and answers of all kinds, and the ids of held logins, right
// and wrong ones, whatever becomes of them.
func TestSecretsOfFactorsStaySecret(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"passcode_separator": ",", "max_push_failures": 100, "mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push := u.AddPush()
		var texts, ids []string
		said := func(resp *logical.Response, _ int, text string) {
			texts = append(texts, text)
			if resp != nil {
				raw, err := json.Marshal(fields{"data": resp.Data, "warnings": resp.Warnings})
				require.NoError(t, err)
				texts = append(texts, string(raw))
			}
		}
		// The same with each kind: as one login, as a held one, in the password.
		for _, f := range passCodeFactors {
			factor := u.AddFactor(f.factorType, f.provider)
			for _, fault := range []string{"", "verify", "groups"} {
				m.okta.ClearFaults()
				if fault != "" {
					m.okta.Fail(fault, oktatest.Status(http.StatusBadRequest, "E0000001", "The request is not valid"))
				}
				said(m.login(fields{"totp": m.nextCode(factor), "provider": f.kind}))
				said(m.login(fields{"passcode": "wr0ng" + f.factorType, "provider": f.kind, "factor": f.kind}))
				said(m.login(fields{"password": testPassword + "," + m.nextCode(factor)}))
				said(m.login(fields{"totp": m.nextCode(factor), "passcode": "another-passcode"}))
				said(m.login(fields{"totp": m.nextCode(factor), "factor": "push"}))
			}
			m.okta.ClearFaults()
			held := m.hold(fields{"factor": f.kind})
			ids = append(ids, held.TransactionID)
			code := m.nextCode(factor)
			said(m.proceed(held, fields{"totp": "wr0ng" + f.factorType}))
			said(m.proceed(held, fields{"totp": code, "provider": f.kind}))
			said(m.proceed(held, fields{"totp": code}))
		}
		for _, f := range codeFactors {
			factor := u.AddFactor(f.kind, "OKTA")
			for _, fault := range []oktatest.Fault{oktatest.CloseConnection(), oktatest.HTML(500), oktatest.TruncatedJSON(), oktatest.RateLimitedBare()} {
				m.clock.advance(time.Minute)
				said(m.login(fields{"factor": f.kind}))
				m.okta.Fail("verify", fault.Times(1))
				said(m.login(fields{"totp": factor.Code()}))
				said(m.login(fields{"totp": factor.Code()}))
			}
			m.clock.advance(time.Minute)
			held := m.hold(fields{"factor": f.kind})
			ids = append(ids, held.TransactionID)
			said(m.proceed(held, fields{"resend": true, "factor": f.kind}))
			said(m.proceed(held, fields{"totp": factor.Code()}))
			said(m.proceed(held, fields{"totp": factor.Code()}))
		}
		held := m.hold(nil)
		ids = append(ids, held.TransactionID)
		m.later()
		m.okta.Fail("verify", oktatest.TruncatedJSON().Times(1))
		said(m.proceed(held, nil))
		said(m.proceed(held, nil))
		held = m.hold(fields{"nonce": "one"}) // and one that another takes the place of, and one that expires
		ids = append(ids, held.TransactionID, m.hold(fields{"nonce": "one"}).TransactionID)
		said(m.proceed(held, nil))
		push.Reject()
		m.clock.advance(10 * time.Minute)
		m.tidy()
		said(m.do(logical.ReadOperation, "config", nil))
		said(m.do(logical.ReadOperation, "verify/"+held.TransactionID, nil))
		for _, id := range ids {
			_, _, text := m.do(logical.UpdateOperation, "login/nobody", fields{"transaction_id": id})
			texts = append(texts, text)
		}

		all := strings.Join(texts, "\n")
		secrets := append(m.okta.Secrets(), ids...)
		secrets = append(secrets, "wr0ng", "another-passcode", testPassword, m.okta.Token)
		assert.Greater(t, len(secrets), 100)
		for _, id := range ids { // what a held login answers has its own id, and that is all
			all = strings.ReplaceAll(all, `"transaction_id":"`+id, "")
		}
		for _, secret := range secrets {
			assertUntold(t, all, secret)
			assertUntold(t, m.logs.String(), secret)
		}
		assert.Contains(t, m.logs.String(), "okta_request_id", "the log is not empty")
	})
}

// assertUntold fails where the text has the secret. A code is only digits, and counts only
// where it stands alone: not within one of Okta's error codes, an id or a time.
func assertUntold(t *testing.T, text, secret string) {
	t.Helper()
	if strings.Trim(secret, "0123456789") != "" {
		assert.NotContains(t, text, secret)
		return
	}
	assert.NotRegexp(t, `(?:^|[^\w.:+/-])`+secret+`(?:$|[^\w.:+/-])`, text)
}
