package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// sim is a running okta-sim.
type sim struct {
	t     *testing.T
	ready description
	out   string
	http  *http.Client
}

// start runs the command until the test ends, and waits until it has
// printed what there is, which comes last.
func start(t *testing.T, args ...string) *sim {
	t.Helper()
	dir := t.TempDir()
	readyFile := filepath.Join(dir, "ready.json")
	ctx, cancel := context.WithCancel(t.Context())
	stdout, stderr, done := &printed{all: make(chan struct{})}, &bytes.Buffer{}, make(chan int, 1)
	go func() { done <- run(ctx, append(args, "-ready-file", readyFile), stdout, stderr) }()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("exit code = %d, want 0; stderr: %s", code, stderr)
		}
		if _, err := os.Stat(readyFile); err == nil {
			t.Error("the ready file is still there")
		}
	})
	select {
	case <-stdout.all:
	case code := <-done:
		t.Fatalf("exit code = %d; stderr: %s", code, stderr)
	}

	s := &sim{t: t, out: stdout.text}
	raw, err := os.ReadFile(readyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, &s.ready); err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(s.ready.Cert)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	s.http = &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}}
	return s
}

// printed takes the one text that the command prints.
type printed struct {
	text string
	all  chan struct{}
}

func (p *printed) Write(b []byte) (int, error) {
	p.text = string(b)
	close(p.all)
	return len(b), nil
}

// call sends a request and decodes its answer, if it is a JSON object.
func (s *sim) call(method, at, contentType, body string) (int, map[string]any, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, at, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Content-Type", contentType)
	resp, err := s.http.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var doc map[string]any
	_ = json.Unmarshal(raw, &doc)
	return resp.StatusCode, doc, string(raw)
}

func (s *sim) okta(path string, body map[string]string) map[string]any {
	s.t.Helper()
	raw, _ := json.Marshal(body)
	_, doc, _ := s.call("POST", s.ready.URL+path, "application/json", string(raw))
	return doc
}

func (s *sim) control(method, path, contentType, body string) (int, string) {
	s.t.Helper()
	status, _, raw := s.call(method, s.ready.ControlURL+path, contentType, body)
	return status, strings.TrimSpace(raw)
}

// login starts a login with the built-in password. It returns the state
// token, and the paths to verify the factors by.
func (s *sim) login(login string) (stateToken string, verify []string) {
	s.t.Helper()
	i := slices.IndexFunc(s.ready.Users, func(u userDescription) bool { return u.Login == login })
	tx := s.okta("/api/v1/authn", map[string]string{"username": login, "password": s.ready.Users[i].Password})
	for _, f := range tx["_embedded"].(map[string]any)["factors"].([]any) {
		verify = append(verify, "/api/v1/authn/factors/"+f.(map[string]any)["id"].(string)+"/verify")
	}
	return tx["stateToken"].(string), verify
}

// challenge logs a user in and sends a push to the nth device; poll asks for
// its outcome.
func (s *sim) challenge(login string, nth int) (poll func() string) {
	s.t.Helper()
	token, verify := s.login(login)
	poll = func() string {
		doc := s.okta(verify[nth], map[string]string{"stateToken": token})
		return strings.TrimSpace(fmt.Sprint(doc["status"], " ", doc["factorResult"]))
	}
	poll()
	return poll
}

const form = "application/x-www-form-urlencoded"

func TestPushesAreDecidedByControl(t *testing.T) {
	t.Parallel()
	s := start(t)
	pia, noa := s.challenge("pia@acme.test", 0), s.challenge("noa@acme.test", 0)
	if got, want := pia(), "MFA_CHALLENGE WAITING"; got != want {
		t.Errorf("before: %s, want %s", got, want)
	}
	if _, doc, _ := s.call("GET", s.ready.ControlURL+"/state", "", ""); doc["waiting_pushes"] != 2.0 {
		t.Errorf("waiting_pushes = %v, want 2", doc["waiting_pushes"])
	}
	status, got := s.control("POST", "/push/reject", form, "user=noa@acme.test")
	if want := "{\n  \"rejected\": 1\n}"; status != 200 || got != want {
		t.Errorf("reject = %d %s, want %s", status, got, want)
	}
	if got, want := noa(), "MFA_CHALLENGE REJECTED"; got != want {
		t.Errorf("noa: %s, want %s", got, want)
	}
	s.control("POST", "/push/approve", "", "")
	if got, want := pia(), "SUCCESS <nil>"; got != want {
		t.Errorf("pia: %s, want %s", got, want)
	}
	if status, _ := s.control("POST", "/push/approve", "application/json", `{"user":"nobody"}`); status != 404 {
		t.Errorf("approve for nobody = %d, want 404", status)
	}
	if status, _ := s.control("POST", "/push/approve", "application/json", `{"user":`); status != 400 {
		t.Errorf("approve with half a body = %d, want 400", status)
	}
	if status, _ := s.control("GET", "/push/approve", "", ""); status != 405 {
		t.Errorf("GET approve = %d, want 405", status)
	}
}

