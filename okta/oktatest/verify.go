package oktatest

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"slices"
	"time"
)

// verify answers POST /api/v1/authn/factors/{id}/verify. It starts a challenge, polls
// it, or checks the answer to it.
func (o *Org) verify(c *call) answer {
	tx, f, a, found := o.openFactor(c)
	if !found {
		return a
	}
	_, sent := sendLimits[f.Type]
	switch {
	case f.Type == "push":
		return o.push(c, tx, f)
	case f.needsBrowser(): // the challenge is issued, and never answered
		tx.start(f, "CHALLENGE", c.now, o.opts.ChallengeLife)
		tx.challenge.byType = c.param("factor") == "webauthn"
		return o.show(c, tx)
	case c.body.answerTo(f) != "":
		return o.passCode(c, tx, o.named(c, tx))
	case sent:
		return o.send(c, tx, f)
	}
	return oktaError("E0000001", "passCode: has to be filled in")
}

// openFactor finds the transaction and the factor of a verify call, and
// refuses what the state does not allow.
func (o *Org) openFactor(c *call) (*transaction, *Factor, answer, bool) {
	tx, a, found := o.open(c)
	if !found {
		return nil, nil, a, false
	}
	factors := o.named(c, tx)
	switch {
	case tx.status != "MFA_REQUIRED" && tx.status != "MFA_CHALLENGE":
		a = oktaError("E0000079")
	case tx.user.status == "LOCKED_OUT" || tx.user.status == "HIDDEN_LOCKED_OUT":
		a = oktaError("E0000069")
	case tx.user.barred():
		delete(o.transactions, tx.token)
		a = oktaError("E0000011")
	case len(factors) == 0 && tx.user.has(c.param("factor")): // in another step
		a = oktaError("E0000079")
	case len(factors) == 0:
		a = notFound(c.param("factor"), "UserFactor")
	case tx.replaced[factors[0]]:
		// Undocumented: the challenge of another factor has replaced this one's. After
		// previous the factor can be chosen again.
		a = oktaError("E0000079")
	default:
		return tx, factors[0], answer{}, true
	}
	return nil, nil, a, false
}

// has reports whether the user has enrolled a factor with that id.
func (u *User) has(id string) bool {
	return slices.ContainsFunc(u.factors, func(f *Factor) bool { return f.ID == id && f.status != "NOT_SETUP" })
}

// start opens a challenge and ends the one that may be open.
func (tx *transaction) start(f *Factor, result string, now time.Time, life time.Duration) {
	if tx.challenge != nil && tx.challenge.factor != f {
		tx.replaced[tx.challenge.factor] = true
	}
	tx.withdraw(now)
	tx.status = "MFA_CHALLENGE"
	tx.challenge = &challenge{factor: f, result: result, expires: now.Add(life), number: f.number}
}

// push sends a notification, or polls the one that is waiting.
func (o *Org) push(c *call, tx *transaction, f *Factor) answer {
	ch := tx.challenge
	if ch == nil || ch.factor != f || ch.result != "WAITING" {
		return o.sendPush(c, tx, f)
	}
	if pending := ch.poll(c.now); pending {
		return oktaError("E0000070")
	}
	return o.pushed(c, tx)
}

// poll decides what a poll of a push answers. While pending, that is an error document.
func (ch *challenge) poll(now time.Time) (pending bool) {
	f := ch.factor
	ch.polls++
	f.polls++
	f.polled = now
	switch {
	case ch.decided != "":
		ch.result = ch.decided
	case !now.Before(ch.expires):
		ch.result = "TIMEOUT"
	default:
		ch.result = f.script[min(ch.polls, len(f.script))-1]
	}
	if ch.result == "E0000070" {
		ch.result, pending = "WAITING", true
	}
	return pending
}

// upgradeRequired is a push that an app too old for it gets (observed: Okta's sign-in
// widget reads it).
const upgradeRequired = "OKTA_VERIFY_UPGRADE_REQUIRED"

