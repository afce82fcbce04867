package backend

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// createMethod creates a method and returns its id.
func (m *mount) createMethod(typ string, data fields) string {
	m.t.Helper()
	resp := m.write("mfa/method/"+typ, data)
	require.NotNil(m.t, resp)
	id, _ := resp.Data["method_id"].(string)
	require.Regexp(m.t, "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$", id)
	return id
}

func base64Of(s string) string { return base64.StdEncoding.EncodeToString([]byte(s)) }

// plain is data as JSON has it: the same in process and over gRPC.
func plain(t *testing.T, data any) fields {
	t.Helper()
	raw, err := json.Marshal(data)
	require.NoError(t, err)
	var out fields
	require.NoError(t, json.Unmarshal(raw, &out))
	return out
}

const pingSettings = "use_base64_key=c2VjcmV0LWtleS1zZWNyZXQta2V5LXNlY3JldC1rZXk=\nuse_signature=true\ntoken=ping-token\n" +
	"idp_url=https://idp.example.test/pingid\norg_alias=ping-org\nadmin_url=https://admin.example.test/pingid\n" +
	"authenticator_url=https://auth.example.test/pingid/ppm\n"

// each type with what creates it, and what is read of it.
var methodSamples = map[string]struct {
	create, read fields
	secrets      []string
}{
	"okta": {
		fields{"method_name": "corp_okta", "org_name": "other", "api_token": "00-method-token", "base_url": "oktapreview.com",
			"username_format": "{{username}}@acme.test", "primary_email": true, "factors": "push,sms", "require_number_challenge": true},
		fields{"name": "corp_okta", "type": "okta", "org_name": "other", "base_url": "oktapreview.com",
			"username_format": "{{username}}@acme.test", "primary_email": true, "factors": []any{"push", "sms"}, "require_number_challenge": true},
		[]string{"00-method-token"},
	},
	"totp": {
		fields{"method_name": "my_totp", "issuer": "Acme", "period": "60s", "digits": 8, "algorithm": "sha256", "skew": 0,
			"key_size": 32, "qr_size": 0, "max_validation_attempts": 3},
		fields{"name": "my_totp", "type": "totp", "issuer": "Acme", "period": "1m", "digits": 8.0, "algorithm": "SHA256", "skew": 0.0,
			"key_size": 32.0, "qr_size": 0.0, "max_validation_attempts": 3.0},
		nil,
	},
	"duo": {
		fields{"method_name": "my_duo", "integration_key": "DI1ACME2SAMPLE3KEY45", "secret_key": "duo-secret-key",
			"api_hostname": "api-1234.duosecurity.com", "push_info": "from=vault", "use_passcode": true},
		fields{"name": "my_duo", "type": "duo", "username_format": "", "integration_key": "DI1ACME2SAMPLE3KEY45",
			"api_hostname": "api-1234.duosecurity.com", "push_info": "from=vault", "use_passcode": true},
		[]string{"duo-secret-key"},
	},
	"pingid": {
		fields{"method_name": "my_ping", "settings_file_base64": base64Of(pingSettings)},
		fields{"name": "my_ping", "type": "pingid", "username_format": "", "use_signature": true, "idp_url": "https://idp.example.test/pingid",
			"org_alias": "ping-org", "admin_url": "https://admin.example.test/pingid", "authenticator_url": "https://auth.example.test/pingid/ppm"},
		[]string{base64Of(pingSettings)},
	},
}

