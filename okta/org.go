package okta

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"
)

const organizationPath = "/.well-known/okta-organization"

// orgFailureLife is how long a client keeps the error of a request for the org's id. A
// login asks more than once, and should not wait for a host that is down each time.
const orgFailureLife = 30 * time.Second

// identity is what a client knows of the org that it calls. It shares it with the
// clients that For makes.
type identity struct {
	mu      sync.Mutex
	current *inquiry // nil before the first one, and after one that says nothing about the org
}

// inquiry is one request for the id of an org, for which several callers may wait.
// The other fields are valid once done is closed.
type inquiry struct {
	done  chan struct{}
	id    string
	err   error
	until time.Time // when err no longer counts
	left  bool      // the caller who sent the request left before the answer came
}

// isStale reports whether the inquiry has failed so long ago that it no longer counts.
func (q *inquiry) isStale(now time.Time) bool {
	select {
	case <-q.done:
		return q.err != nil && !now.Before(q.until)
	default:
		return false
	}
}

// OrgID returns the id of the client's org, "00o…", which is the same at all of its
// URLs. Only one request is sent at a time, and all callers who wait share its answer.
// The client caches an id for its life, and an error for orgFailureLife, unless it is
// that of a caller who left or of a client that had no room for the request.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/OrgSettingMetadata/
func (c *Client) OrgID(ctx context.Context) (string, error) {
	for {
		q, first := c.org.join(c.transport.now())
		if first {
			c.inquire(ctx, q)
		}
		select {
		case <-q.done:
		case <-ctx.Done():
			return "", contextError(ctx.Err())
		}
		if first || q.err == nil || !q.left {
			return q.id, q.err
		}
	}
}

// join returns the current inquiry, and says whether the caller has to send its
// request.
func (i *identity) join(now time.Time) (q *inquiry, first bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if first = i.current == nil || i.current.isStale(now); first {
		i.current = &inquiry{done: make(chan struct{})}
	}
	return i.current, first
}

// inquire sends the request of q and then wakes the callers who wait for it, even
// after a panic.
func (c *Client) inquire(ctx context.Context, q *inquiry) {
	q.err, q.left = context.Canceled, true
	defer func() {
		q.until = c.transport.now().Add(orgFailureLife)
		if q.left || errors.Is(q.err, ErrBusy) {
			c.org.mu.Lock()
			c.org.current = nil
			c.org.mu.Unlock()
		}
		close(q.done)
	}()
	var org Organization
	org, q.err = c.organization(ctx)
	q.id = org.ID
	q.left = q.err != nil && ctx.Err() != nil
}

// Organization is what an org tells everybody about itself.
type Organization struct {
	ID       string // "00o…"
	Pipeline string // "v1" for the Classic Engine, "idx" for the Identity Engine
	URL      string // its own one, also where it was asked at a custom domain; may be empty
}

// organization asks the org about itself.
func (c *Client) organization(ctx context.Context) (Organization, error) {
	// The endpoint is public, and the program asks for itself.
	public := c.For(Caller{})
	var w struct {
		ID       string          `json:"id"`
		Pipeline lenient[string] `json:"pipeline"`
		Links    lenient[struct {
			Organization struct {
				Href string `json:"href"`
			} `json:"organization"`
		}] `json:"_links"`
	}
	header, err := public.do(ctx, http.MethodGet, organizationPath, nil, &w)
	if err != nil {
		return Organization{}, err
	}
	if w.ID == "" {
		return Organization{}, malformedHeader("an org without an id", header)
	}
	return Organization{w.ID, w.Pipeline.is, w.Links.is.Organization.Href}, nil
}

// SameOrg reports whether two clients call the same org, which may have several URLs.
// Where the URLs differ, the ids of the orgs decide. Where known is false, an id could
// not be read, and same says nothing.
func SameOrg(ctx context.Context, a, b *Client) (same, known bool) {
	if a.orgURL == b.orgURL {
		return true, true
	}
	one, err := a.OrgID(ctx)
	if err != nil {
		return false, false
	}
	other, err := b.OrgID(ctx)
	if err != nil {
		return false, false
	}
	return one == other, true
}
