package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// reply is what the server answers to one request, and how it must look.
type reply struct {
	want   string // fields of the request, as JSON
	path   string // below /v1/; empty: the login's
	status int    // zero: 200
	body   string
}

const (
	tokenBody = `{"auth": {"client_token": "hvs.made-up", "policies": ["default", "staff"], "lease_duration": 3600,` +
		` "metadata": {"username": "mia@acme.test"}}}`
	openError = `{"errors": ["Okta did not accept the passcode (E0000068). It was tried on SMS +1 XXX-XXX-4821 (this login is still open: continue it with its transaction_id)"]}`
)

// waits is the answer of a login that is held, with its state's fields.
func waits(fields string) string {
	return `{"data": {"transaction_id": "t1", ` + fields + `}}`
}

// script is a server that answers a row of requests, and checks each.
func script(t *testing.T, replies ...reply) *httptest.Server {
	t.Helper()
	asked := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !assert.Less(t, asked, len(replies), "one request too many: %s", r.URL) {
			return
		}
		now := replies[asked]
		asked++
		path := now.path
		if path == "" {
			path = "auth/okta/login/mia@acme.test"
		}
		assert.Equal(t, "/v1/"+path, r.URL.Path)
		if now.want != "" {
			var got bytes.Buffer
			_, _ = got.ReadFrom(r.Body)
			assert.JSONEq(t, now.want, got.String())
		}
		if now.status != 0 {
			w.WriteHeader(now.status)
		}
		fmt.Fprint(w, now.body)
	}))
	t.Cleanup(func() {
		server.Close()
		assert.Equal(t, len(replies), asked, "requests that were sent")
	})
	return server
}

// outcome is how the command ended.
type outcome struct {
	code         int
	stdout, read string // read: what the person read
	kept         string // the token in the file of the command line tools
}

// home is the home directory of all tests: the client library looks for it once.
var home string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		for _, variable := range os.Environ() { // of the developer
			if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "VAULT_") || strings.HasPrefix(name, "BAO_") {
				os.Unsetenv(name)
			}
		}
		var err error
		if home, err = os.MkdirTemp("", "okta-login"); err != nil {
			panic(err)
		}
		defer os.RemoveAll(home)
		os.Setenv("HOME", home)
		return m.Run()
	}())
}

// performAs runs the command as somebody who types the lines.
func performAs(t *testing.T, person bool, address, typed string, args ...string) outcome {
	t.Helper()
	return runAs(t, person, address, typed, append(args, "-no-device-token", "mia@acme.test")...)
}

// runAs is performAs with these arguments alone.
func runAs(t *testing.T, person bool, address, typed string, args ...string) outcome {
	t.Helper()
	token := filepath.Join(home, ".vault-token")
	require.NoError(t, os.RemoveAll(token))
	t.Setenv("VAULT_ADDR", address)
	var stdout, read bytes.Buffer
	s := &screen{out: &read, in: bufio.NewReader(strings.NewReader(typed)), person: person}
	code := run(t.Context(), args, false, s, &stdout)
	kept, err := os.ReadFile(token)
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err)
	}
	return outcome{code, stdout.String(), read.String(), string(kept)}
}

