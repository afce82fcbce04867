package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

const someone = "mia@acme.test"

// roots trusts what the certificate file holds, and nothing else.
func (s *sim) roots() *x509.CertPool {
	return s.http.Transport.(*http.Transport).TLSClientConfig.RootCAs
}

// methods are the plugin's own, made from what the ready file says.
func (s *sim) methods() map[string]mfa.Method {
	s.t.Helper()
	d := s.ready.Duo
	atDuo, err := duo.New(duo.Config{
		IntegrationKey: d.IntegrationKey, SecretKey: okta.NewSecret(d.SecretKey), APIHostname: d.APIHostname, RootCAs: s.roots(),
	})
	require.NoError(s.t, err)
	settings, err := pingid.ParseSettings(s.ready.PingID.SettingsFile)
	require.NoError(s.t, err)
	atPingID, err := pingid.New(pingid.Config{Settings: settings, RootCAs: s.roots()})
	require.NoError(s.t, err)
	return map[string]mfa.Method{"duo": atDuo, "pingid": atPingID}
}

// satisfy has a user show a factor.
func satisfy(ctx context.Context, m mfa.Method, login string, c mfa.Credential) error {
	attempt, err := m.Prepare(ctx, mfa.Subject{Login: login}, c)
	if err != nil {
		return err
	}
	return new(methodtest.Talk).Satisfy(ctx, attempt, time.Minute)
}

// push sends a user a push; what comes out of it is its end.
func (s *sim) push(ctx context.Context, m mfa.Method, login string) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- satisfy(ctx, m, login, mfa.Credential{}) }()
	return ended
}

// waitFor waits until so many pushes wait, in all.
func (s *sim) waitFor(pushes int) {
	s.t.Helper()
	require.Eventually(s.t, func() bool {
		_, doc, _ := s.call("GET", s.ready.ControlURL+"/state", "", "")
		return doc["waiting_pushes"] == float64(pushes)
	}, 2*time.Minute, 10*time.Millisecond)
}

func TestPushesOfServicesAreDecidedByControl(t *testing.T) {
	t.Parallel()
	s := start(t)
	for name, m := range s.methods() {
		mia, tom := s.push(t.Context(), m, someone), s.push(t.Context(), m, "tom@acme.test")
		s.waitFor(2)
		_, doc, raw := s.call("GET", s.ready.ControlURL+"/state", "", "")
		user := doc["users"].([]any)[0].(map[string]any)
		assert.Equal(t, someone, user["login"])
		assert.Equal(t, map[string]any{"pushes": 1.0, "waiting": 1.0}, user[name], raw)

		_, got := s.control("POST", "/push/reject", form, "user=tom")
		assert.Contains(t, got, `"rejected": 1`, name)
		require.Error(t, <-tom, name)
		_, got = s.control("POST", "/push/approve", "", "")
		assert.Contains(t, got, `"approved": 1`, name)
		require.NoError(t, <-mia, name)
		s.waitFor(0)
	}
}

// Whatever waits is decided at once: pushes of Okta and the services, and several
// of one person. A device is one of Okta.
func TestPushesAreDecidedTogether(t *testing.T) {
	t.Parallel()
	s := start(t)
	okta := s.challenge("pia@acme.test", 0)
	var ended []<-chan error
	for _, m := range s.methods() {
		ended = append(ended, s.push(t.Context(), m, "pia@acme.test"), s.push(t.Context(), m, "pia@acme.test"))
	}
	s.waitFor(5)
	_, got := s.control("POST", "/push/approve", form, "device=Pia's+phone")
	assert.Contains(t, got, `"approved": 1`)
	assert.Equal(t, "SUCCESS <nil>", okta())
	_, got = s.control("POST", "/push/approve", form, "user=pia")
	assert.Contains(t, got, `"approved": 4`)
	for _, end := range ended {
		require.NoError(t, <-end)
	}
}