// tell adds the result to an answer, unless it is empty.
func (ch *challenge) tell(body object) {
	switch ch.result {
	case "":
	case upgradeRequired:
		body["factorResult"], body["factorResultMessage"] = "REJECTED", upgradeRequired
	default:
		body["factorResult"] = ch.result
	}
}

// begins returns the result of a push that was just sent.
func (f *Factor) begins() string {
	if f.script[0] == "E0000070" {
		return "WAITING"
	}
	return f.script[0]
}

// sendPush starts a new push. A script that does not start with WAITING
// decides it at once.
func (o *Org) sendPush(c *call, tx *transaction, f *Factor) answer {
	f.notify(c.now)
	tx.start(f, f.begins(), c.now, o.opts.ChallengeLife)
	return o.pushed(c, tx)
}

// notify counts a push or a code that is sent to the user.
func (f *Factor) notify(now time.Time) {
	f.sends++
	f.sent = now
}

func (o *Org) pushed(c *call, tx *transaction) answer {
	if tx.challenge.result == "SUCCESS" {
		return o.verified(c, tx)
	}
	return o.show(c, tx)
}

// passCode checks a code or an answer. A wrong one changes nothing in the transaction,
// until too many of them lock the user.
func (o *Org) passCode(c *call, tx *transaction, factors []*Factor) answer {
	if a, right := o.judge(c, factors, tx.token); !right {
		return a
	}
	return o.verified(c, tx)
}

// judge checks the passcode of a request, which has to fit one of the factors, and
// counts the wrong ones. A code that was sent may be good for one state token only.
func (o *Org) judge(c *call, factors []*Factor, stateToken string) (a answer, right bool) {
	failure := "E0000068"
	for _, f := range factors {
		switch code := f.check(c, stateToken); code {
		case "":
			return answer{}, true
		case "E0000113":
			return f.nextEntry(), false
		case "E0000068":
		default:
			failure = code
		}
	}
	u := factors[0].User
	u.refused++
	if failure == "E0000068" {
		return o.wrong(u), false
	}
	return oktaError(failure), false
}

// wrong counts a wrong code, and locks the user after too many.
func (o *Org) wrong(u *User) answer {
	u.failures++
	if u.failures >= o.opts.MaxFailures {
		u.status = "LOCKED_OUT"
		return oktaError("E0000069")
	}
	return oktaError("E0000068", "Another code was expected.")
}

// check returns the error code for the passcode of a request. It is empty where the
// passcode completes the factor.
func (f *Factor) check(c *call, stateToken string) string {
	code := c.body.answerTo(f)
	if f.dialogue.takesPIN(stateToken) {
		return f.dialogue.take(code)
	}
	failure := f.match(code, c.now, stateToken)
	switch {
	case failure != "":
		return failure
	case code == f.challenged:
		return "E0000082"
	case f.wantNext:
		f.wantNext, f.challenged = false, code
		return "E0000113"
	case !f.dialogue.over(stateToken):
		return f.dialogue.begin(stateToken)
	}
	f.challenged, f.dialogue = "", nil
	if !f.codeExpires.IsZero() {
		f.code = "" // a code that was sent is good once
	}
	return ""
}

// match returns the error code for a code, which is empty where the code is right.
func (f *Factor) match(code string, now time.Time, stateToken string) string {
	stale := !f.codeExpires.IsZero() && !now.Before(f.codeExpires)
	foreign := f.codeFor != stateToken && f.codeFor != "" && f.User.org.opts.CodesStayInTransaction
	switch {
	case f.generator != nil:
		return f.generator.check(code, now)
	case f.code != code, stale, foreign:
		return "E0000068"
	}
	return ""
}

// sendLimits says how long a user has to wait between two codes, and the error of an
// earlier request. Undocumented: a new transaction does not shorten the wait.
var sendLimits = map[string]struct {
	wait time.Duration
	code string
}{
	"sms":   {30 * time.Second, "E0000109"},
	"call":  {30 * time.Second, "E0000133"},
	"email": {5 * time.Second, "E0000118"},
}