func TestPassword(t *testing.T) {
	server := script(t, reply{want: `{"password": "correct-horse", "wait": false}`, body: tokenBody})
	o := performAs(t, true, server.URL, "correct-horse\n")
	require.Zero(t, o.code, o.read)
	require.Contains(t, o.stdout, "logged in as mia@acme.test, for 60 minutes")
	require.Equal(t, "hvs.made-up", o.kept)
	info, err := os.Stat(filepath.Join(home, ".vault-token"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NotContains(t, o.read+o.stdout, "correct-horse")
	require.NotContains(t, o.read+o.stdout, "hvs.made-up")
}

func TestFormats(t *testing.T) {
	for name, row := range map[string]struct {
		args     []string
		requires func(t *testing.T, stdout string)
		kept     string
	}{
		"token": {[]string{"-format=token"}, func(t *testing.T, stdout string) { require.Equal(t, "hvs.made-up\n", stdout) }, ""},
		"env": {[]string{"-format=env"}, func(t *testing.T, stdout string) {
			require.Equal(t, "export VAULT_TOKEN='hvs.made-up'\n", stdout)
		}, ""},
		"json":             {[]string{"-format=json"}, requireAnswer, "hvs.made-up"},
		"json, not stored": {[]string{"-format=json", "-no-store"}, requireAnswer, ""},
		"not stored": {[]string{"-no-store"}, func(t *testing.T, stdout string) {
			require.Contains(t, stdout, "Token: hvs.made-up\n", "a token that is neither kept nor shown is lost")
		}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := script(t, reply{body: tokenBody})
			o := performAs(t, false, server.URL, "correct-horse\n", row.args...)
			require.Zero(t, o.code, o.read)
			row.requires(t, o.stdout)
			require.Equal(t, row.kept, o.kept)
		})
	}
}

// requireAnswer requires the answer as "vault login -format=json" prints it.
func requireAnswer(t *testing.T, stdout string) {
	t.Helper()
	var answer api.Secret
	require.NoError(t, json.Unmarshal([]byte(stdout), &answer))
	require.Equal(t, "hvs.made-up", answer.Auth.ClientToken)
	require.Equal(t, 3600, answer.Auth.LeaseDuration)
}

// Each flag arrives where it belongs.
func TestFlagsAreSent(t *testing.T) {
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	var header http.Header
	var body fields
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header, body = r.Header, nil
		assert.Equal(t, "/v1/auth/corp/okta/login/mia@acme.test", r.URL.Path)
		assert.NoError(t, json.NewDecoder(r.Body).Decode(&body))
		fmt.Fprint(w, tokenBody)
	}))
	t.Cleanup(server.Close)
	t.Setenv("VAULT_NAMESPACE", "other")
	t.Setenv("VAULT_TOKEN", "hvs.of-before")
	t.Setenv("VAULT_WRAP_TTL", "60s")
	o := runAs(t, true, server.URL, "pw\n", "-mount=corp/okta/", "-namespace=corp", "-factor=totp", "-provider=google", "-device=a",
		"-mfa=x:123456", "-mfa=y", "mia@acme.test")
	require.Zero(t, o.code, o.read)
	require.Equal(t, "corp/", strings.TrimSuffix(header.Get("X-Vault-Namespace"), "/")+"/")
	require.Equal(t, "true", header.Get("X-Vault-Request"))
	require.Empty(t, header.Get("X-Vault-Token"), "a login has none")
	require.Empty(t, header.Get("X-Vault-Wrap-TTL"))
	require.Regexp(t, deviceTokenPattern, body["device_token"])
	delete(body, "device_token")
	require.Equal(t, fields{
		"password": "pw", "wait": false, "factor": "totp", "provider": "google", "device": "a", "mfa": []any{"x:123456", "y"},
	}, body)
	require.Contains(t, o.read, "VAULT_TOKEN is set", "it hides the token that was kept")
}

// A token that cannot be kept is not left valid.
func TestTokenThatIsNotStoredIsRevoked(t *testing.T) {
	helper := filepath.Join(t.TempDir(), "helper")
	require.NoError(t, os.WriteFile(helper, []byte("#!/bin/sh\ncat >&2\necho no room >&2\nexit 1\n"), 0o700))
	config := filepath.Join(t.TempDir(), "config")
	require.NoError(t, os.WriteFile(config, []byte(`token_helper = "`+helper+`"`), 0o600))
	t.Setenv("VAULT_CONFIG_PATH", config)
	server := script(t, reply{body: tokenBody}, reply{path: "auth/token/revoke-self"})
	o := performAs(t, true, server.URL, "pw\n")
	require.Equal(t, exitNotStored, o.code)
	require.Contains(t, o.read, "has been revoked")
	require.Contains(t, o.read, "no room")
	require.NotContains(t, o.read+o.stdout, "hvs.made-up")
}

// What is wrong with the token helper is said before the person has typed anything.
func TestTokenHelperIsLookedForFirst(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	for _, text := range []string{`token_helper = "/does/not/exist"`, `token_helper = "false"`, `nonsense = 1`, `token_helper`} {
		require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
		t.Setenv("VAULT_CONFIG_PATH", config)
		o := performAs(t, true, script(t).URL, "pw\n")
		require.Equal(t, exitUsage, o.code, text)
		require.Contains(t, o.read, "token helper", text)
	}
}

// The first line of a script is the password, and must not become a username.
func TestScriptMustNameThePerson(t *testing.T) {
	o := runAs(t, false, script(t).URL, "correct-horse\n", "-no-device-token")
	require.Equal(t, exitNoTerminal, o.code)
	require.Contains(t, o.read, "username")
}

