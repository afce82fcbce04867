package okta

import (
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// RateLimit is what Okta says of a rate limit: how many requests it allows in a
// window, how many of them are left, and when the next window begins by this machine's
// clock. The zero value means that no answer has told yet.
// https://developer.okta.com/docs/reference/rl-best-practices/
type RateLimit struct {
	Limit, Remaining int
	Reset            time.Time
}

// IsAmple reports whether more than half of the limit is left at now. What is not known is
// not ample.
func (l RateLimit) IsAmple(now time.Time) bool {
	return l.Limit > 0 && (l.Remaining > l.Limit/2 || !l.Reset.After(now))
}

// rateLimits keeps what the newest answers have told.
type rateLimits struct{ authn, users, pushes atomic.Pointer[RateLimit] }

// AuthnLimit returns the rate limit of the Authentication API, which all logins of
// the org share.
func (c *Client) AuthnLimit() RateLimit { return value(c.transport.limits.authn.Load()) }

// UsersLimit returns the rate limit of reads of users' groups. Okta counts reads of
// the users themselves, and of their factors, apart from them.
func (c *Client) UsersLimit() RateLimit { return value(c.transport.limits.users.Load()) }

// PushLimit returns the rate limit of polls of the Factors API's pushes.
func (c *Client) PushLimit() RateLimit { return value(c.transport.limits.pushes.Load()) }

func value(l *RateLimit) RateLimit {
	if l == nil {
		return RateLimit{}
	}
	return *l
}

// note remembers what an answer tells.
func (r *rateLimits) note(path string, h http.Header, now time.Time) {
	var into *atomic.Pointer[RateLimit]
	switch {
	case strings.HasPrefix(path, authnPath):
		into = &r.authn
	case strings.Contains(path, "/transactions/"):
		into = &r.pushes
	case strings.HasSuffix(path, groupsPath):
		into = &r.users
	default:
		return
	}
	if limit, ok := limitIn(h, now); ok {
		into.Store(&limit)
	}
}

// limitIn reads the limit that the head of an answer tells. The reset is counted from the
// answer's own Date, so that Okta's clock and this machine's may differ. A limit of zero
// belongs to the number of requests at the same time, and is ignored.
func limitIn(h http.Header, now time.Time) (_ RateLimit, ok bool) {
	limit, err := strconv.Atoi(h.Get("X-Rate-Limit-Limit"))
	if err != nil || limit <= 0 {
		return RateLimit{}, false
	}
	remaining, err := strconv.Atoi(h.Get("X-Rate-Limit-Remaining"))
	if err != nil || remaining < 0 {
		return RateLimit{}, false
	}
	reset, err := strconv.ParseInt(h.Get("X-Rate-Limit-Reset"), 10, 64)
	if err != nil {
		return RateLimit{}, false
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		return RateLimit{}, false
	}
	return RateLimit{limit, remaining, now.Add(boundWait(reset - date.Unix()))}, true
}
