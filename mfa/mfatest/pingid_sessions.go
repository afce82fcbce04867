package mfatest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
)

// This file holds the operations of an authentication that begins, is asked about and
// ends, and the one that tells a person's devices.

// open opens a session. It needs the lock.
func (s *PingIDServer) open(u *PingIDUser, d *PingIDDevice) (string, *pingSession) {
	id := "webs_" + random(43)
	s.addSecrets(id)
	s.sessions[id] = &pingSession{user: u, device: d}
	return id, s.sessions[id]
}

// begin begins an authentication: it sends a code at once and, where the client is going
// to ask for the outcome, a push. It needs the lock.
func (s *PingIDServer) begin(req pingRequest) (PingIDOutcome, map[string]any) {
	u := s.users[req.Body.UserName]
	if u == nil {
		return nobody, nil
	}
	d := u.device(req.Body.DeviceID)
	id, at := s.open(u, d)
	more := map[string]any{
		"sessionId": id, "multipleDevicesEnabled": len(u.devices) > 1, "userDevices": u.describe(),
		"extendedAuthenticationDetails": map[string]any{"numberForMatching": nil},
	}
	if d != nil {
		u.last = d.Nickname
	}
	switch {
	case len(u.begins) > 0:
		outcome := u.begins[0]
		u.begins = u.begins[1:]
		return outcome, more
	case d == nil:
		return invalidInput("deviceId"), nil
	case s.choice && req.Body.DeviceID == 0 && len(u.devices) > 1:
		return PingIDOutcome{ErrorID: 30008, Message: "Multiple devices selection flow."}, more
	case d.Push && (req.Body.Async == true || req.Body.Async == "true"):
		return s.beginPush(u, at, more)
	}
	return u.beginCode(at), more
}

// beginPush sends a push that the client asks about.
func (s *PingIDServer) beginPush(u *PingIDUser, at *pingSession, more map[string]any) (PingIDOutcome, map[string]any) {
	if u.forgetDecided(); len(u.open) > 0 { // the app holds one
		return failedTransaction, more
	}
	at.push = u.ring()
	if s.numbers {
		at.push.number = 10 + rand.N(90)
		more["extendedAuthenticationDetails"] = map[string]any{"numberForMatching": at.push.number, "adminHelp": nil}
	}
	return PingIDOutcome{ErrorID: 30010, Message: "Waiting for the client's response."}, more
}

// beginCode sends a code, or tells what makes one.
func (u *PingIDUser) beginCode(at *pingSession) PingIDOutcome {
	sent := map[string]int{"SMS": 30001, "Voice": 30002, "Email": 30005}[at.device.Type]
	if sent != 0 {
		u.sent++
		u.code = sixDigits()
		at.code, at.sent = u.code, u.srv.time()
		u.srv.messages = append(u.srv.messages[max(0, len(u.srv.messages)+1-messagesKept):], at)
		return PingIDOutcome{ErrorID: sent, Message: "Enter the code that you were sent."}
	}
	made := map[string]int{"YubiKey": 30004, "Hardware Token": 30012, "Authenticator App": 30015, "Security Key": 30011, "FIDO2 Biometrics": 30013}[at.device.Type]
	switch {
	case at.device.Push:
		made = 30007
	case made == 0:
		made = 30009
	}
	return PingIDOutcome{ErrorID: made, Message: "Enter a code."}
}

// status tells what has become of a push. It needs the lock.
func (s *PingIDServer) status(req pingRequest) (PingIDOutcome, map[string]any) {
	at := s.sessions[req.Body.Session]
	switch {
	case at == nil || at.over || at.push == nil:
		return sessionIsOver, nil
	case !at.push.isDecided():
		return PingIDOutcome{ErrorID: 30010, Message: "Waiting for the client's response."}, nil
	}
	at.over = at.push.outcome.ErrorID < 30001 || at.push.outcome.ErrorID > 30018
	return at.push.outcome, nil
}

var (
	sessionIsOver = PingIDOutcome{http.StatusBadRequest, 20517, "The session is not valid."}
	wrongCode     = PingIDOutcome{http.StatusBadRequest, 20513, "The passcode is not valid."}
)

// offline verifies a passcode. It needs the lock.
func (s *PingIDServer) offline(req pingRequest) (PingIDOutcome, map[string]any) {
	at, more := s.sessions[req.Body.Session], map[string]any{"sessionId": req.Body.Session}
	if at == nil || at.over || at.user != s.users[req.Body.UserName] {
		return sessionIsOver, more
	}
	u := at.user
	switch i := slices.Index(u.passCodes, req.Body.OTP); {
	case at.code != "" && at.code == req.Body.OTP:
		u.code = ""
	case at.code != "" || i < 0:
		return wrongCode, more
	case u.resync:
		u.passCodes = slices.Delete(u.passCodes, i, i+1)
		u.resync = false
		return PingIDOutcome{ErrorID: 30016, Message: "Enter the next code."}, more
	default:
		u.passCodes = slices.Delete(u.passCodes, i, i+1)
	}
	at.over = true
	return PingIDOutcome{ErrorID: 200, Message: "ok"}, more
}

// cancel ends an authentication. It needs the lock.
func (s *PingIDServer) cancel(req pingRequest) (PingIDOutcome, map[string]any) {
	at := s.sessions[req.Body.Session]
	if at == nil || at.over {
		return sessionIsOver, nil
	}
	at.over = true
	at.user.cancelled++
	if at.push != nil {
		at.push.decide(failedTransaction)
	}
	return PingIDOutcome{ErrorID: 200, Message: "ok"}, nil
}

// details tells a person's devices.
func (s *PingIDServer) details(w http.ResponseWriter, r *http.Request, req pingRequest) {
	s.mu.Lock()
	u, hidden := s.users[req.Body.UserName], s.hidden
	var details map[string]any
	if u != nil {
		devices := u.describe()
		details = map[string]any{"userName": u.name, "status": u.status, "userEnabled": true, "devicesDetails": devices}
		if len(devices) > 0 {
			details["deviceDetails"] = devices[0]
		}
	}
	s.mu.Unlock()
	switch {
	case hidden:
		http.NotFound(w, r)
	case u == nil:
		s.answer(w, req, nobody, nil)
	default:
		s.answer(w, req, PingIDOutcome{ErrorID: 200, Message: "ok"}, map[string]any{"userDetails": details})
	}
}

// describe tells the devices, with what a client has to keep to itself. It needs the lock.
func (u *PingIDUser) describe() []map[string]any {
	devices := []map[string]any{}
	for i, d := range u.devices {
		devices = append(devices, map[string]any{
			"deviceId": d.ID, "type": d.Type, "nickname": d.Nickname, "pushEnabled": d.Push,
			"deviceRole":  map[bool]string{true: "PRIMARY", false: "SECONDARY"}[i == 0],
			"phoneNumber": fmt.Sprintf("1555000%04d", i), "email": "mia@acme.test", "displayID": "", "deviceModel": "made up",
		})
	}
	return devices
}
