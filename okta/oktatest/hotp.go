package oktatest

import "time"

// hotpLookAhead is how many codes of a generator may stay unused before it is out of
// step for good. Section 7.4 of RFC 4226 leaves the number open.
const hotpLookAhead = 10

// counted is a generator of RFC 4226: a button, and a counter that both the
// device and the server keep.
type counted struct {
	secret  []byte
	digits  int
	pressed int64 // the counter of the device, for the next code that it makes
	next    int64 // the counter of the server, for the first code that it accepts
}

// code presses the button.
func (g *counted) code(time.Time) string {
	g.pressed++
	return hotp(g.secret, g.pressed-1, g.digits)
}

// check accepts any of the next codes, and then moves past it. Undocumented: the code
// last accepted is a replay, and older ones are wrong, because a server that keeps a
// counter does not remember them.
func (g *counted) check(code string, _ time.Time) string {
	for counter := g.next; counter < g.next+hotpLookAhead; counter++ {
		if hotp(g.secret, counter, g.digits) == code {
			g.next = counter + 1
			return ""
		}
	}
	if g.next > 0 && hotp(g.secret, g.next-1, g.digits) == code {
		return "E0000082"
	}
	return "E0000068"
}
