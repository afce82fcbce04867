package backend

import (
	"cmp"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// The columns of the fault matrix: every call to Okta, Duo and PingID, each with a
// login that makes it.
type faultCall struct {
	name    string
	service string
	on      pattern // the request; a row strikes it and those like it that follow
	after   pattern // the request before it; none: it is the first to its server
	// loses is a request before it whose answer is lost once, so that the login makes the
	// call.
	loses pattern
	// optional says that a login may succeed without it.
	optional bool
	// tolerates names rows that change nothing that the login depends on.
	tolerates []string
	// times is how often a login may do what must be done once otherwise: hand over the
	// password, send a push or a code.
	times int
	// configure prepares the mount.
	configure func(w *faultWorld)
	// person adds a person.
	person func(w *faultWorld, name string)
	// login makes the login. It ends with the first request that fails.
	login func(w *faultWorld, name string) outcome
}

func (c *faultCall) address() string {
	return cmp.Or(map[string]string{"Duo": duoAddress, "PingID": pingAddress}[c.service], oktaAddress)
}

const aMatrixMethod = "second"

// attempt is one request of a login.
func (w *faultWorld) attempt(name string, more fields) outcome {
	data := fields{"password": testPassword}
	for k, v := range more {
		data[k] = v
	}
	return w.timed(w.request(logical.UpdateOperation, "login/"+name, data))
}

// timed sends a request, and notes how long the longest has taken.
func (w *faultWorld) timed(req *logical.Request) outcome {
	start := time.Now()
	resp, status, text := w.send(w.t.Context(), req)
	w.longest = max(w.longest, time.Since(start))
	return outcome{resp, status, text}
}

// simple is a login in one request, with what given returns.
func simple(given func(w *faultWorld, name string) fields) func(*faultWorld, string) outcome {
	return func(w *faultWorld, name string) outcome { return w.attempt(name, given(w, name)) }
}

func nothing(*faultWorld, string) fields { return nil }

// held is a login in several requests. Each step waits and then continues it.
func held(first fields, steps ...func(w *faultWorld, name string) (time.Duration, fields)) func(*faultWorld, string) outcome {
	return func(w *faultWorld, name string) outcome {
		data := fields{"wait": false}
		for k, v := range first {
			data[k] = v
		}
		o := w.attempt(name, data)
		for _, step := range steps {
			if o.status != http.StatusOK || o.resp.Auth != nil {
				return o
			}
			id := o.resp.Data["transaction_id"]
			wait, more := step(w, name)
			time.Sleep(wait)
			data := fields{"transaction_id": id}
			for k, v := range more {
				data[k] = v
			}
			o = w.timed(w.request(logical.UpdateOperation, "login/"+name, data))
		}
		return o
	}
}

// then is a step of a held login with a passcode of a factor of that type, where given
// names one.
func then(wait time.Duration, factor string, more fields) func(*faultWorld, string) (time.Duration, fields) {
	return func(w *faultWorld, name string) (time.Duration, fields) {
		data := fields{}
		for k, v := range more {
			data[k] = v
		}
		if factor != "" {
			data["totp"] = w.factor(name, factor).Code()
		}
		return wait, data
	}
}

// factor is the person's factor of a type.
func (w *faultWorld) factor(name, factorType string) *oktatest.Factor {
	w.t.Helper()
	all := w.org.User(name).Factors()
	i := slices.IndexFunc(all, func(f *oktatest.Factor) bool { return f.Type == factorType })
	require.GreaterOrEqual(w.t, i, 0, factorType)
	return all[i]
}

// withFactors adds a person with factors in Okta: "push" is one that they approve at
// the second question.
func withFactors(status string, types ...string) func(*faultWorld, string) {
	return func(w *faultWorld, name string) {
		u := w.org.AddUser(name, testPassword)
		u.SetGroups("Everyone", "Scientists")
		for _, typ := range types {
			switch typ {
			case "push":
				u.AddPush("WAITING", "SUCCESS")
			case "token:software:totp":
				u.AddTOTP("GOOGLE")
			default:
				u.AddFactor(typ, "OKTA")
			}
		}
		if status != inOkta { // which follows from the factors
			u.SetStatus(status)
		}
		u.SetSkip(status == "MFA_ENROLL")
	}
}

const (
	typeTOTP = "token:software:totp"
	inOkta   = "MFA_REQUIRED"
	noFactor = "SUCCESS"
)

// method requires a method of that type.
func method(typ string, data func(w *faultWorld) fields) func(*faultWorld) {
	return func(w *faultWorld) {
		all := fields{"method_name": aMatrixMethod}
		if data != nil {
			for k, v := range data(w) {
				all[k] = v
			}
		}
		w.createMethod(typ, all)
		w.write("config", fields{"mfa_methods": aMatrixMethod})
	}
}

// withoutNumber is a method of the Factors API whose pushes need no number.
func withoutNumber(*faultWorld) fields { return fields{"require_number_challenge": false} }

func duoFields(w *faultWorld) fields {
	return fields{"integration_key": w.duo.IntegrationKey, "secret_key": w.duo.SecretKey, "api_hostname": duoAddress}
}

func atDuo(w *faultWorld, name string) {
	withFactors(noFactor)(w, name)
	allow := mfatest.DuoOutcome{Result: "allow", Status: "allow"}
	w.duo.AddUser(name).AddPhone("auto", "push").AddPassCode(duoPassCodes(name)...).Script(allow, allow, allow)
}

// atVerifiedDuo adds a person whose pushes Duo has approved by a code that they type. Its
// preauth tells these codes, then others.
func atVerifiedDuo(codes ...string) func(*faultWorld, string) {
	return func(w *faultWorld, name string) {
		withFactors(noFactor)(w, name)
		w.duo.AddUser(name).AddPhone("auto", "push").RequireVerifiedPush(6).NextCodes(append(codes, "271828", "271829", "271830")...)
	}
}

// typesCode has the person type the code that their phone wants.
func typesCode(w *faultWorld, name string) (time.Duration, fields) {
	u := w.duo.User(name)
	u.Type(u.WantedCode())
	return 3 * time.Second, nil
}

// asServiceApp has the mount read people and groups as a service app, with DPoP.
func asServiceApp(w *faultWorld) {
	w.write("config", fields{"client_id": w.serviceApp(appScopes...).ID})
}

// duoPassCodes are good for one login each.
func duoPassCodes(name string) []string { return []string{"55511" + name[:1], "55522" + name[:1]} }

func atPingID(w *faultWorld, name string) {
	withFactors(noFactor)(w, name)
	ok := mfatest.PingIDOutcome{ErrorID: 200}
	w.ping.AddUser(name).Script(ok, ok, ok)
}

// waitingAtPingID is for a push that nobody answers.
func waitingAtPingID(w *faultWorld, name string) {
	withFactors(noFactor)(w, name)
	w.ping.AddUser(name)
}

func nextDuoPassCode(w *faultWorld, name string) fields {
	codes := duoPassCodes(name)
	used := 0
	for _, r := range w.duo.Requests() {
		if strings.HasSuffix(r.Path, "/auth") && r.Status != 0 {
			used++
		}
	}
	return fields{"mfa": aMatrixMethod + ":" + codes[min(used, len(codes)-1)]}
}

// renewed logs in and renews the token.
func renewed(w *faultWorld, name string) outcome {
	o := w.attempt(name, nil)
	if o.status != http.StatusOK {
		return o
	}
	req := w.request(logical.RenewOperation, "login/"+name, nil)
	req.Auth = issued(o.resp.Auth)
	return w.timed(req)
}

const (
	authnURL     = "/api/v1/authn"
	factorsURL   = authnURL + "/factors/[^/]+/verify"
	userURL      = "/api/v1/users/[^/]+"
	apiVerifyURL = userURL + "/factors/[^/]+/verify"
	apiPollURL   = userURL + "/factors/[^/]+/transactions/[^/]+"
	tokenURL     = "/oauth2/v1/token"
)

const oauth = "Okta OAuth"

func faultCalls() []*faultCall {
	password := requestTo("POST", authnURL, 1)
	verify := func(nth int) pattern { return requestTo("POST", factorsURL, nth) }
	totpOf := func(w *faultWorld, name string) fields { return fields{"totp": w.factor(name, typeTOTP).Code()} }
	approve := then(3*time.Second, "", nil)
	return []*faultCall{
		// Okta's Authentication API.
		{name: "password", service: "Okta", on: password, person: withFactors(noFactor), login: simple(nothing)},
		{name: "renewal", service: "Okta", on: requestTo("POST", authnURL, 2), after: requestTo("GET", userURL+"/groups", 2), times: 2,
			person: withFactors(noFactor), login: renewed},
		{name: "passcode", service: "Okta", on: verify(1), after: password, person: withFactors(inOkta, typeTOTP), login: simple(totpOf)},
		{name: "push", service: "Okta", on: verify(1), after: password, person: withFactors(inOkta, "push"), login: simple(nothing)},
		{name: "poll", service: "Okta", on: verify(2), after: verify(1), person: withFactors(inOkta, "push"), login: simple(nothing)},
		{name: "poll, held", service: "Okta", on: verify(2), after: verify(1), person: withFactors(inOkta, "push"), login: held(nil, approve, approve, approve)},
		{name: "state after a lost poll", service: "Okta", on: requestTo("POST", authnURL, 2), after: verify(2), loses: verify(2),
			person: withFactors(inOkta, "push"), login: simple(nothing)},
		{name: "state after a lost poll, held", service: "Okta", on: requestTo("POST", authnURL, 2), after: verify(2), loses: verify(2),
			person: withFactors(inOkta, "push"), login: held(nil, approve, approve, approve, approve)},
		{name: "code", service: "Okta", on: verify(1), after: password, person: withFactors(inOkta, "sms"),
			login: held(fields{"factor": "sms"}, then(time.Second, "sms", nil))},
		{name: "resend", service: "Okta", on: requestTo("POST", factorsURL+"/resend", 1), after: verify(1), times: 2, person: withFactors(inOkta, "sms"),
			login: held(fields{"factor": "sms"}, then(31*time.Second, "", fields{"resend": true}), then(time.Second, "sms", nil))},
		{name: "previous", service: "Okta", on: requestTo("POST", authnURL+"/previous", 1), after: verify(1), person: withFactors(inOkta, "push", typeTOTP),
			login: held(fields{"factor": "push"}, then(time.Second, typeTOTP, fields{"factor": "totp"}))},
		{name: "skip", service: "Okta", on: requestTo("POST", authnURL+"/skip", 1), after: password, person: withFactors("MFA_ENROLL"),
			configure: func(w *faultWorld) { w.write("config", fields{"skip_enrollment": true}) }, login: simple(nothing)},
		{name: "cancel", service: "Okta", on: requestTo("POST", authnURL+"/cancel", 1), after: verify(1), optional: true, person: withFactors(inOkta, "push"),
			login: held(nil, then(time.Second, "", fields{"cancel": true}))},

		// Its management APIs.
		{name: "groups", service: "Okta API", on: requestTo("GET", userURL+"/groups", 1), after: password, person: withFactors(noFactor), login: simple(nothing), tolerates: []string{"`[]`"}},
		{name: "groups, page 2", service: "Okta API", on: requestTo("GET", userURL+"/groups", 2), after: requestTo("GET", userURL+"/groups", 1),
			person: withFactors(noFactor), login: simple(nothing), tolerates: []string{"`[]`"}},
		{name: "profile", service: "Okta API", on: requestTo("GET", userURL, 1), after: password, person: withFactors(noFactor), login: simple(nothing),
			configure: func(w *faultWorld) { w.write("config", fields{"metadata_fields": "mail=email"}) }, tolerates: []string{"401", "403", "404"}},
		{name: "account", service: "Okta API", on: requestTo("GET", userURL, 1), after: requestTo("GET", userURL+"/groups", 2),
			configure: method("okta", withoutNumber), person: withFactors(noFactor, "push"), login: simple(nothing)},
		{name: "account, again", service: "Okta API", on: requestTo("GET", userURL, 2), after: requestTo("GET", apiPollURL, 1),
			configure: method("okta", withoutNumber), person: withFactors(noFactor, "push"), login: held(nil, then(2*time.Minute, "", nil), approve)},
		{name: "accounts by e-mail", service: "Okta API", on: requestTo("GET", "/api/v1/users", 1), after: requestTo("GET", userURL+"/groups", 2),
			configure: method("okta", func(*faultWorld) fields {
				return fields{"require_number_challenge": false, "primary_email": true}
			}), person: withFactors(noFactor, "push"), login: simple(nothing)},
		{name: "factors", service: "Okta API", on: requestTo("GET", userURL+"/factors", 1), after: requestTo("GET", userURL+"/groups", 2),
			configure: method("okta", withoutNumber), person: withFactors(noFactor, "push"), login: simple(nothing)},
		{name: "challenge", service: "Okta API", on: requestTo("POST", apiVerifyURL, 1), after: requestTo("GET", userURL+"/factors", 1),
			configure: method("okta", withoutNumber), person: withFactors(noFactor, "push"), login: simple(nothing)},
		{name: "challenge, code", service: "Okta API", on: requestTo("POST", apiVerifyURL, 1), after: requestTo("GET", userURL+"/factors", 1),
			configure: method("okta", func(*faultWorld) fields { return fields{"factors": "sms"} }), person: withFactors(noFactor, "sms"),
			login: held(nil, func(w *faultWorld, name string) (time.Duration, fields) {
				return time.Second, fields{"mfa": aMatrixMethod + ":sms=" + w.factor(name, "sms").Code()}
			})},
		{name: "answer", service: "Okta API", on: requestTo("POST", apiVerifyURL, 1), after: requestTo("GET", userURL+"/factors", 1),
			configure: method("okta", nil), person: withFactors(noFactor, typeTOTP), login: simple(func(w *faultWorld, name string) fields {
				return fields{"mfa": aMatrixMethod + ":" + w.factor(name, typeTOTP).Code()}
			})},
		{name: "push's poll", service: "Okta API", on: requestTo("GET", apiPollURL, 1), after: requestTo("POST", apiVerifyURL, 1),
			configure: method("okta", withoutNumber), person: withFactors(noFactor, "push"), login: simple(nothing)},
		{name: "push's withdrawal", service: "Okta API", on: requestTo("DELETE", apiPollURL, 1), after: requestTo("POST", apiVerifyURL, 1), optional: true,
			configure: method("okta", withoutNumber), person: withFactors(noFactor, "push"),
			login: held(nil, then(time.Second, "", fields{"cancel": true}))},
		{name: "organization", service: "Okta API", on: requestTo("GET", "/.well-known/okta-organization", 1), after: requestTo("GET", userURL+"/groups", 2), optional: true,
			configure: method("okta", func(w *faultWorld) fields {
				return fields{"require_number_challenge": false, "org_name": "acme", "base_url": "https://localhost", "api_token": w.org.Token}
			}), person: withFactors(noFactor, "push"), login: simple(nothing)},

		// Its access tokens, and a call with one.
		{name: "nonce", service: oauth, on: requestTo("POST", tokenURL, 1), after: password, configure: asServiceApp, person: withFactors(noFactor), login: simple(nothing)},
		{name: "token", service: oauth, on: requestTo("POST", tokenURL, 2), after: requestTo("POST", tokenURL, 1),
			configure: asServiceApp, person: withFactors(noFactor), login: simple(nothing)},
		{name: "groups", service: oauth, on: requestTo("GET", userURL+"/groups", 1), after: requestTo("POST", tokenURL, 2),
			configure: asServiceApp, person: withFactors(noFactor), login: simple(nothing), tolerates: []string{"`[]`"}},

		// The services of methods.
		{name: "preauth", service: "Duo", on: requestTo("POST", "/preauth", 1), configure: method("duo", duoFields), person: atDuo, login: simple(nothing)},
		{name: "passcode", service: "Duo", on: requestTo("POST", "/auth", 1), after: requestTo("POST", "/preauth", 1),
			configure: method("duo", duoFields), person: atDuo, login: simple(nextDuoPassCode)},
		{name: "push", service: "Duo", on: requestTo("POST", "/auth", 1), after: requestTo("POST", "/preauth", 1),
			configure: method("duo", duoFields), person: atDuo, login: simple(nothing)},
		{name: "poll", service: "Duo", on: requestTo("GET", "/auth_status", 1), after: requestTo("POST", "/auth", 1),
			configure: method("duo", duoFields), person: atDuo, login: simple(nothing)},
		{name: "preauth, code", service: "Duo", on: requestTo("POST", "/preauth", 1), configure: method("duo", duoFields), person: atVerifiedDuo(),
			login: held(nil, typesCode, typesCode)},
		{name: "preauth, another code", service: "Duo", on: requestTo("POST", "/preauth", 2), after: requestTo("POST", "/preauth", 1),
			configure: method("duo", duoFields), person: atVerifiedDuo("012345"), login: held(nil, typesCode, typesCode)},
		{name: "push, code", service: "Duo", on: requestTo("POST", "/auth", 1), after: requestTo("POST", "/preauth", 1),
			configure: method("duo", duoFields), person: atVerifiedDuo(), login: held(nil, typesCode, typesCode)},
		{name: "poll, code", service: "Duo", on: requestTo("GET", "/auth_status", 1), after: requestTo("POST", "/auth", 1),
			configure: method("duo", duoFields), person: atVerifiedDuo(), login: held(nil, typesCode, typesCode)},
		{name: "details", service: "PingID", on: pingID("getuserdetails"), optional: true, configure: method("pingid", pingFields), person: atPingID, login: simple(nothing)},
		{name: "push", service: "PingID", on: pingID("authonline"), after: pingID("getuserdetails"),
			configure: method("pingid", pingFields), person: atPingID, login: simple(nothing), tolerates: []string{"texts that are empty"}},
		{name: "start", service: "PingID", on: pingID("startauthentication"), after: pingID("getuserdetails"),
			configure: method("pingid", pingStart), person: atPingID, login: simple(nothing)},
		{name: "status", service: "PingID", on: pingID("authstatus"), after: pingID("startauthentication"),
			configure: method("pingid", pingStart), person: atPingID, login: simple(nothing), tolerates: []string{"texts that are empty"}},
		{name: "passcode", service: "PingID", on: pingID("authoffline"), after: pingID("startauthentication"),
			configure: method("pingid", pingFields), person: atPingID, login: simple(func(w *faultWorld, name string) fields {
				return fields{"mfa": aMatrixMethod + ":" + w.ping.User(name).PassCode()}
			}), tolerates: []string{"texts that are empty"}},
		{name: "withdrawal", service: "PingID", on: pingID("cancelauthentication"), after: pingID("startauthentication"), optional: true,
			configure: method("pingid", pingStart), person: waitingAtPingID, login: held(nil, then(time.Second, "", fields{"cancel": true}))},
	}
}

// pingID finds the requests for one of its operations.
func pingID(operation string) pattern { return requestTo("POST", "/"+operation+"/do", 1) }

func pingStart(w *faultWorld) fields {
	return fields{"settings_file_base64": w.ping.Settings(), "start_authentication": true}
}

func pingFields(w *faultWorld) fields {
	return fields{"settings_file_base64": w.ping.Settings(), "start_authentication": false}
}
