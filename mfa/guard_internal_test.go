package mfa

import (
	"context"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// standing is a clock that stands still.
type standing struct{ now time.Time }

func (c *standing) Now() time.Time { return c.now }

func (c *standing) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// permitOf describes a push to the person.
func permitOf(g *guard, clock Clock, person string, limit PushLimit) *permit {
	return &permit{
		guard: g, clock: clock, person: person, limit: limit, until: clock.Now().Add(MaxWait),
		isEnding: func() bool { return false }, withdraw: func(context.Context) {}, over: make(chan struct{}),
	}
}

// TestGuardIsBounded: many people push out the record of whoever was away for the
// longest time, and nobody's record grows without an end.
func TestGuardIsBounded(t *testing.T) {
	t.Parallel()
	g, clock := &guard{}, &standing{time.Now()}
	limit := PushLimit{Failures: 2, Window: time.Hour}
	reject := func(person string) {
		p := permitOf(g, clock, person, limit)
		require.NoError(t, g.admit(t.Context(), p))
		p.end(rejected)
	}
	barred := func(person string) bool { return g.check(permitOf(g, clock, person, limit)) != nil }
	for _, person := range []string{"eve", "mia"} {
		reject(person)
		reject(person)
	}
	for i := range maxPeople - 2 {
		reject(strconv.Itoa(i))
	}
	assert.True(t, barred("eve"), "nobody has been pushed out yet")
	reject("one more")
	assert.True(t, barred("eve"), "who was here lately")
	assert.False(t, barred("mia"))

	limit.Failures = 0 // no limit
	for range 10 {
		reject("tom")
		code := permitOf(g, clock, "tom", limit)
		code.isCode = true
		require.NoError(t, g.admitCode(code))
	}
	assert.Nil(t, g.people.get("tom"))
}

// TestGuardForgets: a person of whom nothing is left to know has no record.
func TestGuardForgets(t *testing.T) {
	t.Parallel()
	g, clock := &guard{}, &standing{time.Now()}
	limit := PushLimit{Failures: 2, Window: time.Hour}
	for _, how := range []result{approved, uncounted} {
		p := permitOf(g, clock, "mia", limit)
		require.NoError(t, g.admit(t.Context(), p))
		p.end(how)
		p.end(rejected) // only the first call counts
		assert.Nil(t, g.people.get("mia"))
	}
	code := permitOf(g, clock, "mia", limit)
	code.isCode = true
	require.NoError(t, g.admitCode(code))
	assert.NotNil(t, g.people.get("mia"))
	code.end(uncounted)
	assert.Nil(t, g.people.get("mia"))
	require.NoError(t, g.admitCode(code))
	g.tidy(clock.now.Add(2 * maxWindow))
	assert.Nil(t, g.people.get("mia"))
}
