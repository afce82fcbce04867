package backend

import (
	"cmp"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// checkWrite changes one field of a path by a write, and checks what has to be true of
// each write: what is refused stores nothing, what is accepted is read as the same by a
// node that has just started and can be written back without a change, and nobody is told
// a secret.
func checkWrite(t *testing.T, m *mount, op logical.Operation, path string, schema map[string]*framework.FieldSchema, field string, v any) {
	before := m.contents()
	secret := schema[field].DisplayAttrs != nil && schema[field].DisplayAttrs.Sensitive
	resp, status, text := m.do(op, path, fields{field: v})
	if resp != nil {
		told, err := json.Marshal(fields{"data": resp.Data, "warnings": resp.Warnings})
		require.NoError(t, err)
		text += string(told)
	}
	if secret && strings.Contains(text, marked) {
		t.Errorf("the answer tells %s: %s", field, text)
	}
	if status != http.StatusOK {
		assert.Equal(t, http.StatusBadRequest, status, text)
		assert.Equal(t, before, m.contents(), "what was refused has changed storage")
		return
	}
	after := m.contents()
	told := m.inForce(path)
	for key := range after {
		m.backend.InvalidateKey(t.Context(), key)
	}
	assert.Equal(t, told, m.inForce(path), "another node reads something else")
	if raw, err := json.Marshal(told); secret && (err != nil || strings.Contains(string(raw), marked)) {
		t.Errorf("a read tells %s: %s, %v", field, raw, err)
	}
	raw, err := json.Marshal(told) // as clients get it
	require.NoError(t, err)
	again, _ := value(t, string(raw), true).(map[string]any)
	maps.DeleteFunc(again, func(name string, _ any) bool { return schema[name] == nil || name == "method_id" })
	_, status, text = m.do(logical.UpdateOperation, path, again)
	require.Equal(t, http.StatusOK, status, "what was read cannot be written: %s", text)
	assert.Equal(t, told, m.inForce(path), "what was read and written back is something else")
}

// settable returns the names of the fields that a write may give.
func settable(schema map[string]*framework.FieldSchema) (names []string) {
	for _, name := range slices.Sorted(maps.Keys(schema)) {
		if !schema[name].Query && name != "method_id" {
			names = append(names, name)
		}
	}
	return names
}

// seedValues are values that fields take, and some that none takes.
var seedValues = []string{"", "1", "-1", "0", "true", "10m", "1h30m", "1500ms", "a,b", "okta_id", "login", "typed", "status", "none", "acme", "oktapreview.com",
	"https://login.acme.com", "http://acme.com", "192.0.2.0/24", "push,totp", "first", ",", "00token5e1f", "5e1f\n", "x{{identity.entity.name}}", "batch", "OKTA_GROUP",
	"^team-", "(", "null", "[]", `["a"]`, `["5e1f",1]`, `{"5e1f":"5e1f"}`, `{"username":"x"}`, "1e400", "9223372036854775807", "9223372036854775808", "1.5", `"5e1f"`, "SHA256", "30s", "6", "none@"}

// FuzzConfigWrite: see checkWrite.
func FuzzConfigWrite(f *testing.F) {
	schema := configFields()
	names := settable(schema)
	for i := range names {
		for _, v := range seedValues {
			f.Add(uint8(i), v, false, i%2 == 0)
			if json.Valid([]byte(v)) {
				f.Add(uint8(i), v, true, i%2 == 1)
			}
		}
	}
	shared := newMount(f, false)
	shared.configure(nil)
	base := shared.contents()
	f.Fuzz(func(t *testing.T, i uint8, text string, isJSON, patch bool) {
		v := value(t, text, isJSON)
		m := shared.within(t)
		defer m.restore(base)
		var op logical.Operation = logical.UpdateOperation
		if patch {
			op = logical.PatchOperation
		}
		checkWrite(t, m, op, "config", schema, names[int(i)%len(names)], v)
	})
}

// FuzzMethodWrite: see checkWrite.
func FuzzMethodWrite(f *testing.F) {
	for typ := range methodTypes {
		for i := range settable(methodTypes[typ].fields()) {
			for _, v := range seedValues {
				f.Add(uint8(typ), uint8(i), v, i%2 == 0 && json.Valid([]byte(v)))
			}
		}
	}
	shared := newMount(f, false)
	shared.configure(nil)
	shared.write("mfa/method/okta/m-okta", nil)
	shared.write("mfa/method/totp/m-totp", fields{"issuer": "acme"})
	shared.write("mfa/method/duo/m-duo", fields{"integration_key": "DI1", "secret_key": "5e1f-of-duo", "api_hostname": "api-1.duosecurity.com"})
	shared.write("mfa/method/pingid/m-pingid", fields{"settings_file_base64": base64Of(pingSettings)})
	base := shared.contents()
	f.Fuzz(func(t *testing.T, typ, i uint8, text string, isJSON bool) {
		v := value(t, text, isJSON)
		m := shared.within(t)
		defer m.restore(base)
		of := methodTypes[int(typ)%len(methodTypes)]
		schema := of.fields()
		names := settable(schema)
		checkWrite(t, m, logical.UpdateOperation, "mfa/method/"+of.name+"/m-"+of.name, schema, names[int(i)%len(names)], v)
	})
}

// FuzzUnknownField: the value of a field that a path does not have is stored nowhere and
// told to nobody, however near its name is to that of a secret.
func FuzzUnknownField(f *testing.F) {
	for _, name := range []string{"apitoken", "api-token", "API_TOKEN", "api_tokn", "tokens", "passwd", "secret", "org", "", "\x1b[31m", strings.Repeat("x", 100), "production ", "token\u0000"} {
		f.Add(name)
	}
	shared := newMount(f, false)
	shared.configure(nil)
	base := shared.contents()
	f.Fuzz(func(t *testing.T, name string) {
		if configFields()[name] != nil || strings.Contains(name, marked) {
			t.Skip("the path has it")
		}
		m := shared.within(t)
		resp, status, text := m.do(logical.UpdateOperation, "config", fields{name: "5e1f-a-secret"})
		require.Equal(t, http.StatusOK, status, text)
		assert.Equal(t, base, m.contents())
		warnings := strings.Join(resp.Warnings, "\n")
		assert.Contains(t, warnings, "does not exist on this path")
		assert.NotContains(t, warnings, marked)
		assert.NotContains(t, m.logs.String(), marked)
		assert.False(t, strings.ContainsAny(warnings, "\x1b\x00"), "%q", warnings)
	})
}

// FuzzOrgURL: the URL that passwords go to is that of the org's name and host, or the one
// that was given in full, and stays what it is.
func FuzzOrgURL(f *testing.F) {
	for _, base := range []string{"", "okta.com", "OKTA.com.", "oktapreview.com:8443", "okta.com/x", "okta.com@evil.test", "okta.com#", "okta.com?x", "okta.com\\@evil.test", "https://login.acme.com",
		"https://a@b", "https://login.acme.com/..", "http://x", "0.0.1", "[::1]", "x\n", "%65vil.test", "okta.com:443", "-admin.okta.com", ":1", ".", ".okta.com"} {
		for _, org := range []string{"acme", "ACME", "acme-admin", "a.b", "10", "xn--x", "", "evil.test/", "a@b", "é"} {
			f.Add(org, base)
		}
	}
	f.Fuzz(func(t *testing.T, org, base string) {
		text, err := (&configEntry{Organization: org, BaseURL: base}).orgURL()
		if err != nil {
			assert.Empty(t, text)
			require.True(t, isA[*inputError](err), "%v", err)
			field, _, _ := strings.Cut(err.Error(), " ")
			assert.Contains(t, []string{"org_name", "base_url"}, field)
			return
		}
		u, err := url.Parse(text)
		require.NoError(t, err)
		assert.Equal(t, url.URL{Scheme: "https", Host: u.Host}, *u)
		if !strings.Contains(base, "://") {
			host := strings.ToLower(org) + "." + cmp.Or(strings.ToLower(base), productionHost)
			assert.True(t, u.Host == host || strings.HasPrefix(host, u.Hostname()) && strings.Trim(host[len(u.Hostname()):], ".:0123456789") == "", "%q of %q", u.Host, host)
			assert.True(t, strings.HasPrefix(u.Host, strings.ToLower(org)+"."))
		}
		again, err := (&configEntry{Organization: org, BaseURL: text}).orgURL()
		assert.NoError(t, err)
		assert.Equal(t, text, again)
	})
}
