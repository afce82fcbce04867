package main

import (
	"fmt"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// services are where else the users have a second factor.
type services struct {
	duo    *mfatest.DuoServer
	pingID *mfatest.PingIDServer
}

// startServices starts a Duo and a PingID that know the users by their logins.
func startServices(cfg config, users []*oktatest.User) (*services, error) {
	duo, err := mfatest.StartDuo(cfg.duo)
	if err != nil {
		return nil, fmt.Errorf("-duo: %w", err)
	}
	pingID, err := mfatest.StartPingID(cfg.pingID)
	if err != nil {
		duo.Close()
		return nil, fmt.Errorf("-pingid: %w", err)
	}
	pingID.SetNumberMatching(cfg.numbers)
	for _, u := range users {
		duo.AddUser(u.Login()).AddPhone("auto", "push", "phone", "mobile_otp")
		phone := mfatest.PingIDDevice{Type: "iPhone", Nickname: "PingID phone", Push: true}
		pingID.AddUserWith(u.Login(), phone, mfatest.PingIDDevice{Type: "SMS", Nickname: "PingID SMS"})
	}
	return &services{duo, pingID}, nil
}

func (s *services) close() {
	s.duo.Close()
	s.pingID.Close()
}

// answer approves or rejects a user's waiting pushes, and returns how many.
func (s *services) answer(login string, approve bool) int {
	return s.duo.User(login).Answer(approve) + s.pingID.User(login).Answer(approve)
}

// serviceState is what the control API tells of a user's phone at a service.
type serviceState struct {
	Pushes  int `json:"pushes"`
	Waiting int `json:"waiting"`
	Number  int `json:"number,omitempty"` // of number matching
}

func stateAt(phone interface {
	Pushes() int
	Waiting() int
}) serviceState {
	return serviceState{Pushes: phone.Pushes(), Waiting: phone.Waiting()}
}

// stateAtPingID is stateAt with the number of the push that waits.
func stateAtPingID(u *mfatest.PingIDUser) serviceState {
	state := stateAt(u)
	state.Number, _ = u.Number()
	return state
}
