package oktatest

import (
	"encoding/base32"
	"fmt"
	"strings"
	"time"
)

// Factor is a factor that a user has enrolled.
type Factor struct {
	// ID is the permanent id, with Okta's prefix for the type where it is
	// known, such as "opf...".
	ID string
	// User is the owner of the factor.
	User *User
	// Type and Provider are Okta's factorType and provider.
	Type, Provider string

	name        string
	vendor      string // empty where it is the provider
	status      string
	destination string // where codes are sent to, masked

	enrolled time.Time
	offered  []string // addresses; nil means that all callers see the factor

	script     []string
	number     *int
	numberFrom int
	drawn      *int // the number last made up for a push of the Factors API
	polls      int
	polled     time.Time // when a push was last polled
	withdrawn  int

	secret     []byte
	generator  generator // nil if the code is fixed or sent
	wantNext   bool      // after the next right code the server wants another
	dialogue   *dialogue // nil unless the server wants a new PIN
	challenged string    // the right code after which another is wanted

	code        string    // answers the factor, if nothing generates it
	codeExpires time.Time // zero if it was not sent
	codeFor     string    // the state token that it was sent for, or factorsAPI
	sends       int
	sent        time.Time // when a code or push was last sent
}

// idPrefixes are the prefixes of ids that were observed.
var idPrefixes = map[string]string{
	"push": "opf", "token:software:totp": "ost", "sms": "sms", "call": "clf", "email": "emf",
	"question": "ufs", "webauthn": "fwf", "u2f": "fuf", "web": "dsf", "token": "rsa",
}

// AddFactor enrolls a factor of any type: "sms", "call", "email" and
// "question" of OKTA, "webauthn" of FIDO, "web" of DUO and so on. Types that
// Okta knows nothing of are published like the others.
//
// These have a device that makes their codes:
//
//   - "token:software:totp" of OKTA or GOOGLE, RFC 6238.
//   - "token:hotp" of CUSTOM, RFC 4226: a button, and 10 codes of look-ahead.
//   - "token:hardware" of YUBICO: OTPs of 44 characters, each good once and
//     only before a newer one.
//   - "token" of RSA and DEL_OATH (On-Prem MFA), a code a minute, and of SYMANTEC, one
//     every 30 seconds.
//
// Codes sent by sms, call and email are made when they are sent. A push has no
// code. Factors that need a browser have none either, and nothing completes them:
// "webauthn", "u2f", "web", "claims_provider", "assertion:saml2", "assertion:oidc" and
// "signed_nonce". The other types have a fixed code, "oktatest-answer" or "012345". Code returns it and SetCode
// changes it.
func (u *User) AddFactor(factorType, provider string) *Factor {
	u.org.mu.Lock()
	defer u.org.mu.Unlock()
	nth := 1
	for _, f := range u.factors {
		if f.Type == factorType {
			nth++
		}
	}
	f := u.newFactor("factor", factorType, provider, nth)
	switch factorType {
	case "push", "webauthn":
		f.name = fmt.Sprintf("Phone %d", nth)
	}
	u.factors = append(u.factors, f)
	return f
}

// newFactor makes the nth factor of its kind and type. It needs the lock.
func (u *User) newFactor(kind, factorType, provider string, nth int) *Factor {
	id := stableID(kind, u.ID, factorType, provider, fmt.Sprint(nth))
	f := &Factor{
		ID: idPrefix(factorType) + id, User: u, Type: factorType, Provider: provider,
		enrolled:    u.org.opts.Now(),
		destination: destination(factorType, u.address()),
		script:      []string{"WAITING"},
	}
	if provider == "DEL_OATH" {
		f.vendor = "On-Prem MFA"
	}
	f.equip(deviceSecret(id))
	return f
}

func idPrefix(factorType string) string {
	if prefix := idPrefixes[factorType]; prefix != "" {
		return prefix
	}
	return "fac"
}

