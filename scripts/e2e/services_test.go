package e2e

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
)

// startServices starts the Duos and PingIDs, and adds their certificates to certs.
func startServices(certs *bytes.Buffer) error {
	suite.duos, suite.pingIDs = make(chan *mfatest.DuoServer, serviceCount), make(chan *mfatest.PingIDServer, serviceCount)
	for range serviceCount {
		duo, err := mfatest.StartDuo("127.0.0.1:0", "localhost")
		if err != nil {
			return err
		}
		ping, err := mfatest.StartPingID("127.0.0.1:0")
		if err != nil {
			return err
		}
		for host, srv := range map[string]*mfatest.Server{duoHost(duo): &duo.Server, pingHost(ping): &ping.Server} {
			suite.proxy.Route(host, srv.Host())
			certs.Write(srv.CertPEM)
		}
		suite.duos <- duo
		suite.pingIDs <- ping
	}
	return nil
}

// Names by which the plugin reaches them.
func duoHost(s *mfatest.DuoServer) string {
	return "api-" + strings.ToLower(s.IntegrationKey) + ".okta.test"
}
func pingHost(s *mfatest.PingIDServer) string { return "idp" + s.OrgAlias + ".okta.test" }

func noteService(secrets []string) {
	for _, secret := range secrets {
		noteSecret(secret)
	}
}

// A mount that asks for Duo where Okta leaves the second factor to it.
func TestDuo(t *testing.T) {
	t.Parallel()
	duo := <-suite.duos
	t.Cleanup(func() { noteService(duo.Secrets()) })
	m := newMount(t, object{"bypass_okta_mfa": true})
	u, stranger := m.addUser("mia@acme.test"), m.addUser("tom@acme.test")
	u.AddFactor("web", "DUO") // which needs a browser
	id := m.createMethod("duo", object{
		"method_name": "my_duo", "integration_key": duo.IntegrationKey, "secret_key": duo.SecretKey, "api_hostname": duoHost(duo),
		"push_info": "from=vault",
	})
	require.NotContains(t, string(m.read("mfa/method/duo/"+id).Raw), duo.SecretKey)
	m.mustWrite("config", object{"mfa_methods": "my_duo"})
	there := duo.AddUser("mia@acme.test").AddPhone("auto", "push").AddPassCode("731004")

	login := m.start(t.Context(), u)
	eventually(t, "a push", func() bool { return there.Pushes() == 1 })
	there.Approve()
	requireSuccess(t, <-login)
	login = m.start(t.Context(), u)
	eventually(t, "a push", func() bool { return there.Pushes() == 2 })
	there.Reject()
	refused := <-login
	require.NoError(t, refused.err)
	requireRefused(t, refused.Answer, http.StatusBadRequest, "MFA method my_duo: the push was rejected")
	m.mustLogin(u, object{"mfa": "my_duo:passcode=731004"})
	requireRefused(t, m.login(u, object{"mfa": "my_duo:731004"}), http.StatusBadRequest, "MFA method my_duo: the passcode is not right")
	requireRefused(t, m.login(stranger), http.StatusBadRequest, "MFA method my_duo: its service does not let you in: Enroll")
	there.SetResult("deny", "Your account is disabled")
	requireRefused(t, m.login(u), http.StatusBadRequest, "disabled")
	require.Equal(t, 2, there.Pushes())
	// Now and then net/http gives one up: it learnt too late that a request had been written.
	require.Less(t, suite.proxy.Tunnels(duoHost(duo)), len(duo.Requests())/3, "connections are kept")
	duo.Close()
	requireRefused(t, m.login(u), http.StatusBadGateway, "MFA method my_duo: its service could not be reached")
}
