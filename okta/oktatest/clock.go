package oktatest

import (
	"sync"
	"time"
)

// Clock is a clock for Options.Now that only Advance moves:
//
//	clock := oktatest.NewClock(time.Now())
//	srv := oktatest.NewServer(t, oktatest.Options{Now: clock.Now})
//	clock.Advance(time.Minute)
type Clock struct {
	mu  sync.Mutex
	now time.Time
}

// NewClock returns a clock that stands at now.
func NewClock(now time.Time) *Clock { return &Clock{now: now} }

// Now returns the time the clock stands at.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Advance moves the clock by d.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}