// A push that nobody waits for any more does not count.
func TestPushesOfServicesEndWithTheLogin(t *testing.T) {
	t.Parallel()
	s := start(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := s.push(ctx, s.methods()["pingid"], someone)
	s.waitFor(1)
	cancel()
	require.ErrorIs(t, <-ended, context.Canceled)
	s.waitFor(0)
	_, got := s.control("POST", "/push/approve", "", "")
	assert.Contains(t, got, `"approved": 0`)
}

func TestPassCodesOfDuo(t *testing.T) {
	t.Parallel()
	s := start(t)
	duo := s.methods()["duo"]
	for _, name := range []string{someone, "mia"} {
		status, code := s.control("GET", "/duo/passcode?user="+name, "", "")
		assert.Equal(t, http.StatusOK, status)
		require.Regexp(t, "^[0-9]{6}$", code)
		require.ErrorIs(t, satisfy(t.Context(), duo, "tom@acme.test", mfa.Credential{PassCode: code}), mfa.ErrWrongPassCode)
		require.NoError(t, satisfy(t.Context(), duo, someone, mfa.Credential{PassCode: code}))
		require.ErrorIs(t, satisfy(t.Context(), duo, someone, mfa.Credential{PassCode: code}), mfa.ErrWrongPassCode)
	}
	for _, query := range []string{"", "?user=nobody"} {
		status, _ := s.control("GET", "/duo/passcode"+query, "", "")
		assert.Equal(t, http.StatusNotFound, status, query)
	}
}

func TestPassCodesOfPingID(t *testing.T) {
	t.Parallel()
	s := start(t)
	ping := s.methods()["pingid"]
	passcode := func(user string) (int, string) { return s.control("GET", "/pingid/passcode?user="+user, "", "") }
	_, code := passcode("mia")
	require.Regexp(t, "^[0-9]{6}$", code)
	require.ErrorIs(t, satisfy(t.Context(), ping, "tom@acme.test", mfa.Credential{PassCode: code}), mfa.ErrWrongPassCode)
	require.NoError(t, satisfy(t.Context(), ping, someone, mfa.Credential{PassCode: code}))
	var sent *mfa.CodeSentError
	require.ErrorAs(t, satisfy(t.Context(), ping, someone, mfa.Credential{Kind: mfa.KindSMS}), &sent)
	_, code = passcode(someone)
	require.NoError(t, satisfy(t.Context(), ping, someone, mfa.Credential{PassCode: code, Kind: mfa.KindSMS}))
	for _, user := range []string{"", "nobody"} {
		status, _ := passcode(user)
		assert.Equal(t, http.StatusNotFound, status, user)
	}
}

func TestNumbersOfPingID(t *testing.T) {
	t.Parallel()
	s := start(t, "-pingid-numbers")
	settings, err := pingid.ParseSettings(s.ready.PingID.SettingsFile)
	require.NoError(t, err)
	ping, err := pingid.New(pingid.Config{Settings: settings, RootCAs: s.roots(), Start: true})
	require.NoError(t, err)
	attempt, err := ping.Prepare(t.Context(), mfa.Subject{Login: someone}, mfa.Credential{})
	require.NoError(t, err)
	ended := make(chan error, 1)
	go func() {
		ended <- (&methodtest.Talk{Numbers: true}).Satisfy(t.Context(), attempt, time.Minute)
	}()
	s.waitFor(1)
	_, doc, _ := s.call("GET", s.ready.ControlURL+"/state", "", "")
	user := doc["users"].([]any)[0].(map[string]any)
	assert.Positive(t, user["pingid"].(map[string]any)["number"])
	s.control("POST", "/push/approve", "", "")
	require.NoError(t, <-ended)
}

// What Duo's phone can do, and what Duo demands, is the control API's to say.
func TestPhonesOfDuo(t *testing.T) {
	t.Parallel()
	s := start(t)
	atDuo := s.methods()["duo"]
	set := func(query string, want int) {
		status, got := s.control("POST", "/duo/phone", form, query)
		require.Equal(t, want, status, got)
	}
	ringing := func(login string) (mfa.Push, error) {
		attempt, err := atDuo.Prepare(t.Context(), mfa.Subject{Login: login}, mfa.Credential{})
		require.NoError(t, err)
		return attempt.Ring(t.Context(), mfa.Exchange{Clock: methodtest.Clock{}, Life: t.Context(), Until: time.Now().Add(time.Hour), Numbers: true})
	}
	assert.Zero(t, s.user(someone).Duo.Verified)
	set("user=mia&verified_push=4", http.StatusOK)
	assert.Equal(t, 4, s.user(someone).Duo.Verified)
	for typed, approved := range map[bool]string{true: `"approved": 1`, false: `"approved": 0`} {
		push, err := ringing(someone)
		require.NoError(t, err)
		require.Regexp(t, "^[0-9]{4}$", push.Waiting().Number.Code)
		s.waitFor(1)
		_, got := s.control("POST", "/push/approve", form, "user=mia")
		assert.Contains(t, got, `"approved": 0`, "a tap is not enough")
		code := push.Waiting().Number.Code
		if !typed {
			code = "0"
		}
		_, got = s.control("POST", "/duo/type", form, "user=mia&code="+code)
		assert.Contains(t, got, approved)
		<-push.Decided()
		passed, _ := push.Poll(t.Context())
		assert.Equal(t, typed, passed)
	}
	set("user=mia&verified_push=0&capabilities=auto,phone", http.StatusOK)
	assert.Zero(t, s.user(someone).Duo.Verified)
	call, err := ringing(someone)
	require.NoError(t, err)
	assert.Nil(t, call.Waiting().Number)
	s.waitFor(1)
	_, got := s.control("POST", "/push/approve", form, "user=mia")
	assert.Contains(t, got, `"approved": 1`)
	<-call.Decided()

	for query, want := range map[string]int{
		"user=nobody": http.StatusNotFound, "user=mia&verified_push=2": http.StatusBadRequest, "user=mia&verified_push=x": http.StatusBadRequest,
	} {
		set(query, want)
	}
	status, _ := s.control("POST", "/duo/type", form, "user=nobody&code=1")
	assert.Equal(t, http.StatusNotFound, status)
}

func TestServicesAreDescribed(t *testing.T) {
	t.Parallel()
	s := start(t)
	duo, pingID := s.ready.Duo, s.ready.PingID
	assert.Equal(t, "https://"+duo.APIHostname, duo.URL)
	for _, at := range []string{s.ready.URL, duo.URL, pingID.URL} {
		status, _, _ := s.call("GET", at+"/auth/v2/ping", "", "") // fails where the certificate is not trusted
		assert.Equal(t, at == duo.URL, status == http.StatusOK, at)
	}
	for _, want := range []string{
		duo.URL, pingID.URL,
		"vault write auth/okta/mfa/method/duo method_name=my_duo api_hostname=" + duo.APIHostname +
			" integration_key=" + duo.IntegrationKey + " secret_key=" + duo.SecretKey + "\n",
		"vault write auth/okta/mfa/method/pingid method_name=my_ping settings_file_base64=" + pingID.SettingsFile + "\n",
		s.ready.ControlURL + "/duo/passcode",
		s.ready.ControlURL + "/pingid/passcode",
	} {
		assert.Contains(t, s.out, want)
	}
}

// A service may listen where Okta may.
func TestFlagsOfServices(t *testing.T) {
	t.Parallel()
	cfg, err := parseFlags([]string{"-listen", "192.0.2.1:1", "-duo", "192.0.2.1:2", "-pingid", "192.0.2.1:3"}, io.Discard, io.Discard)
	require.NoError(t, err)
	assert.Equal(t, []string{"192.0.2.1:2", "192.0.2.1:3"}, []string{cfg.duo, cfg.pingID})
	for _, name := range []string{"-duo", "-pingid"} {
		var stderr bytes.Buffer
		assert.Equal(t, 1, run(t.Context(), []string{name, "nonsense"}, io.Discard, &stderr), name)
		assert.Contains(t, stderr.String(), name+": ")
	}
}

func TestNothingListensAtTheEnd(t *testing.T) {
	t.Parallel()
	var addresses []string
	t.Run("run", func(t *testing.T) {
		s := start(t)
		for _, at := range []string{s.ready.URL, s.ready.ControlURL, s.ready.Duo.URL, s.ready.PingID.URL} {
			_, address, _ := strings.Cut(at, "://")
			conn, err := net.Dial("tcp", address)
			require.NoError(t, err)
			require.NoError(t, conn.Close())
			addresses = append(addresses, address)
		}
	})
	for _, address := range addresses {
		_, err := net.Dial("tcp", address)
		assert.Error(t, err, address)
	}
}