func TestChoiceAndCode(t *testing.T) {
	server := script(t,
		reply{body: waits(`"state": "factor_required", "factors": [
			{"factor": "totp", "id": "ost1", "provider": "GOOGLE"},
			{"factor": "sms", "id": "sms1", "provider": "OKTA", "sent_to": "+1 XXX-XXX-4821"}]`)},
		reply{want: `{"transaction_id": "t1", "factor": "totp", "provider": "GOOGLE"}`, // a provider may have other factors
			body: waits(`"state": "passcode_required", "factor": "totp", "provider": "GOOGLE"`)},
		reply{want: `{"transaction_id": "t1", "totp": "111111"}`, status: 400, body: openError},
		reply{want: `{"transaction_id": "t1"}`,
			body: waits(`"state": "factor_required", "factors": [
			{"factor": "totp", "id": "ost1", "provider": "GOOGLE"},
			{"factor": "sms", "id": "sms1", "provider": "OKTA", "sent_to": "+1 XXX-XXX-4821"}]`)},
		reply{want: `{"transaction_id": "t1", "factor": "sms", "device": "sms1"}`,
			body: waits(`"state": "passcode_required", "factor": "sms", "sent_to": "+1 XXX-XXX-4821"`)},
		reply{want: `{"transaction_id": "t1", "totp": "000000"}`, status: 400, body: openError},
		reply{want: `{"transaction_id": "t1"}`,
			body: waits(`"state": "passcode_required", "factor": "sms", "sent_to": "+1 XXX-XXX-4821"`)},
		reply{want: `{"transaction_id": "t1", "resend": true}`,
			body: waits(`"state": "passcode_required", "factor": "sms", "sent_to": "+1 XXX-XXX-4821"`)},
		reply{want: `{"transaction_id": "t1", "totp": "123456"}`, body: tokenBody},
	)
	o := performAs(t, true, server.URL, "pw\n3\n1\n111111\n2\n000000\n\n123456\n")
	require.Zero(t, o.code, o.read)
	require.Contains(t, o.read, "1  Google Authenticator")
	require.Contains(t, o.read, "2  SMS to +1 XXX-XXX-4821")
	require.Contains(t, o.read, "did not accept the passcode")
	require.NotContains(t, o.read, "still open", "a person cannot use the id")
}

func TestNumberIsShown(t *testing.T) {
	server := script(t,
		reply{body: waits(`"state": "waiting", "factor": "push", "device": "Mia's phone"`)},
		reply{want: `{"transaction_id": "t1"}`,
			body: waits(`"state": "waiting", "factor": "push", "device": "Mia's phone", "correct_answer": 0`)},
		reply{body: tokenBody},
	)
	o := performAs(t, true, server.URL, "pw\n")
	require.Zero(t, o.code, o.read)
	require.Equal(t, 1, strings.Count(o.read, "A push was sent"), o.read)
	require.Contains(t, o.read, `"Mia's phone"`)
	require.Contains(t, o.read, large("0"), "zero is a number like any other")
}

func TestMethodsOfTheMount(t *testing.T) {
	server := script(t,
		reply{body: waits(`"state": "mfa_required", "mfa_methods": [
			{"mfa_method": "corp_totp", "mfa_type": "totp"}, {"mfa_method": "corp_duo", "mfa_type": "duo"},
			{"any_of": [{"mfa_method": "my_okta", "mfa_type": "okta"}, {"mfa_method": "my_totp", "mfa_type": "totp"}]}]`)},
		reply{want: `{"transaction_id": "t1", "mfa": ["corp_totp:123456", "corp_duo", "my_totp:654321"]}`, body: tokenBody},
	)
	o := performAs(t, true, server.URL, "pw\n123456\n\n2\n654321\n")
	require.Zero(t, o.code, o.read)
	require.Contains(t, o.read, "2  my_totp")
}

func TestLoginMFAOfVault(t *testing.T) {
	server := script(t,
		reply{body: `{"auth": {"client_token": "", "mfa_requirement": {"mfa_request_id": "r1", "mfa_constraints":
			{"staff": {"any": [{"type": "totp", "id": "m1", "name": "phone", "uses_passcode": true}]}}}},
			"warnings": ["please send another request to mfa/validate", "the password expires soon"]}`},
		reply{path: "sys/mfa/validate", want: `{"mfa_request_id": "r1", "mfa_payload": {"m1": ["123456"]}}`, body: tokenBody},
	)
	o := performAs(t, true, server.URL, "pw\n123456\n")
	require.Zero(t, o.code, o.read)
	require.Contains(t, o.read, "Passcode for phone")
	require.Contains(t, o.read, "Warning: the password expires soon")
	require.NotContains(t, o.read, "mfa/validate", "okta-login sends that request itself")
}

