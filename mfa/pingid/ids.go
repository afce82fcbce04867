package pingid

import (
	"fmt"
	"net/http"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// step is what an error id means for a login. "Error" is PingID's word: 200 is one, too.
type step int

const (
	stepDone   step = iota + 1 // the person may pass
	stepWait                   // a push waits on the phone
	stepSent                   // a code has been sent
	stepCode                   // the person has something that makes a code
	stepOnline                 // authonline sends the push
	stepChoose                 // the person has to choose one of their devices
	stepFail                   // the login ends
)

// meaning is what an error id means.
type meaning struct {
	step step
	// words name the passcode that PingID wants, or tell why the login ends and what the
	// person can do.
	words string
	// sends is the type of the code that was sent, of stepSent.
	sends okta.FactorType
	// mount says that the mount is at fault, which an administrator has to hear. Otherwise
	// stepFail is the person's.
	mount bool
	// err is what stepFail is instead of the words, for those that package mfa has its own
	// error for.
	err error
}

// success is the only id that lets a person pass.
const success = 200

// Ids of errors that this package looks for.
const (
	noSuchUser  = 10564
	outOfStep   = 30016
	sessionOver = 20517
)

// ids are the error ids of PingID's documentation, and those of passcodes that it leaves
// out, as clients of PingID are seen to read them (20513, 20517, 20558 and 20559; the
// release notes have 20549, 20562 and 20570).
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiErrorCodes.html
var ids = map[int]meaning{
	success: {step: stepDone},

	30001:     {step: stepSent, sends: okta.FactorSMS, words: "the code that PingID has sent you by SMS"},
	30002:     {step: stepSent, sends: okta.FactorCall, words: "the code that PingID tells you by telephone"},
	30003:     {step: stepCode, words: "the code that the PingID app shows, which takes no push"},
	30004:     {step: stepCode, words: "what your YubiKey types when you touch it"},
	30005:     {step: stepSent, sends: okta.FactorEmail, words: "the code that PingID has sent you by e-mail"},
	30006:     {step: stepCode, words: "the code that the PingID app shows"},
	30007:     {step: stepOnline, words: "an answer on your phone"},
	30008:     {step: stepChoose, words: "the choice of a device"},
	30009:     {step: stepCode, words: "the code that the PingID app shows"},
	30010:     {step: stepWait, words: "an answer on your phone"},
	30012:     {step: stepCode, words: "the code of your hardware token"},
	30015:     {step: stepCode, words: "the code of your authenticator app"},
	outOfStep: {step: stepCode, words: "the next code of your token, which is out of step with PingID: wait until it shows another"},

	30011: {step: stepFail, words: "your device is a security key, which needs a browser: use another device of yours"},
	30013: {step: stepFail, words: "your device wants biometrics in a browser: use another device of yours"},
	30014: {step: stepFail, words: "a policy of PingID's for logins without a password applies, which needs a browser: ask your PingID administrator"},
	30018: {step: stepFail, words: "your device is a FIDO2 passkey, which needs a browser: use another device of yours"},

	10551:      {step: stepFail, words: "the request was rejected or not answered, or PingID could not carry it out: log in again"},
	noSuchUser: {step: stepFail, err: mfa.ErrUnknownPerson},

	20513:       {step: stepFail, err: mfa.ErrWrongPassCode},
	sessionOver: {step: stepFail, words: "PingID has given this authentication up, perhaps because it took too long: log in again"},
	20558:       {step: stepFail, words: "PingID could not send the code: log in again later, or use another device of yours"},
	20559:       {step: stepFail, words: "PingID could not send the code, because your number there is not valid: ask your PingID administrator to correct it"},

	// What this package never asks for, or asks for wrongly.
	400:   {step: stepFail, mount: true, words: "the input was refused"},
	10552: {step: stepFail, mount: true, words: "a service could not be taken from the user"},
	10553: {step: stepFail, mount: true, words: "the user could not be deleted"},
	10554: {step: stepFail, mount: true, words: "a service could not be added"},
	10555: {step: stepFail, mount: true, words: "a service could not be added"},
	10556: {step: stepFail, mount: true, words: "another user has the name"},
	10557: {step: stepFail, mount: true, words: "the service could not be changed"},
	10558: {step: stepFail, mount: true, words: "the user could not be changed"},
	10559: {step: stepFail, mount: true, words: "the user could not be suspended"},
	10561: {step: stepFail, mount: true, words: "the user is not active, and was not suspended"},
	10562: {step: stepFail, mount: true, words: "the user is active already"},
	10563: {step: stepFail, mount: true, words: "the user has the name in another service already"},
	10565: {step: stepFail, mount: true, words: "the user could not be activated"},
	20549: {step: stepFail, mount: true, words: "the user exists already"},
	20562: {step: stepFail, mount: true, words: "the user has too many devices"},
	20570: {step: stepFail, mount: true, words: "WebAuthn is not there"},
}

// meaning looks the answer's id up. An unknown one ends the login.
func (a answer) meaning() meaning {
	if how, known := ids[*a.ErrorID]; known {
		return how
	}
	return meaning{step: stepFail, words: "PingID refuses, for a reason that this plugin does not know"}
}

// failure is the error of an answer that a login cannot go on with.
func (a answer) failure() error {
	how := a.meaning()
	text := fmt.Sprintf("PingID error %d", *a.ErrorID)
	if a.ErrorMsg != "" {
		text += ": " + service.Clip(a.ErrorMsg)
	}
	var err error
	switch {
	case how.err != nil:
		err = how.err
	case how.mount:
		text += ", which means that " + how.words
		if a.MessageID != "" { // for PingID's support
			text += " (message " + service.Clip(a.MessageID) + ")"
		}
		err = &mfa.ServiceError{Status: max(a.status, http.StatusBadRequest), Message: text}
	case how.step != stepFail:
		err = &mfa.DeniedError{Reason: "PingID wants " + how.words + " (" + text + ")"}
	default:
		err = &mfa.DeniedError{Reason: how.words + " (" + text + ")"}
	}
	if !a.unsigned && (how.mount || *a.ErrorID == noSuchUser) {
		return mfa.MarkNotSent(err)
	}
	return err
}
