package mfatest

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"time"
)

// PingIDUser is a person whom the organization knows, with their devices.
type PingIDUser struct {
	srv  *PingIDServer
	name string

	// All below are guarded by srv.mu.
	status    string
	devices   []*PingIDDevice
	script    []PingIDOutcome
	begins    []PingIDOutcome
	pushes    int
	sent      int
	cancelled int
	resync    bool
	passCodes []string    // good once, of what makes its own
	open      []*pingPush // may hold decided ones
	code      string      // the last one that was sent
	last      string      // the device of the last authentication
}

// PingIDDevice is one of a person's devices.
type PingIDDevice struct {
	ID       int64  // zero: AddDevice makes one up, larger than a float64 can tell apart
	Type     string // PingID's word, such as "Android", "SMS" or "YubiKey"
	Nickname string
	Push     bool
}

// PingIDOutcome is what becomes of a push, or of another request. The errorId 200 is
// success.
type PingIDOutcome struct {
	Status  int // of HTTP; zero: 200
	ErrorID int
	Message string
}

// pingPush is a push on its way.
type pingPush struct {
	decided chan struct{}
	outcome PingIDOutcome
	number  int // zero: none
}

// pingSession is an authentication that has begun.
type pingSession struct {
	user   *PingIDUser
	device *PingIDDevice
	push   *pingPush // nil: a passcode ends it
	code   string    // that was sent; empty: the device makes its own
	sent   time.Time // when it was
	over   bool
}

// messagesKept is how many messages an organization remembers.
const messagesKept = 20

// PingIDMessage is a code that was sent to one of a person's devices.
type PingIDMessage struct {
	User   string
	Device PingIDDevice // its type is the way that the message went
	Code   string
	Sent   time.Time
	// Valid reports whether the code can still be used: the authentication that it was sent
	// for is not over.
	Valid bool
}

// Messages returns the last 20 messages that were sent, in their order.
func (s *PingIDServer) Messages() (list []PingIDMessage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, at := range s.messages {
		list = append(list, PingIDMessage{User: at.user.name, Device: *at.device, Code: at.code, Sent: at.sent, Valid: !at.over})
	}
	return list
}

// AddUser adds a person with a phone that takes pushes.
func (s *PingIDServer) AddUser(name string) *PingIDUser {
	u := s.AddUserWith(name)
	u.AddDevice(PingIDDevice{Type: "iPhone", Push: true})
	return u
}

// AddUserWith adds a person with devices; the first one is their default.
func (s *PingIDServer) AddUserWith(name string, devices ...PingIDDevice) *PingIDUser {
	u := &PingIDUser{srv: s, name: name, status: "ACTIVE"}
	for _, d := range devices {
		u.AddDevice(d)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.users[name] = u
	return u
}

// User returns the person of that name, or nil.
func (s *PingIDServer) User(name string) *PingIDUser {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[name]
}

// AddDevice adds a device, and returns its id.
func (u *PingIDUser) AddDevice(d PingIDDevice) int64 {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	d.ID = cmp.Or(d.ID, 9_007_199_254_740_993+2*rand.Int64N(1<<40))
	u.devices = append(u.devices, &d)
	return d.ID
}

// SetStatus changes the status of the account, which is ACTIVE.
func (u *PingIDUser) SetStatus(status string) {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.status = status
}

// Script says what becomes of the next pushes, in order, without anybody's doing.
func (u *PingIDUser) Script(outcomes ...PingIDOutcome) *PingIDUser {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.script = append(u.script, outcomes...)
	return u
}

// ScriptBegin says what the next calls of startauthentication are answered with.
func (u *PingIDUser) ScriptBegin(outcomes ...PingIDOutcome) *PingIDUser {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.begins = append(u.begins, outcomes...)
	return u
}

// AddPassCode adds passcodes of a device that makes its own. Each is good once.
func (u *PingIDUser) AddPassCode(codes ...string) *PingIDUser {
	u.srv.addSecrets(codes...)
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.passCodes = append(u.passCodes, codes...)
	return u
}

// PassCode returns the code that was sent last or, where none was, a new one of a device
// that makes its own.
func (u *PingIDUser) PassCode() string {
	code := u.SentCode()
	if code == "" {
		code = sixDigits()
		u.AddPassCode(code)
	}
	return code
}

// SentCode returns the code that was sent last. It is empty where none was, or where it
// was used.
func (u *PingIDUser) SentCode() string {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.code
}

func sixDigits() string { return fmt.Sprintf("%06d", rand.N(1_000_000)) }

// LastDevice returns the nickname of the device of the last authentication that
// startauthentication began.
func (u *PingIDUser) LastDevice() string {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return u.last
}

// RequireResync has the next right passcode of a token be followed by another one.
func (u *PingIDUser) RequireResync() {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.resync = true
}

// Approve approves the pushes that wait.
func (u *PingIDUser) Approve() { u.Answer(true) }

// Reject denies the pushes that wait. PingID documents no id of its own for that:
// this one is its general "Failed transaction. Please retry".
func (u *PingIDUser) Reject() { u.Answer(false) }

// Answer approves or denies the pushes that wait, and returns how many they were.
func (u *PingIDUser) Answer(approve bool) int {
	if approve {
		return u.Decide(approvedByPingID)
	}
	return u.Decide(failedTransaction)
}

var (
	approvedByPingID  = PingIDOutcome{ErrorID: 200, Message: "ok"}
	failedTransaction = PingIDOutcome{Status: http.StatusBadRequest, ErrorID: 10551, Message: "Failed transaction. Please retry."}
)

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

// Pick picks a number on the phone: that approves the pushes that wait with this number,
// and denies those that wait with another one. It returns how many they were.
func (u *PingIDUser) Pick(n int) (approved, rejected int) {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.forgetDecided()
	for _, p := range u.open {
		switch p.number {
		case 0:
		case n:
			p.decide(approvedByPingID)
			approved++
		default:
			p.decide(failedTransaction)
			rejected++
		}
	}
	return approved, rejected
}

// Waiting returns how many pushes wait. One that its client left does not.
func (u *PingIDUser) Waiting() int {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.forgetDecided()
	return len(u.open)
}

// Number returns the right number of a push that waits, and whether there is one.
func (u *PingIDUser) Number() (int, bool) {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	u.forgetDecided()
	for _, p := range u.open {
		if p.number != 0 {
			return p.number, true
		}
	}
	return 0, false
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

// Pushes returns how many pushes were sent, Sent how many codes, and Cancelled how many
// authentications were withdrawn.
func (u *PingIDUser) Pushes() int    { return u.count(&u.pushes) }
func (u *PingIDUser) Sent() int      { return u.count(&u.sent) }
func (u *PingIDUser) Cancelled() int { return u.count(&u.cancelled) }

func (u *PingIDUser) count(n *int) int {
	u.srv.mu.Lock()
	defer u.srv.mu.Unlock()
	return *n
}

// device returns the one of that id, or the default one where it is zero. It needs the
// lock.
func (u *PingIDUser) device(id int64) *PingIDDevice {
	for _, d := range u.devices {
		if id == 0 || d.ID == id {
			return d
		}
	}
	return nil
}
