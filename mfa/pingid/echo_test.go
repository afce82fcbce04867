package pingid_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
)

// TestTokenIsNotQuoted: whatever PingID repeats in its texts, the organization's token,
// which each request carries, is no part of an error.
func TestTokenIsNotQuoted(t *testing.T) {
	t.Parallel()
	for _, errorID := range []int{400, 10551, 20513, 20550, 20558, 30002, 30011, 99999} {
		srv := mfatest.NewPingID(t)
		srv.AddUser(methodtest.Person.Login)
		srv.Forge(func(a *mfatest.Token) {
			a.Answer()["errorId"], a.Answer()["errorMsg"], a.Answer()["uniqueMsgId"] = errorID, "no: "+srv.Token, srv.Token
		})
		err := methodtest.Login(t.Context(), methodtest.PingID(t, srv, nil), mfa.Credential{PassCode: "73519408"})
		require.Error(t, err)
		methodtest.AssertNoSecret(t, []string{srv.Token}, err)
	}
}
