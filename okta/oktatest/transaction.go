package oktatest

import (
	"crypto/rand"
	"time"
)

// transaction is an authentication in progress.
type transaction struct {
	token     string
	user      *User
	status    string
	expires   time.Time
	warn      bool   // the client wants a warning of an expiring password
	device    string // the token of the device that it comes from
	step      int    // of the user's sequence of factors
	verified  bool   // a factor was verified
	skipped   bool   // a warning or an enrollment was skipped
	challenge *challenge
	replaced  map[*Factor]bool // factors whose challenge gave way to another's
	requests  window
}

// challenge is an open challenge of a factor.
type challenge struct {
	factor  *Factor
	result  string // the factorResult of the last answer
	polls   int
	decided string // by Approve or Reject
	expires time.Time
	byType  bool // the client named the type "webauthn" and no id
	number  *int // that the user has to pick on the phone; nil: none
}

// waits reports whether a push still waits for the user.
func (ch *challenge) waits(now time.Time) bool {
	return ch.factor.Type == "push" && ch.result == "WAITING" && ch.decided == "" && now.Before(ch.expires)
}

// withdraw ends the open challenge, if there is one.
func (tx *transaction) withdraw(now time.Time) {
	if ch := tx.challenge; ch != nil && ch.waits(now) {
		ch.factor.withdrawn++
	}
	tx.challenge = nil
}

// newTransaction issues a state token. It needs the lock.
func (o *Org) newTransaction(u *User, warn bool) *transaction {
	tx := &transaction{
		token:    "00" + (rand.Text() + rand.Text())[:38],
		user:     u,
		warn:     warn,
		replaced: make(map[*Factor]bool),
	}
	tx.expires = o.opts.Now().Add(o.opts.StateTokenLife)
	o.transactions[tx.token] = tx
	if !o.opts.CountOnly {
		o.stateTokens = append(o.stateTokens, tx.token)
	}
	o.addSecret(tx.token)
	return tx
}

// open finds the transaction of a state token and extends its life. It fails with
// E0000011 where the token has expired, was cancelled or completed, or is unknown.
func (o *Org) open(c *call) (*transaction, answer, bool) {
	if c.body.StateToken == "" {
		return nil, oktaError("E0000001", "stateToken: has to be filled in"), false
	}
	o.addSecret(c.body.StateToken)
	tx := o.transactions[c.body.StateToken]
	if tx == nil || tx.user.deleted || c.now.After(tx.expires) {
		delete(o.transactions, c.body.StateToken)
		return nil, oktaError("E0000011"), false
	}
	// Identity Engine's limit: https://developer.okta.com/docs/reference/rl-additional-limits/
	if o.opts.EnforceTokenRate && !tx.requests.allow(c.now, 10, 5*time.Second) || !o.underEngineRate(c, tx.user) {
		return nil, oktaError("E0000047"), false
	}
	tx.expires = c.now.Add(o.opts.StateTokenLife)
	return tx, answer{}, true
}

// advance brings a transaction to its next status. An expired password comes to light
// after the factor, and a warning only if the client asked for it.
func (o *Org) advance(c *call, tx *transaction) answer {
	status := tx.user.status
	if tx.verified && tx.user.afterMFA != "" {
		status = tx.user.afterMFA
	}
	if status == "ACTIVE" || tx.skipped || (status == "PASSWORD_WARN" && !tx.warn) {
		status = "SUCCESS"
	}
	tx.withdraw(c.now)
	tx.status = status
	if status == "SUCCESS" {
		delete(o.transactions, tx.token)
		return ok(o.success(tx))
	}
	return o.show(c, tx)
}

