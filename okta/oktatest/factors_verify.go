package oktatest

import (
	"crypto/rand"
	"math/big"
	"net/http"
)

// factorsAPI stands for the state token of a code that the Factors API sent.
const factorsAPI = "factors API"

// apiPush is a push of the Factors API, which belongs to no login.
type apiPush struct {
	challenge
	id string
}

// verifyFactor answers POST /api/v1/users/{id}/factors/{factorId}/verify. It checks
// the code or the answer that was sent, or else starts a challenge.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/UserFactor/#tag/UserFactor/operation/verifyFactor
func (o *Org) verifyFactor(c *call) answer {
	f, a, found := o.findFactor(c)
	switch {
	case !found:
		return a
	case f.User.lifecycle() != "ACTIVE":
		return oktaError("E0000038")
	case f.status != "" && f.status != "ACTIVE":
		return oktaError("E0000180")
	}
	_, sent := sendLimits[f.Type]
	challenged := f.Type == "push" || f.needsBrowser()
	switch {
	case c.body.answerTo(f) != "" && !challenged:
		return o.completeFactor(c, f)
	case c.body.PassCode != "" || c.body.Answer != "":
		// Undocumented: the answer to another type of factor starts no challenge.
		return oktaError("E0000001", "passCode: Not what completes this factor")
	case f.Type == "push":
		return o.startPush(c, f)
	case sent:
		if a, sent := o.sendCode(c, f, factorsAPI); !sent {
			return a
		}
		return ok(f.issued(c))
	case f.needsBrowser(): // nothing answers it
		body := f.issued(c)
		nonce := object{"challenge": rand.Text(), "userVerification": "preferred"}
		body["_embedded"] = object{"challenge": nonce}
		return ok(body)
	}
	return oktaError("E0000001", "passCode: has to be filled in")
}

// completeFactor checks a code or an answer, as transactions do.
func (o *Org) completeFactor(c *call, f *Factor) answer {
	if a, right := o.judge(c, []*Factor{f}, factorsAPI); !right {
		return a
	}
	f.User.failures = 0
	return ok(object{"factorResult": "SUCCESS"})
}

// issued returns the answer that a challenge has begun.
func (f *Factor) issued(c *call) object {
	return object{"factorResult": "CHALLENGE", "_links": f.ways(c)}
}

// ways returns the links of a challenge that is not polled.
func (f *Factor) ways(c *call) object {
	at := f.resourceURL(c)
	return object{"verify": hinted(at+"/verify", "POST"), "factor": hinted(at, "GET")}
}

// startPush sends a push, and answers 201. A script that does not start with
// WAITING decides it at once.
func (o *Org) startPush(c *call, f *Factor) answer {
	if c.request.UserAgent() == "" {
		return oktaError("E0000001", "User-Agent: The header is required for a push")
	}
	f.notify(c.now)
	p := &apiPush{
		challenge: challenge{factor: f, result: f.begins(), expires: c.now.Add(o.opts.ChallengeLife)},
		id:        "v2mst." + rand.Text(),
	}
	if c.body.WantsNumber {
		p.number = f.correctAnswer()
	}
	o.pushes[p.id] = p
	a := o.told(c, p)
	a.status = http.StatusCreated
	return a
}

// correctAnswer returns the number of a push: that of Number, or a new one.
func (f *Factor) correctAnswer() *int {
	if f.number != nil {
		return f.number
	}
	n, err := rand.Int(rand.Reader, big.NewInt(100))
	if err != nil {
		panic(err)
	}
	number := int(n.Int64())
	f.drawn = &number
	return f.drawn
}

// pollPush answers GET .../transactions/{transactionId}. Undocumented: neither the
// caller's address nor a change of the user's status matters any more.
func (o *Org) pollPush(c *call) answer {
	p, a, found := o.findPush(c)
	if !found {
		return a
	}
	if pending := p.poll(c.now); pending {
		return oktaError("E0000070")
	}
	return o.told(c, p)
}

// cancelPush answers DELETE .../transactions/{transactionId}.
func (o *Org) cancelPush(c *call) answer {
	p, a, found := o.findPush(c)
	if !found {
		return a
	}
	if p.waits(c.now) {
		p.factor.withdrawn++
	}
	delete(o.pushes, p.id)
	return answer{status: http.StatusNoContent}
}

func (o *Org) findPush(c *call) (*apiPush, answer, bool) {
	u := o.byID(c.param("user"))
	p := o.pushes[c.param("transaction")]
	if u == nil {
		return nil, notFound(c.param("user"), "User"), false
	}
	if p == nil || p.factor.User != u || p.factor.ID != c.param("factor") {
		return nil, notFound(c.param("transaction"), "UserFactorTransaction"), false
	}
	return p, answer{}, true
}

// told returns the state of a push. A push that has ended is shown once.
func (o *Org) told(c *call, p *apiPush) answer {
	body := object{}
	p.tell(body)
	if p.result == "WAITING" {
		at := p.factor.resourceURL(c) + "/transactions/" + p.id
		body["expiresAt"] = timestamp(p.expires)
		body["profile"] = p.factor.profile()
		body["_links"] = object{"poll": hinted(at, "GET"), "cancel": hinted(at, "DELETE")}
		if p.number != nil {
			body["_embedded"] = object{"challenge": object{"correctAnswer": *p.number}}
		}
		return ok(body)
	}
	delete(o.pushes, p.id)
	if p.result == "SUCCESS" {
		p.factor.User.failures = 0
		return ok(body)
	}
	body["_links"] = p.factor.ways(c)
	return ok(body)
}
