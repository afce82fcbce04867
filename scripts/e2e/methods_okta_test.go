package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// methodOrg is a mount whose people have to satisfy a method of another org.
func methodOrg(t *testing.T, more object) (m *mount, other *org) {
	t.Helper()
	m, other = newMount(t), newOrg(t)
	method := object{"method_name": "corp_okta", "org_name": other.Name, "base_url": "okta.test", "api_token": other.Token,
		"require_number_challenge": false}
	for k, v := range more {
		method[k] = v
	}
	m.createMethod("okta", method)
	m.mustWrite("config", object{"mfa_methods": "corp_okta"})
	return m, other
}

func TestMethodOfAnotherOrg(t *testing.T) {
	t.Parallel()
	m, other := methodOrg(t, object{"factors": "push,totp,sms"})
	u := m.addUser("mia@acme.test")
	there := other.AddUser("Mia@Acme.test", secret())
	phone, generator, sms := there.AddPush("WAITING", "SUCCESS"), there.AddTOTP("GOOGLE"), there.AddFactor("sms", "OKTA")
	email := there.AddFactor("email", "OKTA")
	m.mustLogin(u)
	require.Equal(t, 1, phone.Pushes())
	m.mustLogin(u, object{"mfa": "corp_okta:" + generator.Code()})
	requireRefused(t, m.login(u, object{"mfa": "corp_okta:" + wrongCode(generator)}), http.StatusBadRequest, "MFA method corp_okta", "(E0000068)")

	// An SMS takes two logins; an e-mail, which is not listed, does not count.
	phone.SetStatus("INACTIVE")
	requireRefused(t, m.login(u), http.StatusBadRequest, "Okta has sent a code by SMS", "mfa=corp_okta:sms=<code>")
	require.Equal(t, 1, sms.Sent())
	require.Zero(t, email.Sent())
	m.mustLogin(u, object{"mfa": "corp_okta:sms=" + sms.Code()})

	phone.SetStatus("")
	phone.SetScript("WAITING", "REJECTED")
	requireRefused(t, m.login(u), http.StatusBadRequest, "MFA method corp_okta: the push was rejected")
	require.Equal(t, 2, phone.Pushes())
}

// Whoever cannot be asked is denied, each for a reason of their own, and nobody's
// phone rings.
func TestMethodFindsNobody(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		method object
		there  func(other *org) *oktatest.User
		words  string
	}{
		{"user not found", nil, func(*org) *oktatest.User { return nil }, "does not know you"},
		{"known by e-mail only", nil, func(other *org) *oktatest.User {
			u := other.AddUser("m.ito@acme.test", secret())
			u.SetEmail("mia@acme.test")
			return u
		}, "does not know you"},
		{"two with one e-mail", object{"primary_email": true}, func(other *org) *oktatest.User {
			other.AddUser("twin@acme.test", secret()).SetEmail("mia@acme.test")
			return other.AddUser("mia@acme.test", secret())
		}, "several accounts"},
		{"suspended", nil, func(other *org) *oktatest.User {
			u := other.AddUser("mia@acme.test", secret())
			u.SetStatus("SUSPENDED")
			return u
		}, "not active"},
		{"no factor", nil, func(other *org) *oktatest.User {
			u := other.AddUser("mia@acme.test", secret())
			u.AddFactor("sms", "OKTA")
			return u
		}, "no active factor"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m, other := methodOrg(t, row.method)
			u := m.addUser("mia@acme.test")
			there := row.there(other)
			var phone *oktatest.Factor
			if there != nil && row.name != "no factor" {
				phone = there.AddPush("WAITING", "SUCCESS")
			}
			requireRefused(t, m.login(u), http.StatusBadRequest, "MFA method corp_okta", row.words)
			if phone != nil {
				require.Zero(t, phone.Pushes())
			}
		})
	}
}

func TestMethodByPrimaryEmail(t *testing.T) {
	t.Parallel()
	m, other := methodOrg(t, object{"primary_email": true, "username_format": "{{username}}@corp.test"})
	u := m.addUser("mia")
	there := other.AddUser("m.ito@corp.test", secret())
	there.SetEmail("Mia@corp.test")
	phone := there.AddPush("WAITING", "SUCCESS")
	m.mustLogin(u)
	require.Equal(t, 1, phone.Pushes())
}

// The placeholder of an alias is that of this mount's accessor, and no other's.
func TestMethodFormatOfTheAlias(t *testing.T) {
	t.Parallel()
	m, other := methodOrg(t, nil)
	alias := func(accessor string) string { return "{{identity.entity.aliases." + accessor + ".name}}" }
	ids := m.list("mfa/method/okta")
	require.Len(t, ids, 1)
	path := "mfa/method/okta/" + ids[0].(string)
	elsewhere := newMount(t).accessor()
	requireRefused(t, m.write(path, object{"username_format": alias(elsewhere)}), http.StatusBadRequest, "username_format", elsewhere, m.accessor())
	requireRefused(t, m.write(path, object{"username_format": "{{identity.entity.metadata.mail}}"}), http.StatusBadRequest, "username_format")
	m.mustWrite(path, object{"username_format": alias(m.accessor()) + "@corp.test"})
	u := m.addUser("mia")
	phone := other.AddUser("mia@corp.test", secret()).AddPush("WAITING", "SUCCESS")
	m.mustLogin(u)
	require.Equal(t, 1, phone.Pushes())
}

// An org that cannot be reached is found out before any phone rings.
func TestMethodsServiceIsDown(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	u.SetStatus("SUCCESS")
	phone := u.AddPush("WAITING", "SUCCESS")
	m.createMethod("okta", object{"method_name": "here", "require_number_challenge": false})
	m.createMethod("okta", object{"method_name": "down", "org_name": "no-such-org", "base_url": "okta.test", "api_token": "00x"})
	m.mustWrite("config", object{"mfa_methods": "here,down"})
	requireRefused(t, m.login(u), http.StatusBadGateway, "MFA method down", "could not be reached")
	require.Zero(t, phone.Pushes())
	m.mustWrite("config", object{"mfa_methods": "here"})
	m.mustLogin(u)
	require.Equal(t, 1, phone.Pushes())
}

// What Okta's own challenge has verified is not asked for twice.
func TestMethodSatisfiedByOkta(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	phone := u.AddPush("WAITING", "SUCCESS")
	m.createMethod("okta", object{"method_name": "corp_okta", "require_number_challenge": false})
	m.mustWrite("config", object{"mfa_methods": "corp_okta"})
	m.mustLogin(u)
	require.Equal(t, 1, phone.Pushes())
}

// A caller that leaves takes the push back.
func TestMethodsPushIsTakenBack(t *testing.T) {
	t.Parallel()
	m, other := methodOrg(t, nil)
	u := m.addUser("mia@acme.test")
	phone := other.AddUser("mia@acme.test", secret()).AddPush()
	terminal, err := m.person().OnTerminal(t.Context(), m.loginArgs(u, "password="+u.Password())...)
	require.NoError(t, err)
	eventually(t, "a push", func() bool { return phone.Waiting() == 1 })
	require.NoError(t, terminal.Kill())
	terminal.Wait()
	eventually(t, "the push to be taken back", func() bool { return phone.Withdrawn() == 1 })
	require.Equal(t, 1, phone.Pushes())
}
