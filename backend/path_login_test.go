package backend

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

func TestLogin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_policies": "base", "token_ttl": "1h", "token_max_ttl": "2h", "token_num_uses": 5,
			"token_bound_cidrs": "198.51.100.0/24", "alias_metadata": map[string]any{"team": "blue"}})
		u := m.addUser("Everyone", "Scientists", "Unmapped")
		m.write("groups/scientists", fields{"policies": "nuclear,base"})
		m.write("groups/local", fields{"policies": "autopilot"})
		m.write("users/"+testLogin, fields{"groups": "LOCAL,Everyone", "policies": "own,nuclear"})

		auth := m.mustLogin(nil)
		assert.Equal(t, []string{"base", "base", "nuclear", "autopilot", "own"}, auth.Policies)
		assert.Equal(t, map[string]string{"username": testLogin, "policies": "base,nuclear,autopilot,own"}, auth.Metadata)
		assert.Equal(t, testLogin, auth.DisplayName)
		assert.Equal(t, testLogin, auth.Alias.Name)
		assert.Equal(t, map[string]string{"team": "blue"}, auth.Alias.CustomMetadata)
		assert.Equal(t, []string{"Everyone", "Scientists", "Unmapped", "LOCAL"}, aliasNames(auth))
		assert.Equal(t, time.Hour, auth.TTL)
		assert.Equal(t, 2*time.Hour, auth.MaxTTL)
		assert.Equal(t, 5, auth.NumUses)
		assert.Len(t, auth.BoundCIDRs, 1)
		assert.True(t, auth.Renewable)

		assert.Equal(t, 1, m.authnCalls())
		assert.Equal(t, 1, m.okta.Count(http.MethodGet, "/api/v1/users/"+u.ID+"/groups"))
		assert.Len(t, m.okta.Requests(), 2, "one authn call and one page of groups")
		authn := m.okta.Requests()[0]
		assert.Equal(t, callerIP, authn.Header.Get("X-Forwarded-For"))
		assert.Equal(t, "vault-plugin-auth-okta/"+testVersion, authn.Header.Get("User-Agent"))

		connections := m.okta.Connections()
		m.mustLogin(nil)
		assert.Equal(t, connections, m.okta.Connections(), "the second login opens no connection")
		assert.Len(t, m.okta.Requests(), 4)
	})
}

func aliasNames(auth *logical.Auth) []string {
	names := []string{}
	for _, a := range auth.GroupAliases {
		names = append(names, a.Name)
	}
	return names
}

func TestCallerAddress(t *testing.T) {
	for address, want := range map[string]string{
		"198.51.100.7": "198.51.100.7", "::ffff:198.51.100.7": "198.51.100.7", "2001:db8::1": "2001:db8::1",
		"fe80::1%eth0; 1.2.3.4": "fe80::1", "@": "", "": "",
	} {
		assert.Equal(t, want, caller(&logical.Connection{RemoteAddr: address}).Address, address)
	}
	assert.Empty(t, caller(nil).Address)
}

func TestLoginAliasLookahead(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		resp, status, text := m.do(logical.AliasLookaheadOperation, "login/"+testLogin, nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, testLogin, resp.Auth.Alias.Name)
		assert.Empty(t, m.okta.Requests())
	})
}

func TestLoginWithoutAPIToken(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"api_token": ""})
		m.addUser("Scientists")
		m.write("groups/scientists", fields{"policies": "nuclear"})
		m.write("groups/local", fields{"policies": "autopilot"})
		m.write("users/"+testLogin, fields{"groups": "local"})
		resp, status, text := m.login(nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, []string{"autopilot"}, resp.Auth.Policies)
		assert.Empty(t, resp.Warnings)
		require.Len(t, m.okta.Requests(), 1)
		assert.Empty(t, m.okta.Requests()[0].Header.Get("Authorization"))
	})
}