// equip gives the factor its device, or its fixed code.
func (f *Factor) equip(secret []byte) {
	f.generator = newGenerator(f.Type, f.Provider, secret)
	switch {
	case f.generator != nil:
		f.secret = secret
		f.User.org.addSecret(base32.StdEncoding.EncodeToString(secret))
	case f.Type == "sms", f.Type == "call", f.Type == "email":
		// A code is made when it is sent.
	case f.Type == "push", f.needsBrowser():
		// Nobody has to type anything.
	case f.Type == "question":
		f.code = "oktatest-answer"
	default:
		f.code = "012345"
	}
	f.User.org.addSecret(f.code)
}

// needsBrowser reports whether only a browser can answer the factor.
func (f *Factor) needsBrowser() bool {
	switch f.Type {
	case "webauthn", "u2f", "web", "claims_provider", "assertion:saml2", "assertion:oidc", "signed_nonce":
		return true
	}
	return false
}

// AddTOTP enrolls a time-based code generator of provider "GOOGLE" or "OKTA".
func (u *User) AddTOTP(provider string) *Factor {
	return u.AddFactor("token:software:totp", provider)
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

// SetVendor changes the vendorName, by which an organization names a factor. By default
// it is the provider, and "On-Prem MFA" of DEL_OATH.
func (f *Factor) SetVendor(name string) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.vendor = name
}

func (f *Factor) vendorName() string {
	if f.vendor == "" {
		return f.Provider
	}
	return f.vendor
}

// SetStatus gives the factor a status, such as PENDING_ACTIVATION or INACTIVE. By
// default a factor has none in transactions, as is usual at Okta, and is ACTIVE in
// the Factors API. A factor that is NOT_SETUP is published in MFA_ENROLL only.
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

// Destination returns where codes are sent to; see SetDestination.
func (f *Factor) Destination() string {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	return f.destination
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

// Code returns what answers the factor now: the code that the device shows by the
// organization's clock, the code last sent (nothing before that), or the fixed one.
// Every call presses the button of a HOTP generator and touches a YubiKey, and so
// returns the next code. The one before stays good until a later one was accepted.
// A HOTP generator is out of step once ten of its codes were not used.
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

// Shown returns what Code would return, but presses no button: nothing for a HOTP
// generator and a YubiKey. It also returns when the code ends, by the organization's
// clock: the device shows the next one then, or the code that was sent expires. That is
// the zero time for codes that have no end.
func (f *Factor) Shown() (code string, until time.Time) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	switch g := f.generator.(type) {
	case nil:
		return f.code, f.codeExpires
	case *timed:
		step := g.stepAt(f.User.org.opts.Now())
		return g.at(step), time.Unix((step+1)*int64(g.step/time.Second), 0)
	}
	return "", time.Time{}
}

// HasButton reports whether the factor has a device that makes a code when it is
// pressed or touched: a HOTP generator or a YubiKey.
func (f *Factor) HasButton() bool {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	_, byClock := f.generator.(*timed)
	return f.generator != nil && !byClock
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

// json returns the factor as transactions show it.
func (f *Factor) json(c *call) object {
	out := object{
		"id":         f.ID,
		"factorType": f.Type,
		"provider":   f.Provider,
		"vendorName": f.vendorName(),
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
		return object{"question": "refused_dish", "questionText": "Which dish did you always refuse to eat?"}
	case "webauthn":
		return object{"credentialId": "credential-" + f.ID, "authenticatorName": f.name}
	}
	if y, ok := f.generator.(*yubiKey); ok {
		return object{"credentialId": y.serial()}
	}
	return object{"credentialId": login}
}

// destination returns where codes go by default, masked as Okta does.
func destination(factorType, email string) string {
	if factorType != "email" {
		return "+1 XXX-XXX-4821"
	}
	before, domain, _ := strings.Cut(email, "@")
	if before != "" {
		before = before[:1] + "..." + before[len(before)-1:]
	}
	return before + "@" + domain
}