// show returns the state of a transaction.
func (o *Org) show(c *call, tx *transaction) answer {
	embedded := object{"user": tx.user.embedded()}
	links := object{"cancel": link("", c.base+"/api/v1/authn/cancel")}
	body := object{
		"stateToken": tx.token,
		"expiresAt":  timestamp(tx.expires),
		"status":     tx.status,
		"_embedded":  embedded,
		"_links":     links,
	}
	at := c.base + "/api/v1/authn"
	complexity := object{"minLength": 8, "minLowerCase": 1, "minNumber": 1, "excludeUsername": true}
	switch tx.status {
	case "PASSWORD_WARN":
		embedded["policy"] = object{"expiration": object{"passwordExpireDays": 3}, "complexity": complexity}
		links["next"] = link("changePassword", at+"/credentials/change_password")
		links["skip"] = link("skip", at+"/skip")
	case "PASSWORD_EXPIRED":
		embedded["policy"] = object{"complexity": complexity}
		links["next"] = link("changePassword", at+"/credentials/change_password")
	case "PASSWORD_RESET":
		embedded["policy"] = object{"complexity": complexity}
		links["next"] = link("resetPassword", at+"/credentials/reset_password")
	case "RECOVERY_CHALLENGE":
		body["recoveryType"], body["factorType"] = "PASSWORD", "SMS"
		links["next"] = link("verify", at+"/recovery/factors/SMS/verify")
	case "MFA_ENROLL":
		o.showFactors(embedded, tx.user.enrollable(c))
		if tx.user.canSkip {
			embedded["policy"] = object{"gracePeriod": object{"endDate": timestamp(c.now.AddDate(0, 0, 7))}}
			links["skip"] = link("skip", at+"/skip")
		}
	case "MFA_ENROLL_ACTIVATE":
		factor := tx.user.enrollable(c)[0]
		factor["_embedded"] = object{"activation": object{"factorResult": "WAITING"}}
		embedded["factor"] = factor
		links["next"] = link("poll", at+"/factors/"+factor["id"].(string)+"/lifecycle/activate/poll")
		links["prev"] = link("", at+"/previous")
	case "MFA_REQUIRED":
		embedded["policy"] = policy(tx.user)
		o.showFactors(embedded, tx.published(c))
		o.showTypes(c, tx, embedded)
	case "MFA_CHALLENGE":
		embedded["policy"] = policy(tx.user)
		links["prev"] = link("", at+"/previous")
		o.showChallenge(c, tx, body, embedded, links)
	case "UNAUTHENTICATED":
		body["type"] = "SESSION_STEP_UP"
		delete(embedded, "user")
		links["next"] = link("authenticate", at)
	}
	return ok(body)
}

// success returns the end of a transaction. It has no state token, and a session token
// that can be turned into a browser session.
func (o *Org) success(tx *transaction) object {
	session := "20111" + rand.Text()
	o.addSecret(session)
	return object{
		"expiresAt":    timestamp(o.opts.Now().Add(5 * time.Minute)),
		"status":       "SUCCESS",
		"sessionToken": session,
		"_embedded":    object{"user": tx.user.embedded()},
	}
}

// lockedOut returns the answer of a password policy that shows lockouts. It holds
// neither a token nor a user.
func lockedOut(c *call) answer {
	return ok(object{
		"status": "LOCKED_OUT",
		"_links": object{"next": link("unlock", c.base+"/api/v1/authn/recovery/unlock")},
	})
}

// showFactors publishes a list of factors. The reference prints it both as "factors"
// and as "factor", and real organizations send "factors" (observed).
func (o *Org) showFactors(embedded object, factors []object) {
	name := "factors"
	if o.opts.FactorArrayUnderFactor {
		name = "factor"
	}
	embedded[name] = factors
	if o.opts.FactorsAsObject && len(factors) == 1 {
		embedded[name] = factors[0]
	}
}

// published lists the factors that can be verified.
func (tx *transaction) published(c *call) []object {
	list := []object{}
	for _, f := range tx.offered() {
		list = append(list, f.json(c))
	}
	return list
}

// enrollable lists the factors to set up, of which it always has one.
func (u *User) enrollable(c *call) []object {
	list := []object{}
	for _, f := range u.factors {
		if f.status == "NOT_SETUP" {
			list = append(list, f.json(c))
		}
	}
	if len(list) == 0 {
		list = append(list, object{
			"id":         "ost" + stableID("enroll", u.ID),
			"factorType": "token:software:totp", "provider": "OKTA", "vendorName": "OKTA",
			"status": "NOT_SETUP", "enrollment": "REQUIRED",
			"_links": object{"enroll": link("", c.base+"/api/v1/authn/factors")},
		})
	}
	return list
}

func policy(u *User) object {
	info := object{}
	for _, f := range u.factors {
		if f.Type == "push" {
			info[f.ID] = object{"autoPushEnabled": false}
		}
	}
	return object{
		"allowRememberDevice": true, "rememberDeviceByDefault": false,
		"rememberDeviceLifetimeInMinutes": 15, "factorsPolicyInfo": info,
	}
}

// link returns a link that is followed with POST.
func link(name, href string) object {
	l := object{"href": href, "hints": object{"allow": []any{"POST"}}}
	if name != "" {
		l["name"] = name
	}
	return l
}
