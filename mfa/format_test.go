package mfa_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

const accessor = "auth_okta_1"

func TestParseFormat(t *testing.T) {
	t.Parallel()
	alias := func(accessor string) string { return "{{identity.entity.aliases." + accessor + ".name}}" }
	who := mfa.Subject{ID: "00u1mia", Login: "mia.ito@acme.test", Name: "Mia"}
	for _, tc := range []struct{ name, text, want string }{
		{"nothing", "", "mia.ito@acme.test"},
		{"login", "{{username}}", "mia.ito@acme.test"},
		{"within text", "x-{{username}}@corp", "x-mia.ito@acme.test@corp"},
		{"entity", "{{identity.entity.name}}", "mia.ito@acme.test"},
		{"alias", alias(accessor), "Mia"},
		{"alias within text", alias(accessor) + "@corp.test", "Mia@corp.test"},
		{"spaces", "{{ username }}|{{\tidentity.entity.aliases." + accessor + ".name }}", "mia.ito@acme.test|Mia"},
		{"several", "{{username}}/{{username}}", "mia.ito@acme.test/mia.ito@acme.test"},
		{"single braces", "{a}{{username}}{b", "{a}mia.ito@acme.test{b"},
		{"longest", "{{username}}" + strings.Repeat("x", 500), "mia.ito@acme.test" + strings.Repeat("x", 500)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			f, err := mfa.ParseFormat(tc.text, accessor)
			require.NoError(t, err)
			assert.Equal(t, tc.text, f.Text())
			assert.Equal(t, tc.want, f.Name(who))
			again, err := mfa.ParseFormat(f.Text(), accessor)
			require.NoError(t, err)
			assert.Equal(t, f, again)
			if tc.text == "" {
				assert.Equal(t, mfa.Format{}, f)
			}
		})
	}
	f, err := mfa.ParseFormat(alias(accessor), accessor)
	require.NoError(t, err)
	who.Alias = "mia.ito@acme.test"
	assert.Equal(t, "mia.ito@acme.test", f.Name(who), "the mount's alias, however the name was typed")
	for _, tc := range []struct{ name, text, reason string }{
		{"another mount's alias", alias("auth_okta_2"), `names the accessor "auth_okta_2", which is not this mount's ("auth_okta_1")`},
		{"no accessor", alias(""), `names the accessor ""`},
		{"accessor in another case", alias("AUTH_OKTA_1"), `names the accessor "AUTH_OKTA_1"`},
		{"metadata of the entity", "{{identity.entity.metadata.mail}}", "which is not known during a login"},
		{"metadata of the alias", "{{identity.entity.aliases." + accessor + ".metadata.mail}}", "which is not known during a login"},
		{"id of the entity", "{{identity.entity.id}}", "which is not known during a login"},
		{"another word", "{{user}}", "{{user}}, which is not known during a login: use {{username}}, {{identity.entity.name}} or " + alias(accessor)},
		{"another case", "{{Username}}", "which is not known during a login"},
		{"nothing within", "{{}}", "which is not known during a login"},
		{"three braces", "{{{username}}}", "which is not known during a login"},
		{"braces at the end", "{{username}}}}", "has braces that do not belong to a placeholder"},
		{"braces at the start", "}}{{username}}", "has braces that do not belong to a placeholder"},
		{"unclosed", "{{username", "has a placeholder that does not end"},
		{"unclosed by one", "{{username}", "has a placeholder that does not end"},
		{"the second unclosed", "{{username}}{{", "has a placeholder that does not end"},
		{"no placeholder", "mia.ito@acme.test", "must hold a placeholder"},
		{"space", " ", "must hold a placeholder"},
		{"one too long", "{{username}}" + strings.Repeat("x", 501), "must not be longer than 512 bytes"},
		{"much too long", strings.Repeat("{{username}}", 1<<16), "must not be longer than 512 bytes"},
	} {
		t.Run("refused "+tc.name, func(t *testing.T) {
			f, err := mfa.ParseFormat(tc.text, accessor)
			require.Error(t, err)
			assert.Contains(t, err.Error(), tc.reason)
			assert.Less(t, len(err.Error()), 512)
			assert.Equal(t, mfa.Format{}, f)
		})
	}
	t.Run("the reason is fit for a terminal", func(t *testing.T) {
		for _, text := range []string{"{{\x1b[31m" + strings.Repeat("x", 300) + "}}", alias("\x1b[31m" + strings.Repeat("x", 300))} {
			_, err := mfa.ParseFormat(text, accessor)
			require.Error(t, err)
			assert.NotContains(t, err.Error(), "\x1b")
			assert.Less(t, len(err.Error()), 400)
		}
	})
}

// TestFormatName: what people type is a name, and no format.
func TestFormatName(t *testing.T) {
	t.Parallel()
	f := format(t, "{{username}}@corp")
	alias := format(t, "{{identity.entity.aliases."+accessor+".name}}@corp")
	for _, name := range []string{"mia", "{{username}}", "}}", "{{identity.entity.name}}", "a{{b"} {
		assert.Equal(t, name+"@corp", f.Name(mfa.Subject{Login: name, Name: "typed"}))
		assert.Equal(t, name+"@corp", alias.Name(mfa.Subject{Login: "login", Name: name}))
	}
	assert.Equal(t, "typed@corp", f.Name(mfa.Subject{Name: "typed"}), "where Okta says no login")
	assert.Equal(t, "typed", mfa.Format{}.Name(mfa.Subject{Name: "typed"}))
	assert.Equal(t, "login", mfa.Format{}.Name(mfa.Subject{Login: "login", Name: "typed"}))
}

// FuzzParseFormat: what is accepted tells two people apart, keeps what is no
// placeholder, and is read again as the same.
func FuzzParseFormat(f *testing.F) {
	for _, seed := range []string{
		"", "{{username}}", "{{ username }}@acme.test", "{{identity.entity.name}}", "{{identity.entity.aliases.auth_okta_1.name}}",
		"{{identity.entity.aliases.auth_okta_2.name}}", "{{{username}}}", "{{username", "}}{{username}}", "{{username}}{{", "{}{{}}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := mfa.ParseFormat(text, accessor)
		if err != nil {
			if got != (mfa.Format{}) {
				t.Errorf("%v, and yet %+v", err, got)
			}
			return
		}
		one, two := got.Name(mfa.Subject{Login: "one", Name: "one"}), got.Name(mfa.Subject{Login: "two", Name: "two"})
		if one == two || strings.Contains(one, "{{") || strings.Contains(one, "}}") {
			t.Errorf("%q makes %q and %q", text, one, two)
		}
		if again, err := mfa.ParseFormat(got.Text(), accessor); err != nil || again != got {
			t.Errorf("%q again: %v, %v", text, again, err)
		}
		if strings.Count(one, "one") < 1 {
			t.Errorf("%q loses the name: %q", text, one)
		}
	})
}
