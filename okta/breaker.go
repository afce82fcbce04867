package okta

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// breakAfter is how many requests in a row have to fail before nothing is sent for
	// a while, and breakSpan how long ago the first of them must have failed. Connections
	// that all break at the same moment say little about the next one.
	breakAfter = 5
	breakSpan  = time.Second

	// breakPause is how long nothing is sent then.
	breakPause = 5 * time.Second

	// probeWait is how long to wait while one request finds out whether Okta is back.
	probeWait = time.Second
)

// DownError says that nothing was sent, because Okta could not be reached, or failed,
// several times in a row. It is an ErrUnreachable.
type DownError struct{ Wait time.Duration }

func (e *DownError) Error() string {
	return fmt.Sprintf("okta has failed several times in a row, so nothing is sent for %s", e.Wait)
}

// Unwrap returns ErrUnreachable.
func (e *DownError) Unwrap() error { return ErrUnreachable }

// breaker spares an Okta that is down, and those who wait for it: after several failures
// in a row it lets nothing through for a moment, and then one request, by whose outcome
// it goes on.
type breaker struct {
	mu       sync.Mutex
	failures int          // in a row
	first    time.Time    // when the first of them was
	until    time.Time    // nothing is sent before it; zero: the breaker is closed
	probing  map[bool]int // requests that find out, by whether they are of shareUnproven
}

// outcome is what a request says about Okta.
type outcome int

const (
	saysNothing outcome = iota
	isUp
	isDown
)

// withdraws reports whether a request takes something back, a transaction or a push. It
// is sent once, whatever the state of the breaker, so that no phone goes on ringing.
func withdraws(req *http.Request) bool {
	return req.Method == http.MethodDelete || req.URL.Path == cancelPath
}

// enter lets a request through, or fails with a *DownError unless the request has to be
// sent. The caller has to tell afterwards what became of the request, at which time.
func (b *breaker) enter(now time.Time, s share, must bool) (tell func(outcome, time.Time), err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.until.IsZero() || must {
		return func(o outcome, now time.Time) { b.note(o, now, false) }, nil
	}
	if wait := b.until.Sub(now); wait > 0 {
		return nil, &DownError{wait}
	}
	// A stranger's request may hang for its own reasons, and is not waited for by others.
	strange := s == shareUnproven
	if b.probing[strange] > 0 {
		return nil, &DownError{probeWait}
	}
	if b.probing == nil {
		b.probing = map[bool]int{}
	}
	b.probing[strange]++
	return func(o outcome, now time.Time) {
		b.note(o, now, true)
		b.mu.Lock()
		defer b.mu.Unlock()
		b.probing[strange]--
	}, nil
}

func (b *breaker) note(o outcome, now time.Time, probe bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case o == isUp:
		b.failures, b.until = 0, time.Time{}
	case o == isDown && probe:
		b.until = now.Add(breakPause)
	case o == isDown && b.until.IsZero():
		if b.failures++; b.failures == 1 {
			b.first = now
		}
		if b.failures >= breakAfter && now.Sub(b.first) >= breakSpan {
			b.until = now.Add(breakPause)
		}
	}
}

// outcomeOf says what the error of a request of the share under its caller's context
// says about Okta. What somebody sent must not decide: any answer but a 5xx is a sign of
// life, and what came of a password for an unproven name, once it was sent, is none of
// the contrary. A directory behind Okta may hang or fail for some names only, and a
// firewall may close connections because of what they carry.
func outcomeOf(ctx context.Context, s share, err error) outcome {
	said, answered := errors.AsType[*Error](err)
	switch {
	case err == nil, answered && said.HTTPStatus < http.StatusInternalServerError:
		return isUp
	case ctx.Err() != nil, errors.Is(err, ErrBusy), errors.Is(err, ErrMalformed):
		return saysNothing
	case Unsent(err):
		return isDown
	case s == shareUnproven, s == sharePasswords && errors.Is(err, ErrTimeout):
		return saysNothing
	}
	return isDown
}
