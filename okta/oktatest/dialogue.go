package oktatest

import (
	"crypto/rand"
	"fmt"
	"math/big"
	"strings"
)

// What the server of a token wants next in a dialogue.
const (
	wantsPIN   = "pin"
	wantsAgain = "pin again"
	wantsCode  = "code"
)

// dialogue is what the server of an on-premises token goes through with a person who
// needs a new PIN. Okta passes on its sentences as 409 E0000113.
type dialogue struct {
	token string // the state token of the transaction that it belongs to, or factorsAPI
	wants string // empty before the first right passcode
	pin   string
	made  bool   // the server made the PIN
	asks  string // the sentence of the last answer
}

// RequireNewPIN makes the token's server want a new PIN: after the next right code the
// person has to choose one of 4 to 8 digits, to repeat it, and to give the following
// code. A wrong entry ends the dialogue, which then begins again with a code.
//
// Undocumented: another transaction begins the dialogue again, and wrong entries count
// as wrong passcodes.
func (f *Factor) RequireNewPIN() {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	f.dialogue = &dialogue{}
}

// RequireServerPIN is RequireNewPIN with a PIN that the server makes and shows. The
// person has to repeat it. The PIN is one of [Org.Secrets].
func (f *Factor) RequireServerPIN() (pin string) {
	f.User.org.mu.Lock()
	defer f.User.org.mu.Unlock()
	n, err := rand.Int(rand.Reader, big.NewInt(90_000_000))
	if err != nil {
		panic(err)
	}
	f.dialogue = &dialogue{made: true, pin: fmt.Sprint(10_000_000 + n.Int64())}
	f.User.org.addSecret(f.dialogue.pin)
	return f.dialogue.pin
}

// takesPIN reports whether the next entry of a transaction is a PIN and no code.
func (d *dialogue) takesPIN(token string) bool {
	return d != nil && d.token == token && (d.wants == wantsPIN || d.wants == wantsAgain)
}

// over reports whether a right code completes the factor.
func (d *dialogue) over(token string) bool {
	return d == nil || d.token == token && d.wants == wantsCode
}

// begin answers the right code with which a dialogue begins.
func (d *dialogue) begin(token string) string {
	d.token = token
	if d.made {
		return d.ask(wantsAgain, "Your new PIN is "+d.pin+". Type it to accept it.")
	}
	return d.ask(wantsPIN, "Your PIN is out of date. Pick a new one with 4 to 8 digits.")
}

// take answers an entry that should be a PIN.
func (d *dialogue) take(entry string) string {
	fits := len(entry) >= 4 && len(entry) <= 8 && strings.Trim(entry, "0123456789") == ""
	switch {
	case d.wants == wantsPIN && fits:
		d.pin = entry
		return d.ask(wantsAgain, "Type your new PIN once more.")
	case d.wants == wantsAgain && entry == d.pin:
		return d.ask(wantsCode, "Your new PIN is set. Wait until the token shows another code, and type that.")
	}
	d.wants = ""
	return "E0000068"
}

func (d *dialogue) ask(wants, sentence string) string {
	d.wants, d.asks = wants, sentence
	return "E0000113"
}

// nextEntry is the answer that asks for one more entry.
func (f *Factor) nextEntry() answer {
	a := oktaError("E0000113")
	if f.dialogue != nil {
		a.body.(object)["errorSummary"] = f.dialogue.asks
	}
	return a
}
