package mfa

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// rush has so many logins ask about their pushes from the same moment on, and
// returns when they do within a time.
func rush(p *pace, logins int, during time.Duration, limit func() okta.RateLimit) (asked []time.Duration) {
	begin := time.Now()
	due := make([]time.Time, logins)
	for i := range due {
		defer p.enter()()
		due[i] = p.nextPoll(begin, firstPoll, 1, begin.Add(time.Hour), limit)
	}
	for {
		i := 0
		for j := range due {
			if due[j].Before(due[i]) {
				i = j
			}
		}
		at := due[i]
		if at.Sub(begin) > during {
			return asked
		}
		asked = append(asked, at.Sub(begin))
		due[i] = p.nextPoll(at, PollInterval, 1, begin.Add(time.Hour), limit)
	}
}

// busiest is the most that was asked within any second.
func busiest(asked []time.Duration) (most int) {
	for i := range asked {
		n := 0
		for _, at := range asked[i:] {
			if at-asked[i] < time.Second {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

func TestPaceSpreadsARush(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ logins, atLeast, atMost int }{
		{1, 1, 1}, {2, 2, 2}, {20, 15, 50}, {100, 40, 51}, {500, 210, 225}, {2000, 870, 900},
	} {
		asked := rush(&pace{}, row.logins, 30*time.Second, nil)
		assert.LessOrEqual(t, busiest(asked), row.atMost, "%d logins", row.logins)
		assert.GreaterOrEqual(t, busiest(asked), row.atLeast, "%d logins", row.logins)
	}
	// Without one, each asks for itself.
	asked := rush(nil, 500, 5*time.Second, nil)
	assert.Equal(t, 500, busiest(asked))
}

func TestPaceLeavesRoom(t *testing.T) {
	t.Parallel()
	limit := func(of, left int, in time.Duration) func() okta.RateLimit {
		at := time.Now().Add(in)
		return func() okta.RateLimit { return okta.RateLimit{Limit: of, Remaining: left, Reset: at} }
	}
	perSecond := func(logins int, limit func() okta.RateLimit) float64 {
		asked := rush(&pace{}, logins, 40*time.Second, limit)
		early := len(rush(&pace{}, logins, 20*time.Second, limit)) // while they come in
		return float64(len(asked)-early) / 20
	}
	assert.InDelta(t, 215, perSecond(500, limit(60_000, 59_000, time.Minute)), 10, "there is room")
	assert.InDelta(t, 215, perSecond(500, limit(600, 10, -time.Second)), 10, "the limit was reset")
	assert.InDelta(t, 215, perSecond(500, func() okta.RateLimit { return okta.RateLimit{} }), 10, "nobody knows")
	assert.InDelta(t, 25, perSecond(500, limit(60_000, 4_000, 80*time.Second)), 6, "half of what is left, evenly; not less than one each in 20 s")
	assert.InDelta(t, 25, perSecond(500, limit(600, 0, time.Minute)), 6)
	assert.InDelta(t, 5, perSecond(10, limit(600, 0, time.Minute)), 5)
}

// A login that makes several phones ring asks about each of them.
func TestPaceCountsPushes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	left := okta.RateLimit{Limit: 600, Remaining: 200, Reset: now.Add(time.Minute)}
	assert.Equal(t, 600*time.Millisecond, gap(1, 1, now, left))
	assert.Equal(t, 1800*time.Millisecond, gap(1, 3, now, left))
	assert.Equal(t, freeGap, gap(1, 4, now, okta.RateLimit{}))
}

// A long interval does not hold up a short one that is reserved after it.
func TestPaceKeepsIntervals(t *testing.T) {
	t.Parallel()
	var p pace
	defer p.enter()()
	defer p.enter()()
	now := time.Now()
	until := now.Add(time.Minute)
	assert.Equal(t, now.Add(2500*time.Millisecond), p.nextPoll(now, 2500*time.Millisecond, 1, until, nil))
	assert.Equal(t, now.Add(1500*time.Millisecond+freeGap), p.nextPoll(now, 1500*time.Millisecond, 1, until, nil))
	later := now.Add(time.Second)
	assert.Equal(t, later.Add(PollInterval), p.nextPoll(later, PollInterval, 1, until, nil))
	// A pause that Okta has asked for is no shorter at a slow pace.
	p.next = now.Add(time.Hour)
	assert.Equal(t, now.Add(30*time.Second), p.nextPoll(now, 30*time.Second, 1, until, nil))
	p.next = now.Add(time.Hour)
	assert.Equal(t, now.Add(longestCycle), p.nextPoll(now, PollInterval, 1, until, nil))
}

// Where Okta wants to be left alone nobody asks, and whoever waits is asked about
// once more before the wait ends.
func TestPaceRests(t *testing.T) {
	t.Parallel()
	var p pace
	defer p.enter()()
	now := time.Now()
	exhausted := func() okta.RateLimit { return okta.RateLimit{Limit: 600, Reset: now.Add(time.Minute)} }
	p.rest(now, now.Add(30*time.Second), exhausted)
	p.rest(now, now.Add(10*time.Second), exhausted) // no shorter for that
	until := now.Add(80 * time.Second)
	assert.Equal(t, now.Add(30*time.Second), p.nextPoll(now, PollInterval, 1, until, nil))
	assert.Equal(t, now.Add(30*time.Second+freeGap), p.nextPoll(now, PollInterval, 1, until, nil), "not all at once then")
	p.rest(now, now.Add(time.Hour), exhausted)
	assert.Equal(t, until.Add(-lastMoment), p.nextPoll(now, PollInterval, 1, until, nil))
	for _, pace := range []*pace{&p, nil} {
		last := until.Add(-lastMoment)
		due := pace.nextPoll(last, PollInterval, 1, until, nil)
		assert.True(t, due.After(until), "which was the last")
		assert.WithinDuration(t, until, due, 10*time.Millisecond, "the wait ends when it ends")
	}
}

// A 429 that may be about one person does not stop the others for long, and one that
// is about one person or about requests at the same time not at all.
func TestPaceRestsForWhatIsEverybodys(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, row := range []struct {
		name  string
		limit func() okta.RateLimit
		rests time.Duration
	}{
		{"exhausted", func() okta.RateLimit { return okta.RateLimit{Limit: 600, Reset: now.Add(time.Minute)} }, 50 * time.Second},
		{"some are left", func() okta.RateLimit { return okta.RateLimit{Limit: 600, Remaining: 1, Reset: now.Add(time.Minute)} }, 0},
		{"nobody knows", nil, longestCycle},
		{"nobody knows any more", func() okta.RateLimit { return okta.RateLimit{Limit: 600, Reset: now} }, longestCycle},
	} {
		var p pace
		p.rest(now, now.Add(50*time.Second), row.limit)
		assert.Equal(t, row.rests, max(p.resting.Sub(now), 0), row.name)
	}
	(*pace)(nil).rest(now, now.Add(time.Second), nil)
}

func TestPaceForgetsWhoHasLeft(t *testing.T) {
	t.Parallel()
	var p pace
	leave := p.enter()
	leave()
	leave()
	assert.Zero(t, p.waiting)
	assert.True(t, slices.IsSorted(rush(&p, 50, 5*time.Second, nil)))
	assert.Zero(t, p.waiting)
}
