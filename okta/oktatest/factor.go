package oktatest

import (
	"crypto/sha256"
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

	name   string
	status string

	script      []string
	pushes      int
	number      *int
	numberFrom  int
	secret      []byte
	usedSteps   map[int64]bool
	code        string    // what answers the factor, if neither push nor TOTP
	sent        time.Time // when a code was last sent
	codeExpires time.Time
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
// Codes sent by sms, call and email are made when they are sent; the other
// types have a fixed one, "oktatest-answer" or "012345". Code returns it and
// SetCode changes it.
func (u *User) AddFactor(factorType, provider string) *Factor {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	prefix := idPrefixes[factorType]
	if prefix == "" {
		prefix = "fac"
	}
	nth := 1
	for _, f := range u.factors {
		if f.Type == factorType {
			nth++
		}
	}
	id := stableID("factor", u.ID, factorType, provider, fmt.Sprint(nth))
	f := &Factor{
		ID: prefix + id, User: u, Type: factorType, Provider: provider,
		name:      fmt.Sprintf("Phone %d", nth),
		script:    []string{"WAITING"},
		usedSteps: make(map[int64]bool),
	}
	switch factorType {
	case "sms", "call", "email", "push":
	case "token:software:totp":
		sum := sha256.Sum256([]byte("secret" + id))
		f.secret = sum[:20]
		u.org.addSecret(base32.StdEncoding.EncodeToString(f.secret))
	case "question":
		f.code = "oktatest-answer"
	default:
		f.code = "012345"
	}
	u.org.addSecret(f.code)
	u.factors = append(u.factors, f)
	return f
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

// SetName changes the name of a device, "Phone 1" by default.
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

// Pushes returns the number of push notifications sent.
func (f *Factor) Pushes() int {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.pushes
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
		ch := tx.challenge
		if f.Type == "push" && ch != nil && ch.factor == f && ch.result == "WAITING" && ch.decided == "" &&
			now.Before(ch.expires) && !now.After(tx.expires) {
			list = append(list, ch)
		}
	}
	return list
}

// Code returns what answers the factor now: the TOTP code by the
// organization's clock, the code last sent, or the fixed one.
func (f *Factor) Code() string {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	if f.secret != nil {
		return f.CodeAt(f.User.org.opts.Now())
	}
	return f.code
}

// SetCode changes what answers a factor that has a fixed code, or the code
// last sent.
func (f *Factor) SetCode(code string) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.code = code
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
		return object{"phoneNumber": "+1 XXX-XXX-4821"}
	case "email":
		before, domain, _ := strings.Cut(login, "@")
		if before != "" {
			before = before[:1] + "..." + before[len(before)-1:]
		}
		return object{"email": before + "@" + domain}
	case "question":
		return object{"question": "disliked_food", "questionText": "What is the food you least liked as a child?"}
	case "webauthn":
		return object{"credentialId": "credential-" + f.ID, "authenticatorName": f.name}
	}
	return object{"credentialId": login}
}
