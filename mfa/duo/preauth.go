package duo

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	duoapi "github.com/duosecurity/duo_api_golang"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
)

// preauth is what Duo says of the person before they have shown a factor.
type preauth struct {
	allowed bool // without a factor
	devices []device

	asked time.Time // by the method's clock
	// A Verified Push is for a transaction that Duo has begun already, and has the person
	// type the code on their phone. Both are empty where Duo demands none.
	txid    string
	code    string
	expires time.Time // of the code, by the method's clock; zero: Duo did not say
}

// demandsCode reports whether Duo's policy wants a push to be a Verified Push.
func (p preauth) demandsCode() bool { return p.code != "" }

// preauth asks Duo about the person. It fails where they cannot satisfy Duo in this login.
// Duo's library drops what is said about a Verified Push, and the names of devices, so
// that the answer is read here.
func (l *login) preauth(ctx context.Context) (preauth, error) {
	params := url.Values{"username": {l.name}, "client_supports_verified_push": {"1"}}
	if l.address != "" {
		params.Set("ipaddr", l.address)
	}
	var resp *http.Response
	var body []byte
	err := l.heed(ctx, func() (err error) {
		resp, body, err = l.api(ctx, l.method.client.Timeout).SignedCall(http.MethodPost, "/auth/v2/preauth", params, duoapi.UseTimeout)
		return err
	})
	if err != nil {
		return preauth{}, meaning(err)
	}
	var doc struct {
		Response preauthAnswer `json:"response"`
	}
	if err := json.Unmarshal(body, &doc); err != nil {
		return preauth{}, meaning(err)
	}
	return doc.Response.judge(resp, l.method.clock.Now())
}

// preauthAnswer is the answer on the wire. https://duo.com/docs/authapi#/preauth
type preauthAnswer struct {
	Result           string      `json:"result"`
	StatusMsg        string      `json:"status_msg"`
	EnrollPortalURL  string      `json:"enroll_portal_url"`
	Devices          []device    `json:"devices"`
	TxID             string      `json:"txid"`
	VerificationCode string      `json:"verification_code"` // 3 to 6 digits
	Expiration       json.Number `json:"expiration"`        // Unix seconds by Duo's clock
}

// maxCode bounds a verification code, in digits.
const maxCode = 9

func (a preauthAnswer) judge(resp *http.Response, now time.Time) (preauth, error) {
	switch a.Result {
	case resultAllow:
		return preauth{allowed: true}, nil
	case resultDeny:
		return preauth{}, service.Denied(a.StatusMsg)
	case resultEnroll:
		return preauth{}, service.Denied(a.StatusMsg, a.EnrollPortalURL)
	case resultAuth:
	default:
		return preauth{}, unknownResult(a.Result)
	}
	p := preauth{devices: a.Devices, asked: now}
	if a.VerificationCode == "" {
		return p, nil
	}
	if a.TxID == "" || len(a.VerificationCode) > maxCode || strings.Trim(a.VerificationCode, "0123456789") != "" {
		return preauth{}, fmt.Errorf("%w: a Verified Push without a transaction, or with a code that is none", mfa.ErrServiceMalformed)
	}
	p.txid, p.code, p.expires = a.TxID, a.VerificationCode, a.expires(resp, now)
	return p, nil
}

// leastCode is the shortest life of a code that is believed: Duo gives it 60 s, and a wrong
// one would end the login while the phone rings.
const leastCode = 10 * time.Second

// expires is when the code ends, counted from the answer's own Date, so that the clock of
// this machine does not matter.
func (a preauthAnswer) expires(resp *http.Response, now time.Time) time.Time {
	until, err := a.Expiration.Int64()
	date, noDate := http.ParseTime(resp.Header.Get("Date"))
	life := time.Unix(until, 0).Sub(date)
	if err != nil || noDate != nil || life < leastCode {
		return time.Time{}
	}
	return now.Add(life)
}

// number is the code as the login shows it.
func (p preauth) number(device string) *mfa.Number {
	answer, err := strconv.Atoi(p.code)
	if err != nil { // there is none
		return nil
	}
	return &mfa.Number{Answer: answer, Code: p.code, Device: device}
}
