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