func TestTOTPCodes(t *testing.T) {
	t.Parallel()
	s := start(t)
	token, verify := s.login("tom@acme.test")
	_, code := s.control("GET", "/totp?user=tom@acme.test", "", "")
	doc := s.okta(verify[0], map[string]string{"stateToken": token, "passCode": code})
	if doc["status"] != "SUCCESS" {
		t.Errorf("with code %q: %v", code, doc)
	}
	for _, path := range []string{"/totp", "/totp?user=nobody", "/totp?user=mia@acme.test", "/totp?user=tom&provider=OKTA"} {
		if status, _ := s.control("GET", path, "", ""); status != 404 {
			t.Errorf("GET %s = %d, want 404", path, status)
		}
	}
}

// Two logins need not wait for the next code: a generator tells it before it shows it.
func TestCodesShownLater(t *testing.T) {
	t.Parallel()
	s := start(t)
	for login, next := range map[string]string{"tom": "/totp?user=tom&later=30s", "rosa": "/code?user=rosa&later=1m"} {
		for _, path := range []string{"/code?user=" + login, next} {
			token, verify := s.login(login + "@acme.test")
			_, code := s.control("GET", path, "", "")
			doc := s.okta(verify[0], map[string]string{"stateToken": token, "passCode": code})
			assert.Equal(t, "SUCCESS", doc["status"], "%s: %v", path, doc)
		}
	}
	for path, want := range map[string]int{"/code?user=quinn&later=30s": 404, "/code?user=tom&later=x": 400, "/totp?user=tom&later=": 400} {
		status, text := s.control("GET", path, "", "")
		assert.Equal(t, want, status, "%s: %s", path, text)
	}
}

func TestBuiltInFactors(t *testing.T) {
	t.Parallel()
	s := start(t)
	for login, sends := range map[string]bool{
		"sam@acme.test": true, "cal@acme.test": true, "emi@acme.test": true, "quinn@acme.test": false,
		"yuki@acme.test": false, "rosa@acme.test": false, "syd@acme.test": false, "hope@acme.test": false,
	} {
		token, verify := s.login(login)
		require.Len(t, verify, 1, login)
		if sends {
			status, text := s.control("GET", "/code?user="+login, "", "")
			assert.Equal(t, 404, status, "%s: %s", login, text)
			doc := s.okta(verify[0], map[string]string{"stateToken": token})
			assert.Equal(t, "MFA_CHALLENGE", doc["status"], login)
		}
		_, code := s.control("GET", "/code?user="+login, "", "")
		doc := s.okta(verify[0], map[string]string{"stateToken": token, "passCode": code, "answer": code})
		assert.Equal(t, "SUCCESS", doc["status"], "%s with %s: %v", login, code, doc)
	}
	for _, u := range s.ready.Users[7:] {
		assert.Equal(t, []string{"Everyone", "Engineers"}, u.Groups, u.Login)
	}
}