// A wrong passcode at Vault does not cost the person another push at Okta.
func TestWrongCodeAtLoginMFAIsAskedAgain(t *testing.T) {
	requires := reply{body: `{"auth": {"client_token": "", "mfa_requirement": {"mfa_request_id": "r1", "mfa_constraints":
		{"staff": {"any": [{"type": "totp", "id": "m1", "name": "phone", "uses_passcode": true}]}}}}}`}
	wrong := reply{path: "sys/mfa/validate", want: `{"mfa_request_id": "r1", "mfa_payload": {"m1": ["000000"]}}`, status: 403,
		body: `{"errors": ["failed to satisfy enforcement staff. error: 2 errors occurred:\n\t* failed to validate TOTP passcode"]}`}
	push := reply{body: strings.Replace(requires.body, `"any"`, `"any": [{"type": "duo", "id": "m2"}]}, "other": {"any"`, 1)}
	refused := wrong
	refused.want = `{"mfa_request_id": "r1", "mfa_payload": {"m1": ["000000"], "m2": []}}`
	right := reply{path: "sys/mfa/validate", want: `{"mfa_request_id": "r1", "mfa_payload": {"m1": ["123456"]}}`, body: tokenBody}
	o := performAs(t, true, script(t, requires, wrong, right).URL, "pw\n000000\n123456\n")
	require.Zero(t, o.code, o.read)
	require.Contains(t, o.read, "failed to validate TOTP passcode")

	o = performAs(t, false, script(t, requires, wrong).URL, "pw\n000000\n123456\n")
	require.Equal(t, exitRefused, o.code, "a script's next line is for something else")

	o = performAs(t, true, script(t, push, refused).URL, "pw\n000000\n123456\n")
	require.Equal(t, exitRefused, o.code, "no phone rings for a wrong digit")
}

// While a push waits, nothing that happens between here and the server ends the login.
func TestPollsAreSentAgain(t *testing.T) {
	waiting := reply{want: `{"password": "pw", "wait": false}`, body: waits(`"state": "waiting", "factor": "push"`)}
	poll := `{"transaction_id": "t1"}`
	sealed := reply{want: poll, status: 503, body: `{"errors": ["sealed"]}`}
	o := performAs(t, true, script(t, waiting, sealed, reply{want: poll, status: 429, body: `{"errors": ["quota"]}`}, sealed,
		reply{want: poll, body: tokenBody}).URL, "pw\n")
	require.Zero(t, o.code, o.read)

	o = performAs(t, true, script(t, reply{want: `{"password": "pw", "wait": false}`, status: 503, body: `{"errors": ["sealed"]}`}).URL, "pw\n")
	require.Equal(t, exitUnavailable, o.code, "a password is sent once")
	require.Contains(t, o.read, "sealed")
}

// What is refused for good, or cannot be asked, ends the login at the server, too.
func TestEndsCancelTheLogin(t *testing.T) {
	cancelled := reply{want: `{"transaction_id": "t1", "cancel": true}`, body: waits(`"state": "cancelled"`)}
	held := reply{body: waits(`"state": "passcode_required", "factor": "totp", "provider": "OKTA"`)}
	for name, row := range map[string]struct {
		person  bool
		typed   string
		replies []reply
		code    int
		words   string
	}{
		"refused":     {true, "pw\n123456\n", []reply{held, {status: 400, body: `{"errors": ["locked out"]}`}, cancelled}, exitRefused, "locked out"},
		"nobody asks": {false, "pw\n", []reply{held, cancelled}, exitNoTerminal, "Okta Verify"},
		"wrong code, nobody there": {false, "pw\n000000\n",
			[]reply{held, {status: 400, body: openError}, cancelled}, exitRefused, "E0000068"},
		"server fails": {true, "pw\n123456\n", []reply{held, {status: 502, body: `{"errors": ["Okta fails"]}`}, cancelled}, exitUnavailable, "Okta fails"},
	} {
		t.Run(name, func(t *testing.T) {
			server := script(t, row.replies...)
			o := performAs(t, row.person, server.URL, row.typed)
			require.Equal(t, row.code, o.code, o.read)
			require.Contains(t, o.read, row.words)
			require.Empty(t, o.stdout)
		})
	}
}