func TestMethodsLiveAndDie(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		ids := map[string]string{}
		for typ, sample := range methodSamples {
			_, status, _ := m.do(logical.ListOperation, "mfa/method/"+typ+"/", nil)
			assert.Equal(t, http.StatusNotFound, status)
			ids[typ] = m.createMethod(typ, sample.create)
			path := "mfa/method/" + typ + "/" + ids[typ]
			got := plain(t, m.read(path))
			want := plain(t, sample.read)
			want["id"], want["method_name"] = ids[typ], want["name"]
			assert.Equal(t, want, got, typ)
			raw, err := json.Marshal(got)
			require.NoError(t, err)
			for _, secret := range sample.secrets {
				assert.NotContains(t, string(raw), secret, typ)
				assert.Contains(t, m.stored("mfa/method/"+ids[typ]), secret, typ)
			}

			// An update changes the fields it names, and may rename.
			require.Nil(t, m.write(path, fields{"method_name": "renamed-" + typ}))
			want["name"], want["method_name"] = "renamed-"+typ, "renamed-"+typ
			assert.Equal(t, want, plain(t, m.read(path)), typ)
			// By method_id in the body, too, as Vault's own method API takes it.
			m.write("mfa/method/"+typ, fields{"method_id": ids[typ], "method_name": "again-" + typ})
			assert.Equal(t, "again-"+typ, m.read(path)["name"], typ)

			resp, _, _ := m.do(logical.ListOperation, "mfa/method/"+typ+"/", nil)
			assert.Equal(t, plain(t, fields{
				"keys": []string{ids[typ]}, "key_info": fields{ids[typ]: fields{"name": "again-" + typ, "type": typ}},
			}), plain(t, resp.Data), typ)
		}

		resp, status, _ := m.do(logical.ListOperation, "mfa/method/", nil)
		require.Equal(t, http.StatusOK, status)
		assert.Len(t, toStrings(resp.Data["keys"]), len(methodSamples))
		assert.Len(t, plain(t, resp.Data)["key_info"], len(methodSamples))

		for typ, id := range ids {
			other := "okta"
			if typ == other {
				other = "totp"
			}
			for _, op := range []logical.Operation{logical.ReadOperation, logical.DeleteOperation} {
				_, status, _ := m.do(op, "mfa/method/"+other+"/"+id, nil)
				assert.Equal(t, http.StatusNotFound, status, "a method of another type")
			}
			assert.NotEmpty(t, m.stored("mfa/method/"+id), "and not deleted as one")
			for _, want := range []int{http.StatusOK, http.StatusNotFound} {
				_, status, text := m.do(logical.DeleteOperation, "mfa/method/"+typ+"/"+id, nil)
				assert.Equal(t, want, status, text)
				assert.Empty(t, m.stored("mfa/method/"+id))
			}
			_, status, _ := m.do(logical.ReadOperation, "mfa/method/"+typ+"/"+id, nil)
			assert.Equal(t, http.StatusNotFound, status)
			_, status, text := m.do(logical.UpdateOperation, "mfa/method/"+typ+"/"+id, fields{"method_name": "ghost"})
			assert.Equal(t, http.StatusNotFound, status, text)
		}
	})
}

// A method needs no name: its id is one.
func TestMethodWithoutAName(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		first, second := m.createMethod("okta", nil), m.createMethod("okta", nil)
		assert.NotEqual(t, first, second)
		assert.Empty(t, m.read("mfa/method/okta/" + first)["name"])
		m.write("groups/a", fields{"mfa_methods": first})
		assert.Equal(t, []string{first}, toStrings(m.read("groups/a")["mfa_methods"]))
	})
}

