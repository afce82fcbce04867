package backend

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// A held login lasts from request to request. What counts is how the mount is
// configured, and who asks, at each of them.

// What the configuration says now counts for the end of a held login.
func TestHeldAndTheConfiguration(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		totp := m.addUser("Everyone").AddTOTP("OKTA")
		held := m.hold(nil)
		m.write("config", fields{"token_policies": "late", "token_bound_cidrs": "203.0.113.0/24"})
		_, status, _ := m.proceed(held, fields{"totp": m.nextCode(totp)})
		assert.Equal(t, http.StatusForbidden, status)
		m.write("config", fields{"token_bound_cidrs": ""})
		m.backend.InvalidateKey(t.Context(), "config") // it is to be read again
		m.storage.fail(true, false)
		_, status, _ = m.proceed(held, fields{"totp": totp.Code()})
		assert.Equal(t, http.StatusInternalServerError, status, "and the login stays")
		m.storage.fail(false, false)
		assert.Equal(t, []string{"late"}, m.ended(held, fields{"totp": totp.Code()}).Policies)
	})
}

// The groups are read with the API token of today.
func TestHeldAndTheAPIToken(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"api_token": ""})
		totp := m.addUser("Everyone", "Scientists").AddTOTP("OKTA")
		held := m.hold(nil)
		m.write("config", fields{"api_token": m.okta.Token})
		m.okta.Reset()
		assert.Equal(t, []string{"Everyone", "Scientists"}, aliasNames(m.ended(held, fields{"totp": m.nextCode(totp)})))
		for _, r := range m.okta.Requests() {
			assert.Equal(t, "SSWS "+m.okta.Token, r.Header.Get("Authorization"), r.Path)
		}

		held = m.hold(nil)
		m.write("config", fields{"api_token": ""})
		m.okta.Reset()
		assert.Empty(t, aliasNames(m.ended(held, fields{"totp": m.nextCode(totp)})))
		for _, r := range m.okta.Requests() {
			if !strings.HasSuffix(r.Path, "/groups") { // a read of before, which was given up, may be late
				assert.Empty(t, r.Header.Get("Authorization"), r.Path)
			}
		}
	})
}

// What the mount accepts no longer is not waited for, and not offered.
func TestHeldAndTheFactorsOfToday(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for kind, factorType := range map[string]string{
			"push": "push", "sms": "sms", "totp": "token:software:totp", "question": "question",
		} {
			m.configure(fields{"mfa_factors": allFactors})
			u := m.okta.AddUser(kind+"@acme.test", testPassword)
			u.SetGroups("Everyone")
			f := u.AddFactor(factorType, "OKTA")
			u.AddFactor("email", "OKTA")
			token := u.AddFactor("token", "SYMANTEC")
			post := func(data fields) (*logical.Response, int, string) {
				return m.do(logical.UpdateOperation, "login/"+u.Login(), data)
			}
			begin := func() heldState {
				s := m.state(post(fields{"password": testPassword, "wait": false, "factor": kind}))
				require.Equal(t, kind, s.Factor)
				require.Len(t, s.Factors, 2)
				return s
			}
			for _, more := range []fields{{}, {"totp": "123456"}, {"factor": "token"}} {
				held := begin()
				m.write("config", fields{"mfa_factors": "email,token"})
				m.okta.Reset()
				more["transaction_id"] = held.TransactionID
				_, status, text := post(more)
				assert.Equal(t, http.StatusBadRequest, status, kind)
				assert.Equal(t, noTransaction, text, kind)
				assert.Zero(t, m.calls("verify"), kind)
				assert.Zero(t, f.Waiting(), kind)
				m.clock.advance(30 * time.Second)
				m.write("config", fields{"mfa_factors": allFactors, "max_push_failures": 100})
				_, _, text = post(fields{"transaction_id": held.TransactionID})
				assert.Equal(t, noTransaction, text, "%s: it does not come back", kind)
			}

			// It goes on where that is something else.
			held := m.state(post(fields{"password": testPassword, "wait": false, "factor": "token"}))
			m.write("config", fields{"mfa_factors": []string{"token", "email"}})
			state := m.state(post(fields{"transaction_id": held.TransactionID}))
			require.Len(t, state.Factors, 1, kind)
			assert.Equal(t, "email", state.Factors[0].Factor)
			_, status, text := post(fields{"transaction_id": held.TransactionID, "factor": kind})
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, "this mount does not accept it")
			resp, status, text := post(fields{"transaction_id": held.TransactionID, "totp": m.nextCode(token)})
			require.Equal(t, http.StatusOK, status, text)
			require.NotNil(t, resp.Auth)
		}
	})
}

