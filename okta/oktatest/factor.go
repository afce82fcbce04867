package oktatest

import (
	"encoding/base32"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Factor is a factor that a user has enrolled.
type Factor struct {
	// ID is the permanent id, with Okta's prefix for the type where it is
	// known, such as "opf...".
	ID string
	// User has the factor.
	User *User
	// Type and Provider are Okta's factorType and provider.
	Type, Provider string

	name        string
	status      string
	destination string // masked: where codes are sent to

	script     []string
	number     *int
	numberFrom int
	polls      int
	polled     time.Time // when a push was last polled
	withdrawn  int

	secret     []byte
	generator  generator // nil if the code is fixed or sent
	wantNext   bool      // the next right code is not enough
	challenged string    // that right code, until another followed

	code        string    // what answers the factor, if nothing generates it
	codeExpires time.Time // zero if it was not sent
	codeFor     string    // the state token that it was sent for
	sends       int
	sent        time.Time // when a code or push was last sent
}

// idPrefixes are those of ids that were observed.
var idPrefixes = map[string]string{
	"push": "opf", "token:software:totp": "ost", "sms": "sms", "call": "clf", "email": "emf",
	"question": "ufs", "webauthn": "fwf", "u2f": "fuf", "web": "dsf", "token": "rsa",
}

// AddFactor enrols a factor of any type: "sms", "call", "email" and
// "question" of OKTA, "webauthn" of FIDO, "web" of DUO and so on. Types that
// Okta knows nothing of are published like the others.
//
// These have a device that makes their codes:
//
//   - "token:software:totp" of OKTA or GOOGLE, RFC 6238.
//   - "token:hotp" of CUSTOM, RFC 4226: a button, and 10 codes of look-ahead.
//   - "token:hardware" of YUBICO: OTPs of 44 characters, each good once and
//     only before a newer one.
//   - "token" of RSA, a code a minute, and of SYMANTEC, one every 30 seconds.
//
// Codes sent by sms, call and email are made when they are sent. A push and
// what needs a browser have none: "webauthn", "u2f", "web", "claims_provider"
// and "signed_nonce", which nothing completes. The other types have a fixed
// one, "oktatest-answer" or "012345". Code returns it and SetCode changes it.
func (u *User) AddFactor(factorType, provider string) *Factor {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	nth := 1
	for _, f := range u.factors {
		if f.Type == factorType {
			nth++
		}
	}
	id := stableID("factor", u.ID, factorType, provider, fmt.Sprint(nth))
	f := &Factor{
		ID: idPrefix(factorType) + id, User: u, Type: factorType, Provider: provider,
		destination: destination(factorType, u.login),
		script:      []string{"WAITING"},
	}
	switch factorType {
	case "push", "webauthn":
		f.name = fmt.Sprintf("Phone %d", nth)
	}
	f.equip(deviceSecret(id))
	u.factors = append(u.factors, f)
	return f
}

func idPrefix(factorType string) string {
	if prefix := idPrefixes[factorType]; prefix != "" {
		return prefix
	}
	return "fac"
}

// equip gives the factor what makes its codes.
func (f *Factor) equip(secret []byte) {
	f.generator = newGenerator(f.Type, f.Provider, secret)
	switch {
	case f.generator != nil:
		f.secret = secret
		f.User.org.addSecret(base32.StdEncoding.EncodeToString(secret))
	case f.Type == "sms", f.Type == "call", f.Type == "email":
		// A code is made when it is sent.
	case f.Type == "push", f.needsBrowser():
		// Nothing to type.
	case f.Type == "question":
		f.code = "oktatest-answer"
	default:
		f.code = "012345"
	}
	f.User.org.addSecret(f.code)
}

// needsBrowser says that a challenge of the factor is answered by a browser.
func (f *Factor) needsBrowser() bool {
	switch f.Type {
	case "webauthn", "u2f", "web", "claims_provider", "signed_nonce":
		return true
	}
	return false
}

// AddPush enrols an Okta Verify push. The script is what each new push does:
// the request that sends it answers WAITING, the first poll answers the
// first entry of the script, the second poll the second, and the last entry
// repeats. Only when the script starts with something else than WAITING, the
// request that sends the push answers that already.
//
// SUCCESS completes the factor. REJECTED, TIMEOUT, CANCELLED, ERROR and any
// other entry end the push with that factorResult; an empty one leaves
// factorResult out. An empty script is a push that waits for Approve,
// Reject, or the end of its life.
func (u *User) AddPush(script ...string) *Factor {
	f := u.AddFactor("push", "OKTA")
	if len(script) > 0 {
		f.SetScript(script...)
	}
	return f
}

// AddTOTP enrols a time-based code generator of provider "GOOGLE" or "OKTA".
func (u *User) AddTOTP(provider string) *Factor {
	return u.AddFactor("token:software:totp", provider)
}

// SetScript replaces the script of the pushes still to be sent; see AddPush.
func (f *Factor) SetScript(script ...string) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.script = slices.Clone(script)
	if len(f.script) == 0 {
		f.script = []string{"WAITING"}
	}
}

// Number adds a number challenge to the factor's pushes: the user would pick
// n on the phone. While the push is waiting, answers show it from a poll on:
// 1 is the first poll, 0 the request that sends the push.
func (f *Factor) Number(n, fromPoll int) *Factor {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.number, f.numberFrom = &n, fromPoll
	return f
}

// CorrectAnswer returns the number that Number set.
func (f *Factor) CorrectAnswer() (n int, set bool) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	if f.number == nil {
		return 0, false
	}
	return *f.number, true
}

