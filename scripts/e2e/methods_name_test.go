package e2e

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// words are those of a text that the command line tool has broken into lines.
func words(text string) string { return strings.Join(strings.Fields(text), " ") }

// A tool that describes a method by its name, as Terraform's generic endpoint does, writes
// the same body again and again, and reads no difference.
func TestMethodHeldByItsName(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	secretKey := secret()
	for typ, row := range map[string]struct{ body, secrets object }{
		"okta": {object{"factors": []any{"push"}, "require_number_challenge": true, "username_format": "{{username}}"}, nil},
		"totp": {object{"issuer": "Acme", "qr_size": number(0), "max_validation_attempts": number(3)}, nil},
		"duo":  {object{"integration_key": "DI", "api_hostname": "api-1.duosecurity.com", "method_name": "held_duo"}, object{"secret_key": secretKey}},
	} {
		path := "mfa/method/" + typ + "/held_" + typ
		require.Equal(t, http.StatusNotFound, m.read(path).Status)
		all := object{}
		for _, part := range []object{row.body, row.secrets} {
			for field, value := range part {
				all[field] = value
			}
		}
		first := m.mustWrite(path, all)
		read := m.mustRead(path)
		for range 2 {
			require.Equal(t, first.Data(), m.mustWrite(path, all).Data())
			require.Equal(t, read, m.mustRead(path))
		}
		for field, value := range row.body {
			require.Equal(t, value, read[field], "%s of %s", field, typ)
		}
		require.NotContains(t, read, "secret_key")
		require.Equal(t, first.Data()["method_id"], read["id"])
		require.Len(t, m.list("mfa/method/"+typ), 1)
	}

	u := m.addUser("mia@acme.test")
	u.SetStatus("SUCCESS")
	key := m.key("held_totp", "held_totp", u)
	m.mustWrite("config", object{"mfa_methods": "held_totp"})
	requireRefused(t, m.delete("mfa/method/totp/held_totp"), http.StatusBadRequest, "mfa_methods of config")
	m.mustWrite("mfa/method/totp/held_totp", object{"issuer": "Acme Corp"})
	m.mustLogin(u, object{"mfa": []string{key.at(t, 0)}})
	m.mustWrite("config", object{"mfa_methods": ""})

	// The command line tool says what it did not delete.
	root := m.vault.CLI(t.TempDir(), m.vault.RootToken)
	for _, want := range []int{0, 2} {
		result, err := root.Run(t.Context(), "delete", m.full("mfa/method/totp/held_totp"))
		require.NoError(t, err)
		require.Equal(t, want, result.Code, result.Stderr)
		require.Equal(t, want != 0, strings.Contains(result.Stderr, "an MFA method of type totp with this name does not exist"))
		require.Equal(t, http.StatusNotFound, m.read("mfa/method/totp/held_totp").Status)
	}
}

// What does not exist is deleted with 404, and entries of users and groups with 204, as by
// the builtin method.
func TestDeletionOfWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	id, u := m.addTOTP("mine"), m.addUser("mia@acme.test")
	m.key(id, "mine", u)
	destroy := m.full("mfa/method/totp/mine/admin-destroy")
	require.Equal(t, http.StatusNotFound, m.do(http.MethodPost, destroy, object{"username": "mia@acme.tset"}).Status)
	require.Equal(t, http.StatusNoContent, m.do(http.MethodPost, destroy, object{"username": u.Login()}).Status)
	require.Equal(t, http.StatusNotFound, m.do(http.MethodPost, destroy, object{"username": u.Login()}).Status)

	require.Equal(t, http.StatusNotFound, m.delete("mfa/method/okta/"+id).Status)
	require.Equal(t, http.StatusNoContent, m.delete("mfa/method/totp/"+id).Status)
	for _, path := range []string{"mfa/method/totp/" + id, "mfa/method/totp/mine", "mfa/method/duo/none"} {
		a := m.delete(path)
		requireRefused(t, a, http.StatusNotFound, "an MFA method of type")
	}
	for _, path := range []string{"users/none", "groups/none"} {
		require.Equal(t, http.StatusNoContent, m.delete(path).Status, path)
	}
}