func TestInterruptCancelsTheLogin(t *testing.T) {
	ctx, interrupt := context.WithCancel(context.Background())
	cancelled := make(chan struct{})
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body fields
		_ = json.NewDecoder(r.Body).Decode(&body)
		if body["cancel"] == true {
			close(cancelled)
		}
		fmt.Fprint(w, waits(`"state": "waiting", "factor": "push"`))
		if requests++; requests == 2 { // the login is held since the first one
			interrupt()
		}
	}))
	t.Cleanup(server.Close)
	var stdout, read bytes.Buffer
	s := &screen{out: &read, in: bufio.NewReader(strings.NewReader("pw\n")), person: true}
	code := run(ctx, []string{"-no-device-token", "-address=" + server.URL, "mia@acme.test"}, false, s, &stdout)
	require.Equal(t, exitInterrupted, code, read.String())
	<-cancelled
}

// Nothing that a server says can move the cursor: not in an answer, nor in a certificate.
func TestTextOfTheServerIsCleaned(t *testing.T) {
	server := script(t, reply{status: 400, body: `{"errors": ["no\u001b[2J\u0007 way"]}`})
	certificate := newCertificate(t, "evil\x1b[2J\a.test")
	secure := httptest.NewUnstartedServer(http.NotFoundHandler())
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	for address, code := range map[string]int{server.URL: exitRefused, secure.URL: exitUnavailable} {
		o := performAs(t, true, address, "pw\n")
		require.Equal(t, code, o.code, o.read)
		require.NotContains(t, o.read, "\x1b")
		require.NotContains(t, o.read, "\a")
	}
}

// newCertificate is a certificate that its own key has signed.
func newCertificate(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{name}, NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// A redirect from HTTPS to HTTP would send the password for everybody to read.
func TestNoRedirectToHTTP(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request came") }))
	t.Cleanup(plain.Close)
	secure := httptest.NewTLSServer(http.RedirectHandler(plain.URL, http.StatusTemporaryRedirect))
	t.Cleanup(secure.Close)
	o := performAs(t, true, secure.URL, "pw\n", "-tls-skip-verify")
	require.Equal(t, exitUnavailable, o.code, o.read)
}

// A certificate that nobody vouches for gets no password, and "nobody" includes a directory
// without certificates.
func TestServerCertificate(t *testing.T) {
	asked := 0
	secure := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked++
		fmt.Fprint(w, tokenBody)
	}))
	certificate := newCertificate(t, "vault.acme.test")
	secure.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	secure.Config.ErrorLog = log.New(io.Discard, "", 0)
	secure.StartTLS()
	t.Cleanup(secure.Close)
	empty, dir := t.TempDir(), t.TempDir()
	below := filepath.Join(dir, "below")
	require.NoError(t, os.Mkdir(below, 0o700))
	file := filepath.Join(below, "ca.pem")
	require.NoError(t, os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}), 0o600))
	for name, row := range map[string]struct {
		args []string
		code int
	}{
		"unknown":           {nil, exitUnavailable},
		"in a file":         {[]string{"-ca-cert=" + file, "-tls-server-name=vault.acme.test"}, 0},
		"in a directory":    {[]string{"-ca-path=" + dir, "-tls-server-name=vault.acme.test"}, 0},
		"of another name":   {[]string{"-ca-cert=" + file}, exitUnavailable},
		"empty directory":   {[]string{"-ca-path=" + empty, "-tls-server-name=vault.acme.test"}, exitUnavailable},
		"no check":          {[]string{"-tls-skip-verify"}, 0},
		"a check after all": {[]string{"-tls-skip-verify=false"}, exitUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "a check after all" {
				t.Setenv("VAULT_SKIP_VERIFY", "true")
			}
			before := asked
			o := performAs(t, true, secure.URL, "pw\n", row.args...)
			require.Equal(t, row.code, o.code, o.read)
			require.Equal(t, row.code == 0, asked > before)
		})
	}
}

func TestPlainHTTPIsWarnedOf(t *testing.T) {
	for address, plain := range map[string]bool{
		"http://127.0.0.1:8200": false, "http://localhost": false, "http://[::1]:1": false, "https://vault.acme.test": false,
		"unix:///run/vault.sock": false, "http://vault.acme.test:8200": true, "http://10.0.0.1": true,
	} {
		s, err := newServer(&options{address: address})
		require.NoError(t, err)
		require.Equal(t, plain, s.isPlain(), address)
	}
}