// Name returns the name of a device; see SetName.
func (f *Factor) Name() string {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.name
}

// SetName changes the name of a device. By default those of pushes and
// webauthn are "Phone 1", "Phone 2" and so on, and others have none.
func (f *Factor) SetName(name string) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.name = name
}

// SetStatus gives the factor a status, such as PENDING_ACTIVATION or
// INACTIVE. Enrolled factors usually have none in transactions, which is the
// default. A factor that is NOT_SETUP is published in MFA_ENROLL only.
func (f *Factor) SetStatus(status string) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.status = status
}

// SetDestination changes where codes are sent to, as the factor's profile
// shows it: a masked phone number such as "+1 XXX-XXX-4821", or an address.
func (f *Factor) SetDestination(masked string) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.destination = masked
}

// Sent returns the number of codes, or of push notifications, sent.
func (f *Factor) Sent() int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.sends
}

// LastSent returns when a code or a push was last sent, by the
// organization's clock; the zero time if none was.
func (f *Factor) LastSent() time.Time {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.sent
}

// Pushes returns the number of push notifications sent.
func (f *Factor) Pushes() int {
	if f.Type != "push" {
		return 0
	}
	return f.Sent()
}

// Polls returns how many requests asked for the outcome of a push. The one
// that sends the push is none.
func (f *Factor) Polls() int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.polls
}

// LastPoll returns when the outcome of a push was last asked for, by the
// organization's clock; the zero time if it never was.
func (f *Factor) LastPoll() time.Time {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.polled
}

// Withdrawn returns the number of pushes that were given up while they
// waited for the user: the transaction was cancelled or went back to the
// choice of factors, another challenge took their place, or the code of
// another factor made them needless.
func (f *Factor) Withdrawn() int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.withdrawn
}

// Waiting returns the number of pushes that wait for the user.
func (f *Factor) Waiting() int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return len(f.waiting())
}

// Approve accepts all pushes of the factor that wait, and returns how many
// they were. The next poll of each completes the factor.
func (f *Factor) Approve() int { return f.decide("SUCCESS") }

// Reject denies all pushes of the factor that wait, and returns how many
// they were.
func (f *Factor) Reject() int { return f.decide("REJECTED") }

func (f *Factor) decide(result string) int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	waiting := f.waiting()
	for _, ch := range waiting {
		ch.decided = result
	}
	return len(waiting)
}

// waiting needs the lock.
func (f *Factor) waiting() []*challenge {
	var list []*challenge
	now := f.User.org.opts.Now()
	for _, tx := range f.User.org.transactions {
		if ch := tx.challenge; ch != nil && ch.factor == f && ch.waits(now) && !now.After(tx.expires) {
			list = append(list, ch)
		}
	}
	return list
}

// Code returns what answers the factor now: the code that the device shows
// by the organization's clock, the code last sent (nothing before that), or
// the fixed one. Every call presses the button of a HOTP generator and
// touches a YubiKey: it returns the next code. The one before stays good
// until a later one was accepted, but a HOTP generator that was pressed ten
// times in vain is out of step.
func (f *Factor) Code() string {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	if f.generator == nil {
		return f.code
	}
	code := f.generator.code(f.User.org.opts.Now())
	f.User.org.addSecret(code)
	return code
}

// SetCode changes the fixed code of a factor or the code last sent. A factor
// with a device gets a fixed code in its place, which is good any number of
// times.
func (f *Factor) SetCode(code string) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.code, f.generator = code, nil
	f.User.org.addSecret(code)
}

// json is the factor in a transaction.
func (f *Factor) json(c *call) object {
	out := object{
		"id":         f.ID,
		"factorType": f.Type,
		"provider":   f.Provider,
		"vendorName": f.Provider,
		"profile":    f.profile(),
	}
	if f.status != "" {
		out["status"] = f.status
	}
	if f.status == "NOT_SETUP" {
		out["enrollment"] = "REQUIRED"
		out["_links"] = object{"enroll": link("", c.base+"/api/v1/authn/factors")}
	} else {
		out["_links"] = object{"verify": link("", f.verifyURL(c))}
	}
	return out
}

func (f *Factor) verifyURL(c *call) string {
	return c.base + "/api/v1/authn/factors/" + f.ID + "/verify"
}

func (f *Factor) profile() object {
	login := f.User.login
	switch f.Type {
	case "push", "token:software:totp":
		if f.Provider == "OKTA" && f.User.org.opts.EmptyVerifyProfile {
			return object{}
		}
		if f.Type == "token:software:totp" {
			return object{"credentialId": login}
		}
		return object{
			"credentialId": login, "deviceType": "SmartPhone_Android", "name": f.name,
			"platform": "ANDROID", "version": "34",
			"keys": []any{object{"kty": "RSA", "use": "sig", "kid": "default", "e": "AQAB", "n": "sample"}},
		}
	case "sms", "call":
		return object{"phoneNumber": f.destination}
	case "email":
		return object{"email": f.destination}
	case "question":
		return object{"question": "disliked_food", "questionText": "What is the food you least liked as a child?"}
	case "webauthn":
		return object{"credentialId": "credential-" + f.ID, "authenticatorName": f.name}
	}
	if y, ok := f.generator.(*yubiKey); ok {
		return object{"credentialId": y.serial()}
	}
	return object{"credentialId": login}
}

// destination is where codes go by default, masked as Okta does.
func destination(factorType, login string) string {
	if factorType != "email" {
		return "+1 XXX-XXX-4821"
	}
	before, domain, _ := strings.Cut(login, "@")
	if before != "" {
		before = before[:1] + "..." + before[len(before)-1:]
	}
	return before + "@" + domain
}