// Who an org that the mount has left lets in gets no token of the mount as it is
// now; and nothing of that org's goes to the new one.
func TestHeldOrgMoved(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		totp, push := u.AddTOTP("OKTA"), u.AddPush()
		elsewhere := oktatest.NewServer(t, oktatest.Options{Now: m.clock.Now})
		for _, more := range []fields{{}, {"totp": m.nextCode(totp)}, {"factor": "totp"}, {"cancel": true}} {
			m.configure(nil)
			held := m.hold(nil)
			m.write("config", fields{"base_url": elsewhere.URL, "token_policies": "of-the-new-org"})
			m.okta.Reset()
			assert.Equal(t, noTransaction, m.setback(held, more), more)
			assert.Equal(t, 1, m.calls("cancel"), "the org that it was begun at is told")
			assert.Len(t, m.okta.Requests(), 1)
			assert.Zero(t, push.Waiting())
			m.write("config", fields{"base_url": m.okta.URL, "max_push_failures": 100})
			assert.Equal(t, noTransaction, m.setback(held, nil), "not even back there")
		}
		assert.Empty(t, elsewhere.Requests())
		assert.Empty(t, m.inner.held.byID)

		// Another way of writing the same org is no other.
		held := m.hold(nil)
		m.write("config", fields{"base_url": m.okta.URL + "/"})
		assert.Equal(t, "waiting", m.continued(held, nil).State)
		m.write("config", fields{"token_policies": "late"})
		push.Approve()
		m.later()
		assert.Equal(t, []string{"late"}, m.ended(held, nil).Policies)
	})
}

// Each request is made to Okta in the name of who made it here.
func TestHeldNamesTheCallerOfEachRequest(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors, "trusted_proxies": gateway})
		u := m.addUser("Everyone")
		all := phones(u, 2)
		sms := u.AddFactor("sms", "OKTA")
		n := 0
		// as posts from an address of its own, and checks what Okta is told.
		as := func(data fields, kinds ...string) (*logical.Response, int, string) {
			t.Helper()
			n++
			address, agent := fmt.Sprintf("203.0.113.%d", n), fmt.Sprintf("probe/%d.0", n)
			m.okta.Reset()
			resp, status, text := m.send(t.Context(), m.from(gateway,
				map[string][]string{"X-Forwarded-For": {address}, "User-Agent": {agent}}, data))
			seen := map[string]bool{}
			for _, r := range m.okta.Requests() {
				seen[r.Path[strings.LastIndex(r.Path, "/")+1:]] = true
				if strings.HasPrefix(r.Path, "/api/v1/authn") {
					assert.Equal(t, address, r.ForwardedFor(), r.Path)
					assert.Equal(t, agent+" vault-plugin-auth-okta/"+testVersion, r.UserAgent(), r.Path)
				}
			}
			for _, kind := range kinds {
				assert.True(t, seen[kind], "%s after %v", kind, data)
			}
			return resp, status, text
		}
		held := m.state(as(fields{"wait": false}, "authn", "verify"))
		id := fields{"transaction_id": held.TransactionID}
		with := func(more fields) fields {
			for k, v := range id {
				more[k] = v
			}
			return more
		}
		m.later()
		m.state(as(with(fields{}), "verify"))
		assert.Equal(t, []int{1, 1}, []int{all[0].Polls(), all[1].Polls()})
		m.state(as(with(fields{"factor": "sms"}), "previous", "cancel", "verify"))
		m.clock.advance(30 * time.Second)
		m.state(as(with(fields{"resend": true}), "resend"))
		u.SetStatusAfterMFA("PASSWORD_WARN")
		resp, status, text := as(with(fields{"totp": sms.Code()}), "verify", "skip", "groups")
		require.Equal(t, http.StatusOK, status, text)
		require.NotNil(t, resp.Auth)
	})
}

