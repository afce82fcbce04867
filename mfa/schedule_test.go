package mfa

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestSchedule(t *testing.T) {
	t.Parallel()
	const s, ms = time.Second, time.Millisecond
	for _, row := range []struct {
		name   string
		p      polling
		least  time.Duration
		spread time.Duration
	}{
		{"a client that asks each 2 s", polling{held: true, first: true, ample: true}, 1500 * ms, 0},
		{"the same, later", polling{held: true, waited: 5 * s, ample: true}, 1500 * ms, 0},
		{"the number of a challenge", polling{first: true, ample: true, pushes: 1}, s, 500 * ms},
		{"a rush", polling{first: true, pushes: 1}, s, 1500 * ms},
		{"nobody has a phone in hand", polling{waited: 1200 * ms, ample: true, pushes: 1}, 1300 * ms, 200 * ms},
		{"now they have", polling{waited: 2500 * ms, ample: true, pushes: 1}, 650 * ms, 200 * ms},
		{"most approve", polling{waited: 5900 * ms, ample: true, pushes: 1}, 650 * ms, 200 * ms},
		{"some are slow", polling{waited: 6 * s, ample: true, pushes: 1}, 1100 * ms, 200 * ms},
		{"few are slower", polling{waited: 12 * s, ample: true, pushes: 1}, 2 * s, 500 * ms},
		{"two phones", polling{waited: 4 * s, ample: true, pushes: 2}, 1300 * ms, 400 * ms},
		{"four phones", polling{waited: 4 * s, ample: true, pushes: 4}, 2 * s, 500 * ms},
		{"little is left", polling{waited: 4 * s, pushes: 1}, 2 * s, 500 * ms},
		{"pushes that nobody has counted", polling{waited: 4 * s, ample: true}, 650 * ms, 200 * ms},
	} {
		least, spread := pollAfter(row.p)
		assert.Equal(t, row.least, least, row.name)
		assert.Equal(t, row.spread, spread, row.name)
	}
}

// asks returns when a login polls a push within a time, where Okta takes so long for an
// answer and chance is 0 for the shortest intervals and 1 for the longest ones.
func asks(within, answer time.Duration, chance float64, pushes int) (at []time.Duration) {
	for now, first := time.Duration(0), true; ; first = false {
		least, spread := pollAfter(polling{waited: now, pushes: pushes, first: first, ample: true})
		if now += least + time.Duration(chance*float64(spread)); now > within {
			return at
		}
		at = append(at, now)
		now += answer
	}
}

// Okta allows 10 requests in 5 s for a state token, and 20 for a user. The request that
// has sent the push counts.
func TestScheduleKeepsWithinOktasLimits(t *testing.T) {
	t.Parallel()
	for pushes := 1; pushes <= maxPhones; pushes++ {
		at := append([]time.Duration{0}, asks(time.Minute, 0, 0, pushes)...)
		for i := range at {
			n := 0
			for _, other := range at[i:] {
				if other-at[i] < 5*time.Second {
					n++
				}
			}
			assert.LessOrEqual(t, n, 9, "%d pushes, from %s on", pushes, at[i])
			assert.LessOrEqual(t, n*pushes, 19, "%d pushes, from %s on", pushes, at[i])
		}
	}
}

// A login costs no more polls, whenever the person approves within the time in which they
// mostly do, than one that polls at once and then a second after each answer.
func TestScheduleCostsNoMoreThanOnceASecond(t *testing.T) {
	t.Parallel()
	const answer = 150 * time.Millisecond
	everySecond := func(approved time.Duration) float64 {
		return 1 + float64(approved)/float64(time.Second+answer) + 0.5 // the poll that notices, on average
	}
	var ours, theirs float64
	for approved := 2 * time.Second; approved <= 15*time.Second; approved += 100 * time.Millisecond {
		polls := 0.0
		for chance := 0.0; chance < 1; chance += 0.1 {
			polls += float64(len(asks(approved, answer, chance, 1))+1) / 10
		}
		assert.LessOrEqual(t, polls, everySecond(approved)+0.75, "approved after %s", approved)
		ours, theirs = ours+polls, theirs+everySecond(approved)
	}
	assert.LessOrEqual(t, ours, theirs)
}
