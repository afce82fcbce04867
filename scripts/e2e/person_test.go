package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/text/unicode/norm"
)

// spellings are names that Okta takes for José.Ruiz@acme.test: 20 of them, by case, by
// marks, composed and not, and without the domain.
func spellings() []string {
	names := []string{"José.Ruiz@acme.test", "josé.ruiz@acme.test", "JOSÉ.RUIZ@ACME.TEST", "jose.ruiz@acme.test", "JOSE.RUIZ@acme.test",
		"jöse.ruíz@acme.test", "José.Ruiz", "jose.ruiz", "josè.rüiz", "JÓSE.RUIZ@acme.test", "jose.rüiz@acme.test", "JOSE.ruiz"}
	for _, name := range names {
		if decomposed := norm.NFD.String(name); decomposed != name {
			names = append(names, decomposed)
		}
	}
	return names
}

// One person is one entity of Vault's identity, however they spell their name; when the
// entity is disabled, no spelling lets them in.
func TestOnePersonIsOneEntity(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	jose := m.addUser("José.Ruiz@acme.test", "Staff")
	m.mustWrite("groups/staff", object{"policies": "staff"})
	m.mustWrite("users/josé.ruiz@acme.test", object{"policies": "own"})

	names := spellings()
	require.GreaterOrEqual(t, len(names), 20)
	entities := map[any]bool{}
	for _, name := range names {
		a := m.attempt(name, credentials(jose))
		require.NoError(t, a.Err(), name)
		entities[a.Auth()["entity_id"]] = true
		metadata := a.Auth()["metadata"].(object)
		require.Equal(t, "josé.ruiz@acme.test", metadata["username"], name)
		require.Equal(t, jose.ID, metadata["okta_id"])
		require.ElementsMatch(t, []any{"default", "own", "staff"}, policies(a), name)
	}
	require.Len(t, entities, 1)
	for id := range entities {
		m.mustDo(http.MethodPost, "identity/entity/id/"+id.(string), object{"disabled": true})
	}
	for _, name := range names {
		a := m.attempt(name, credentials(jose))
		require.Equal(t, http.StatusForbidden, a.Status, "%s: %s", name, a.Raw)
		require.Empty(t, a.Token())
	}
}

// A mount that was configured before people were known by their account goes on by what
// they type, as the builtin method does, and says what that allows.
func TestTypedNamesAreAsTheyWere(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"alias_source": "typed"})
	jose := m.addUser("José.Ruiz@acme.test", "Staff")
	m.mustWrite("users/jose.ruiz", object{"policies": "own"})
	require.Contains(t, m.read("config").Warnings(), `alias_source is "typed"`)

	entities := map[any]bool{}
	for _, name := range spellings() {
		a := m.attempt(name, credentials(jose))
		require.NoError(t, a.Err(), name)
		entities[a.Auth()["entity_id"]] = true
		require.Equal(t, object{"username": name, "policies": map[bool]string{true: "own"}[name == "jose.ruiz"]}, a.Auth()["metadata"])
	}
	require.Greater(t, len(entities), 5, "one person has many entities then")

	report := m.do("LIST", m.full("config/aliases"), nil).Data()
	require.Equal(t, []any{"jose.ruiz"}, report["keys"])
	a := m.send(listRequest(m, "config/aliases", "username", "jose.ruiz"))
	require.NoError(t, a.Err())
	require.Equal(t, object{"login": "josé.ruiz@acme.test", "okta_id": jose.ID, "typed": "jose.ruiz"}, a.Data()["aliases"])
}

// Vault's own login MFA, enforced on a person's entity, is not passed by another
// spelling of their name.
func TestLoginMFAOfAnEntityHoldsForEverySpelling(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	jose := m.addUser("José.Ruiz@acme.test")
	first := m.mustLogin(jose)
	method := m.identityTOTP()
	enforceMFA(m, object{"identity_entity_ids": []any{first.Auth()["entity_id"]}}, method)
	for _, name := range spellings() {
		a := m.attempt(name, credentials(jose))
		require.NoError(t, a.Err(), name)
		require.Empty(t, a.Token(), name)
		require.NotEmpty(t, a.Auth()["mfa_requirement"], name)
	}
}

// Two orgs' worth of wrong passwords: a stranger is held back before Okta has seen
// enough to lock the account, and the person gets in all the same.
func TestStrangersDoNotLockAnAccount(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	mia := m.addUser("mia.ito@acme.test")
	home, away := m.at("127.0.0.1"), m.at("127.0.0.9")
	home.mustLogin(mia)
	m.org.Reset()
	var held int
	for range 10 {
		a := away.attempt("MIA.ito", object{"password": "not-hers"})
		if a.Status == http.StatusTooManyRequests {
			requireRefused(t, a, http.StatusTooManyRequests, "too many wrong passwords", "try again in 15 minutes")
			held++
			continue
		}
		requireRefused(t, a, http.StatusBadRequest, "(E0000004)")
	}
	require.Equal(t, 8, held)
	require.Equal(t, 2, m.org.Count(http.MethodPost, "/api/v1/authn"), "Okta is not asked then")
	requireRefused(t, away.login(mia), http.StatusTooManyRequests)
	home.mustLogin(mia)

	// A name that nobody has fares the same.
	for i := range 4 {
		a := away.attempt("nobody@acme.test", object{"password": "not-hers"})
		require.Equal(t, map[bool]int{true: http.StatusBadRequest, false: http.StatusTooManyRequests}[i < 2], a.Status)
	}
}
