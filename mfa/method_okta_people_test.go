package mfa_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// format is one that a mount with the accessor auth_okta_1 accepts.
func format(t testing.TB, text string) mfa.Format {
	t.Helper()
	f, err := mfa.ParseFormat(text, "auth_okta_1")
	require.NoError(t, err)
	return f
}

// TestOktaMethodPeople: the one account of the person, or none.
func TestOktaMethodPeople(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		format string
		email  bool
		who    func(o *factorsOrg) mfa.Subject
		before func(o *factorsOrg)
		err    error
	}{
		{name: "login", who: func(*factorsOrg) mfa.Subject { return elsewhere(login) }},
		{name: "login in another case", who: func(*factorsOrg) mfa.Subject { return elsewhere("Mia.ITO@acme.test") }},
		{name: "short name", who: func(*factorsOrg) mfa.Subject { return elsewhere("mia.ito") }},
		{name: "format", format: "{{username}}@acme.test", who: func(*factorsOrg) mfa.Subject { return elsewhere("mia.ito") }},
		{name: "unknown", who: func(*factorsOrg) mfa.Subject { return elsewhere("nobody@acme.test") }, err: mfa.ErrUnknownPerson},
		{name: "an id is no name", who: func(o *factorsOrg) mfa.Subject { return elsewhere(o.user.ID) }, err: mfa.ErrUnknownPerson},
		{name: "reserved name", who: func(*factorsOrg) mfa.Subject { return elsewhere("me") }, err: mfa.ErrUnknownPerson},
		{name: "name with a slash", who: func(*factorsOrg) mfa.Subject { return elsewhere(login + "/x") }, err: mfa.ErrUnknownPerson},
		{name: "no name", who: func(*factorsOrg) mfa.Subject { return elsewhere("") }, err: okta.ErrMalformed},
		{name: "suspended", who: func(*factorsOrg) mfa.Subject { return elsewhere(login) },
			before: func(o *factorsOrg) { o.user.SetStatus("SUSPENDED") }, err: mfa.ErrInactivePerson},
		{name: "locked", who: func(*factorsOrg) mfa.Subject { return elsewhere(login) },
			before: func(o *factorsOrg) { o.user.SetStatus("LOCKED_OUT") }, err: mfa.ErrInactivePerson},
		{name: "staged", who: func(*factorsOrg) mfa.Subject { return elsewhere(login) },
			before: func(o *factorsOrg) { o.user.SetStatus("STAGED") }, err: mfa.ErrInactivePerson},

		{name: "email", email: true, who: func(*factorsOrg) mfa.Subject { return elsewhere("mia@home.test") }},
		{name: "email in another case", email: true, who: func(*factorsOrg) mfa.Subject { return elsewhere("Mia@HOME.test") }},
		{name: "format of an email", format: "{{username}}@home.test", email: true, who: func(*factorsOrg) mfa.Subject { return elsewhere("mia") }},
		{name: "login is no email", email: true, who: func(*factorsOrg) mfa.Subject { return elsewhere(login) }, err: mfa.ErrUnknownPerson},
		{name: "two with one email", email: true, who: func(*factorsOrg) mfa.Subject { return elsewhere("mia@home.test") },
			before: func(o *factorsOrg) { o.AddUser("eve@acme.test", password).SetEmail("MIA@home.test") }, err: mfa.ErrSeveralPeople},
		{name: "two, one of them suspended", email: true, who: func(*factorsOrg) mfa.Subject { return elsewhere("mia@home.test") },
			before: func(o *factorsOrg) {
				eve := o.AddUser("eve@acme.test", password)
				eve.SetEmail("mia@home.test")
				eve.SetStatus("SUSPENDED")
			}, err: mfa.ErrSeveralPeople},
		{name: "email, suspended", email: true, who: func(*factorsOrg) mfa.Subject { return elsewhere("mia@home.test") },
			before: func(o *factorsOrg) { o.user.SetStatus("SUSPENDED") }, err: mfa.ErrInactivePerson},
		{name: "email that has changed since the index", email: true, who: func(*factorsOrg) mfa.Subject { return elsewhere("old@home.test") },
			before: func(o *factorsOrg) {
				o.Fail("listusers", oktatest.Body(200, "application/json",
					`[{"id":"`+o.user.ID+`","status":"ACTIVE","profile":{"login":"`+login+`","email":"old@home.test"}}]`))
			}, err: mfa.ErrUnknownPerson},

		{name: "own org", who: (*factorsOrg).who},
		{name: "own org, renamed meanwhile", who: (*factorsOrg).who, before: func(o *factorsOrg) { o.user.SetLogin("mia.ono@acme.test") }},
		{name: "own org, somebody took the name", who: (*factorsOrg).who, before: func(o *factorsOrg) {
			o.user.SetLogin("mia.ono@acme.test")
			o.AddUser("mia.ito@else.test", password).AddPush("REJECTED")
		}},
		{name: "own org, deleted meanwhile", who: (*factorsOrg).who, before: func(o *factorsOrg) { o.user.Delete() }, err: mfa.ErrUnknownPerson},
		{name: "own org, suspended meanwhile", who: (*factorsOrg).who, before: func(o *factorsOrg) { o.user.SetStatus("SUSPENDED") }, err: mfa.ErrInactivePerson},
		{name: "own org, by format", format: "{{username}}", who: (*factorsOrg).who},
		{name: "own org, by email", email: true, who: func(o *factorsOrg) mfa.Subject {
			who := o.who()
			who.Login = "mia@home.test"
			return who
		}},
		{name: "own org, somebody else by format", format: "admin-{{username}}", who: func(o *factorsOrg) mfa.Subject { return o.who() },
			before: func(o *factorsOrg) { o.AddUser("admin-"+login, password).AddPush("SUCCESS") }, err: mfa.ErrOtherPerson},
		{name: "own org, somebody else by email", email: true, who: (*factorsOrg).who,
			before: func(o *factorsOrg) {
				eve := o.AddUser("eve@acme.test", password)
				eve.SetEmail(login)
				eve.AddPush("SUCCESS")
			}, err: mfa.ErrOtherPerson},
		{name: "own org, somebody else and suspended", format: "admin-{{username}}", who: (*factorsOrg).who,
			before: func(o *factorsOrg) { o.AddUser("admin-"+login, password).SetStatus("SUSPENDED") }, err: mfa.ErrOtherPerson},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{})
			o.user.SetEmail("mia@home.test")
			phone := o.user.AddPush("SUCCESS")
			if tc.before != nil {
				tc.before(o)
			}
			m := o.method()
			m.PrimaryEmail = tc.email
			if tc.format != "" {
				m.Format = format(t, tc.format)
			}
			attempt, err := m.Prepare(t.Context(), tc.who(o), mfa.Credential{})
			if tc.err != nil {
				assert.ErrorIs(t, err, tc.err)
				assert.Nil(t, attempt.Ring)
				for _, r := range o.Requests() { // nobody's factors are listed but those of the account that logs in
					if strings.HasSuffix(r.Path, "/factors") {
						assert.Equal(t, m.Org, tc.who(o).Org)
						assert.Equal(t, "/api/v1/users/"+o.user.ID+"/factors", r.Path)
					}
				}
				return
			}
			require.NoError(t, err)
			assert.NoError(t, o.satisfyAs(t.Context(), tc.who(o), m, mfa.Credential{}))
			assert.Equal(t, 1, phone.Pushes())
			assert.Equal(t, o.URL+" "+o.user.ID, attempt.Rings)
		})
	}
}

