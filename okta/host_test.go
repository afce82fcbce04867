package okta_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestParseOrgURL: the ways of writing one URL have one result.
func TestParseOrgURL(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"https://acme.okta.com":           "https://acme.okta.com",
		"https://acme.okta.com/":          "https://acme.okta.com",
		"HTTPS://Acme.Okta.COM":           "https://acme.okta.com",
		"https://acme.okta.com:8443/":     "https://acme.okta.com:8443",
		"https://acme.okta.com:443":       "https://acme.okta.com",
		"https://acme.okta.com:0443/":     "https://acme.okta.com",
		"https://acme.okta.com:08443":     "https://acme.okta.com:8443",
		"https://Acme.okta.com.":          "https://acme.okta.com",
		"https://acme.okta.com.:443/":     "https://acme.okta.com",
		"https://acme.okta.com.:8443":     "https://acme.okta.com:8443",
		"https://[0:0:0::1]:443":          "https://[::1]",
		"https://[::FFFF:127.0.0.1]":      "https://[::ffff:127.0.0.1]",
		"https://acme.okta-emea.com":      "https://acme.okta-emea.com",
		"https://login.acme.com":          "https://login.acme.com",
		"https://acme-administration.com": "https://acme-administration.com",
		"https://acme.x-admin.com":        "https://acme.x-admin.com",
		"https://localhost:65535":         "https://localhost:65535",
		"https://127.0.0.1:8443":          "https://127.0.0.1:8443",
		"https://[::1]:8443":              "https://[::1]:8443",
		"https://[2001:DB8::1]":           "https://[2001:db8::1]",
		"https://a.b.c.d.e.f":             "https://a.b.c.d.e.f",
	} {
		got, err := okta.ParseOrgURL(in)
		if assert.NoError(t, err, in) {
			assert.Equal(t, want, got.String(), in)
			assert.Equal(t, strings.TrimPrefix(want, "https://"), got.Host, in)
		}
	}
	for _, tc := range []struct{ in, want string }{
		{"", "must use https"},
		{"acme.okta.com", "must use https"},
		{"//acme.okta.com", "must use https"},
		{"http://acme.okta.com", "must use https"},
		{"ftp://acme.okta.com", "must use https"},
		{"https:acme.okta.com", "is not a URL"},
		{"https://acme okta.com", "is not a URL"},
		{"https://acme.okta.com:port", "is not a URL"},
		{"https://acme.okta.com/%zz", "is not a URL"},
		{"https://acme.okta.com\n", "is not a URL"},
		{" https://acme.okta.com", "is not a URL"},
		{"https://[::1", "is not a URL"},
		{"https://", "must have a valid host name"},
		{"https:///", "must have a valid host name"},
		{"https://.", "must have a valid host name"},
		{"https://.:443", "must have a valid host name"},
		{"https://:443", "must have a valid host name"},
		{"https://.okta.com", "must have a valid host name"},
		{"https://acme..okta.com", "must have a valid host name"},
		{"https://acme.okta.com..", "must have a valid host name"},
		{"https://acme_1.okta.com", "must have a valid host name"},
		{"https://-acme.okta.com", "must have a valid host name"},
		{"https://acmé.okta.com", "must have a valid host name"},
		{"https://*.okta.com", "must have a valid host name"},
		{"https://acme.okta.com:", "must have a valid host name"},
		{"https://acme.okta.com:0", "must have a valid host name"},
		{"https://acme.okta.com:65536", "must have a valid host name"},
		{"https://" + strings.Repeat("a", 64) + ".com", "must have a valid host name"},
		{"https://" + strings.Repeat("a.", 126) + "aa", "must have a valid host name"},
		{"https://user@acme.okta.com", "must not contain user information"},
		{"https://user:pw@acme.okta.com", "must not contain user information"},
		{"https://@acme.okta.com", "must not contain user information"},
		{"https://acme.okta.com/api/v1", "must not contain a path"},
		{"https://acme.okta.com//", "must not contain a path"},
		{"https://acme.okta.com/%2e", "must not contain a path"},
		{`https://acme.okta.com\@evil.test`, "is not a URL"},
		{"https://acme.okta.com?x=1", "must not contain a query"},
		{"https://acme.okta.com?", "must not contain a query"},
		{"https://acme.okta.com#x", "must not contain a fragment"},
		{"https://acme.okta.com/#", "must not contain a fragment"},
		{"https://acme-admin.okta.com", "must not be the host of the admin console (-admin)"},
		{"https://acme-admin.okta.com.", "must not be the host of the admin console (-admin)"},
		{"https://acme-admin.", "must not be the host of the admin console (-admin)"},
		{"https://ACME-ADMIN.okta.com", "must not be the host of the admin console (-admin)"},
	} {
		got, err := okta.ParseOrgURL(tc.in)
		assert.EqualError(t, err, tc.want, tc.in)
		assert.Nil(t, got, tc.in)
	}
}
