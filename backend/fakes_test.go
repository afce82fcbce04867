package backend

import (
	"context"
	"errors"
	"io"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// faultyStorage is storage in memory that fails on request.
type faultyStorage struct {
	logical.InmemStorage
	mu                 sync.Mutex
	failGet, failWrite bool
}

var errStorage = errors.New("storage is down")

func (s *faultyStorage) fail(get, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.failGet, s.failWrite = get, write
}

func (s *faultyStorage) failing(write bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return write && s.failWrite || !write && s.failGet
}

func (s *faultyStorage) Get(ctx context.Context, key string) (*logical.StorageEntry, error) {
	if s.failing(false) {
		return nil, errStorage
	}
	return s.InmemStorage.Get(ctx, key)
}

func (s *faultyStorage) List(ctx context.Context, prefix string) ([]string, error) {
	if s.failing(false) {
		return nil, errStorage
	}
	return s.InmemStorage.List(ctx, prefix)
}

func (s *faultyStorage) Put(ctx context.Context, entry *logical.StorageEntry) error {
	if s.failing(true) {
		return errStorage
	}
	return s.InmemStorage.Put(ctx, entry)
}

func (s *faultyStorage) Delete(ctx context.Context, key string) error {
	if s.failing(true) {
		return errStorage
	}
	return s.InmemStorage.Delete(ctx, key)
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
		case <-time.After(10 * time.Second):
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