// TestOktaMethodNamesAreNames: what Okta finds by another property than a name is
// not the person.
func TestOktaMethodNamesAreNames(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		asked string
		found okta.Account
		err   error
	}{
		{"login", login, okta.Account{ID: "00u1", Login: "Mia.Ito@acme.test", Status: "ACTIVE"}, nil},
		{"short name", "MIA.ito", okta.Account{ID: "00u1", Login: login, Status: "ACTIVE"}, nil},
		{"login without a domain", "mia", okta.Account{ID: "00u1", Login: "mia", Status: "ACTIVE"}, nil},
		{"owner of the API token", "me", okta.Account{ID: "00u1", Login: "admin@acme.test", Status: "ACTIVE"}, mfa.ErrUnknownPerson},
		{"id", "00u1", okta.Account{ID: "00u1", Login: login, Status: "ACTIVE"}, mfa.ErrUnknownPerson},
		{"another domain", "mia.ito@evil.test", okta.Account{ID: "00u1", Login: login, Status: "ACTIVE"}, mfa.ErrUnknownPerson},
		{"no login", login, okta.Account{ID: "00u1", Status: "ACTIVE"}, mfa.ErrUnknownPerson},
		{"no status", login, okta.Account{ID: "00u1", Login: login}, mfa.ErrInactivePerson},
		{"status in another case", login, okta.Account{ID: "00u1", Login: login, Status: "active"}, mfa.ErrInactivePerson},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			api := &factorsScript{account: tc.found, factors: []okta.Factor{with("ACTIVE", phone)}}
			_, err := api.method().Prepare(t.Context(), elsewhere(tc.asked), mfa.Credential{})
			assertError(t, tc.err, err)
		})
	}
}

