package oktatest

import "time"

// messagesKept is how many messages an organization remembers.
const messagesKept = 20

// Message is a code that was sent by SMS, by a call or by e-mail.
type Message struct {
	// Factor is what the code is for. Its type is the way that the message went.
	Factor *Factor
	To     string // masked, as it was then
	Code   string
	Sent   time.Time // by the organization's clock
	// Valid reports whether the code can still be used: it has not expired, no login has
	// used it and no newer one has replaced it.
	Valid bool
}

// Messages returns the last 20 messages that were sent, in their order.
func (o *Org) Messages() (list []Message) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, m := range o.messages {
		m.Valid = m.Factor.code == m.Code && o.opts.Now().Before(m.Factor.codeExpires)
		list = append(list, m)
	}
	return list
}

// post remembers that a factor's code was sent. It needs the lock.
func (o *Org) post(f *Factor) {
	o.messages = append(o.messages[max(0, len(o.messages)+1-messagesKept):], Message{Factor: f, To: f.destination, Code: f.code, Sent: f.sent})
}
