package e2e

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Whoever cannot go on with a password and a factor is told where to go: each factor that
// needs a browser by the name that the org gives it, and each state of Okta's.
func TestEachDeadEndSaysWhereToGo(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	page := func(status string) []string {
		return []string{"its sign-in page", "(status " + status + ")", "sign in to Okta with a browser once"}
	}
	const admin = "ask your Okta administrator"
	for _, row := range []struct {
		name  string
		is    func(u *oktatest.User)
		words []string
	}{
		{"SAML", browserFactor("assertion:saml2", "GENERIC_SAML", "Acme SAML"), []string{"Acme SAML (it needs a browser)", "enrolled none that this mount can use"}},
		{"OIDC", browserFactor("assertion:oidc", "GENERIC_OIDC", "Acme OIDC"), []string{"Acme OIDC (it needs a browser)"}},
		{"claims provider", browserFactor("claims_provider", "CUSTOM", "Acme IdP"), []string{"Acme IdP (it needs a browser)"}},
		{"without a name", browserFactor("claims_provider", "CUSTOM", ""), []string{"identity provider (it needs a browser)"}},
		{"WebAuthn", browserFactor("webauthn", "FIDO", ""), []string{"WebAuthn security key or passkey (it needs a browser)"}},
		{"FastPass", browserFactor("signed_nonce", "OKTA", ""), []string{"Okta FastPass (it needs a browser)"}},
		{"Duo in Okta", browserFactor("web", "DUO", ""), []string{"DUO web (it needs a browser)"}},
		{"ADMIN_CONSENT_REQUIRED", inState("ADMIN_CONSENT_REQUIRED"), []string{"an administrator has given consent", admin}},
		{"PROFILE_REQUIRED", inState("PROFILE_REQUIRED"), page("PROFILE_REQUIRED")},
		{"CONSENT_REQUIRED", inState("CONSENT_REQUIRED"), page("CONSENT_REQUIRED")},
		{"DEVICE_ACTIVATE", inState("DEVICE_ACTIVATE"), page("DEVICE_ACTIVATE")},
		{"FACTOR_REQUIRED", inState("FACTOR_REQUIRED"), page("FACTOR_REQUIRED")},
		{"FACTOR_CHALLENGE", inState("FACTOR_CHALLENGE"), page("FACTOR_CHALLENGE")},
		{"FACTOR_ENROLL", inState("FACTOR_ENROLL"), page("FACTOR_ENROLL")},
		{"FACTOR_ENROLL_ACTIVATE", inState("FACTOR_ENROLL_ACTIVATE"), page("FACTOR_ENROLL_ACTIVATE")},
		{"POLL", inState("POLL"), page("POLL")},
		{"MFA_ENROLL", inState("MFA_ENROLL"), []string{"enroll one in Okta"}},
		{"MFA_ENROLL_ACTIVATE", inState("MFA_ENROLL_ACTIVATE"), []string{"enroll one in Okta"}},
		{"PASSWORD_EXPIRED", inState("PASSWORD_EXPIRED"), []string{"change it in Okta"}},
		{"PASSWORD_RESET", inState("PASSWORD_RESET"), []string{"finish that in Okta"}},
		{"RECOVERY_CHALLENGE", inState("RECOVERY_CHALLENGE"), []string{"finish that in Okta"}},
		{"LOCKED_OUT", inState("LOCKED_OUT"), []string{"unlock it in Okta", admin}},
	} {
		u := m.addUser(row.name[:1] + "-" + secret() + "@acme.test")
		row.is(u)
		requireRefused(t, m.login(u), http.StatusBadRequest, row.words...)
		requireRefused(t, m.login(u, object{"wait": false}), http.StatusBadRequest, row.words...)
	}

	// All factors of one person, each by its name.
	u := m.addUser("mia@acme.test")
	browserFactor("assertion:saml2", "GENERIC_SAML", "Acme SAML")(u)
	browserFactor("assertion:oidc", "GENERIC_OIDC", "Acme OIDC")(u)
	browserFactor("claims_provider", "CUSTOM", "Acme IdP")(u)
	requireCLIRefused(t, m.runLogin(m.person(), m.loginArgs(u, "password="+u.Password())...),
		"Acme SAML (it needs a browser), Acme OIDC (it needs a browser), Acme IdP (it needs a browser)")
	require.Zero(t, m.org.Count(http.MethodPost, "/api/v1/authn/factors/"), "nothing is begun that nobody can end")
}

func browserFactor(factorType, provider, vendor string) func(*oktatest.User) {
	return func(u *oktatest.User) {
		f := u.AddFactor(factorType, provider)
		if vendor != "" {
			f.SetVendor(vendor)
		}
	}
}

func inState(status string) func(*oktatest.User) {
	return func(u *oktatest.User) { u.SetStatus(status) }
}