func TestLoginPagesOfGroups(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		var groups []string
		for i := range 450 {
			groups = append(groups, "group "+strconv.Itoa(i))
		}
		m.addUser(groups...)
		m.write("groups/GROUP 449", fields{"policies": "last"})
		assert.Equal(t, []string{"last"}, m.mustLogin(nil).Policies)
		assert.Len(t, m.okta.Requests(), 1+3, "200 groups a page")

		m.okta.Fail("groups", oktatest.Status(http.StatusInternalServerError, "E0000009", "Internal Server Error").After(1))
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status, "half of the groups are not all of them")
		assert.Contains(t, text, "(E0000009)")
	})
}

func TestLoginWarnings(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser()
		u.SetStatus("PASSWORD_WARN")
		resp, status, text := m.login(nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, []string{passwordWarning, noGroupsWarning}, resp.Warnings)
	})
}

// The table of statuses; each status that Okta answers a password with.
func TestLoginStatuses(t *testing.T) {
	tests := []struct {
		status       string
		plain, about string // what the answer says; "" is a success
		bypassed     string // the same with bypass_okta_mfa
	}{
		{"SUCCESS", "", "", ""},
		{"ACTIVE", "", "", ""},
		{"PASSWORD_WARN", "", "", ""},
		{"MFA_ENROLL", "set up a factor", "", ""},
		{"MFA_ENROLL_ACTIVATE", "set up a factor", "", ""},
		{"LOCKED_OUT", "locked", "", "locked"},
		{"HIDDEN_LOCKED_OUT", "(E0000004)", "", "(E0000004)"},
		{"PASSWORD_EXPIRED", "expired", "", "expired"},
		{"PASSWORD_RESET", "recovered", "", "recovered"},
		{"RECOVERY_CHALLENGE", "recovered", "", "recovered"},
		{"SUSPENDED", "(E0000004)", "", "(E0000004)"},
		{"DEPROVISIONED", "(E0000004)", "", "(E0000004)"},
		{"STAGED", "(E0000004)", "", "(E0000004)"},
		{"UNAUTHENTICATED", "UNAUTHENTICATED", "", "UNAUTHENTICATED"},
		{"BRAND_NEW_STATE", "BRAND_NEW_STATE", "", "BRAND_NEW_STATE"},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		u := m.addUser("Everyone")
		for _, bypass := range []bool{false, true} {
			m.configure(fields{"bypass_okta_mfa": bypass})
			for _, test := range tests {
				u.SetStatus(test.status)
				want := test.plain
				if bypass {
					want = test.bypassed
				}
				resp, status, text := m.login(nil)
				if want == "" {
					assert.Equal(t, http.StatusOK, status, "%s bypass=%v: %s", test.status, bypass, text)
					continue
				}
				assert.Equal(t, http.StatusBadRequest, status, "%s bypass=%v", test.status, bypass)
				assert.Contains(t, text, want, "%s bypass=%v", test.status, bypass)
				assert.True(t, resp == nil || resp.Auth == nil)
			}
		}
	})
}

func TestLoginBypass(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"bypass_okta_mfa": true})
		push := m.addUser("Everyone").AddPush("WAITING")
		m.mustLogin(nil)
		assert.Zero(t, push.Pushes())
	})
}

func TestLoginPassCode(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		google := u.AddTOTP("GOOGLE")
		own := u.AddTOTP("OKTA")
		m.mustLogin(fields{"totp": m.nextCode(google)})
		m.mustLogin(fields{"totp": " " + m.nextCode(own) + " "})
		for provider, factor := range map[string]*oktatest.Factor{"google": google, "Okta": own} {
			m.okta.Reset()
			m.mustLogin(fields{"totp": m.nextCode(factor), "provider": provider})
			assert.Len(t, m.okta.Requests(), 3, "authn, one verify, groups")
		}

		_, status, text := m.login(fields{"totp": "not-it"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "(E0000068)")

		_, status, text = m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status, "no passcode, and no push enrolled")
		assert.Contains(t, text, "totp")
		assert.Contains(t, text, "provider=GOOGLE")

		google.SetStatus("INACTIVE")
		_, status, text = m.login(fields{"totp": m.nextCode(google), "provider": "GOOGLE"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "not usable here: token:software:totp (GOOGLE)")
	})
}

