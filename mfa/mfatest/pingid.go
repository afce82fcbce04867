package mfatest

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"strings"
	"sync"
)

// PingIDServer is an organization of PingID's authentication API, version 4.9.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiAuthentication.html
type PingIDServer struct {
	Server

	OrgAlias string
	Token    string
	Key      []byte // of the HMAC

	mu       sync.Mutex
	users    map[string]*PingIDUser
	sessions map[string]*pingSession
	messages []*pingSession // the last ones that a code was sent for
	forge    func(*Token)
	numbers  bool
	hidden   bool
	choice   bool
}

// NewPingID starts a PingID on a free port of 127.0.0.1 and closes it when the
// test ends. Its certificate is good for the hosts, too.
func NewPingID(t TB, hosts ...string) *PingIDServer {
	t.Helper()
	s, err := StartPingID("127.0.0.1:0", hosts...)
	if err != nil {
		t.Fatalf("mfatest: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// StartPingID serves a PingID on a TCP address until Close.
func StartPingID(address string, hosts ...string) (*PingIDServer, error) {
	s := MakePingID()
	if err := s.start(address, hosts); err != nil {
		return nil, err
	}
	return s, nil
}

// MakePingID returns a PingID that does not listen: its ServeHTTP answers requests.
func MakePingID() *PingIDServer {
	s := &PingIDServer{
		OrgAlias: strings.ToLower(random(32)),
		Token:    random(32),
		Key:      make([]byte, 32),
		users:    map[string]*PingIDUser{},
		sessions: map[string]*pingSession{},
	}
	_, _ = rand.Read(s.Key) // which never fails
	s.addSecrets(s.Token, base64.StdEncoding.EncodeToString(s.Key))
	s.prepare(http.HandlerFunc(s.serve))
	return s
}

// Settings returns the organization's settings file, in base64, as the admin
// console makes it.
func (s *PingIDServer) Settings() string { return s.SettingsAt(s.URL + "/pingid") }

// SettingsAt returns a settings file with another idp_url, for a client that knows
// the server by another name.
func (s *PingIDServer) SettingsAt(idpURL string) string {
	return base64.StdEncoding.EncodeToString([]byte(strings.Join([]string{
		"#Auto-Generated from PingOne, downloaded by id=[SSO] email=[admin@acme.test]",
		"#Mon Jan 05 09:00:00 MST 2026",
		"use_base64_key=" + base64.StdEncoding.EncodeToString(s.Key),
		"use_signature=true",
		"token=" + s.Token,
		"idp_url=" + idpURL,
		"org_alias=" + s.OrgAlias,
		"admin_url=" + idpURL,
		"authenticator_url=" + s.URL + "/pingid/ppm",
		"",
	}, "\r\n")))
}

// EscapedSettingsAt is SettingsAt as Java's Properties.store writes such a file: with
// escaped characters, a comment of the other kind, a byte-order mark and a key that no
// client knows; the key and the file are in URL-safe base64.
func (s *PingIDServer) EscapedSettingsAt(idpURL string) string {
	escape := strings.NewReplacer("=", `\=`, ":", `\:`).Replace
	return base64.URLEncoding.EncodeToString([]byte("\ufeff" + strings.Join([]string{
		"#Auto-Generated from PingOne, downloaded by id=[SSO] email=[admin@acme.test]",
		"! another comment",
		"use_base64_key=" + escape(base64.URLEncoding.EncodeToString(s.Key)),
		"use_signature=true",
		"token=" + s.Token,
		"idp_url=" + escape(idpURL),
		"org_alias=" + s.OrgAlias,
		"admin_url=" + escape(idpURL),
		"authenticator_url=" + escape(s.URL+"/pingid/ppm"),
		"some_new_key=some value",
		"",
	}, "\n")))
}

// SetNumberMatching has the organization use number matching, where a client can show the
// number: it begins an authentication that waits.
func (s *PingIDServer) SetNumberMatching(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.numbers = on
}

// HideDevices has the organization tell nobody's devices beforehand.
func (s *PingIDServer) HideDevices() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden = true
}

// AskForDevice has people with several devices choose one of them at each authentication.
func (s *PingIDServer) AskForDevice() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.choice = true
}

// Forge changes the answers before they are signed; nil ends that.
func (s *PingIDServer) Forge(f func(*Token)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forge = f
}