func TestMethodInputIsRefused(t *testing.T) {
	long := strings.Repeat("x", 600)
	for _, row := range []struct {
		name, typ string
		data      fields
		text      string // begins with the field
	}{
		{"name with a colon", "okta", fields{"method_name": "a:b"}, "method_name must be"},
		{"name with a space", "okta", fields{"method_name": "a b"}, "method_name must be"},
		{"name of a dot", "okta", fields{"method_name": "."}, "method_name must be"},
		{"name of two dots", "okta", fields{"method_name": ".."}, "method_name must be"},
		{"name too long", "okta", fields{"method_name": strings.Repeat("a", 129)}, "method_name must be"},
		{"name like an id", "okta", fields{"method_name": "1db034b5-81f1-4a2b-8c2b-0f51ed0bd9fc"}, "method_name must not look like"},
		{"name taken, in another case", "okta", fields{"method_name": "TAKEN"}, "method_name is that of another"},
		{"unknown id", "okta", fields{"method_id": "nobody"}, "an MFA method of type okta with this name does not exist"},

		{"format of metadata", "okta", fields{"username_format": "{{identity.entity.metadata.mail}}"}, "username_format has the placeholder"},
		{"format of another mount", "duo", fields{"username_format": "{{identity.entity.aliases.auth_userpass_1.name}}"}, "username_format names the accessor"},
		{"format without placeholder", "okta", fields{"username_format": "fred"}, "username_format must hold a placeholder"},
		{"format too long", "okta", fields{"username_format": "{{username}}" + long}, "username_format must not be longer"},

		{"token without org", "okta", fields{"api_token": "00x"}, "org_name must be given"},
		{"org without token", "okta", fields{"org_name": "acme"}, "api_token must be given"},
		{"base URL without org", "okta", fields{"base_url": "okta.com"}, "org_name must be given"},
		{"org with dots", "okta", fields{"org_name": "acme.okta.com", "api_token": "00x"}, "org_name must be"},
		{"admin host", "okta", fields{"org_name": "acme-admin", "api_token": "00x"}, "org_name must not be"},
		{"base URL with a path", "okta", fields{"org_name": "acme", "api_token": "00x", "base_url": "okta.com/x"}, "base_url must not"},
		{"token with a line break", "okta", fields{"org_name": "acme", "api_token": "00\nx"}, "api_token must be"},
		{"unknown factor", "okta", fields{"factors": "push,webauthn"}, "factors must be a list"},

		{"no issuer", "totp", nil, "issuer is required"},
		{"issuer with a colon", "totp", fields{"issuer": "a:b"}, "issuer must be"},
		{"period too short", "totp", fields{"issuer": "a", "period": 1}, "period must be"},
		{"period too long", "totp", fields{"issuer": "a", "period": "1h"}, "period must be"},
		{"7 digits", "totp", fields{"issuer": "a", "digits": 7}, "digits must be"},
		{"MD5", "totp", fields{"issuer": "a", "algorithm": "MD5"}, "algorithm must be"},
		{"skew 2", "totp", fields{"issuer": "a", "skew": 2}, "skew must be"},
		{"short key", "totp", fields{"issuer": "a", "key_size": 8}, "key_size must be"},
		{"huge QR code", "totp", fields{"issuer": "a", "qr_size": 100000}, "qr_size must be"},
		{"tiny QR code", "totp", fields{"issuer": "a", "qr_size": 10}, "qr_size must be"},
		{"no limit", "totp", fields{"issuer": "a", "max_validation_attempts": 0}, "max_validation_attempts must be"},

		{"no keys", "duo", fields{"api_hostname": "api-1.duosecurity.com"}, "integration_key is required"},
		{"no secret key", "duo", fields{"integration_key": "DI", "api_hostname": "api-1.duosecurity.com"}, "secret_key is required"},
		{"no host", "duo", fields{"integration_key": "DI", "secret_key": "s"}, "api_hostname is required"},
		{"host as URL", "duo", fields{"integration_key": "DI", "secret_key": "s", "api_hostname": "https://api-1.duosecurity.com"}, "api_hostname must"},
		{"push_info that is none", "duo", fields{"integration_key": "DI", "secret_key": "s", "api_hostname": "api-1.duosecurity.com", "push_info": "%zz"}, "push_info must"},

		{"no settings", "pingid", nil, "settings_file_base64 is required"},
		{"settings not base64", "pingid", fields{"settings_file_base64": "%%%"}, "settings_file_base64 "},
		{"settings without a key", "pingid", fields{"settings_file_base64": base64Of("use_signature=true\n")}, "settings_file_base64 "},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, true)
			m.createMethod("totp", fields{"issuer": "Acme", "method_name": "taken"})
			_, status, text := m.do(logical.UpdateOperation, "mfa/method/"+row.typ, row.data)
			assert.Contains(t, []int{http.StatusBadRequest, http.StatusNotFound}, status)
			assert.True(t, strings.HasPrefix(text, row.text) || strings.Contains(text, "\n* "+row.text), text)
			keys, err := m.storage.List(t.Context(), methodPrefix)
			require.NoError(t, err)
			assert.Len(t, keys, 1, "nothing is stored")
		})
	}
}