func TestLoginPassCodeReal(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		google := m.addUser("Everyone").AddTOTP("GOOGLE")
		code := google.Code()
		m.mustLogin(fields{"totp": code})
		_, status, text := m.login(fields{"totp": code})
		assert.Equal(t, http.StatusBadRequest, status, "a passcode is good once")
		assert.Contains(t, text, "(E0000082)")
		_, status, text = m.login(fields{"totp": google.CodeAt(m.time.Now().Add(-5 * time.Minute))})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "(E0000083)")
	})
}

func TestLoginPush(t *testing.T) {
	tests := []struct {
		script []string
		says   string // "" is a success
	}{
		{[]string{"SUCCESS"}, ""},
		{[]string{"WAITING", "WAITING", "SUCCESS"}, ""},
		{[]string{"WAITING", "REJECTED"}, "rejected"},
		{[]string{"WAITING", "TIMEOUT"}, "not answered in time"},
		{[]string{"WAITING", "CANCELLED"}, "cancelled"},
		{[]string{"WAITING", "CANCELED"}, "cancelled"},
		{[]string{"WAITING", "ERROR"}, "could not verify"},
		{[]string{"WAITING", "FAILED"}, "could not verify"},
		{[]string{"WAITING", "BRAND_NEW_RESULT"}, "BRAND_NEW_RESULT"},
		{[]string{"REJECTED"}, "rejected"},
		{[]string{"WAITING"}, "not answered in time"}, // until it expires
	}
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("WAITING")
		for i, test := range tests {
			push.SetScript(test.script...)
			m.okta.Reset()
			before := m.clock.Now()
			_, status, text := m.login(nil)
			assert.Less(t, m.clock.Now().Sub(before), 85*time.Second, "Vault gives a request up after 90")
			assert.Equal(t, i+1, push.Pushes(), "one push a login: %v", test.script)
			if test.says == "" {
				assert.Equal(t, http.StatusOK, status, "%v: %s", test.script, text)
				assert.Zero(t, m.okta.Count(http.MethodPost, "/api/v1/authn/cancel"))
				continue
			}
			assert.Equal(t, http.StatusBadRequest, status, "%v: %s", test.script, text)
			assert.Contains(t, text, test.says, "%v", test.script)
			assert.Equal(t, 1, m.okta.Count(http.MethodPost, "/api/v1/authn/cancel"), "%v", test.script)
		}
	})
}

func TestLoginPushOnlyToActiveFactors(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		old := u.AddPush("SUCCESS")
		old.SetStatus("PENDING_ACTIVATION")
		current := u.AddPush("SUCCESS")
		current.SetStatus("ACTIVE")
		m.mustLogin(nil)
		assert.Zero(t, old.Pushes())
		assert.Equal(t, 1, current.Pushes())
		_, status, text := m.login(fields{"provider": "google"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "provider=OKTA")
	})
}

// After MFA the password may turn out to be old.
func TestLoginExpiredBehindMFA(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		u.AddPush("SUCCESS")
		u.SetStatus("PASSWORD_EXPIRED")
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "expired")
		u.SetStatus("PASSWORD_WARN")
		resp, status, text := m.login(nil)
		require.Equal(t, http.StatusOK, status, text)
		assert.Contains(t, resp.Warnings, passwordWarning)
	})
}

