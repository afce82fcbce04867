package mfatest

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// DuoServer is a Duo account with one application of the Auth API, version 2.
// https://duo.com/docs/authapi
type DuoServer struct {
	Server

	IntegrationKey string
	SecretKey      string

	mu     sync.Mutex
	users  map[string]*DuoUser
	pushes map[string]*duoPush // by transaction
	codes  map[string]*duoCode // by the transaction that preauth has told
}

// NewDuo starts a Duo on a free port of 127.0.0.1 and closes it when the test
// ends. Its certificate is good for the hosts, too.
func NewDuo(t TB, hosts ...string) *DuoServer {
	t.Helper()
	s, err := StartDuo("127.0.0.1:0", hosts...)
	if err != nil {
		t.Fatalf("mfatest: %v", err)
	}
	t.Cleanup(s.Close)
	return s
}

// StartDuo serves a Duo on a TCP address until Close.
func StartDuo(address string, hosts ...string) (*DuoServer, error) {
	s := MakeDuo()
	if err := s.start(address, hosts); err != nil {
		return nil, err
	}
	return s, nil
}

// MakeDuo returns a Duo that does not listen: its ServeHTTP answers requests.
func MakeDuo() *DuoServer {
	s := &DuoServer{
		IntegrationKey: "DI" + random(18),
		SecretKey:      random(40),
		users:          map[string]*DuoUser{},
		pushes:         map[string]*duoPush{},
		codes:          map[string]*duoCode{},
	}
	s.addSecrets(s.SecretKey)
	s.prepare(s.handler())
	return s
}

// DuoUser is a person whom a Duo account knows.
type DuoUser struct {
	srv  *DuoServer
	name string

	// All below are guarded by srv.mu.
	result    string // of preauth
	message   string
	portal    string
	devices   []map[string]any
	passCodes []string
	lockedOut bool
	verified  int      // digits of the code of a Verified Push; 0: a plain push will do
	nextCodes []string // that preauth tells next, in place of random ones
	script    []DuoOutcome
	sent      []url.Values // the parameters of each push
	asked     []url.Values // those of each preauth
	open      []*duoPush   // may hold decided ones
}

// DuoOutcome is what becomes of a push: Result is "allow", "deny" or anything
// else that a client must not understand, and Status says why.
type DuoOutcome struct{ Result, Status, Message string }

// duoPush is a push, or a call, on its way.
type duoPush struct {
	code    string   // that the person has to type; empty: none
	call    bool     // not a push
	news    []string // statuses that the client has not been told
	left    bool     // by the client that asked for it
	decided chan struct{}
	outcome DuoOutcome
}

// AddUser adds a person who has to show a factor.
func (s *DuoServer) AddUser(name string) *DuoUser {
	s.mu.Lock()
	defer s.mu.Unlock()
	u := &DuoUser{srv: s, name: name, result: "auth", message: "You may log in"}
	s.users[name] = u
	return u
}

// User returns the person of that name, or nil.
func (s *DuoServer) User(name string) *DuoUser {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[name]
}

// do runs f while nobody else looks at the account, and returns u.
func (u *DuoUser) do(f func()) *DuoUser {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	f()
	return u
}

// SetResult sets what preauth says: "auth", "allow", "deny", "enroll", or
// anything else that a client must not understand.
func (u *DuoUser) SetResult(result, message string) *DuoUser {
	return u.do(func() {
		u.result, u.message = result, message
		if result == "enroll" {
			u.portal = u.srv.URL + "/portal?code=acme-sample&akey=DI1ACME2SAMPLE3KEY45"
		}
	})
}

// AddPhone adds a phone that can do what is named: "auto", "push", "sms",
// "phone", "mobile_otp".
func (u *DuoUser) AddPhone(capabilities ...string) *DuoUser {
	return u.AddNamedPhone("", capabilities...)
}

// AddNamedPhone is AddPhone for one with a name.
func (u *DuoUser) AddNamedPhone(name string, capabilities ...string) *DuoUser {
	return u.do(func() {
		number := fmt.Sprintf("XXX-XXX-%04d", 6620+len(u.devices))
		u.devices = append(u.devices, map[string]any{
			"device": "DP" + random(18), "type": "phone", "number": number,
			"name": name, "display_name": strings.TrimSpace(name + " (" + number + ")"), "capabilities": capabilities,
		})
	})
}

