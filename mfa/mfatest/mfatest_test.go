package mfatest

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// client trusts a server.
func client(t *testing.T, s *Server) *http.Client {
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: s.CertPool(), MinVersion: tls.VersionTLS12}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

// ask sends a request and returns the status and the body.
func ask(t *testing.T, s *Server, method, path, body string, header map[string]string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, strings.NewReader(body))
	require.NoError(t, err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	resp, err := client(t, s).Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp.StatusCode, string(text)
}

func TestDuoRefuses(t *testing.T) {
	t.Parallel()
	s := NewDuo(t)
	s.AddUser("mia").SetResult("allow", "")
	form := url.Values{"username": {"mia"}}
	signed := func(date, key, secret, path string, form url.Values) map[string]string {
		signature := duoSignature(secret, date, http.MethodPost, s.Host(), path, form)
		return map[string]string{
			"Content-Type":  "application/x-www-form-urlencoded",
			"Date":          date,
			"Authorization": "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"+signature)),
		}
	}
	now := time.Now().UTC().Format(time.RFC1123Z)
	old := time.Now().Add(-6 * time.Minute).UTC().Format(time.RFC1123Z)
	for name, test := range map[string]struct {
		header map[string]string
		body   string
		want   int // the code; 0: it is accepted
	}{
		"good":                {header: signed(now, s.IntegrationKey, s.SecretKey, "/auth/v2/preauth", form)},
		"no signature":        {header: map[string]string{"Date": now}, want: 40101},
		"other key":           {header: signed(now, "DI", s.SecretKey, "/auth/v2/preauth", form), want: 40102},
		"other secret":        {header: signed(now, s.IntegrationKey, "x", "/auth/v2/preauth", form), want: 40103},
		"other path":          {header: signed(now, s.IntegrationKey, s.SecretKey, "/auth/v2/auth", form), want: 40103},
		"other parameters":    {header: signed(now, s.IntegrationKey, s.SecretKey, "/auth/v2/preauth", nil), want: 40103},
		"old":                 {header: signed(old, s.IntegrationKey, s.SecretKey, "/auth/v2/preauth", form), want: 40105},
		"no date":             {header: signed("", s.IntegrationKey, s.SecretKey, "/auth/v2/preauth", form), want: 40105},
		"parameters are more": {header: signed(now, s.IntegrationKey, s.SecretKey, "/auth/v2/preauth", form), body: "&ipaddr=192.0.2.1", want: 40103},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			status, body := ask(t, &s.Server, http.MethodPost, "/auth/v2/preauth", form.Encode()+test.body, test.header)
			var doc struct {
				Stat string
				Code int
			}
			require.NoError(t, json.Unmarshal([]byte(body), &doc), body)
			assert.Equal(t, test.want, doc.Code)
			assert.Equal(t, test.want == 0, status == http.StatusOK)
			assert.Equal(t, test.want == 0, doc.Stat == "OK")
		})
	}
}

