package backend

import (
	"fmt"
	"maps"
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// meanwhile writes to the mount while Okta answers the next request to an endpoint.
func (m *mount) meanwhile(endpoint, path string, data fields) {
	m.okta.Fail(endpoint, oktatest.Meanwhile(func() {
		_, status, text := m.do(logical.UpdateOperation, path, data)
		assert.Equal(m.t, http.StatusOK, status, text)
	}).Times(1))
}

// bothKinds runs test with a login that waits, and with one that is held. post takes
// either to its end, from the state before its passcode.
func bothKinds(t *testing.T, test func(t *testing.T, m *mount, post func(more fields) (*logical.Response, int, string))) {
	t.Run("a login that waits", func(t *testing.T) {
		bothWays(t, func(t *testing.T, m *mount) { test(t, m, m.login) })
	})
	t.Run("a held login", func(t *testing.T) {
		bothWays(t, func(t *testing.T, m *mount) {
			test(t, m, func(more fields) (*logical.Response, int, string) {
				begin := fields{"wait": false}
				maps.Copy(begin, more)
				delete(begin, "totp")
				return m.proceed(m.state(m.login(begin)), more)
			})
		})
	})
}

// A factor that the mount has ceased to accept by the time the token is issued lets
// nobody in, nor does a login that satisfies less than what is required by then, or that
// an org has let in which is no longer the mount's.
func TestTokenByTodaysConfiguration(t *testing.T) {
	for _, test := range []struct {
		name string
		path string
		data fields
		want string
	}{
		{"the factor is shut out", "config", fields{"mfa_factors": "push"},
			"this mount no longer accepts the factor that you have used: log in again"},
		{"a method is required of everybody", "config", fields{"mfa_methods": "my_totp"},
			"this mount now requires an MFA method that your login has not satisfied: log in again"},
		{"the mount has moved", "config", fields{"org_name": "other", "base_url": "okta.com", "api_token": "00new"},
			"this mount now belongs to another Okta org: log in again"},
		{"the address is shut out", "config", fields{"token_bound_cidrs": "203.0.113.0/24"}, "permission denied"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothKinds(t, func(t *testing.T, m *mount, post func(fields) (*logical.Response, int, string)) {
				m.configure(nil)
				m.createMethod("totp", fields{"method_name": "my_totp", "issuer": "Acme"})
				totp := m.addUser("Everyone").AddTOTP("OKTA")
				code := m.nextCode(totp)
				m.meanwhile("verify", test.path, test.data)
				resp, status, text := post(fields{"totp": code})
				assert.True(t, resp == nil || resp.Auth == nil)
				assert.Contains(t, text, test.want)
				want := http.StatusBadRequest
				if test.want == "permission denied" {
					want = http.StatusForbidden
				}
				assert.Equal(t, want, status)
				assert.Empty(t, m.inner.held.byID)
			})
		})
	}
}

// Where Okta wants one factor after another, the mount has to accept each of them to the end.
func TestEarlierFactorThatIsShutOut(t *testing.T) {
	for name, test := range map[string]struct {
		factors   string
		meanwhile bool // while Okta answers the last question about the push
		want      string
	}{
		"the earlier one, while the push waits":      {"push", false, noTransaction},
		"the earlier one, while the push is decided": {"push", true, errFactorRefused.what + ": log in again"},
		"another one":                            {"push,totp", false, ""},
		"another one, while the push is decided": {"push,totp", true, ""},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"mfa_factors": "push,totp,sms"})
				u := m.addUser("Everyone")
				totp, push := u.AddTOTP("OKTA"), u.AddPush()
				u.SetSequence([]*oktatest.Factor{totp}, []*oktatest.Factor{push})
				held := m.hold(fields{"totp": m.nextCode(totp)})
				require.Equal(t, "waiting", held.State)
				push.Approve()
				m.later()
				if test.meanwhile {
					m.meanwhile("verify", "config", fields{"mfa_factors": test.factors})
				} else {
					m.write("config", fields{"mfa_factors": test.factors})
				}
				if test.want == "" {
					m.ended(held, nil)
				} else {
					assert.Equal(t, test.want, m.setback(held, nil))
				}
			})
		})
	}
}

// What was required of a group while the last method was being satisfied counts, too.
func TestTokenByTodaysGroups(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Scientists")
		u.SetStatus("SUCCESS")
		code := u.AddTOTP("OKTA")
		m.createMethod("okta", fields{"method_name": "corp_okta"})
		m.createMethod("totp", fields{"method_name": "my_totp", "issuer": "Acme"})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		m.meanwhile("verifyfactor", "groups/scientists", fields{"mfa_methods": "my_totp"})
		assert.Equal(t, errMethodRequired.what+": log in again", m.refused(fields{"mfa": "corp_okta:" + m.nextCode(code)}))
		m.write("groups/scientists", fields{"mfa_methods": "", "policies": "a"})
		m.meanwhile("verifyfactor", "groups/scientists", fields{"policies": "b"})
		assert.Equal(t, []string{"b"}, m.mustLogin(fields{"mfa": "corp_okta:" + m.nextCode(code)}).Policies)
	})
}