func TestLoginInvalid(t *testing.T) {
	tests := []struct {
		name     string
		username string
		data     fields
		names    string
	}{
		{"no password", testLogin, fields{}, "password"},
		{"empty password", testLogin, fields{"password": ""}, "password"},
		{"null password", testLogin, fields{"password": nil}, "password"},
		{"huge password", testLogin, fields{"password": strings.Repeat("x", 1<<20)}, "password"},
		{"huge username", strings.Repeat("u", 1<<20), fields{"password": "p"}, "username"},
		{"username with ../", "../../config", fields{"password": "p"}, "username"},
		{"username with a control character", "fred\x00", fields{"password": "p"}, "username"},
		{"huge totp", testLogin, fields{"password": "p", "totp": strings.Repeat("1", 1<<20)}, "totp"},
		{"huge nonce", testLogin, fields{"password": "p", "nonce": strings.Repeat("n", 10<<10)}, "nonce"},
		{"nonce with a slash", testLogin, fields{"password": "p", "nonce": "a/b"}, "nonce"},
		{"nonce with a space", testLogin, fields{"password": "p", "nonce": "a b"}, "nonce"},
		{"unknown provider", testLogin, fields{"password": "p", "provider": "FIDO"}, "provider"},
	}
	bothWays(t, func(t *testing.T, m *mount) {
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "not configured")
		m.configure(nil)
		before := m.stored("config")
		for _, test := range tests {
			resp, status, text := m.do(logical.UpdateOperation, "login/"+test.username, test.data)
			assert.Equal(t, http.StatusBadRequest, status, test.name)
			assert.Contains(t, text, test.names, test.name)
			assert.Less(t, len(text), 400, test.name)
			assert.True(t, resp == nil || resp.Auth == nil, test.name)
		}
		assert.Empty(t, m.okta.Requests(), "nothing is sent to Okta")
		assert.Equal(t, before, m.stored("config"))
	})
}

// The password form of clients that know nothing of Okta, and what hvac adds.
func TestLoginOtherClients(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.mustLogin(fields{"username": testLogin, "totp": nil, "provider": nil, "nonce": nil})
	})
}

func TestLoginCIDR(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_bound_cidrs": "203.0.113.0/24"})
		m.addUser("Everyone")
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusForbidden, status)
		req := m.request(logical.UpdateOperation, "login/"+testLogin, fields{"password": testPassword})
		req.Connection = nil
		_, status, _ = m.send(t.Context(), req)
		assert.Equal(t, http.StatusForbidden, status, "no address is no address in the list")
		assert.Empty(t, m.okta.Requests(), "checked before Okta is asked")
	})
}

func TestRenew(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"token_policies": "base", "token_ttl": "1h"})
		u := m.addUser("Scientists", "Others")
		m.write("groups/scientists", fields{"policies": "nuclear"})
		auth := issued(m.mustLogin(nil))

		m.configure(fields{"token_ttl": "10m", "token_max_ttl": "3h", "token_period": "5m"})
		u.SetGroups("Scientists", "New")
		resp, status, text := m.renew(auth)
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, 10*time.Minute, resp.Auth.TTL, "from today's config")
		assert.Equal(t, 3*time.Hour, resp.Auth.MaxTTL)
		assert.Equal(t, 5*time.Minute, resp.Auth.Period)
		assert.Equal(t, []string{"Scientists", "New"}, aliasNames(resp.Auth), "group aliases are refreshed")
		assert.Equal(t, 2, m.authnCalls(), "the login is repeated")

		u.SetGroups("Others")
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "policies have changed")

		u.SetGroups("Scientists")
		u.SetPassword("another")
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "(E0000004)")
		u.SetPassword(testPassword)

		push := u.AddPush("WAITING", "SUCCESS")
		_, status, text = m.renew(auth)
		assert.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, 1, push.Pushes(), "a push comes again")
		push.SetScript("WAITING", "REJECTED")
		_, status, _ = m.renew(auth)
		assert.Equal(t, http.StatusBadRequest, status)
	})
}

// A token as the builtin method issues it: the metadata and internal data that
// were read from one.
func TestRenewOfTheBuiltin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Scientists")
		m.write("groups/scientists", fields{"policies": "nuclear"})
		_, status, text := m.renew(&logical.Auth{
			Metadata:      map[string]string{"username": testLogin, "policies": "nuclear"},
			InternalData:  map[string]any{"password": testPassword},
			TokenPolicies: []string{"default", "NUCLEAR", "nuclear"},
		})
		assert.Equal(t, http.StatusOK, status, text)

		_, status, text = m.renew(&logical.Auth{Metadata: map[string]string{"username": testLogin}})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "log in again")
	})
}