// A new method of type okta accepts no push without a number, unless it is created so.
// An entry that was stored without the field goes on as before.
func TestNumberChallengeOfNewMethods(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		requires := func(id string) any { return m.read("mfa/method/okta/" + id)["require_number_challenge"] }
		for _, test := range []struct {
			name  string
			given any
			want  bool
		}{{"true", true, true}, {"false", false, false}, {"null", nil, true}, {"an empty string", "", true}} {
			id := m.createMethod("okta", fields{"require_number_challenge": test.given})
			assert.Equal(t, test.want, requires(id), test.name)
		}
		id := m.createMethod("okta", nil)
		assert.Equal(t, true, requires(id))
		m.start()
		assert.Equal(t, true, requires(id), "it is stored")
		m.write("mfa/method/okta/"+id, fields{"require_number_challenge": false})
		m.write("mfa/method/okta/"+id, fields{"method_name": "corp_okta", "require_number_challenge": nil})
		assert.Equal(t, false, requires(id), "an update changes what it names")

		const old = "8f5b9b06-0000-4000-8000-000000000000"
		m.plant(methodPrefix+old, `{"id":"`+old+`","type":"okta","okta":{}}`)
		assert.Equal(t, false, requires(old))
		m.write("mfa/method/okta/"+old, fields{"factors": "push"})
		assert.Equal(t, false, requires(old), "an update does not take it for a new one")
	})
}

// A person whose client cannot show a number gets no push of a new method.
func TestNewMethodSendsNoPushWithoutANumber(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser()
		u.SetStatus("SUCCESS")
		phone := u.AddPush("WAITING", "SUCCESS")
		m.createMethod("okta", fields{"method_name": "corp_okta"})
		m.write("config", fields{"mfa_methods": "corp_okta"})
		assert.Contains(t, m.refused(nil), "MFA method corp_okta: it sends a push only where the login can show you a number")
		assert.Zero(t, phone.Pushes())
		m.mustLogin(fields{"nonce": "one"})
		assert.Equal(t, 1, phone.Pushes())
	})
}

// A stored token goes to the host it was given for, and to no other.
func TestMethodTokenStaysWithItsHost(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		id := m.createMethod("okta", fields{"org_name": "acme", "api_token": "00first-token"})
		path := "mfa/method/okta/" + id
		for _, change := range []fields{{"org_name": "evil"}, {"base_url": "evil.test"}} {
			_, status, text := m.do(logical.UpdateOperation, path, change)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, "api_token must be given again")
		}
		assert.Equal(t, "acme", m.read(path)["org_name"])
		m.write(path, fields{"org_name": "other", "api_token": "00second-token"})
		m.write(path, fields{"org_name": "", "api_token": ""}) // back to the mount's
		assert.NotContains(t, m.stored("mfa/method/"+id), "-token")
	})
}

