package duo_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
)

// TestPassCodeIsNotQuoted: whatever Duo, or a proxy in its place, repeats of a passcode.
func TestPassCodeIsNotQuoted(t *testing.T) {
	t.Parallel()
	const passCode = "73519408"
	for _, body := range []string{
		`{"stat":"FAIL","code":40002,"message":"no: 73519408","message_detail":"passcode 73519408"}`,
		`{"stat":"FAIL","code":50000,"message":"73519408"}`,
		`{"stat":"OK","response":{"result":"deny","status":"73519408"}}`,
		`{"stat":"OK","response":{"result":"deny","status":"locked_out","status_msg":"73519408 is used up"}}`,
		`{"stat":"OK","response":{"result":"73519408"}}`,
		`{"stat":"73519408"}`, `73519408`, `<p>73519408`,
	} {
		srv := mfatest.NewDuo(t)
		srv.AddUser(methodtest.Person.Login)
		srv.Fail(mfatest.Fault{On: "/auth", Body: body})
		err := methodtest.Login(t.Context(), methodtest.Duo(t, srv, nil), mfa.Credential{PassCode: passCode})
		require.Error(t, err, body)
		methodtest.AssertNoSecret(t, append(srv.Secrets(), passCode), err)
	}
}