// TestOktaMethodLookUpFails: Okta's errors are passed on, and the next one in the
// line is not asked. The factors, which are listed beside that, may or may not be;
// where their answer closes a shared connection, the other request may be lost with it.
func TestOktaMethodLookUpFails(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		endpoint string
		email    bool
		requests int
	}{{"users", false, 1}, {"listusers", true, 1}, {"users", true, 2}, {"listfactors", false, 1}} {
		for name, fault := range map[string]struct {
			oktatest.Fault
			err error
		}{
			"403":     {oktatest.Status(403, "E0000006", "You do not have permission"), refused(okta.CodeAccessDenied)},
			"500":     {oktatest.Status(500, "E0000009", "Internal Server Error"), broken()},
			"429":     {oktatest.RateLimited(0, 0), refused("E0000047")},
			"closed":  {oktatest.CloseConnection(), okta.ErrUnreachable},
			"HTML":    {oktatest.HTML(200), okta.ErrMalformed},
			"nothing": {oktatest.Body(200, "application/json", "7"), okta.ErrMalformed},
		} {
			t.Run(tc.endpoint+" "+name, func(t *testing.T) {
				t.Parallel()
				o := newFactorsOrg(t, oktatest.Options{})
				phone := o.user.AddPush("SUCCESS")
				o.Fail(tc.endpoint, fault.Fault)
				m := o.method()
				m.PrimaryEmail = tc.email
				assertError(t, fault.err, o.satisfy(t, m, mfa.Credential{}))
				line := slices.DeleteFunc(o.Requests(), func(r oktatest.Request) bool { return strings.HasSuffix(r.Path, "/factors") })
				if tc.endpoint == "listfactors" && name == "closed" {
					assert.LessOrEqual(t, len(line), tc.requests)
				} else {
					assert.Len(t, line, tc.requests)
				}
				assert.Zero(t, phone.Pushes())
			})
		}
	}
	t.Run("factors of somebody who is gone", func(t *testing.T) {
		t.Parallel()
		o := newFactorsOrg(t, oktatest.Options{})
		o.Fail("listfactors", oktatest.Status(404, okta.CodeNotFound, "Not found"))
		assertError(t, refused(okta.CodeNotFound), o.satisfy(t, o.method(), mfa.Credential{}))
	})
}