func TestCodesOfSeveralFactors(t *testing.T) {
	t.Parallel()
	s := start(t)
	token, verify := s.login("ola@acme.test")
	require.Len(t, verify, 4)
	_, answer := s.control("GET", "/code?user=ola", "", "")
	assert.Equal(t, "cold-porridge", answer, "nothing else has a code yet")
	for _, path := range verify[:3] {
		s.okta(path, map[string]string{"stateToken": token})
	}
	_, codes, raw := s.call("GET", s.ready.ControlURL+"/code?user=ola", "", "")
	assert.Len(t, codes, 4, raw)
	assert.Equal(t, "cold-porridge", codes["question"])
	assert.Regexp(t, "^[0-9]{5}$", codes["call"])
	id := s.ready.Users[len(s.ready.Users)-1].Factors[0].ID
	for _, factor := range []string{"sms", id} {
		_, code := s.control("GET", "/code?user=ola&factor="+factor, "", "")
		assert.Equal(t, codes["sms"], code, factor)
	}

	_, totp := s.control("GET", "/code?user=pia&factor=totp", "", "")
	assert.Regexp(t, "^[0-9]{6}$", totp)
	for _, query := range []string{"", "?user=nobody", "?user=mia", "?user=tri", "?user=wes", "?user=ola&factor=totp"} {
		status, _ := s.control("GET", "/code"+query, "", "")
		assert.Equal(t, 404, status, query)
	}
}

func TestTwoFactorsOfAType(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "org.json")
	org := `{"users":[{"login":"ann@x.test","password":"pw","factors":[
		{"type":"token","provider":"RSA","code":"111111"},{"type":"token","provider":"SYMANTEC","code":"222222"},
		{"type":"sms","destination":"+1 XXX-XXX-0001"}]}]}`
	require.NoError(t, os.WriteFile(name, []byte(org), 0o600))
	s := start(t, "-org", name)
	_, codes, _ := s.call("GET", s.ready.ControlURL+"/code?user=ann", "", "")
	assert.Equal(t, map[string]any{"token": "111111", s.ready.Users[0].Factors[1].ID: "222222"}, codes)
	_, _, raw := s.call("POST", s.ready.URL+"/api/v1/authn", "application/json", `{"username":"ann","password":"pw"}`)
	assert.Contains(t, raw, "+1 XXX-XXX-0001")
}

func TestPushesOfOneDevice(t *testing.T) {
	t.Parallel()
	s := start(t)
	phone, tablet, watch := s.challenge("tri@acme.test", 0), s.challenge("tri@acme.test", 1), s.challenge("tri@acme.test", 2)
	_, got := s.control("GET", "/state", "", "")
	assert.Contains(t, got, `"waiting_pushes": 3`)
	assert.Contains(t, got, `"name": "Tri's tablet"`)

	for name, want := range map[string]int{
		"device=Nobody's+phone": 404, "user=pia&device=Tri's+phone": 404, "user=tri&device=Tri's+phone": 200,
	} {
		status, text := s.control("POST", "/push/approve", form, name)
		assert.Equal(t, want, status, "%s: %s", name, text)
	}
	assert.Equal(t, "SUCCESS <nil>", phone())
	assert.Equal(t, "MFA_CHALLENGE WAITING", tablet())
	tri := slices.IndexFunc(s.ready.Users, func(u userDescription) bool { return u.Login == "tri@acme.test" })
	s.control("POST", "/push/reject", "application/json", `{"device":"`+s.ready.Users[tri].Factors[2].ID+`"}`)
	assert.Equal(t, "MFA_CHALLENGE REJECTED", watch())
	assert.Equal(t, "MFA_CHALLENGE WAITING", tablet())
}

func TestStatusByControl(t *testing.T) {
	t.Parallel()
	s := start(t)
	status, _ := s.control("POST", "/users/status", form, "user=mia@acme.test&status=SUSPENDED")
	if status != 200 {
		t.Errorf("status = %d, want 200", status)
	}
	doc := s.okta("/api/v1/authn", map[string]string{"username": "mia@acme.test", "password": "correct-horse"})
	if doc["errorCode"] != "E0000004" {
		t.Errorf("suspended user got %v", doc)
	}
	for body, want := range map[string]int{"user=nobody&status=ACTIVE": 404, "user=mia@acme.test": 400} {
		if status, _ := s.control("POST", "/users/status", form, body); status != want {
			t.Errorf("%s = %d, want %d", body, status, want)
		}
	}
}

func TestNextTokenByControl(t *testing.T) {
	t.Parallel()
	s := start(t)
	for body, want := range map[string]string{"user=rosa@acme.test": `"tokens": 1`, "user=mia@acme.test": `"tokens": 0`} {
		status, answer := s.control("POST", "/token/next", form, body)
		assert.Equal(t, http.StatusOK, status)
		assert.Contains(t, answer, want)
	}
	status, _ := s.control("POST", "/token/next", form, "user=nobody")
	assert.Equal(t, http.StatusNotFound, status)
}

