package oktatest

import "time"

// authn answers POST /api/v1/authn, which is a login. With a state token alone it
// returns the state of that transaction.
func (o *Org) authn(c *call) answer {
	switch {
	case c.body.Username == "" && c.body.StateToken != "":
		tx, a, found := o.open(c)
		if !found {
			return a
		}
		return o.show(c, tx)
	case c.body.Token != "":
		return oktaError("E0000004") // no activation token exists
	case c.body.Username == "":
		return oktaError("E0000001", "username: has to be filled in")
	case c.body.Audience != "":
		return oktaError("E0000001", "audience: Not supported") // as on Identity Engine
	case len(c.body.DeviceToken) > 32 && c.request.Header.Get("Authorization") != "":
		// Okta ignores the field without an API token.
		return oktaError("E0000001", "deviceToken: The field is too long")
	}
	if !o.underUserRate(c) || !o.underEngineRate(c, o.find(c.body.Username)) {
		return oktaError("E0000047")
	}
	return o.primary(c)
}

// underUserRate is Okta's limit of 4 logins a second for a username, known
// or not. https://developer.okta.com/docs/reference/rl-additional-limits/
func (o *Org) underUserRate(c *call) bool {
	if !o.opts.EnforcePerUserRate {
		return true
	}
	name := fold(c.body.Username)
	if o.usernames[name] == nil {
		o.usernames[name] = &window{}
	}
	return o.usernames[name].allow(c.now, 4, time.Second)
}

// underEngineRate is Identity Engine's limit of 20 requests in 5 seconds for
// a user, over all of the user's transactions.
// https://developer.okta.com/docs/reference/rl-additional-limits/
func (o *Org) underEngineRate(c *call, u *User) bool {
	return !o.opts.EnforceUserRate || u == nil || u.requests.allow(c.now, 20, 5*time.Second)
}

// primary checks the password. Users who cannot log in get the same answer,
// whatever the reason.
func (o *Org) primary(c *call) answer {
	u := o.find(c.body.Username)
	if u == nil || u.ID == c.body.Username {
		return oktaError(o.opts.SignInCode)
	}
	if u.status == "LOCKED_OUT" {
		return lockedOut(c)
	}
	if u.password != c.body.Password {
		u.misses++
		if o.opts.MaxPasswordFailures > 0 && u.misses >= o.opts.MaxPasswordFailures {
			u.status = "LOCKED_OUT"
		}
		return oktaError(o.opts.SignInCode)
	}
	if u.barred() {
		return oktaError(o.opts.SignInCode)
	}
	u.misses = 0
	tx := o.newTransaction(u, c.body.Warn)
	tx.device = c.deviceToken()
	switch u.status {
	case "ACTIVE", "PASSWORD_EXPIRED", "PASSWORD_WARN":
		if len(tx.offered()) > 0 && !u.devices[tx.device] {
			return o.required(c, tx)
		}
	}
	return o.advance(c, tx)
}

// barred reports whether the user cannot log in at all.
func (u *User) barred() bool {
	switch u.status {
	case "HIDDEN_LOCKED_OUT", "SUSPENDED", "DEPROVISIONED", "STAGED", "PROVISIONED", "RECOVERY":
		return true
	}
	return false
}

// previous answers POST /api/v1/authn/previous, which leads back from a challenge
// to the choice of factors.
func (o *Org) previous(c *call) answer {
	tx, a, found := o.open(c)
	switch {
	case !found:
		return a
	case tx.status == "MFA_ENROLL_ACTIVATE":
		tx.status = "MFA_ENROLL"
	case tx.status == "MFA_CHALLENGE":
		return o.required(c, tx)
	default:
		return oktaError("E0000079")
	}
	return o.show(c, tx)
}

// skip answers POST /api/v1/authn/skip, where a skip link was published. Undocumented:
// who puts an enrollment off is asked for a factor that is enrolled.
func (o *Org) skip(c *call) answer {
	tx, a, found := o.open(c)
	switch {
	case !found:
		return a
	case tx.status == "MFA_ENROLL" && tx.user.canSkip && !tx.verified && len(tx.offered()) > 0:
		tx.skipped = true
		return o.required(c, tx)
	case tx.status == "PASSWORD_WARN", tx.status == "MFA_ENROLL" && tx.user.canSkip:
		tx.skipped = true
		return o.advance(c, tx)
	}
	return oktaError("E0000079")
}

// cancel answers POST /api/v1/authn/cancel. The reference does not show the
// body. Real answers hold the relay state alone (observed).
func (o *Org) cancel(c *call) answer {
	tx, a, found := o.open(c)
	if !found {
		return a
	}
	tx.withdraw(c.now)
	delete(o.transactions, tx.token)
	return ok(object{"relayState": nil})
}
