package backend

import (
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// FuzzCredential: a credential is read in the same way from X-Vault-MFA and from the field,
// is read as the same once it is written in full, and no error has the passcode.
func FuzzCredential(f *testing.F) {
	for _, text := range []string{"my_totp:123456", "my_duo", "my_duo:push", "my_duo:sms=5e1f12", "my_duo:passcode=5e1f12", "my_duo:device=Phone 1", "a b:5e1f", ":5e1f",
		"my_duo:push=5e1f", "my_duo:passcode=", "my_duo:=5e1f", "x:a=b=5e1f", "x: 5e1f ", "é:5e1f", "x:passcode=push", "x:passcode=device=5e1f", "x:" + strings.Repeat("5e1f", 200), "X:TOTP=5e1f"} {
		f.Add(text, "")
		f.Add(text, " ")
		f.Add(text, text)
		f.Add(text, "my_totp:000000")
	}
	schema := loginFields()
	f.Fuzz(func(t *testing.T, one, two string) {
		inHeader, err := parseCredentials(&logical.Request{Headers: map[string][]string{"X-Vault-Mfa": {one, two}}}, &framework.FieldData{Schema: schema})
		inField, fieldErr := parseCredentials(&logical.Request{}, &framework.FieldData{Raw: fields{"mfa": []string{one, two}}, Schema: schema})
		assert.Equal(t, inHeader, inField)
		assert.Equal(t, err, fieldErr)
		if err != nil {
			assert.Nil(t, inHeader)
			require.True(t, isA[*inputError](err), "%v", err)
			if name, _, _ := strings.Cut(one, ":"); !strings.Contains(name, marked) {
				assert.NotContains(t, err.Error(), marked)
			}
			return
		}
		for name, c := range inHeader {
			require.NoError(t, checkMethodName(name))
			text := name + ":"
			switch {
			case c.Kind != "" && c.PassCode != "":
				text += string(c.Kind) + "=" + c.PassCode
			case c.PassCode != "":
				text += "passcode=" + c.PassCode
			case c.Device != "":
				text += "device=" + c.Device
			default:
				text += string(c.Kind)
			}
			again, same, err := parseCredential(text)
			require.NoError(t, err, "%q", text)
			assert.Equal(t, name, again)
			assert.Equal(t, c, same, "%q", text)
			assert.Equal(t, c.PassCode, mfa.CleanPassCode(c.PassCode))
		}
	})
}

// FuzzLoginInput: no error of a login's input has a secret in it, and names the field. What
// is accepted is as short as it has to be, and a nonce stands in a path as it is.
func FuzzLoginInput(f *testing.F) {
	for _, s := range []string{"", "5e1f", " 5e1f ", "\x00", "5e1f,123456", "5e1f\n", "push", strings.Repeat("5e1f", 2000), "é5e1f", "5e1f/..%2f?#"} {
		f.Add("mia", s, "", "", "", "", "", "", "", "")
		f.Add("mia", "pw", s, "", "", "", "", "", "", "")
		f.Add("mia", "pw", "", s, "", "", "", "", "", "")
		f.Add("mia", "pw", s, s+"x", "", "", "", "", "", "")
		f.Add("mia", "pw", "", "", s, "", "", "", "", "")
		f.Add("mia", "pw", "5e1f12", "", "", s, "", "", "", "")
		f.Add("mia", "pw", "5e1f12", "", "", "", s, "", "", "")
		f.Add("mia", "pw", "5e1f12", "", "", "OKTA", "push", s, "", "")
		f.Add("mia", "pw", "", "", "", "", "", "", s, "")
		f.Add(s, "pw", "", "", "", "", "", "", "", s)
	}
	schema := loginFields()
	f.Fuzz(func(t *testing.T, username, password, totp, passcode, nonce, provider, factor, device, deviceToken, transaction string) {
		raw := fields{"username": username, "password": password, "totp": totp, "passcode": passcode, "nonce": nonce, "provider": provider,
			"factor": factor, "device": device, "device_token": deviceToken, "transaction_id": transaction}
		in, err := parseLogin(&logical.Request{}, &framework.FieldData{Raw: raw, Schema: schema})
		if err != nil {
			require.True(t, isA[*inputError](err), "%v", err)
			field, _, _ := strings.Cut(err.Error(), " ")
			assert.Contains(t, schema, field)
			if !strings.Contains(username+provider+factor, marked) {
				assert.NotContains(t, err.Error(), marked)
			}
			return
		}
		assert.LessOrEqual(t, len(in.password), maxPassword)
		assert.LessOrEqual(t, len(in.want.PassCode), maxPassCode)
		assert.LessOrEqual(t, len(in.want.Device), maxDevice)
		assert.Equal(t, password, in.password)
		if nonce != "" {
			u, err := url.Parse("https://vault.test/v1/auth/okta/verify/" + nonce)
			require.NoError(t, err)
			assert.Equal(t, "/v1/auth/okta/verify/"+nonce, u.Path)
			assert.Empty(t, u.RawQuery+u.Fragment)
		}
		for _, separator := range []string{"", ",", "::"} {
			split := in.split(separator)
			if split.password != in.password {
				assert.NotEmpty(t, separator)
				assert.True(t, strings.HasPrefix(in.password, split.password+separator))
				assert.NotEmpty(t, split.password)
				assert.NotEqual(t, in.want, split.want)
			}
		}
	})
}

// FuzzTransactionID: a held login is found by its own id and the name it was begun with,
// and by nothing else. What is not found is told in the same words, whatever it is.
func FuzzTransactionID(f *testing.F) {
	shared := newMount(f, false)
	shared.configure(nil)
	shared.addUser("Everyone").AddPush()
	held := shared.hold(nil)
	for _, id := range []string{held.TransactionID, strings.ToUpper(held.TransactionID), held.TransactionID + " ", held.TransactionID[:31], "0", "../config", "\x00", strings.Repeat("f", 5000)} {
		f.Add(testLogin, id)
		f.Add(strings.ToUpper(testLogin), id)
		f.Add("nobody", id)
	}
	_, _, unknown := shared.do(logical.UpdateOperation, "login/"+testLogin, fields{"transaction_id": "unknown"})
	require.NotEmpty(f, unknown)
	f.Fuzz(func(t *testing.T, username, id string) {
		if id == "" || username == testLogin && id == held.TransactionID || checkName("username", username) != nil {
			t.Skip("the login itself, or none")
		}
		m := shared.within(t)
		resp, status, text := m.do(logical.UpdateOperation, "login/"+username, fields{"transaction_id": id})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, unknown, text)
		assert.True(t, resp == nil || resp.Auth == nil)
		m.inner.held.mu.Lock()
		defer m.inner.held.mu.Unlock()
		assert.Len(t, m.inner.held.byID, 1, "the held login is still there")
	})
}

