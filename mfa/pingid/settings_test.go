package pingid_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
)

// properties is a settings file: the good one, with lines left out and added.
func properties(without string, more ...string) string {
	var lines []string
	for _, line := range []string{
		"# a comment = nothing", "", "use_base64_key=" + goodKey, "token=" + goodToken,
		"idp_url=https://idp.acme.test/pingid", "org_alias=acme",
	} {
		if without == "" || !strings.HasPrefix(line, without+"=") {
			lines = append(lines, line)
		}
	}
	return strings.Join(append(lines, more...), "\n")
}

const (
	goodKey   = "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA=="
	goodToken = "a-very-secret-token"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		file string
		want string // what the error names; empty: it is good
	}{
		"good":             {file: properties("")},
		"CRLF":             {file: strings.ReplaceAll(properties(""), "\n", "\r\n")},
		"spaces":           {file: properties("token", " token = "+goodToken+" ")},
		"all":              {file: properties("", "use_signature=false", "admin_url=https://a.test", "authenticator_url=https://b.test")},
		"port":             {file: properties("idp_url", "idp_url=https://idp.acme.test:8443")},
		"empty":            {file: "", want: "use_base64_key"},
		"no key":           {file: properties("use_base64_key"), want: "use_base64_key"},
		"no token":         {file: properties("token"), want: "token"},
		"empty token":      {file: properties("token", "token="), want: "token"},
		"no URL":           {file: properties("idp_url"), want: "idp_url"},
		"no org":           {file: properties("org_alias"), want: "org_alias"},
		"strange base64":   {file: properties("use_base64_key", "use_base64_key="+goodToken), want: "use_base64_key"},
		"short key":        {file: properties("use_base64_key", "use_base64_key=c2VjcmV0"), want: "use_base64_key"},
		"strange flag":     {file: properties("", "use_signature=yes"), want: "use_signature"},
		"http":             {file: properties("idp_url", "idp_url=http://idp.acme.test/pingid"), want: "idp_url"},
		"query":            {file: properties("idp_url", "idp_url=https://idp.acme.test/pingid?a"), want: "idp_url"},
		"empty query":      {file: properties("idp_url", "idp_url=https://idp.acme.test/pingid?"), want: "idp_url"},
		"fragment":         {file: properties("idp_url", "idp_url=https://idp.acme.test/pingid#"), want: "idp_url"},
		"user":             {file: properties("idp_url", "idp_url=https://me:"+goodToken+"@idp.acme.test/pingid"), want: "idp_url"},
		"no host":          {file: properties("idp_url", "idp_url=https:///pingid"), want: "idp_url"},
		"no URL at all":    {file: properties("idp_url", "idp_url=https:"+goodToken), want: "idp_url"},
		"broken URL":       {file: properties("idp_url", "idp_url=https://"+goodToken+"%zz/"), want: "idp_url"},
		"unknown key":      {file: properties("", "webhook_url=https://x.test", "webhook_url=again\x00")},
		"mark, comment":    {file: "\ufeff! made up\n" + properties("")},
		"escaped":          {file: properties("use_base64_key", "use_base64_key="+strings.ReplaceAll(goodKey, "=", `\=`))},
		"escaped URL":      {file: properties("idp_url", `idp_url=https\://idp.acme.test/pingid`)},
		"colon":            {file: properties("org_alias", "org_alias: acme")},
		"URL-safe, bare":   {file: properties("use_base64_key", "use_base64_key=c2VjcmV0-_NlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA")},
		"secret as line":   {file: properties("", goodToken), want: "line 7 of the settings file is not key=value"},
		"secret, no key":   {file: properties("token", "="+goodToken), want: "token"},
		"twice":            {file: properties("", "token="+goodToken), want: "token twice"},
		"twice, empty":     {file: properties("token", "token=", "token="+goodToken), want: "token twice"},
		"control":          {file: properties("token", "token="+goodToken+"\x00x"), want: "token"},
		"no text":          {file: properties("", "\xff=\xff"), want: "not text"},
		"more than 64 KiB": {file: properties("", "#"+strings.Repeat("x", 64<<10)), want: "64 KiB"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			settings, err := pingid.ParseSettings(base64.StdEncoding.EncodeToString([]byte(test.file)) + "\n")
			if test.want != "" {
				require.Error(t, err)
				assert.Contains(t, err.Error(), test.want)
				assert.Zero(t, settings)
			} else {
				require.NoError(t, err)
				assert.Equal(t, "acme", settings.OrgAlias)
				method, err := pingid.New(pingid.Config{Settings: settings})
				require.NoError(t, err)
				methodtest.AssertNoSecret(t, []string{goodKey, goodToken, "secret-secret"}, settings, &settings, method,
					pingid.Config{Settings: settings}, struct{ m mfa.Method }{method}, struct{ m *pingid.Method }{method}, struct{ s pingid.Settings }{settings})
			}
			methodtest.AssertNoSecret(t, []string{goodKey, goodKey[:20], goodToken}, err)
		})
	}
	_, err := pingid.ParseSettings("not base64!" + goodToken)
	require.Error(t, err)
	methodtest.AssertNoSecret(t, []string{goodToken}, err)
	_, err = pingid.New(pingid.Config{})
	assert.Error(t, err)
}

// FuzzParsePingIDSettings: what is accepted is complete and can be used, and what
// is not returns nothing, and an error without a value.
func FuzzParsePingIDSettings(f *testing.F) {
	for _, file := range []string{
		properties(""), properties("token"), properties("", "a=b"), properties("", "use_signature=true"), "", "=", "token",
	} {
		f.Add(base64.StdEncoding.EncodeToString([]byte(file)))
	}
	f.Add("not base64")
	f.Fuzz(func(t *testing.T, text string) {
		settings, err := pingid.ParseSettings(text)
		if err != nil {
			assert.Zero(t, settings)
			assert.NotContains(t, err.Error(), goodToken)
			return
		}
		assert.NotEmpty(t, settings.OrgAlias)
		assert.True(t, strings.HasPrefix(strings.ToLower(settings.IDPURL), "https://"))
		method, err := pingid.New(pingid.Config{Settings: settings})
		require.NoError(t, err)
		assert.NotContains(t, fmt.Sprintf("%+v %#v", method, settings), goodToken)
	})
}