// Where nobody has asked for the groups of a person, these are not known to be none. A mount
// that has got an API token since issues no token by them, which would leave out what a
// group requires, and one that has lost it issues none by groups that do not count any more.
func TestTokenByTodaysReadingOfGroups(t *testing.T) {
	for name, written := range map[string]bool{"an API token is written": true, "it is deleted": false} {
		t.Run(name, func(t *testing.T) {
			bothKinds(t, func(t *testing.T, m *mount, post func(fields) (*logical.Response, int, string)) {
				totp := m.addUser("Scientists").AddTOTP("OKTA")
				before, now := m.okta.Token, ""
				if written {
					before, now = now, before
				}
				m.configure(fields{"api_token": before})
				app := m.addTOTP("my_totp")
				m.write("groups/scientists", fields{"mfa_methods": "my_totp", "policies": "lab"})
				given := fields{"totp": m.nextCode(totp)}
				if !written {
					given["mfa"] = app.credential()
				}
				m.meanwhile("verify", "config", fields{"api_token": now})
				resp, status, text := post(given)
				assert.Equal(t, http.StatusBadRequest, status)
				assert.True(t, resp == nil || resp.Auth == nil)
				assert.Equal(t, "this mount has begun or ceased to read people's groups in Okta: log in again", text)
			})
		})
	}
}

// A token is made by the configuration of the moment. What narrows nothing denies nothing.
func TestTokenOfTodaysConfiguration(t *testing.T) {
	bothKinds(t, func(t *testing.T, m *mount, post func(fields) (*logical.Response, int, string)) {
		m.configure(fields{"token_policies": "early", "token_ttl": "1h"})
		totp := m.addUser("Everyone").AddTOTP("OKTA")
		code := m.nextCode(totp)
		m.meanwhile("verify", "config", fields{"token_policies": "late", "token_ttl": "10m", "mfa_factors": "totp", "bypass_okta_mfa": true})
		resp, status, text := post(fields{"totp": code})
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, []string{"late"}, resp.Auth.Policies)
		assert.Equal(t, 10*time.Minute, resp.Auth.TTL)
	})
}

// Who has shown no factor because the mount asked for none gets no token of a mount that
// asks for one by then. Of whom Okta asks nothing, it is not asked.
func TestBypassThatHasEnded(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		u := m.addUser("Everyone")
		u.AddTOTP("OKTA")
		for _, wait := range []bool{true, false} {
			for _, status := range []string{"MFA_REQUIRED", "MFA_ENROLL", "PASSWORD_WARN"} {
				u.SetStatus(status)
				m.configure(fields{"bypass_okta_mfa": true})
				m.meanwhile("groups", "config", fields{"bypass_okta_mfa": false})
				text := m.refused(fields{"wait": wait})
				assert.Equal(t, "this mount now requires the factor that Okta asks for, which your login has not verified: log in again", text, status)
			}
			u.SetStatus("SUCCESS")
			m.configure(fields{"bypass_okta_mfa": true})
			m.meanwhile("groups", "config", fields{"bypass_okta_mfa": false})
			m.mustLogin(fields{"wait": wait})
		}
	})
}

// People who have skipped the enrollment of a factor get no token of a mount that lets nobody skip
// it by then. Whom Okta asks for no enrollment, it is not asked.
func TestSkippedEnrollmentThatHasEnded(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		u := m.addUser("Everyone")
		u.SetSkip(true)
		for _, wait := range []bool{true, false} {
			for status, refused := range map[string]bool{"MFA_ENROLL": true, "SUCCESS": false} {
				u.SetStatus(status)
				m.configure(fields{"skip_enrollment": true})
				m.meanwhile("groups", "config", fields{"skip_enrollment": false})
				if refused {
					assert.Equal(t, "this mount now requires the enrollment of a factor that Okta asks for, which your login has skipped: log in again",
						m.refused(fields{"wait": wait}))
				} else {
					m.mustLogin(fields{"wait": wait})
				}
			}
		}
	})
}

// A held login that the bypass has let in, or without the enrollment that Okta asked for,
// ends with the bypass or the leave to skip that, before a method is asked about it.
func TestHeldLoginEndsWithTheBypass(t *testing.T) {
	for _, test := range []struct{ field, status string }{
		{"bypass_okta_mfa", "MFA_REQUIRED"},
		{"skip_enrollment", "MFA_ENROLL"},
	} {
		t.Run(test.field, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				u := m.addUser("Everyone")
				u.SetSkip(true)
				if test.status == "MFA_REQUIRED" {
					u.AddTOTP("OKTA")
				}
				app := m.addTOTP("my_totp")
				m.write("config", fields{"mfa_methods": "my_totp"})
				for _, status := range []string{test.status, "SUCCESS"} {
					u.SetStatus(status)
					m.write("config", fields{test.field: true})
					held := m.hold(nil)
					require.Equal(t, "mfa_required", held.State)
					m.write("config", fields{test.field: false})
					if status == "SUCCESS" { // Okta asks for nothing
						m.ended(held, fields{"mfa": app.credential()}) // which has not been used up
					} else {
						assert.Equal(t, noTransaction, m.setback(held, fields{"mfa": app.credential()}))
					}
				}
			})
		})
	}
}

