package e2e

import (
	"context"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// strangersAtOnce is how many passwords from unknown addresses are at Okta at once.
const strangersAtOnce = 24

// TestHonestLoginBesideHangingStrangers: strangers hang at an Okta that is reached by
// HTTP/1.1, where each request takes a connection. Somebody who has logged in before is
// let in while all of them hang, and strangers beyond their share get 429.
func TestHonestLoginBesideHangingStrangers(t *testing.T) {
	t.Parallel()
	m := enable(t, suite.http1)
	m.configure()
	u := m.addUser("mia@acme.test")
	u.AddPush("SUCCESS")
	m.mustLogin(u)

	before := m.org.Count(http.MethodPost, "/api/v1/authn")
	m.org.Fail("authn", oktatest.Hang().Times(strangersAtOnce))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	const strangers = 60
	answers := make(chan harness.Answer, strangers)
	for i := range strangers {
		request := m.at(fmt.Sprintf("127.0.77.%d", i+1)).loginRequest(fmt.Sprintf("nobody%d@acme.test", i), object{"password": secret()})
		go func() {
			a, _ := m.vault.Do(ctx, request)
			answers <- a
		}()
	}
	passwords := func() int { return m.org.Count(http.MethodPost, "/api/v1/authn") - before }
	soon(t, strangersAtOnce, passwords)
	m.mustLogin(u)
	require.Equal(t, strangersAtOnce+1, passwords())
	refused := 0
	for range strangers {
		a := <-answers
		if a.Status != http.StatusTooManyRequests {
			require.Contains(t, []int{0, http.StatusGatewayTimeout}, a.Status, "%s", a.Raw)
			continue
		}
		require.Contains(t, a.Errors(), "too many logins are waiting for Okta at this moment")
		if refused++; refused == strangers-strangersAtOnce {
			leave()
		}
	}
	require.Equal(t, strangers-strangersAtOnce, refused)
	require.Equal(t, strangersAtOnce+1, passwords())
}
