package backend

import (
	"context"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store/storetest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// faultyStorage is storage in memory that fails on request.
type faultyStorage struct{ storetest.Storage }

func newStorage() *faultyStorage {
	return &faultyStorage{storetest.Storage{Storage: &logical.InmemStorage{}}}
}

// fail has reads or writes fail from now on, or none.
func (s *faultyStorage) fail(reads, writes bool) {
	s.Stage(func(_ context.Context, op string) error {
		if storetest.Writes(op) && writes || !storetest.Writes(op) && reads {
			return storetest.ErrDown
		}
		return nil
	}, nil)
}

// stepClock lets polls through without waiting, or one by one once a test holds
// it. Its time goes on by what was slept, and the org's along with it.
type stepClock struct {
	org   *oktatest.Clock
	mu    sync.Mutex
	steps chan struct{} // nil: do not wait
	count int           // who sleeps
}

func newStepClock() *stepClock { return &stepClock{org: oktatest.NewClock(time.Now())} }

func (c *stepClock) advance(d time.Duration) { c.org.Advance(d) }

// hold makes each sleep wait for a call of the function it returns, which fails
// the test when nobody comes to sleep.
func (c *stepClock) hold(t *testing.T) (step func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	steps := make(chan struct{})
	c.steps = steps
	return func() {
		t.Helper()
		select {
		case steps <- struct{}{}:
		case <-time.After(patience):
			t.Fatal("the login does not wait for a push")
		}
	}
}

func (c *stepClock) Now() time.Time { return c.org.Now() }

func (c *stepClock) Sleep(ctx context.Context, d time.Duration) error {
	c.advance(max(d, 0))
	c.mu.Lock()
	steps := c.steps
	c.mu.Unlock()
	if steps == nil {
		return ctx.Err()
	}
	c.sleeping(1)
	defer c.sleeping(-1)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-steps:
		return nil
	}
}

func (c *stepClock) sleeping(more int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.count += more
}

// asleep is how many wait for a step.
func (c *stepClock) asleep() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count
}

// syncBuffer collects a log.
type syncBuffer struct {
	mu  sync.Mutex
	buf []byte
}

var _ io.Writer = (*syncBuffer)(nil)

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf = append(b.buf, p...)
	return len(p), nil
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return string(b.buf)
}