// TestOktaMethodVerifiedBefore: what Okta itself has asked for at this login is
// not asked for again, where the method would have accepted it.
func TestOktaMethodVerifiedBefore(t *testing.T) {
	t.Parallel()
	const own, other = "https://acme.okta.com", loginOrg
	for _, tc := range []struct {
		name       string
		verified   *okta.Factor
		org        string
		kinds      []mfa.Kind
		numberOnly bool
		byNumber   bool
		passed     bool
	}{
		{name: "push", verified: &phone, org: own, passed: true},
		{name: "TOTP", verified: &google, org: own, passed: true},
		{name: "nothing", org: own},
		{name: "another org", verified: &phone, org: other},
		{name: "kind that is not accepted", verified: &sms, org: own},
		{name: "kind that is accepted", verified: &sms, org: own, kinds: []mfa.Kind{mfa.KindSMS}, passed: true},
		{name: "push, where a passcode is wanted", verified: &phone, org: own, kinds: []mfa.Kind{mfa.KindTOTP}},
		{name: "a browser's", verified: &webauthn, org: own, kinds: mfa.Kinds},
		{name: "an unknown type", verified: &untyped, org: own, kinds: mfa.Kinds},
		{name: "push without a number", verified: &phone, org: own, numberOnly: true},
		{name: "push with a number", verified: &phone, org: own, numberOnly: true, byNumber: true, passed: true},
		{name: "number that was not needed", verified: &phone, org: own, byNumber: true, passed: true},
		{name: "passcode, numbers for pushes only", verified: &verify, org: own, numberOnly: true, passed: true},
		{name: "number of another org", verified: &phone, org: other, numberOnly: true, byNumber: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			api := &factorsScript{factors: []okta.Factor{with("ACTIVE", phone), with("ACTIVE", sms), with("ACTIVE", google)}}
			m := api.method()
			m.NumberOnly = tc.numberOnly
			if tc.kinds != nil {
				m.Kinds = tc.kinds
			}
			who := mfa.Subject{ID: mia.ID, Login: mia.Login, Org: tc.org, Verified: tc.verified, ByNumber: tc.byNumber}
			attempt, err := m.Prepare(t.Context(), who, mfa.Credential{})
			assert.Equal(t, tc.passed, attempt.Passed)
			if tc.passed {
				require.NoError(t, err)
				assert.Empty(t, api.asked(), "Okta need not be asked")
			} else {
				assert.NotEmpty(t, api.asked())
			}
		})
	}
}

// TestAccountOfAnOrgThatMayBeTheSame: where nobody knows whether the method's org is
// that of the login by another URL, somebody else's account must not do.
func TestAccountOfAnOrgThatMayBeTheSame(t *testing.T) {
	t.Parallel()
	o := newFactorsOrg(t, oktatest.Options{})
	o.user.AddPush("SUCCESS")
	m := o.method()
	for _, row := range []struct {
		unproven bool
		id       string
		err      error
	}{
		{false, "00u9elsewhere", nil}, // proven: another org has other ids
		{true, "00u9elsewhere", mfa.ErrOtherPerson},
		{true, o.user.ID, nil},
	} {
		m.Unproven = row.unproven
		who := elsewhere(login)
		who.ID = row.id
		_, err := m.Prepare(t.Context(), who, mfa.Credential{})
		assert.ErrorIs(t, err, row.err)
	}
}

// TestKeysOfAnOrgThatIsTheSame: an account with the user id of the login shows that the
// method's org is that of the login by another URL. The person, the phone and what they
// have shown have the same names then as in Okta's own challenge.
func TestKeysOfAnOrgThatIsTheSame(t *testing.T) {
	t.Parallel()
	for _, unproven := range []bool{false, true} {
		api := &factorsScript{factors: []okta.Factor{with("ACTIVE", phone)}}
		m := api.method()
		org := loginOrg
		if m.Unproven = unproven; !unproven {
			org = m.Org // the ids of two orgs are known to differ
		}
		who := mfa.Subject{ID: mia.ID, Login: mia.Login, Org: loginOrg}
		attempt, err := m.Prepare(t.Context(), who, mfa.Credential{})
		require.NoError(t, err)
		assert.Equal(t, []string{org + " " + mia.ID, org + " " + phone.ID}, []string{attempt.Rings, attempt.Phone})

		who.Verified = &phone
		attempt, err = m.Prepare(t.Context(), who, mfa.Credential{})
		require.NoError(t, err)
		assert.Equal(t, unproven, attempt.Passed)
	}
}

// TestPhoneOfAnOrgThatMayBeTheSame: a phone that Okta's own challenge has rung does not
// ring for the method.
func TestPhoneOfAnOrgThatMayBeTheSame(t *testing.T) {
	t.Parallel()
	api := &factorsScript{factors: []okta.Factor{with("ACTIVE", phone)}}
	m := api.method()
	m.Unproven, m.NumberOnly = true, true // so that the push without a number does not do
	b := newBench(mfa.PushLimit{})
	flow := b.flow(scripted(waiting(phone), success(mia)), ours)
	flow.Org = loginOrg
	flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) {
		return []mfa.Required{{ID: "1", Name: "method", Method: m}}, nil
	}
	_, err := run(t.Context(), flow, required(phone), want{})
	assertError(t, mfa.ErrRungBefore, err)
	assert.Equal(t, "account mia.ito@acme.test, factors 00u1mia", api.asked())
}
