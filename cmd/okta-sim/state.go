package main

import (
	"net/http"
	"slices"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// state is what the page shows, but for the requests.
type state struct {
	Waiting  int            `json:"waiting_pushes"`
	Users    []userState    `json:"users"`
	Messages []messageState `json:"messages"` // newest first
	Switches switchesState  `json:"switches"`
}

type userState struct {
	ID       string        `json:"id"`
	Login    string        `json:"login"`
	Password string        `json:"password"`
	Status   string        `json:"status"`
	Groups   int           `json:"groups"`
	Factors  []factorState `json:"factors"`
	Duo      serviceState  `json:"duo"`
	PingID   serviceState  `json:"pingid"`
}

type factorState struct {
	ID       string     `json:"id"`
	Type     string     `json:"type"`
	Provider string     `json:"provider"`
	Name     string     `json:"name,omitempty"`   // of a device
	To       string     `json:"to,omitempty"`     // where codes are sent
	Code     string     `json:"code,omitempty"`   // shown, sent or fixed
	Until    *time.Time `json:"until,omitempty"`  // when the code ends
	Button   bool       `json:"button,omitempty"` // to be pressed for a code
	QR       bool       `json:"qr,omitempty"`
	Pushes   int        `json:"pushes"`
	Waiting  int        `json:"waiting"`
	Number   *int       `json:"number,omitempty"` // the right one
	Choices  []int      `json:"choices,omitempty"`
}

// serviceState is what there is of a user at Duo or PingID.
type serviceState struct {
	Pushes   int   `json:"pushes"`
	Waiting  int   `json:"waiting"`
	Calls    int   `json:"calls,omitempty"`  // of those that wait
	Number   *int  `json:"number,omitempty"` // the right one
	Choices  []int `json:"choices,omitempty"`
	Verified int   `json:"verified_push,omitempty"` // digits of the code that Duo demands
	Typed    bool  `json:"typed,omitempty"`         // a push that waits wants a code typed
}

// messageState is a code that Okta or PingID has sent.
type messageState struct {
	User    string    `json:"user"`
	Service string    `json:"service"` // okta or pingid
	By      string    `json:"by"`      // sms, call or email
	To      string    `json:"to"`      // a masked number or address, or a device of PingID's
	Code    string    `json:"code"`
	SentAt  time.Time `json:"sent_at"`
	Valid   bool      `json:"valid"` // the code can still be used
}

// state answers who exists, what their devices show and which pushes wait.
func (c control) state(w http.ResponseWriter, _ *http.Request) {
	out := state{Users: []userState{}, Messages: c.messages(), Switches: c.switches.state()}
	for _, u := range c.org.Users() {
		user := userState{
			ID: u.ID, Login: u.Login(), Password: u.Password(), Status: u.Status(), Groups: len(u.Groups()),
			Factors: []factorState{}, Duo: stateAtDuo(c.duo.User(u.Login())), PingID: stateAtPingID(c.pingID.User(u.Login())),
		}
		out.Waiting += user.Duo.Waiting + user.PingID.Waiting
		for _, f := range u.Factors() {
			state := stateOf(f)
			out.Waiting += state.Waiting
			user.Factors = append(user.Factors, state)
		}
		out.Users = append(out.Users, user)
	}
	reply(w, http.StatusOK, out)
}

func stateOf(f *oktatest.Factor) factorState {
	state := factorState{
		ID: f.ID, Type: f.Type, Provider: f.Provider, Name: f.Name(), Button: f.HasButton(),
		QR: f.Type == totpType, Pushes: f.Pushes(), Waiting: f.Waiting(),
	}
	code, until := f.Shown()
	state.Code, state.Until = code, notZero(until)
	switch f.Type {
	case "push":
		state.Number, state.Choices = picking(f.WaitingNumber())
	case "sms", "call", "email":
		state.To = f.Destination()
	}
	return state
}

func stateAtDuo(u *mfatest.DuoUser) serviceState {
	return serviceState{
		Pushes: u.Pushes(), Waiting: u.Waiting(), Calls: u.Calling(), Verified: u.VerifiedPush(), Typed: u.WantedCode() != "",
	}
}

func stateAtPingID(u *mfatest.PingIDUser) serviceState {
	state := serviceState{Pushes: u.Pushes(), Waiting: u.Waiting()}
	state.Number, state.Choices = picking(u.Number())
	return state
}

// messages lists what Okta and PingID have sent, newest first.
func (c control) messages() []messageState {
	list := []messageState{}
	for _, m := range c.org.Messages() {
		list = append(list, messageState{m.Factor.User.Login(), "okta", m.Factor.Type, m.To, m.Code, m.Sent.UTC(), m.Valid})
	}
	ways := map[string]string{"SMS": "sms", "Voice": "call", "Email": "email"}
	for _, m := range c.pingID.Messages() {
		list = append(list, messageState{m.User, "pingid", ways[m.Device.Type], m.Device.Nickname, m.Code, m.Sent.UTC(), m.Valid})
	}
	slices.SortStableFunc(list, func(a, b messageState) int { return b.SentAt.Compare(a.SentAt) })
	return list
}

// picking returns the right number of a push and the three that the phone shows. They
// stay the same while the push waits.
func picking(n int, set bool) (right *int, choices []int) {
	if !set {
		return nil, nil
	}
	choices = []int{n, (n + 37) % 100, (n + 61) % 100}
	slices.Sort(choices)
	return &n, choices
}

func notZero(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}