func TestPingIDRefuses(t *testing.T) {
	t.Parallel()
	s := NewPingID(t)
	for name, test := range map[string]struct {
		change     func(token *Token, header, body map[string]any)
		status, id int
	}{
		"good":             {func(*Token, map[string]any, map[string]any) {}, 200, 200},
		"stranger":         {func(_ *Token, _, body map[string]any) { body["userName"] = "eve" }, 400, 10564},
		"other key":        {func(k *Token, _, _ map[string]any) { k.Key = make([]byte, 32) }, 401, 0},
		"unsigned":         {func(k *Token, _, _ map[string]any) { k.Unsigned = true }, 401, 0},
		"other algorithm":  {func(k *Token, _, _ map[string]any) { k.Header["alg"] = "HS512" }, 401, 0},
		"other org":        {func(k *Token, _, _ map[string]any) { k.Header["org_alias"] = "x" }, 401, 0},
		"other token":      {func(k *Token, _, _ map[string]any) { k.Header["token"] = "x" }, 401, 0},
		"org in payload":   {func(_ *Token, header, _ map[string]any) { header["orgAlias"] = "x" }, 401, 0},
		"token in payload": {func(_ *Token, header, _ map[string]any) { header["secretKey"] = "x" }, 401, 0},
		"old":              {func(_ *Token, header, _ map[string]any) { header["timestamp"] = "2020-01-01 00:00:00.000" }, 400, 400},
		"no milliseconds":  {func(_ *Token, header, _ map[string]any) { header["timestamp"] = "2020-01-01 00:00:00" }, 400, 400},
		"locale":           {func(_ *Token, header, _ map[string]any) { header["locale"] = "de" }, 400, 400},
		"version":          {func(_ *Token, header, _ map[string]any) { header["version"] = "4.8" }, 400, 400},
		"service":          {func(_ *Token, _, body map[string]any) { body["spAlias"] = "rescuecode" }, 400, 400},
		"way":              {func(_ *Token, _, body map[string]any) { body["authType"] = "OTP" }, 400, 400},
		"no name":          {func(_ *Token, _, body map[string]any) { delete(body, "userName") }, 400, 400},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s.AddUser(name).Script(PingIDOutcome{ErrorID: 200})
			header := map[string]any{"locale": "en", "orgAlias": s.OrgAlias, "secretKey": s.Token,
				"timestamp": time.Now().UTC().Format(pingTime), "version": "4.9"}
			body := map[string]any{"spAlias": "web", "userName": name, "authType": "CONFIRM"}
			token := &Token{
				Header:  map[string]any{"alg": "HS256", "org_alias": s.OrgAlias, "token": s.Token},
				Payload: map[string]any{"reqHeader": header, "reqBody": body}, Key: s.Key,
			}
			test.change(token, header, body)
			status, text := ask(t, &s.Server, http.MethodPost, "/pingid/rest/4/authonline/do", token.sign(), nil)
			assert.Equal(t, test.status, status)
			if test.id == 0 {
				return
			}
			answer, err := openToken(text, s.Key)
			require.NoError(t, err)
			require.NoError(t, json.Unmarshal(answer.payload, &answer.Payload))
			assert.EqualValues(t, test.id, answer.Answer()["errorId"])
		})
	}
	assert.Nil(t, s.User("nobody"))
}

// TestLatency: each answer takes so long, and none comes once the client has left.
func TestLatency(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for _, s := range []*Server{&MakeDuo().Server, &MakePingID().Server} {
			s.SetLatency(time.Minute)
			begun := time.Now()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
			s.ServeHTTP(httptest.NewRecorder(), r)
			assert.Equal(t, time.Minute, time.Since(begun))

			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			assert.Panics(t, func() { s.ServeHTTP(httptest.NewRecorder(), r.WithContext(ctx)) })
			assert.Equal(t, time.Minute+time.Second, time.Since(begun))
			cancel()
		}
	})
}

// TestServers: they have what a command needs, and their certificates are good for
// the names.
func TestServers(t *testing.T) {
	t.Parallel()
	duo, err := StartDuo("127.0.0.1:0", "duo.acme.test")
	require.NoError(t, err)
	defer duo.Close()
	_, err = StartPingID(duo.Host())
	require.Error(t, err)

	status, body := ask(t, &duo.Server, http.MethodGet, "/auth/v2/ping", "", nil)
	assert.Equal(t, http.StatusOK, status)
	assert.Contains(t, body, `"stat":"OK"`)
	for host, good := range map[string]bool{
		"localhost": true, "x.okta.test": true, "duo.acme.test": true, "127.0.0.1": true, "evil.test": false,
	} {
		conn, err := tls.Dial("tcp", duo.Host(), &tls.Config{RootCAs: duo.CertPool(), ServerName: host, MinVersion: tls.VersionTLS12})
		assert.Equal(t, good, err == nil, host)
		if err == nil {
			_ = conn.Close()
		}
	}
	duo.Fail(Fault{On: "/ping", Times: 1, Status: http.StatusBadGateway, Header: map[string]string{"X-Test": "1"}, Body: "no"})
	for _, want := range []int{http.StatusBadGateway, http.StatusOK} {
		status, _ = ask(t, &duo.Server, http.MethodGet, "/auth/v2/ping", "", nil)
		assert.Equal(t, want, status)
	}
	assert.Equal(t, Request{http.MethodGet, "/auth/v2/ping", http.StatusBadGateway}, duo.Requests()[1])
	assert.Equal(t, 3, duo.Count("/ping"))
	duo.Close() // twice does no harm
}