// However it is gone on with, a login is held for half an hour at most, and what
// Okta says of its expiry is not believed beyond that.
func TestHeldLife(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		sms, question := u.AddFactor("sms", "OKTA"), u.AddFactor("question", "OKTA")
		began := m.clock.Now()
		held := m.hold(fields{"factor": "sms"})
		for i := range 7 { // each keeps the transaction alive at Okta
			m.clock.advance(4 * time.Minute)
			factor := []string{"question", "sms"}[i%2]
			state := m.continued(held, fields{"factor": factor})
			assert.Equal(t, factor, state.Factor)
			expires, err := time.Parse(time.RFC3339, state.ExpiresAt)
			require.NoError(t, err)
			assert.False(t, expires.After(began.Add(30*time.Minute+time.Second)), "%s", expires.Sub(began))
		}
		m.clock.advance(began.Add(30*time.Minute - time.Second).Sub(m.clock.Now()))
		m.continued(held, nil)
		m.tidy()
		m.continued(held, nil)
		m.clock.advance(2 * time.Second)
		m.okta.Reset()
		assert.Equal(t, noTransaction, m.setback(held, fields{"totp": question.Code()}))
		assert.Empty(t, m.okta.Requests())
		m.tidy()
		assert.Empty(t, m.inner.held.byID)
		assert.Equal(t, 1, m.calls("cancel"), "Okta has not forgotten it, and is told")
		assert.Equal(t, 4, sms.Sent())

		m.okta.Configure(func(o *oktatest.Options) { o.StateTokenLife, o.ChallengeLife = 5*time.Hour, 5*time.Hour })
		u.AddPush()
		for _, factor := range []string{"push", "sms", "question", ""} {
			m.clock.advance(time.Minute)
			held = m.hold(fields{"factor": factor, "nonce": "one"}) // a push takes the first one's place
			expires, err := time.Parse(time.RFC3339, held.ExpiresAt)
			require.NoError(t, err)
			assert.False(t, expires.After(m.clock.Now().Add(30*time.Minute)), "%s: %s", factor, expires)
			if factor == "push" || factor == "" {
				assert.WithinDuration(t, m.clock.Now().Add(5*time.Minute), expires, 2*time.Second, "the longest wait for a push")
			}
		}
	})
}

// A mount without an API token asks with the password whether the account still may log
// in, where the login has waited for long.
func TestHeldAccountWithoutAPIToken(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"api_token": ""})
		u := m.addUser("Everyone")
		app := m.addTOTP("mine")
		m.write("config", fields{"mfa_methods": "mine"})

		held := m.hold(nil)
		m.clock.advance(4 * time.Minute)
		m.okta.Reset()
		m.ended(held, fields{"mfa": "mine:" + app.next()})
		assert.Equal(t, 1, m.authnCalls())

		held = m.hold(nil)
		m.clock.advance(4 * time.Minute)
		u.SetStatus("SUSPENDED")
		_, status, text := m.proceed(held, fields{"mfa": "mine:" + app.next()})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "does not let this account in (E0000004)")
	})
}

// Where Okta let a person in without a factor, it may have done so because of their
// address. The token of such a login goes to that address only.
func TestHeldTokenGoesWhereOktaAskedForNoFactor(t *testing.T) {
	for _, test := range []struct {
		name     string
		verified bool
		bypass   bool
		there    string // who collects the token
		refused  bool
	}{
		{name: "the same address", there: callerIP},
		{name: "another address", there: "203.0.113.77", refused: true},
		{name: "an address that is not known", there: "", refused: true},
		{name: "another address, after a bypass", bypass: true, there: "203.0.113.77", refused: true},
		{name: "another address, after a factor", verified: true, there: "203.0.113.77"},
	} {
		t.Run(test.name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(fields{"bypass_okta_mfa": test.bypass})
				u := m.addUser("Everyone")
				totp := u.AddTOTP("OKTA")
				if !test.verified && !test.bypass {
					u.SetStatus("SUCCESS")
				}
				app := m.addTOTP("my_totp")
				m.write("config", fields{"mfa_methods": "my_totp"})
				begin := fields{"wait": false}
				if test.verified {
					begin["totp"] = m.nextCode(totp)
				}
				resp, status, text := m.login(begin)
				data := heldMethods(t, m, resp, status, text)
				resp, status, text = m.send(t.Context(), m.from(test.there, nil,
					fields{"transaction_id": data["transaction_id"], "mfa": app.credential()}))
				if !test.refused {
					require.Equal(t, http.StatusOK, status, text)
					assert.NotNil(t, resp.Auth)
					return
				}
				assert.Equal(t, http.StatusBadRequest, status)
				assert.True(t, resp == nil || resp.Auth == nil)
				assert.Equal(t, "Okta asked for no factor at the address where this login began, and the token would go to another one: log in again", text)
				assert.Empty(t, m.inner.held.byID)
			})
		})
	}
}
