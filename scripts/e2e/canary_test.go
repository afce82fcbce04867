package e2e

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// TestCanary: what is written while people log in, rightly and wrongly, has no secret in it:
// the server's log at level trace, also where the plugin's process is aborted, its audit
// log, the bundle that "vault debug" collects, and the metrics.
func TestCanary(t *testing.T) {
	config := serverConfig(t)
	config.LogLevel = "trace"
	v, err := harness.StartVault(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(v.Stop)
	require.NoError(t, v.RegisterPlugin(t.Context(), suite.plugin))
	m := enableOn(t, v, newOrg(t), pluginVersion)
	m.mustDo(http.MethodPut, "sys/audit/file", object{"type": "file", "options": object{"file_path": filepath.Join(config.Dir, "audit.log")}})
	m.configure(allFactors, object{"passcode_separator": ",", "max_login_failures": 0})

	bundle := filepath.Join(config.Dir, "debug")
	collected := make(chan error, 1)
	go func() {
		result, err := v.CLI(t.TempDir(), v.RootToken).Run(t.Context(),
			"debug", "-duration=5s", "-interval=5s", "-metrics-interval=5s", "-compress=false", "-output="+bundle)
		if err == nil && result.Code != 0 {
			err = errors.New(result.Stdout + result.Stderr)
		}
		collected <- err
	}()
	given := logInInManyWays(m)
	require.NoError(t, <-collected)
	for i, request := range []harness.Request{{Path: "sys/metrics"}, {Path: m.full("stats")}, {Path: m.full("stats"), Query: url.Values{"format": {"openmetrics"}}}} {
		request.Method, request.Token = http.MethodGet, v.RootToken
		a := m.send(request)
		require.NoError(t, a.Err())
		require.NoError(t, os.WriteFile(filepath.Join(config.Dir, fmt.Sprintf("metrics-%d", i)), a.Raw, 0o600))
	}

	// What the process says when it is aborted is in the server's log. That it leaves no
	// core is tested beside its main function.
	pid := pluginPID(t, v)
	require.NoError(t, syscall.Kill(pid, syscall.SIGABRT))
	eventually(t, "the plugin's end", func() bool { return syscall.Kill(pid, 0) != nil })
	eventually(t, "the plugin's next process", func() bool {
		return m.send(harness.Request{Method: http.MethodGet, Path: m.full("config"), Token: v.RootToken}).Err() == nil
	})
	given = append(given, logInInManyWays(m)...)
	v.Stop()

	var secrets []string
	for _, secret := range append(m.org.Secrets(), given...) {
		if strings.Trim(secret, "0123456789") != "" { // a number stands in metrics by chance
			secrets = append(secrets, secret)
		}
	}
	require.Greater(t, len(secrets), 20)
	searched := 0
	require.NoError(t, filepath.WalkDir(config.Dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := contentsOf(path)
		if err != nil {
			return err
		}
		searched++
		for _, at := range findSecrets(b, secrets) {
			t.Errorf("a secret in %s: %s", filepath.Base(path), lineAround(b, at))
		}
		return nil
	}))
	require.Greater(t, searched, 8, "log, audit log, metrics and the files of the bundle")
	log, err := os.ReadFile(v.LogPath)
	require.NoError(t, err)
	require.Contains(t, string(log), "okta_request_id", "the plugin has logged")
	require.Contains(t, string(log), "SIGABRT", "and was aborted")
}

// logInInManyWays logs people in, rightly and wrongly, with Okta failing in ways that
// repeat what was sent, and returns secrets that the org may not know of.
func logInInManyWays(m *mount) (given []string) {
	m.t.Helper()
	id := secret()
	u := m.addUser(id + "@acme.test") // whose name is none
	question := u.AddFactor("question", "OKTA")
	answer := question.Code()
	given = []string{"wr0ng-" + id, "wr0ng-answer-" + id, "device-" + id[:16], u.Password(), answer}
	m.mustLogin(u, object{"totp": answer, "device_token": "device-" + id[:16]})
	for _, body := range []object{
		{"password": "wr0ng-" + id}, {"totp": "wr0ng-answer-" + id}, {"password": []string{"wr0ng-" + id}}, {"totp": object{"a": "wr0ng-answer-" + id}},
		{"passwords": "wr0ng-" + id}, {"mfa": "a b:wr0ng-answer-" + id}, {"nonce": "wr0ng-" + id + "/"}, {"transaction_id": "wr0ng-" + id},
	} {
		m.login(u, body)
	}
	for endpoint, sent := range map[string][]string{"authn": {u.Password(), m.org.Token}, "verify": {answer, m.org.Token}, "groups": {m.org.Token}} {
		for _, secret := range sent {
			for _, quoted := range []string{`{"errorCode":"%[1]s","errorSummary":"%[1]s","errorId":"%[1]s","errorCauses":[{"errorSummary":"%[1]s"}]}`, `{"errorCode":"E0000001","errorSummary":"%[1]s"}`} {
				m.org.Fail(endpoint, oktatest.Body(http.StatusBadRequest, "application/json", fmt.Sprintf(quoted, secret)))
				m.login(u, object{"totp": answer})
				m.org.ClearFaults()
			}
		}
	}
	held := m.login(u, object{"wait": false, "totp": "wr0ng-answer-" + id})
	if transaction, ok := held.Data()["transaction_id"].(string); ok {
		given = append(given, transaction)
	}
	return given
}

// contentsOf is what is in a file, which may be compressed.
func contentsOf(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if err != nil || !bytes.HasPrefix(b, []byte{0x1f, 0x8b}) {
		return b, err
	}
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
