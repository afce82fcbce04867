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
func rush(p *Pace, logins int, during time.Duration, limit func() okta.RateLimit) (asked []time.Duration) {
	begin := time.Now()
	due := make([]time.Time, logins)
	for i := range due {
		defer p.enter()()
		due[i] = p.question(begin, firstPoll, begin.Add(time.Hour), limit)
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
		due[i] = p.question(at, PollInterval, begin.Add(time.Hour), limit)
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
		asked := rush(&Pace{}, row.logins, 30*time.Second, nil)
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
		asked := rush(&Pace{}, logins, 40*time.Second, limit)
		early := len(rush(&Pace{}, logins, 20*time.Second, limit)) // while they come in
		return float64(len(asked)-early) / 20
	}
	assert.InDelta(t, 215, perSecond(500, limit(60_000, 59_000, time.Minute)), 10, "there is room")
	assert.InDelta(t, 215, perSecond(500, limit(600, 10, -time.Second)), 10, "the limit was reset")
	assert.InDelta(t, 215, perSecond(500, func() okta.RateLimit { return okta.RateLimit{} }), 10, "nobody knows")
	assert.InDelta(t, 25, perSecond(500, limit(60_000, 4_000, 80*time.Second)), 6, "half of what is left, evenly; not less than one each in 20 s")
	assert.InDelta(t, 25, perSecond(500, limit(600, 0, time.Minute)), 6)
	assert.InDelta(t, 5, perSecond(10, limit(600, 0, time.Minute)), 5)
}

// Where Okta wants to be left alone nobody asks, and whoever waits is asked about
// once more before the wait ends.
func TestPaceRests(t *testing.T) {
	t.Parallel()
	var p Pace
	defer p.enter()()
	now := time.Now()
	p.rest(now.Add(30 * time.Second))
	p.rest(now.Add(10 * time.Second)) // no shorter for that
	until := now.Add(80 * time.Second)
	assert.Equal(t, now.Add(30*time.Second), p.question(now, PollInterval, until, nil))
	assert.Equal(t, now.Add(30*time.Second+freeGap), p.question(now, PollInterval, until, nil), "not all at once then")
	p.rest(now.Add(time.Hour))
	assert.Equal(t, until.Add(-lastMoment), p.question(now, PollInterval, until, nil))
	late := until.Add(-time.Second)
	assert.True(t, p.question(late, PollInterval, until, nil).After(until), "which was the last")
	assert.Equal(t, late.Add(PollInterval), (*Pace)(nil).question(late, PollInterval, until, nil))
}

func TestPaceForgetsWhoHasLeft(t *testing.T) {
	t.Parallel()
	var p Pace
	leave := p.enter()
	leave()
	leave()
	assert.Zero(t, p.waiting)
	assert.True(t, slices.IsSorted(rush(&p, 50, 5*time.Second, nil)))
	assert.Zero(t, p.waiting)
}