func TestVerify(t *testing.T) {
	for _, number := range []int{47, 0} {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				push := m.addUser("Everyone").AddPush("WAITING").Number(number, 2)
				step := m.clock.hold(t)
				const nonce = "GENUINEnonce20chars."
				verify := func() (*logical.Response, int) {
					resp, status, _ := m.do(logical.ReadOperation, "verify/"+nonce, nil)
					return resp, status
				}
				_, status := verify()
				assert.Equal(t, http.StatusNotFound, status, "before the login")

				type result struct {
					status int
					text   string
				}
				done := make(chan result, 1)
				go func() {
					_, status, text := m.login(fields{"nonce": nonce})
					done <- result{status, text}
				}()
				require.Eventually(t, func() bool { return push.Pushes() == 1 }, 5*time.Second, time.Millisecond)
				_, status = verify()
				assert.Equal(t, http.StatusNotFound, status, "no number yet")

				_, status, text := m.login(fields{"nonce": nonce})
				assert.Equal(t, http.StatusBadRequest, status, "the nonce is in use")
				assert.Contains(t, text, "nonce")
				assert.Equal(t, 1, push.Pushes())

				step() // first poll: still no number
				step() // second poll
				require.Eventually(t, func() bool { _, status := verify(); return status == http.StatusOK }, 5*time.Second, time.Millisecond)
				resp, _ := verify()
				assert.Len(t, resp.Data, 1)
				assert.EqualValues(t, number, num(t, resp.Data["correct_answer"]))

				push.Approve()
				step()
				r := <-done
				assert.Equal(t, http.StatusOK, r.status, r.text)
				_, status = verify()
				assert.Equal(t, http.StatusNotFound, status, "after the login")
			})
		})
	}
}

func TestNumberChallengeWithoutNonce(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("WAITING").Number(0, 1)
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, `"nonce"`)
		assert.Contains(t, text, "verify/<nonce>")
		assert.Equal(t, 1, push.Pushes())
		assert.Equal(t, 1, m.okta.Count(http.MethodPost, "/api/v1/authn/cancel"))
	})
}

func TestNumberBoardIsBounded(t *testing.T) {
	var board numberBoard
	var ends []func()
	for i := range maxNumbers {
		_, end, err := board.open(strconv.Itoa(i))
		require.NoError(t, err)
		ends = append(ends, end)
	}
	_, _, err := board.open("one more")
	assert.Equal(t, http.StatusTooManyRequests, describe(err).status)
	assert.Contains(t, describe(err).text, "5 seconds")
	ends[0]()
	_, _, err = board.open("one more")
	assert.NoError(t, err)
}

// When the caller leaves, polling stops and the transaction is cancelled.
func TestLoginCallerLeaves(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("WAITING")
		m.clock.hold(t)
		ctx, leave := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			m.send(ctx, m.request(logical.UpdateOperation, "login/"+testLogin, fields{"password": testPassword}))
		}()
		require.Eventually(t, func() bool { return push.Waiting() == 1 }, 5*time.Second, time.Millisecond)
		leave()
		<-done
		require.Eventually(t, func() bool { return push.Waiting() == 0 }, 5*time.Second, time.Millisecond)
		assert.Equal(t, 1, m.okta.Count(http.MethodPost, "/api/v1/authn/cancel"))
	})
}

// The client is kept for as long as the configuration leads to the same org with
// the same token, and not longer.
func TestClientFollowsTheConfiguration(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		m.mustLogin(nil)
		connections := m.okta.Connections()
		m.configure(fields{"token_ttl": "1m"})
		m.mustLogin(nil)
		assert.Equal(t, connections, m.okta.Connections())

		other := oktatest.NewServer(t)
		m.write("config", fields{"base_url": other.URL})
		_, status, _ := m.login(nil)
		assert.Equal(t, http.StatusBadGateway, status, "the other org's certificate is not trusted")
		m.configure(nil)
		m.mustLogin(nil)

		// Another node changed the entry behind this one's back.
		m.okta.Token = "00rotated"
		raw := strings.Replace(m.stored("config"), oktatest.DefaultToken, "00rotated", 1)
		require.NoError(t, m.storage.Put(t.Context(), &logical.StorageEntry{Key: "config", Value: json.RawMessage(raw)}))
		m.backend.InvalidateKey(t.Context(), "config")
		m.mustLogin(nil)
	})
}
