package mfatest

import (
	"crypto/rand"
	"encoding/base64"
	"net/http"
	"slices"
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

	mu    sync.Mutex
	users map[string]*PingIDUser
	forge func(*Token)
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
	s := &PingIDServer{
		OrgAlias: strings.ToLower(random(32)),
		Token:    random(32),
		Key:      make([]byte, 32),
		users:    map[string]*PingIDUser{},
	}
	_, _ = rand.Read(s.Key) // which never fails
	s.addSecrets(s.Token, base64.StdEncoding.EncodeToString(s.Key))
	if err := s.start(address, hosts, http.HandlerFunc(s.serve)); err != nil {
		return nil, err
	}
	return s, nil
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

// Forge changes the answers before they are signed; nil ends that.
func (s *PingIDServer) Forge(f func(*Token)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forge = f
}

// PingIDUser is a person whom the organization knows, with a phone.
type PingIDUser struct {
	srv  *PingIDServer
	name string

	// All below are guarded by srv.mu.
	script []PingIDOutcome
	pushes int
	open   []*pingPush // may hold decided ones
}

// PingIDOutcome is what becomes of a push. The errorId 200 is success.
type PingIDOutcome struct {
	Status  int // of HTTP; zero: 200
	ErrorID int
	Message string
}

// pingPush is a push on its way.
type pingPush struct {
	decided chan struct{}
	outcome PingIDOutcome
}

// AddUser adds a person with a phone.
func (s *PingIDServer) AddUser(name string) *PingIDUser {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &PingIDUser{srv: s, name: name}
	s.users[name] = u
	return u
}

// User returns the person of that name, or nil.
func (s *PingIDServer) User(name string) *PingIDUser {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[name]
}

// Script says what becomes of the next pushes, in order, without anybody's doing.
func (u *PingIDUser) Script(outcomes ...PingIDOutcome) *PingIDUser {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.script = append(u.script, outcomes...)
	return u
}

// Approve approves the pushes that wait.
func (u *PingIDUser) Approve() { u.Answer(true) }

// Reject denies the pushes that wait. PingID documents no id of its own for that:
// this one is its general "Failed transaction. Please retry".
func (u *PingIDUser) Reject() { u.Answer(false) }

// Answer approves or denies the pushes that wait, and returns how many they were.
func (u *PingIDUser) Answer(approve bool) int {
	if approve {
		return u.Decide(PingIDOutcome{ErrorID: 200, Message: "ok"})
	}
	return u.Decide(PingIDOutcome{Status: http.StatusBadRequest, ErrorID: 10551, Message: "Failed transaction. Please retry."})
}

// Decide ends the pushes that wait, and returns how many they were.
func (u *PingIDUser) Decide(outcome PingIDOutcome) int {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.forgetDecided()
	for _, p := range u.open {
		p.decide(outcome)
	}
	return len(u.open)
}

// Waiting returns how many pushes wait. One that its client left does not.
func (u *PingIDUser) Waiting() int {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.forgetDecided()
	return len(u.open)
}

// forgetDecided needs the lock.
func (u *PingIDUser) forgetDecided() { u.open = slices.DeleteFunc(u.open, (*pingPush).isDecided) }

func (p *pingPush) decide(outcome PingIDOutcome) {
	if !p.isDecided() {
		p.outcome = outcome
		close(p.decided)
	}
}

func (p *pingPush) isDecided() bool {
	select {
	case <-p.decided:
		return true
	default:
		return false
	}
}

// Pushes returns how many pushes were sent.
func (u *PingIDUser) Pushes() int {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.pushes
}