// FuzzNonce: the number of a login is read by its nonce, and by no other text.
func FuzzNonce(f *testing.F) {
	for _, nonce := range []string{"n0nce", "N0NCE", "n0nce/", "n0nce%", "../config", "", " n0nce", "é", strings.Repeat("n", 129)} {
		f.Add(nonce, "n0nce")
		f.Add(nonce, nonce+"x")
	}
	shared := newMount(f, false)
	shared.configure(nil)
	f.Fuzz(func(t *testing.T, nonce, other string) {
		if nonce == "" || checkNonce(nonce) != nil {
			t.Skip("no login has it")
		}
		m := shared.within(t)
		show, end, err := m.inner.numbers.open(nonce, "mia")
		require.NoError(t, err)
		show(mfa.Number{Answer: 42})
		assert.EqualValues(t, 42, m.read("verify/" + nonce)["correct_answer"])
		if other != nonce {
			resp, err := m.backend.HandleRequest(t.Context(), m.request(logical.ReadOperation, "verify/"+other, nil))
			assert.True(t, resp == nil, "%q, %v", other, err)
		}
		end()
		resp, err := m.backend.HandleRequest(t.Context(), m.request(logical.ReadOperation, "verify/"+nonce, nil))
		assert.True(t, resp == nil && err == nil, "%v", err)
	})
}

// FuzzForwardedFor: only what trusted proxies have appended counts. Whatever stands before
// it changes nothing.
func FuzzForwardedFor(f *testing.F) {
	for _, header := range []string{"", "198.51.100.7", "198.51.100.7, 192.0.2.9", "192.0.2.9", "unknown, 192.0.2.9", "[2001:db8::1]:443", "::ffff:192.0.2.9", "fe80::1%eth0", " , ,", "1.2.3.4:5,,192.0.2.1:80"} {
		f.Add("192.0.2.1", "203.0.113.66", header)
		f.Add("198.51.100.8", "203.0.113.66, 192.0.2.2", header)
		f.Add("", "", header)
	}
	trusted := proxies{netip.MustParsePrefix("192.0.2.0/24")}
	f.Fuzz(func(t *testing.T, remote, forged, header string) {
		request := func(header string) *logical.Request {
			return &logical.Request{Connection: &logical.Connection{RemoteAddr: remote}, Headers: map[string][]string{forwardedHeader: {header}}}
		}
		got := trusted.client(request(header))
		assert.Equal(t, parseAddress(remote), proxies(nil).client(request(header)), "nobody is trusted")
		if !trusted.trusts(parseAddress(remote)) {
			assert.Equal(t, parseAddress(remote), got, "the header of a stranger")
		}
		if got.IsValid() {
			assert.Equal(t, got, parseAddress(got.String()))
			assert.True(t, got == parseAddress(remote) || strings.ContainsAny(header, ".:"))
		}
		if got.IsValid() && !trusted.trusts(got) {
			assert.Equal(t, got, trusted.client(request(forged+","+header)), "somebody has put %q before %q", forged, header)
		}
	})
}
