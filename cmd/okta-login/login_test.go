package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	home         string
}

// perform runs the command as somebody who types the lines.
func performAs(t *testing.T, person bool, address, typed string, args ...string) outcome {
	t.Helper()
	var stdout, read bytes.Buffer
	home := t.TempDir()
	s := &screen{out: &read, in: bufio.NewReader(strings.NewReader(typed)), person: person}
	code := run(context.Background(), append(args, "-no-device-token", "mia@acme.test"),
		environ{"VAULT_ADDR": address, "HOME": home}, s, &stdout)
	return outcome{code, stdout.String(), read.String(), home}
}

func TestPassword(t *testing.T) {
	server := script(t, reply{want: `{"password": "correct-horse", "wait": false}`, body: tokenBody})
	o := performAs(t, true, server.URL, "correct-horse\n")
	require.Zero(t, o.code, o.read)
	require.Contains(t, o.stdout, "logged in as mia@acme.test, for 1h0m0s")
	kept, err := os.ReadFile(filepath.Join(o.home, ".vault-token"))
	require.NoError(t, err)
	require.Equal(t, "hvs.made-up", string(kept))
	info, err := os.Stat(filepath.Join(o.home, ".vault-token"))
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	require.NotContains(t, o.read+o.stdout, "correct-horse")
	require.NotContains(t, o.read+o.stdout, "hvs.made-up")
}

func TestFormats(t *testing.T) {
	for format, want := range map[string]string{
		"token": "hvs.made-up\n", "env": "export VAULT_TOKEN='hvs.made-up'\n", "json": tokenBody + "\n",
	} {
		t.Run(format, func(t *testing.T) {
			server := script(t, reply{body: tokenBody})
			o := performAs(t, false, server.URL, "correct-horse\n", "-format", format)
			require.Zero(t, o.code, o.read)
			require.Equal(t, want, o.stdout)
			_, err := os.Stat(filepath.Join(o.home, ".vault-token"))
			require.Equal(t, format == "json", err == nil, "only json keeps the token as well")
		})
	}
}

func TestChoiceAndCode(t *testing.T) {
	server := script(t,
		reply{body: waits(`"state": "factor_required", "factors": [
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
	o := performAs(t, true, server.URL, "pw\n3\n2\n000000\n\n123456\n")
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
			{"mfa_method": "corp_totp", "mfa_type": "totp"}, {"mfa_method": "corp_duo", "mfa_type": "duo"}]`)},
		reply{want: `{"transaction_id": "t1", "mfa": ["corp_totp:123456", "corp_duo"]}`, body: tokenBody},
	)
	o := performAs(t, true, server.URL, "pw\n123456\n\n")
	require.Zero(t, o.code, o.read)
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
	code := run(ctx, []string{"-no-device-token", "mia@acme.test"}, environ{"VAULT_ADDR": server.URL, "HOME": t.TempDir()}, s, &stdout)
	require.Equal(t, exitInterrupted, code, read.String())
	<-cancelled
}

// Nothing that a server says can move the cursor.
func TestTextOfTheServerIsCleaned(t *testing.T) {
	server := script(t, reply{status: 400, body: `{"errors": ["no\u001b[2J\u0007 way"]}`})
	o := performAs(t, true, server.URL, "pw\n")
	require.Equal(t, exitRefused, o.code)
	require.NotContains(t, o.read, "\x1b")
	require.NotContains(t, o.read, "\a")
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

func TestUnknownCertificate(t *testing.T) {
	secure := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the request came") }))
	t.Cleanup(secure.Close)
	o := performAs(t, true, secure.URL, "pw\n")
	require.Equal(t, exitUnavailable, o.code)
	require.Contains(t, o.read, "certificate")
}