func TestMethodInUseStays(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		id := m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		path := "mfa/method/totp/" + id
		for _, use := range []struct{ path, name, where string }{
			{"config", "my_totp", "config"},
			{"groups/Admins", "my_totp", "groups/admins"},
			{"groups/deep/er", id, "groups/deep/er"},
			{"users/fred", "my_totp", "users/fred"},
		} {
			m.write(use.path, fields{"mfa_methods": use.name})
			_, status, text := m.do(logical.DeleteOperation, path, nil)
			assert.Equal(t, http.StatusBadRequest, status)
			assert.Contains(t, text, "mfa_methods of "+use.where)
			if use.name == "my_totp" {
				_, status, text = m.do(logical.UpdateOperation, path, fields{"method_name": "other"})
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, text, "method_name cannot be changed")
				assert.Contains(t, text, use.where)
			}
			m.write(use.path, fields{"mfa_methods": ""})
		}
		for i := range 7 {
			m.write("groups/"+strings.Repeat("g", i+1), fields{"mfa_methods": "my_totp"})
		}
		_, _, text := m.do(logical.DeleteOperation, path, nil)
		assert.Contains(t, text, "and 2 more")
		m.storage.fail(true, false)
		_, status, _ := m.do(logical.DeleteOperation, path, nil)
		assert.Equal(t, http.StatusInternalServerError, status)
		m.storage.fail(false, false)
		assert.NotEmpty(t, m.stored("mfa/method/"+id))
	})
}

func TestRequiringMethods(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.createMethod("totp", fields{"issuer": "Acme", "method_name": "my_totp"})
		m.createMethod("okta", fields{"method_name": "corp_okta"})
		for _, path := range []string{"config", "groups/Admins", "users/fred"} {
			assert.Empty(t, toStrings(m.readOr(path)["mfa_methods"]))
			before := m.stored("group/admins") + m.stored("user/fred") + m.stored("config")
			for _, wrong := range []any{"nobody", []string{"my_totp", "nobody"}, []string{"my_totp", ""}, "MY_TOTP"} {
				_, status, text := m.do(logical.UpdateOperation, path, fields{"mfa_methods": wrong})
				assert.Equal(t, http.StatusBadRequest, status)
				assert.Contains(t, text, "mfa_methods ")
			}
			assert.Equal(t, before, m.stored("group/admins")+m.stored("user/fred")+m.stored("config"), "nothing half-written")

			resp := m.write(path, fields{"policies": "p", "token_policies": "p", "mfa_methods": "my_totp, corp_okta,my_totp"})
			require.NotNil(t, resp)
			require.Len(t, resp.Warnings, 1+len(m.unknown(path)))
			assert.Contains(t, strings.Join(resp.Warnings, "\n"), "builtin")
			assert.Equal(t, []string{"my_totp", "corp_okta"}, toStrings(m.read(path)["mfa_methods"]))

			// A write of the field alone changes nothing else.
			m.write(path, fields{"mfa_methods": "my_totp, corp_okta"})
			if path != "config" {
				assert.Equal(t, []string{"p"}, toStrings(m.read(path)["policies"]))
			}
			// Clients that do not know the field take nothing away; nor does null.
			for _, data := range []fields{{"policies": "q"}, {"policies": "q", "mfa_methods": nil}} {
				m.write(path, data)
				assert.Equal(t, []string{"my_totp", "corp_okta"}, toStrings(m.read(path)["mfa_methods"]), path)
			}
			m.write(path, fields{"mfa_methods": []string{}, "policies": "", "groups": ""})
			assert.NotContains(t, m.read(path), "mfa_methods")
			assert.Equal(t, []string{}, toStrings(m.inForce(path)["mfa_methods"]))
		}
		m.write("groups/new", fields{"mfa_methods": ""})
		assert.JSONEq(t, `{"Policies":[]}`, m.stored("group/new"))
		// Without a requirement, entries are the builtin method's to the byte.
		assert.JSONEq(t, `{"Policies":[]}`, m.stored("group/admins"))
		assert.JSONEq(t, `{"Groups":[],"Policies":[]}`, m.stored("user/fred"))
		assert.NotContains(t, m.stored("config"), "mfa_methods")
	})
}

// readOr reads a path, or nothing where there is nothing.
func (m *mount) readOr(path string) fields {
	resp, _, _ := m.do(logical.ReadOperation, path, nil)
	if resp == nil {
		return fields{}
	}
	return resp.Data
}

// unknown are the fields of the write above that a path does not know, each of
// which the framework warns about.
func (m *mount) unknown(path string) []string {
	if path == "config" {
		return []string{"policies"}
	}
	return []string{"token_policies"}
}