// SetCapabilities replaces what the person's phones can do.
func (u *DuoUser) SetCapabilities(capabilities ...string) *DuoUser {
	return u.do(func() {
		for _, d := range u.devices {
			if d["type"] == "phone" {
				d["capabilities"] = capabilities
			}
		}
	})
}

// DeviceIDs returns the ids of the person's devices.
func (u *DuoUser) DeviceIDs() (ids []string) {
	u.do(func() {
		for _, d := range u.devices {
			ids = append(ids, d["device"].(string))
		}
	})
	return ids
}

// AddToken adds a hardware token.
func (u *DuoUser) AddToken() *DuoUser {
	return u.do(func() {
		u.devices = append(u.devices, map[string]any{"device": "DH" + random(18), "type": "token", "name": "0"})
	})
}

// AddPassCode adds passcodes, each good for one login.
func (u *DuoUser) AddPassCode(codes ...string) *DuoUser {
	return u.do(func() { u.passCodes = append(u.passCodes, codes...) })
}

// LockOut makes every factor be denied.
func (u *DuoUser) LockOut() *DuoUser { return u.do(func() { u.lockedOut = true }) }

// Script says what becomes of the next pushes, in order, without anybody's doing.
func (u *DuoUser) Script(outcomes ...DuoOutcome) *DuoUser {
	return u.do(func() { u.script = append(u.script, outcomes...) })
}

// Approve approves the pushes that wait, but none for which a code has to be typed.
func (u *DuoUser) Approve() { u.Answer(true) }

// Reject denies the pushes that wait.
func (u *DuoUser) Reject() { u.Answer(false) }

var (
	duoAllowed = DuoOutcome{"allow", "allow", "You are in."}
	duoDenied  = DuoOutcome{"deny", "deny", "You said no."}
)

// Answer approves or denies the pushes that wait, and returns how many they were. It
// approves none for which a code has to be typed.
func (u *DuoUser) Answer(approve bool) int {
	if approve {
		return u.decide(duoAllowed, func(p *duoPush) bool { return p.code == "" })
	}
	return u.Decide(duoDenied)
}

// Type types a code into the pushes that wait for one: the right code approves, and any
// other denies. It returns how many it has approved.
func (u *DuoUser) Type(code string) (approved int) {
	approved = u.decide(duoAllowed, func(p *duoPush) bool { return p.code != "" && p.code == code })
	u.decide(duoDenied, func(p *duoPush) bool { return p.code != "" })
	return approved
}

// Decide ends the pushes that wait, and returns how many they were.
func (u *DuoUser) Decide(outcome DuoOutcome) int {
	return u.decide(outcome, func(*duoPush) bool { return true })
}

func (u *DuoUser) decide(outcome DuoOutcome, which func(*duoPush) bool) (n int) {
	u.do(func() {
		for _, p := range u.waiting() {
			if which(p) {
				p.decide(outcome)
				n++
			}
		}
	})
	return n
}

// Waiting returns how many pushes wait: one that its client left does not, until
// somebody asks for it again.
func (u *DuoUser) Waiting() (n int) {
	u.do(func() { n = len(u.waiting()) })
	return n
}

// Calling returns how many of those that wait are calls.
func (u *DuoUser) Calling() (n int) {
	u.do(func() {
		for _, p := range u.waiting() {
			if p.call {
				n++
			}
		}
	})
	return n
}

// waiting needs the lock.
func (u *DuoUser) waiting() (list []*duoPush) {
	for _, p := range u.open {
		if !p.left && !p.isDecided() {
			list = append(list, p)
		}
	}
	return list
}

func (p *duoPush) decide(outcome DuoOutcome) {
	if !p.isDecided() {
		p.outcome = outcome
		close(p.decided)
	}
}

func (p *duoPush) isDecided() bool {
	select {
	case <-p.decided:
		return true
	default:
		return false
	}
}

// Pushes returns how many pushes were sent and calls made.
func (u *DuoUser) Pushes() int { return len(u.PushParameters()) }

// PushParameters returns the parameters of each push that was sent, and of each call.
func (u *DuoUser) PushParameters() (sent []url.Values) {
	u.do(func() { sent = slices.Clone(u.sent) })
	return sent
}

// Preauths returns the parameters of each question about the person.
func (u *DuoUser) Preauths() (asked []url.Values) {
	u.do(func() { asked = slices.Clone(u.asked) })
	return asked
}
