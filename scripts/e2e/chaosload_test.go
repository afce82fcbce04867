package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// The load that goes on while something breaks: this many people, each of whom
// logs in again and again, with a pause that makes about 20 logins a second of
// all of them, and as many operators, each of whom writes entries.
const (
	loadPeople    = 10
	loadPause     = 500 * time.Millisecond
	loadOperators = 2
	loadPatience  = 30 * time.Second // of a client, for one answer

	recoveryPatience = 2 * time.Minute // until logins work again
)

// load is people and operators at work on a mount, through any of its nodes.
type load struct {
	m     *mount
	nodes []*harness.Vault
	stop  context.CancelFunc
	done  sync.WaitGroup

	mu    sync.Mutex
	toll  toll
	right time.Time         // the last time that a login was answered rightly
	acked map[string]string // what the writes that were acknowledged say
}

// toll is what a disturbance cost.
type toll struct {
	attempted, answered int           // logins, and those that were answered rightly
	unavailable         int           // logins without an answer, or with one that says "not now"
	wrong               []string      // answers that nobody should get
	writes, lost        int           // writes acknowledged, and of those the ones that are gone
	repeated            int           // pushes sent beyond one for each login
	standstill          time.Duration // the longest time without a right answer
}

func (c toll) String() string {
	return fmt.Sprintf("%d logins attempted, %d answered rightly, %d unavailable, %d wrong; %d writes acknowledged, %d lost; "+
		"%d pushes repeated; longest standstill %s",
		c.attempted, c.answered, c.unavailable, len(c.wrong), c.writes, c.lost, c.repeated, c.standstill.Round(10*time.Millisecond))
}

// startLoad starts the load. Each person has a group whose policy a right
// login must have; every other person approves a push.
func startLoad(t *testing.T, m *mount, nodes ...*harness.Vault) *load {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	l := &load{m: m, nodes: nodes, stop: stop, right: time.Now(), acked: map[string]string{}}
	t.Cleanup(func() { stop(); l.done.Wait() })
	for i := range loadPeople {
		u := m.addUser(fmt.Sprintf("load%d@acme.test", i), "Staff")
		var phone *oktatest.Factor
		if i%2 == 0 {
			phone = u.AddPush("SUCCESS")
		}
		l.done.Go(func() { l.person(ctx, u, phone) })
	}
	l.done.Go(func() { l.thief(ctx, m.addUser("victim@acme.test", "Staff")) })
	for i := range loadOperators {
		l.done.Go(func() { l.operator(ctx, i) })
	}
	return l
}

// end stops the load, looks for every acknowledged write, and tells the toll.
func (l *load) end(t *testing.T) toll {
	t.Helper()
	l.stop()
	l.done.Wait()
	for name, policy := range l.acked {
		a := l.m.read("users/" + name)
		if got, _ := a.Data()["policies"].([]any); !slices.Contains(got, any(policy)) {
			l.toll.lost++
			t.Errorf("the write of %s was acknowledged and is gone: %d %s", name, a.Status, a.Raw)
		}
	}
	t.Log(l.toll)
	require.Empty(t, l.toll.wrong)
	return l.toll
}

func (l *load) person(ctx context.Context, u *oktatest.User, phone *oktatest.Factor) {
	logins := 0
	for pause(ctx) {
		logins++
		a, err := l.send(ctx, l.m.loginRequest(u.Login(), credentials(u)))
		if ctx.Err() == nil {
			l.count(a, err)
		}
	}
	if phone == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.toll.repeated += max(phone.Pushes()-logins, 0)
}

// thief has a name, and guesses the password: no answer may be a token.
func (l *load) thief(ctx context.Context, victim *oktatest.User) {
	for pause(ctx) {
		a, err := l.send(ctx, l.m.loginRequest(victim.Login(), object{"password": secret()}))
		if err == nil && a.Token() != "" {
			l.mistake("a token for a wrong password")
		}
	}
}

func (l *load) operator(ctx context.Context, who int) {
	for i := 0; pause(ctx); i++ {
		name, policy := fmt.Sprintf("entry-%d-%d", who, i), fmt.Sprintf("policy-%d-%d", who, i)
		a, err := l.send(ctx, harness.Request{
			Method: http.MethodPost, Path: l.m.full("users/" + name), Token: l.m.vault.RootToken,
			Body: object{"policies": policy},
		})
		if err == nil && a.Err() == nil {
			l.mu.Lock()
			l.acked[name] = policy
			l.toll.writes++
			l.mu.Unlock()
		}
	}
}

// send sends a request to one of the nodes, as a load balancer without health
// checks would.
func (l *load) send(ctx context.Context, r harness.Request) (harness.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, loadPatience)
	defer cancel()
	a, err := l.nodes[rand.IntN(len(l.nodes))].Do(ctx, r)
	noteSecrets(a)
	return a, err
}

// count judges the answer to a login with everything right.
func (l *load) count(a harness.Answer, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.toll.attempted++
	switch {
	case err != nil || a.Status >= 500 || a.Status == http.StatusTooManyRequests || a.Status == http.StatusTemporaryRedirect:
		l.toll.unavailable++
	case strings.Contains(a.Errors(), "may have been sent already"): // no answer to a push, which is not repeated
		l.toll.unavailable++
	case a.Err() != nil:
		l.toll.wrong = append(l.toll.wrong, fmt.Sprintf("a right login was refused: %v", a.Err()))
	case !slices.Contains(a.Auth()["policies"].([]any), any("staff")):
		l.toll.wrong = append(l.toll.wrong, fmt.Sprintf("a token without the policy of its group: %v", policies(a)))
	default:
		l.toll.answered++
		now := time.Now()
		l.toll.standstill = max(l.toll.standstill, now.Sub(l.right))
		l.right = now
	}
}

func (l *load) mistake(what string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.toll.wrong = append(l.toll.wrong, what)
}

// settle waits until logins are answered rightly again, as many as there are people.
func (l *load) settle(t *testing.T) {
	t.Helper()
	wanted := l.answered() + loadPeople
	for deadline := time.Now().Add(recoveryPatience); l.answered() < wanted; time.Sleep(100 * time.Millisecond) {
		require.True(t, time.Now().Before(deadline), "no right answer to a login")
	}
}

func (l *load) answered() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.toll.answered
}

// pause waits a little, and says whether the load goes on.
func pause(ctx context.Context) bool {
	select {
	case <-time.After(loadPause/2 + rand.N(loadPause)):
		return true
	case <-ctx.Done():
		return false
	}
}
