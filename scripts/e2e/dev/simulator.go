package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// simulator is a running okta-sim and what its ready file says.
type simulator struct {
	process *harness.Process

	URL        string `json:"url"`
	ControlURL string `json:"control_url"`
	CertPath   string `json:"cert"`
	APIToken   string `json:"api_token"`
	Users      []user `json:"users"`
	Duo        struct {
		APIHostname    string `json:"api_hostname"`
		IntegrationKey string `json:"integration_key"`
		SecretKey      string `json:"secret_key"`
	} `json:"duo"`
	PingID struct {
		SettingsFile string `json:"settings_file_base64"`
	} `json:"pingid"`
}

// user is a user of the simulated org.
type user struct {
	Login    string   `json:"login"`
	Password string   `json:"password"`
	Groups   []string `json:"groups"`
}

// group is the one of the user's that is mapped to a policy.
func (u user) group() string {
	if len(u.Groups) == 0 {
		return "Everyone"
	}
	return u.Groups[len(u.Groups)-1]
}

// startSimulator builds okta-sim, starts it and waits until it is ready.
func startSimulator(ctx context.Context, dir string) (*simulator, error) {
	bin, err := harness.BuildSimulator(ctx, dir)
	if err != nil {
		return nil, err
	}
	ready := filepath.Join(dir, "okta-sim.json")
	cmd := exec.Command(bin,
		"-listen", "127.0.0.1:0", "-control", "127.0.0.1:0",
		"-cert-out", filepath.Join(dir, "okta-sim.pem"), "-ready-file", ready)
	cmd.Stderr = os.Stderr
	process, err := harness.StartProcess("okta-sim", cmd)
	if err != nil {
		return nil, err
	}
	sim := &simulator{process: process}
	if err := sim.waitUntilReady(ctx, ready); err != nil {
		process.Stop()
		return nil, err
	}
	return sim, nil
}

func (s *simulator) waitUntilReady(ctx context.Context, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		if b, err := os.ReadFile(path); err == nil && json.Unmarshal(b, s) == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-s.process.Done():
			return s.process.Err()
		case <-ctx.Done():
			return fmt.Errorf("waiting for okta-sim: %w", ctx.Err())
		}
	}
}

// cast is who plays which part in the first logins and in the guide.
type cast struct {
	Plain  user // logs in by a password only
	TOTP   user // has a passcode generator
	Push   user // has a phone that gets pushes, and a passcode generator
	Number user // has a phone that asks for a number
	Phones user // has several phones that get pushes
	Text   user // gets codes by SMS
}

// cast finds somebody for each part among the built-in users.
func (s *simulator) cast() (c cast, err error) {
	for login, part := range map[string]*user{
		"mia@acme.test": &c.Plain, "tom@acme.test": &c.TOTP, "pia@acme.test": &c.Push,
		"noa@acme.test": &c.Number, "tri@acme.test": &c.Phones, "sam@acme.test": &c.Text,
	} {
		i := slices.IndexFunc(s.Users, func(u user) bool { return u.Login == login })
		if i < 0 {
			return c, fmt.Errorf("okta-sim has no user %s", login)
		}
		*part = s.Users[i]
	}
	return c, nil
}

// passcode asks the simulator for a user's current passcode.
func (s *simulator) passcode(ctx context.Context, login string) (string, error) {
	target := s.ControlURL + "/totp?user=" + url.QueryEscape(login)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, target, nil)
	if err != nil {
		return "", err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 1<<10))
	if err != nil || res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("asking okta-sim for a passcode: HTTP status %d: %s %v", res.StatusCode, b, err)
	}
	return strings.TrimSpace(string(b)), nil
}
