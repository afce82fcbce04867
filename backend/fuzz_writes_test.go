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

// fieldWrites are writes of one field each to the paths of a mount, for a test of all
// seedValues and for a fuzz target, whose engine wants few seeds.
type fieldWrites struct {
	shared *mount
	base   map[string]string
	fields int // how many there are
	check  func(t *testing.T, m *mount, field int, v any, patch bool)
}

// each has use make a write of each of seedValues, as text and as JSON, to each field.
func (w fieldWrites) each(use func(field uint8, text string, isJSON, patch bool)) {
	for i := range w.fields {
		for _, text := range seedValues {
			use(uint8(i), text, false, i%2 == 0)
			if json.Valid([]byte(text)) {
				use(uint8(i), text, true, i%2 == 1)
			}
		}
	}
}

func (w fieldWrites) run(t *testing.T, field uint8, text string, isJSON, patch bool) {
	v := value(t, text, isJSON)
	m := w.shared.within(t)
	defer m.restore(w.base)
	w.check(t, m, int(field)%w.fields, v, patch)
}

func (w fieldWrites) test(t *testing.T) {
	w.each(func(field uint8, text string, isJSON, patch bool) { w.run(t, field, text, isJSON, patch) })
}

func (w fieldWrites) fuzz(f *testing.F) {
	nth := 0
	w.each(func(field uint8, text string, isJSON, patch bool) {
		if nth++; nth%13 == 0 {
			f.Add(field, text, isJSON, patch)
		}
	})
	f.Fuzz(w.run)
}

func configWrites(t testing.TB) fieldWrites {
	schema := configFields()
	names := settable(schema)
	m := newMount(t, false)
	m.configure(nil)
	return fieldWrites{m, m.contents(), len(names), func(t *testing.T, m *mount, field int, v any, patch bool) {
		var op logical.Operation = logical.UpdateOperation
		if patch {
			op = logical.PatchOperation
		}
		checkWrite(t, m, op, "config", schema, names[field], v)
	}}
}

func methodWrites(t testing.TB) fieldWrites {
	m := newMount(t, false)
	m.configure(nil)
	m.write("mfa/method/okta/m-okta", nil)
	m.write("mfa/method/totp/m-totp", fields{"issuer": "acme"})
	m.write("mfa/method/duo/m-duo", fields{"integration_key": "DI1", "secret_key": "5e1f-of-duo", "api_hostname": "api-1.duosecurity.com"})
	m.write("mfa/method/pingid/m-pingid", fields{"settings_file_base64": base64Of(pingSettings)})
	type target struct {
		of   *methodType
		name string
	}
	var targets []target
	for _, of := range methodTypes {
		for _, name := range settable(of.fields()) {
			targets = append(targets, target{of, name})
		}
	}
	return fieldWrites{m, m.contents(), len(targets), func(t *testing.T, m *mount, field int, v any, _ bool) {
		of, name := targets[field].of, targets[field].name
		checkWrite(t, m, logical.UpdateOperation, "mfa/method/"+of.name+"/m-"+of.name, of.fields(), name, v)
	}}
}

// TestWriteOfAnyValue: see checkWrite.
func TestWriteOfAnyValue(t *testing.T) {
	t.Run("config", func(t *testing.T) { configWrites(t).test(t) })
	t.Run("mfa/method", func(t *testing.T) { methodWrites(t).test(t) })
}

// FuzzConfigWrite: see checkWrite.
func FuzzConfigWrite(f *testing.F) { configWrites(f).fuzz(f) }

// FuzzMethodWrite: see checkWrite.
func FuzzMethodWrite(f *testing.F) { methodWrites(f).fuzz(f) }

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

// checkOrgURL: the URL that passwords go to is that of the org's name and host, or the one
// that was given in full, and stays what it is.
func checkOrgURL(t *testing.T, org, base string) {
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
		assert.True(t, u.Host == host || strings.HasPrefix(host, u.Hostname()) && strings.Trim(host[len(u.Hostname()):], "/.:0123456789") == "", "%q of %q", u.Host, host)
		assert.True(t, strings.HasPrefix(u.Host, strings.ToLower(org)+"."))
	}
	again, err := (&configEntry{Organization: org, BaseURL: text}).orgURL()
	assert.NoError(t, err)
	assert.Equal(t, text, again)
}

var (
	seedHosts = []string{"", "okta.com", "OKTA.com.", "oktapreview.com:8443", "okta.com/", "okta.com/x", "okta.com@evil.test", "okta.com#", "okta.com?x", "okta.com\\@evil.test", "https://login.acme.com",
		"https://a@b", "https://login.acme.com/..", "http://x", "0.0.1", "[::1]", "x\n", "%65vil.test", "okta.com:443", "-admin.okta.com", ":1", ".", ".okta.com"}
	seedOrgs = []string{"acme", "ACME", "acme-admin", "a.b", "10", "xn--x", "", "evil.test/", "a@b", "é"}
)

// TestURLOfAnyOrg: see checkOrgURL.
func TestURLOfAnyOrg(t *testing.T) {
	for _, base := range seedHosts {
		for _, org := range seedOrgs {
			checkOrgURL(t, org, base)
		}
	}
}

// FuzzOrgURL: see checkOrgURL.
func FuzzOrgURL(f *testing.F) {
	for i, base := range seedHosts {
		f.Add(seedOrgs[i%len(seedOrgs)], base)
		f.Add("acme", base)
	}
	f.Fuzz(checkOrgURL)
}