func TestRequestsHideSecrets(t *testing.T) {
	t.Parallel()
	s := start(t)
	s.okta("/api/v1/authn", map[string]string{"username": "mia@acme.test", "password": "correct-horse"})
	req, _ := http.NewRequestWithContext(t.Context(), "GET", s.ready.URL+"/api/v1/users/mia", nil)
	req.Header.Set("Authorization", "SSWS "+s.ready.APIToken)
	req.Header.Set("User-Agent", "some-client/1.0")
	req.Header.Set("X-Forwarded-For", "192.0.2.7")
	resp, err := s.http.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	_, got := s.control("GET", "/requests", "", "")
	for _, want := range []string{`"path": "/api/v1/authn"`, `"path": "/api/v1/users/mia"`, `"status": 200`,
		`"user_agent": "some-client/1.0"`, `"forwarded_for": "192.0.2.7"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	for _, secret := range []string{"correct-horse", s.ready.APIToken} {
		if strings.Contains(got, secret) {
			t.Errorf("%q in %s", secret, got)
		}
	}
}

func TestWhatIsPrinted(t *testing.T) {
	t.Parallel()
	cert := filepath.Join(t.TempDir(), "ca.pem")
	s := start(t, "-cert-out", cert, "-latency", "1ms")
	if s.ready.Cert != cert {
		t.Errorf("cert = %s, want %s", s.ready.Cert, cert)
	}
	if info, err := os.Stat(cert); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("certificate: %v, %v", info.Mode(), err)
	}
	want := []string{s.ready.URL, s.ready.APIToken, cert, s.ready.ControlURL + "/push/approve", "/push/reject", "curl --cacert",
		"user=sam@acme.test " + s.ready.ControlURL + "/code", "push to Tri's watch", "YUBICO token:hardware", "OKTA totp"}
	groups := make(map[string]int)
	for _, u := range s.ready.Users {
		want = append(want, u.Login, u.Password)
		groups[u.Login] = len(u.Groups)
		for _, f := range u.TOTP {
			if _, err := url.Parse(f.OTPAuthURL); err != nil || !strings.HasPrefix(f.OTPAuthURL, "otpauth://totp/") {
				t.Errorf("%q: %v", f.OTPAuthURL, err)
			}
			want = append(want, f.OTPAuthURL)
		}
	}
	for _, w := range want {
		if !strings.Contains(s.out, w) {
			t.Errorf("%q is not printed", w)
		}
	}
	if groups["max@acme.test"] != 450 || groups["mia@acme.test"] != 2 || len(groups) != 25 {
		t.Errorf("groups = %v", groups)
	}
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	missing := filepath.Join(t.TempDir(), "missing", "file")
	tests := []struct {
		args           []string
		code           int
		stdout, stderr string // parts
	}{
		{[]string{"-h"}, 0, "Usage: okta-sim", ""},
		{[]string{"-version"}, 0, "okta-sim ", ""},
		{[]string{"-nonsense"}, 2, "", "not defined: -nonsense"},
		{[]string{"extra"}, 2, "", `unexpected argument "extra"`},
		{[]string{"-latency", "-1s"}, 2, "", "negative"},
		{[]string{"-control", "0.0.0.0:0"}, 2, "", "only a loopback address"},
		{[]string{"-control", ":8080"}, 2, "", "only a loopback address"},
		{[]string{"-control", "example.com:80"}, 2, "", "only a loopback address"},
		{[]string{"-control", "nonsense"}, 2, "", "-control"},
		{[]string{"-listen", "nonsense"}, 1, "", "-listen"},
		{[]string{"-org", missing}, 1, "", "reading the organization"},
		{[]string{"-cert-out", missing}, 1, "", "writing the certificate"},
		{[]string{"-ready-file", missing}, 1, "", "-ready-file"},
	}
	for _, tc := range tests {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), tc.args, &stdout, &stderr)
		if code != tc.code || !strings.Contains(stdout.String(), tc.stdout) || !strings.Contains(stderr.String(), tc.stderr) {
			t.Errorf("%q: exit code %d\nstdout: %s\nstderr: %s", tc.args, code, &stdout, &stderr)
		}
	}
}