// send sends a code by sms, call or email.
func (o *Org) send(c *call, tx *transaction, f *Factor) answer {
	if a, sent := o.sendCode(c, f, tx.token); !sent {
		return a
	}
	result := "CHALLENGE"
	if o.opts.OmitFactorResult {
		result = ""
	}
	tx.start(f, result, c.now, o.opts.ChallengeLife)
	return o.show(c, tx)
}

// sendCode sends a code unless one was just sent. The new code replaces the old one.
func (o *Org) sendCode(c *call, f *Factor, stateToken string) (a answer, sent bool) {
	limit := sendLimits[f.Type]
	if !f.sent.IsZero() && c.now.Sub(f.sent) < limit.wait {
		return oktaError(limit.code), false
	}
	f.code, f.codeFor = sentCode(f.Type), stateToken
	f.codeExpires = c.now.Add(o.opts.ChallengeLife)
	f.notify(c.now)
	o.post(f)
	o.addSecret(f.code)
	return answer{}, true
}

// sentCode makes a code. One that a call reads out has 5 digits (observed).
func sentCode(factorType string) string {
	digits, limit := 6, int64(1_000_000)
	if factorType == "call" {
		digits, limit = 5, 100_000
	}
	n, err := rand.Int(rand.Reader, big.NewInt(limit))
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf("%0*d", digits, n)
}

// resend answers POST /api/v1/authn/factors/{id}/verify/resend.
func (o *Org) resend(c *call) answer {
	tx, f, a, found := o.openFactor(c)
	if !found {
		return a
	}
	if tx.challenge == nil || tx.challenge.factor != f {
		return oktaError("E0000079")
	}
	switch f.Type {
	case "push":
		return o.sendPush(c, tx, f)
	case "sms", "call", "email":
		return o.send(c, tx, f)
	}
	return oktaError("E0000079")
}

// showChallenge adds an open challenge to an answer. The next link of a push that
// waits is named poll. That of a push which ended is named verify and has the same
// URL, where a request sends a new push.
func (o *Org) showChallenge(c *call, tx *transaction, body, embedded, links object) {
	ch := tx.challenge
	factor := ch.factor.json(c)
	embedded["factor"] = factor
	ch.tell(body)
	links["next"] = link("verify", ch.factor.verifyURL(c))
	resend := ""
	switch ch.factor.Type {
	case "push":
		resend = "push"
		if ch.result == "WAITING" {
			links["next"] = link("poll", ch.factor.verifyURL(c))
			if n := ch.number; n != nil && ch.polls >= ch.factor.numberFrom {
				factor["_embedded"] = object{"challenge": object{"correctAnswer": *n}}
			}
		}
	case "call":
		// The reference shows no resend link here. Undocumented: the resend operation
		// works for a call all the same.
	case "sms", "email":
		resend = ch.factor.Type
		body["challengeType"] = "FACTOR"
	case "webauthn", "u2f":
		nonce := object{"challenge": stableID("challenge", tx.token), "userVerification": "preferred"}
		if !ch.byType {
			factor["_embedded"] = object{"challenge": nonce}
			break
		}
		delete(embedded, "factor")
		embedded["factors"], embedded["challenge"] = []object{factor}, nonce
	case "web":
		links["next"] = link("poll", ch.factor.verifyURL(c))
	case "claims_provider", "assertion:saml2", "assertion:oidc":
		redirect := link("redirect", c.base+"/sso/idps/"+ch.factor.ID)
		redirect["hints"] = object{"allow": []any{"GET"}}
		links["next"] = redirect
	}
	if o.opts.FactorsAsObject && embedded["factor"] != nil {
		delete(embedded, "factor")
		embedded["factors"] = factor
	}
	if resend != "" && !o.opts.OmitResend {
		links["resend"] = []object{link(resend, ch.factor.verifyURL(c)+"/resend")}
	}
}
