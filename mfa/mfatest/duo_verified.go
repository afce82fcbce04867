package mfatest

import (
	"crypto/rand"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strings"
	"time"
)

// This file is about Verified Duo Push: a push that is approved by typing a code, which
// the client shows. https://duo.com/docs/authapi#/preauth

// duoCodeLife is how long a code is good, from preauth.
const duoCodeLife = 60 * time.Second

// duoCode is what preauth has told for a Verified Push.
type duoCode struct {
	user    *DuoUser
	code    string
	expires time.Time
}

// RequireVerifiedPush makes the account's policy demand a Verified Push of the person, with
// a code of so many digits. Zero takes that back.
func (u *DuoUser) RequireVerifiedPush(digits int) *DuoUser {
	return u.do(func() { u.verified = digits })
}

// VerifiedPush returns the digits of the code that policy demands, and zero where a plain
// push will do.
func (u *DuoUser) VerifiedPush() (digits int) {
	u.do(func() { digits = u.verified })
	return digits
}

// NextCodes sets the codes that preauth tells next. What follows them is random.
func (u *DuoUser) NextCodes(codes ...string) *DuoUser {
	return u.do(func() { u.nextCodes = append(u.nextCodes, codes...) })
}

// WantedCode returns the code that the newest waiting push wants typed. It is empty where
// there is none.
func (u *DuoUser) WantedCode() (code string) {
	u.do(func() {
		for _, p := range u.waiting() {
			code = p.code
		}
	})
	return code
}

// beginVerified adds to an answer of preauth what a client needs for a Verified Push. It
// needs the lock.
func (u *DuoUser) beginVerified(response map[string]any) {
	expires := u.srv.time().Add(duoCodeLife)
	code := randomDigits(u.verified)
	if len(u.nextCodes) > 0 {
		code, u.nextCodes = u.nextCodes[0], u.nextCodes[1:]
	}
	txid := strings.ToLower(random(36))
	u.srv.codes[txid] = &duoCode{user: u, code: code, expires: expires}
	response["txid"], response["verification_code"], response["expiration"] = txid, code, expires.Unix()
}

// verify returns the code that a push wants typed, and "" where a plain push will do. It
// reports false where policy demands a code and the client has begun no push with one, or
// too long ago. It needs the lock.
func (u *DuoUser) verify(form url.Values) (code string, ok bool) {
	txid := form.Get("txid")
	if txid == "" {
		return "", u.verified == 0
	}
	begun := u.srv.codes[txid]
	delete(u.srv.codes, txid)
	if begun == nil || begun.user != u || u.srv.time().After(begun.expires) {
		return "", false
	}
	return begun.code, true
}

// withoutPush returns the devices as Duo lists them to a client that cannot show a code.
func withoutPush(devices []map[string]any) (list []map[string]any) {
	for _, d := range devices {
		d = maps.Clone(d)
		if capabilities, ok := d["capabilities"].([]string); ok {
			d["capabilities"] = slices.DeleteFunc(slices.Clone(capabilities), func(c string) bool { return c == "push" })
		}
		list = append(list, d)
	}
	return list
}

func randomDigits(n int) string {
	limit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil)
	code, _ := rand.Int(rand.Reader, limit) // which does not fail
	return fmt.Sprintf("%0*d", n, code)
}