// A renewal is compared with the configuration of its end, too.
func TestRenewalByTodaysConfiguration(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		auth := issued(m.mustLogin(nil))
		push := u.AddPush("SUCCESS")
		m.createMethod("totp", fields{"method_name": "my_totp", "issuer": "Acme"})
		for _, test := range []struct {
			data fields
			want string
		}{
			{fields{"mfa_factors": "totp"}, errFactorRefused.what + ": log in again"},
			{fields{"token_policies": "other"}, "your policies have changed since this token was issued"},
			{fields{"mfa_methods": "my_totp"}, "so the token is not renewed: log in again"},
		} {
			m.configure(fields{"mfa_factors": "", "mfa_methods": "", "token_policies": ""})
			m.meanwhile("verify", "config", test.data)
			_, status, text := m.renew(auth)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, test.want)
		}
		m.configure(fields{"mfa_factors": "", "mfa_methods": "", "token_policies": ""})
		m.meanwhile("verify", "config", fields{"token_ttl": "7m"})
		resp, status, text := m.renew(auth)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, 7*time.Minute, resp.Auth.TTL)
		assert.Equal(t, 4, push.Pushes())
	})
}

// In a held login, Okta and Duo are told the address of whoever makes the request: at its
// end, that is where the token goes.
func TestHeldLoginTellsWhoCollectsIt(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, duo := withDuo(m, nil)
		duo.Script(mfatest.DuoOutcome{Result: "allow", Status: "allow"})
		totp := m.okta.User(testLogin).AddTOTP("OKTA")
		m.write("config", fields{"trusted_proxies": gateway})
		via := func(address string, data fields) (*logical.Response, int, string) {
			req := m.from(gateway, map[string][]string{"X-Forwarded-For": {"8.8.8.8, " + address}}, data)
			if data["transaction_id"] != nil {
				delete(req.Data, "password")
			}
			return m.send(t.Context(), req)
		}
		held := m.state(via("203.0.113.1", fields{"wait": false}))
		require.Equal(t, "passcode_required", held.State)
		m.okta.Reset()
		resp, status, text := via("203.0.113.2", fields{"transaction_id": held.TransactionID, "totp": m.nextCode(totp)})
		m.eventually(func() bool {
			if status == http.StatusOK && resp.Auth == nil {
				resp, status, text = via("203.0.113.2", fields{"transaction_id": held.TransactionID})
			}
			return status != http.StatusOK || resp.Auth != nil
		}, "Duo does not answer")
		require.Equal(t, http.StatusOK, status, text)
		for _, r := range m.okta.Requests() {
			if r.ForwardedFor() != "" {
				assert.Equal(t, "203.0.113.2", r.ForwardedFor(), r.Path)
			}
		}
		assert.Equal(t, 1, m.calls("verify"))
		require.Len(t, duo.Preauths(), 1)
		assert.Equal(t, "203.0.113.2", duo.Preauths()[0].Get("ipaddr"))
		require.Len(t, duo.PushParameters(), 1)
		assert.Equal(t, "203.0.113.2", duo.PushParameters()[0].Get("ipaddr"))
	})
}

// What a method was told about one caller is not used for another: neither an answer of
// its service that lets a person in by their address, nor a push that was prepared and
// rings later.
func TestHeldLoginCollectedElsewhere(t *testing.T) {
	for _, allowed := range []bool{true, false} {
		t.Run(fmt.Sprint("allowed by address: ", allowed), func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				_, duo := withDuo(m, nil)
				user := m.okta.User(testLogin)
				totp, phone := user.AddTOTP("GOOGLE"), user.AddPush("WAITING")
				m.createMethod("okta", fields{"method_name": "corp_okta", "factors": "push"})
				m.write("config", fields{"mfa_methods": "corp_okta"})
				if allowed {
					duo.SetResult("allow", "")
				}
				held := m.state(m.send(t.Context(), m.from("203.0.113.1", nil, fields{"wait": false, "totp": m.nextCode(totp)})))
				require.Equal(t, "waiting", held.State)
				duo.SetResult("auth", "")
				phone.Approve()
				m.later()
				next := func() (*logical.Response, int, string) {
					req := m.from("203.0.113.2", nil, fields{"transaction_id": held.TransactionID})
					delete(req.Data, "password")
					return m.send(t.Context(), req)
				}
				m.state(next())
				require.Len(t, duo.Preauths(), 2)
				assert.Equal(t, "203.0.113.1", duo.Preauths()[0].Get("ipaddr"))
				assert.Equal(t, "203.0.113.2", duo.Preauths()[1].Get("ipaddr"))
				require.Len(t, duo.PushParameters(), 1)
				assert.Equal(t, "203.0.113.2", duo.PushParameters()[0].Get("ipaddr"))
				assert.Equal(t, 1, phone.Pushes(), "what was approved is not asked for again")
				duo.Approve()
				m.eventually(func() bool {
					resp, status, _ := next()
					return status == http.StatusOK && resp.Auth != nil
				}, "Duo's answer does not count")
			})
		})
	}
}
