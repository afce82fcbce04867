package service_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
)

// simulated is a service that knows methodtest.Person, who has a phone.
type simulated struct {
	srv  *mfatest.Server
	user interface {
		Approve()
		Reject()
		Pushes() int
	}
	// add adds another person with a phone.
	add func(name string)
	// method makes the method of the service. A timeout of zero is the default.
	method func(timeout time.Duration, format mfa.Format) mfa.Method
	// script approves the next push, without anybody's doing.
	script func()
	// ring is the end of the path of the request that makes the phone ring.
	ring string
	// steps are the ends of the paths of a login, in order.
	steps []string
	// polled says that the login polls the push; otherwise the method waits for it.
	polled bool
	// waits is how many requests of the last step there are once the service waits
	// for the person.
	waits int
	// last answers Prepare for the last time: it closes the connection.
	last mfatest.Fault
	// rejected is what Reject means.
	rejected error
}

// services are the kinds of service there are.
var services = map[string]func(*testing.T) simulated{
	"duo": func(t *testing.T) simulated {
		srv := mfatest.NewDuo(t)
		user := srv.AddUser(methodtest.Person.Login).AddPhone("push")
		return simulated{
			srv: &srv.Server, user: user,
			script: func() { user.Script(mfatest.DuoOutcome{Result: "allow", Status: "allow"}) },
			add:    func(name string) { srv.AddUser(name).AddPhone("push") },
			method: func(timeout time.Duration, format mfa.Format) mfa.Method {
				return methodtest.Duo(t, srv, func(c *duo.Config) { c.Timeout, c.Format = timeout, format })
			},
			ring: "/auth", steps: []string{"/preauth", "/auth", "/auth_status"}, waits: 2,
			last: mfatest.Fault{
				On: "/preauth", Header: map[string]string{"Connection": "close"},
				Body: `{"stat":"OK","response":{"result":"auth","devices":[{"capabilities":["push"]}]}}`,
			},
			rejected: mfa.ErrRejected,
		}
	},
	"pingid": func(t *testing.T) simulated {
		s := simulatedPingID(t, false)
		s.ring, s.steps = "/authonline/do", []string{"/authonline/do"}
		return s
	},
	"pingid by startauthentication": func(t *testing.T) simulated {
		s := simulatedPingID(t, true)
		s.ring, s.steps, s.polled = "/startauthentication/do", []string{"/startauthentication/do", "/authstatus/do"}, true
		return s
	},
}

// simulatedPingID lacks the paths of the requests.
func simulatedPingID(t *testing.T, start bool) simulated {
	srv := mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	return simulated{
		srv: &srv.Server, user: user,
		script: func() { user.Script(mfatest.PingIDOutcome{ErrorID: 200}) },
		add:    func(name string) { srv.AddUser(name) },
		method: func(timeout time.Duration, format mfa.Format) mfa.Method {
			return methodtest.PingID(t, srv, func(c *pingid.Config) { c.Timeout, c.Format, c.Start = timeout, format, start })
		},
		waits: 1,
		last:  mfatest.Fault{Status: 404, Header: map[string]string{"Connection": "close"}},
		rejected: &mfa.DeniedError{Reason: "the request was rejected or not answered, or PingID could not carry it out: log in again " +
			"(PingID error 10551: Failed transaction. Please retry.)"},
	}
}

// each runs a test with each kind of service.
func each(t *testing.T, test func(*testing.T, simulated)) {
	t.Parallel()
	for name, start := range services {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, start(t))
		})
	}
}

// attempt prepares a login with a push.
func (s simulated) attempt(t *testing.T, timeout time.Duration) mfa.Attempt {
	t.Helper()
	attempt, err := s.method(timeout, mfa.Format{}).Prepare(t.Context(), methodtest.Person, mfa.Credential{})
	require.NoError(t, err)
	return attempt
}

// lastStep is the end of the path of the request that waits for the person.
func (s simulated) lastStep() string { return s.steps[len(s.steps)-1] }

// whenAsked calls do in the background, once there have been n requests for step and
// that many pushes.
func (s simulated) whenAsked(step string, n, pushes int, do func()) {
	go func() {
		for s.srv.Count(step) < n || s.user.Pushes() < pushes {
			time.Sleep(time.Millisecond)
		}
		do()
	}()
}

// expiring is a context whose deadline passes when late is closed.
type expiring struct {
	context.Context
	late chan struct{}
}

func newExpiring(t *testing.T) expiring { return expiring{t.Context(), make(chan struct{})} }

func (c expiring) Done() <-chan struct{} { return c.late }

func (c expiring) Err() error {
	select {
	case <-c.late:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func (c expiring) expire() { close(c.late) }

// TestPushIsAnswered by somebody while the service is waited for.
func TestPushIsAnswered(t *testing.T) {
	each(t, func(t *testing.T, s simulated) {
		for i, test := range []struct {
			do   func()
			want error
		}{{s.user.Approve, nil}, {s.user.Reject, s.rejected}} {
			var said methodtest.Talk
			attempt := s.attempt(t, 0)
			s.whenAsked(s.lastStep(), s.waits*(i+1), i+1, test.do)
			assert.Equal(t, test.want, said.Satisfy(t.Context(), attempt, time.Minute))
			assert.Equal(t, 1, said.Waited())
		}
		assert.Equal(t, 2, s.user.Pushes())
	})
}

// TestPushEndsWithTheTime that the login has. The phone has rung by then.
func TestPushEndsWithTheTime(t *testing.T) {
	each(t, func(t *testing.T, s simulated) {
		ctx := newExpiring(t)
		attempt := s.attempt(t, 0)
		s.whenAsked(s.lastStep(), s.waits, 1, ctx.expire)
		err := new(methodtest.Talk).Satisfy(ctx, attempt, time.Minute)
		assert.ErrorIs(t, err, mfa.ErrPushTimeout)
		assert.False(t, mfa.NotSent(err))
	})
}

// TestPushWithoutTime rings no phone.
func TestPushWithoutTime(t *testing.T) {
	each(t, func(t *testing.T, s simulated) {
		s.script()
		var said methodtest.Talk
		err := said.Satisfy(t.Context(), s.attempt(t, 0), -time.Second)
		assert.ErrorIs(t, err, mfa.ErrPushTimeout)
		assert.True(t, mfa.NotSent(err))
		assert.Zero(t, s.user.Pushes())
		assert.Zero(t, said.Waited())
	})
}

// TestPushEndsWithTheClient who leaves.
func TestPushEndsWithTheClient(t *testing.T) {
	each(t, func(t *testing.T, s simulated) {
		ctx, cancel := context.WithCancel(t.Context())
		attempt := s.attempt(t, 0)
		s.whenAsked(s.lastStep(), s.waits, 1, cancel)
		err := new(methodtest.Talk).Satisfy(ctx, attempt, time.Minute)
		assert.ErrorIs(t, err, context.Canceled)
		assert.False(t, mfa.NotSent(err))
		if !s.polled {
			assert.Equal(t, s.waits, s.srv.Count(s.lastStep()))
		}
	})
}

// TestServiceGone after the preparation sends nothing.
func TestServiceGone(t *testing.T) {
	each(t, func(t *testing.T, s simulated) {
		s.srv.Fail(s.last)
		attempt := s.attempt(t, 0)
		s.srv.Close()
		var said methodtest.Talk
		err := said.Satisfy(t.Context(), attempt, time.Minute)
		assert.ErrorIs(t, err, mfa.ErrServiceUnreachable)
		assert.True(t, mfa.NotSent(err))
		assert.Zero(t, said.Waited())
	})
}

// TestPushIsAnnounced before it is sent: the guard knows a person by one name, however
// they are spelled, and by no other's.
func TestPushIsAnnounced(t *testing.T) {
	t.Parallel()
	typed, err := mfa.ParseFormat("{{identity.entity.aliases.auth_okta_1.name}}", "auth_okta_1")
	require.NoError(t, err)
	rung := map[string]string{} // who rings, by the name for the guard
	for name, start := range services {
		s := start(t)
		method := s.method(0, typed)
		prepare := func(who mfa.Subject) mfa.Attempt {
			attempt, err := method.Prepare(t.Context(), who, mfa.Credential{})
			require.NoError(t, err)
			assert.True(t, strings.HasPrefix(attempt.Phone, attempt.Rings))
			assert.False(t, attempt.Sends)
			return attempt
		}
		s.add(methodtest.Person.Name)
		rings := prepare(methodtest.Person).Rings
		require.NotEmpty(t, rings)
		for _, spelling := range []string{"mia", "MIA.ITO@acme.test", "mía.ito"} {
			who := methodtest.Person
			who.Name = spelling
			s.add(spelling)
			assert.Equal(t, rings, prepare(who).Rings, spelling)
		}
		id, org := methodtest.Person, methodtest.Person
		id.ID, org.Org = "00u2eve", "https://other.okta.test"
		for what, ring := range map[string]string{"person": rings, "id": prepare(id).Rings, "org": prepare(org).Rings} {
			assert.Empty(t, rung[ring])
			rung[ring] = name + " " + what
		}
	}
}

// TestRingTakesTheTimeOfTheClock: a push may wait as long as the exchange's own clock
// says.
func TestRingTakesTheTimeOfTheClock(t *testing.T) {
	t.Parallel()
	clock := fixed(time.Unix(1_000_000, 0))
	before := time.Now()
	push, err := service.Ring(t.Context(), mfa.Exchange{Clock: clock, Life: t.Context(), Until: clock.Now().Add(time.Hour)},
		func(ctx context.Context, sent func(mfa.Waiting)) error {
			deadline, ok := ctx.Deadline()
			assert.True(t, ok)
			assert.False(t, deadline.Before(before.Add(time.Hour)))
			assert.False(t, deadline.After(time.Now().Add(time.Hour)))
			return nil
		})
	require.NoError(t, err)
	passed, err := push.Poll(t.Context())
	assert.NoError(t, err)
	assert.True(t, passed)
}

// fixed is a clock that stands still.
type fixed time.Time

func (c fixed) Now() time.Time { return time.Time(c) }

func (fixed) Sleep(ctx context.Context, _ time.Duration) error { return ctx.Err() }

// faults are those of the way to a service, and what they mean.
var faults = map[string]struct {
	fault   mfatest.Fault
	want    error // ErrorIs
	status  int   // of a *mfa.ServiceError
	notSent bool  // where it strikes the request that makes a phone ring
}{
	"redirect":           {fault: mfatest.Fault{Status: 307, Header: map[string]string{"Location": "/elsewhere"}}, want: mfa.ErrServiceMalformed},
	"garbage":            {fault: mfatest.Fault{Body: "<html>hello</html>"}, want: mfa.ErrServiceMalformed},
	"another document":   {fault: mfatest.Fault{Body: `{"stat":"OK","response":[1,2]}`}, want: mfa.ErrServiceMalformed},
	"no document":        {fault: mfatest.Fault{Body: `{}`}, want: mfa.ErrServiceMalformed},
	"nothing":            {want: mfa.ErrServiceMalformed},
	"5 MiB":              {fault: mfatest.Fault{Body: strings.Repeat("x", 5<<20)}, want: mfa.ErrServiceMalformed},
	"connection dropped": {fault: mfatest.Fault{Drop: true}, want: mfa.ErrServiceUnreachable},
	"cut off":            {fault: mfatest.Fault{Header: map[string]string{"Content-Length": "99"}, Body: "x"}, want: mfa.ErrServiceUnreachable},
	"other protocol":     {fault: mfatest.Fault{Status: 101}, want: mfa.ErrServiceMalformed},
	"not found":          {fault: mfatest.Fault{Status: 404, Body: "nowhere"}, status: 404, notSent: true},
	"rate limit":         {fault: mfatest.Fault{Status: 429, Body: `{"stat":"FAIL","code":42901,"message":"Too many"}`}, status: 429, notSent: true},
	"proxy gave up":      {fault: mfatest.Fault{Status: 408}, status: 408},
	"unavailable":        {fault: mfatest.Fault{Status: 503, Body: "later"}, status: 503},
	"hanging":            {fault: mfatest.Fault{Hang: true}, want: mfa.ErrServiceTimeout},
}

// TestFaults in each step. Whatever happens, a push is sent once.
func TestFaults(t *testing.T) {
	t.Parallel()
	for name, start := range services {
		for i, step := range start(t).steps {
			for fault := range faults {
				t.Run(name+" "+step+" "+fault, func(t *testing.T) {
					t.Parallel()
					s := start(t)
					s.fail(t, i, fault)
				})
			}
		}
	}
}

// fail has a fault strike a step of a login.
func (s simulated) fail(t *testing.T, i int, name string) {
	test, step := faults[name], s.steps[i]
	rings := step == s.ring
	fault := test.fault
	fault.On, fault.Late = step, rings && !test.notSent
	s.srv.Fail(fault)
	s.script()
	var timeout time.Duration
	if fault.Hang {
		timeout = 5 * time.Second // also of what comes before the fault
	}
	method := s.method(timeout, mfa.Format{})
	attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
	want, pushes := test.want, 1
	if s.prepares(step) {
		pushes = 0
		assert.Equal(t, 1, s.srv.Count(step))
	} else {
		require.NoError(t, err)
		ctx := newExpiring(t)
		if fault.Hang && i == len(s.steps)-1 { // nothing but the time ends this one
			want = mfa.ErrPushTimeout
			s.whenAsked(step, 1, 1, ctx.expire)
		}
		// A service may be asked again what has become of a push, for as long as that waits.
		err = (&methodtest.Talk{Clock: methodtest.NewMoving()}).Satisfy(ctx, attempt, time.Minute)
		assert.Equal(t, rings && test.notSent, mfa.NotSent(err))
		assert.Equal(t, 1, s.srv.Count(s.ring))
		if rings && test.notSent {
			pushes = 0
		}
	}
	assertServiceError(t, want, test.status, err)
	assert.Equal(t, pushes, s.user.Pushes())
	methodtest.AssertNoSecret(t, s.srv.Secrets(), err, method)
}

// prepares reports whether a step comes before the phone rings.
func (s simulated) prepares(step string) bool {
	return slices.Index(s.steps, step) < slices.Index(s.steps, s.ring)
}

// assertServiceError wants got to be what a fault means.
func assertServiceError(t *testing.T, want error, status int, got error) {
	t.Helper()
	if status == 0 {
		assert.ErrorIs(t, got, want)
		return
	}
	if failed, ok := errors.AsType[*mfa.ServiceError](got); assert.True(t, ok, got) {
		assert.Equal(t, status, failed.Status)
	}
}

// TestStrangeCertificate: a host that nobody vouches for is sent nothing.
func TestStrangeCertificate(t *testing.T) {
	t.Parallel()
	duoSrv, pingSrv := mfatest.NewDuo(t), mfatest.NewPingID(t)
	for name, method := range map[string]mfa.Method{
		"duo":    methodtest.Duo(t, duoSrv, func(c *duo.Config) { c.RootCAs = pingSrv.CertPool() }),
		"pingid": methodtest.PingID(t, pingSrv, func(c *pingid.Config) { c.RootCAs = duoSrv.CertPool() }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
			assert.ErrorIs(t, err, mfa.ErrServiceUnreachable)
			assert.True(t, mfa.NotSent(err))
			assert.Empty(t, append(duoSrv.Requests(), pingSrv.Requests()...))
		})
	}
}

// TestPreparationEnds with the client, and with the time, where the service hangs.
func TestPreparationEnds(t *testing.T) {
	each(t, func(t *testing.T, s simulated) {
		s.srv.Fail(mfatest.Fault{Hang: true})
		ctx, cancel := context.WithCancel(t.Context())
		s.whenAsked("", 1, 0, cancel)
		_, err := s.method(0, mfa.Format{}).Prepare(ctx, methodtest.Person, mfa.Credential{})
		assert.ErrorIs(t, err, context.Canceled)

		late := newExpiring(t)
		s.whenAsked("", 2, 0, late.expire)
		_, err = s.method(0, mfa.Format{}).Prepare(late, methodtest.Person, mfa.Credential{})
		assert.ErrorIs(t, err, mfa.ErrServiceTimeout)
	})
}

// TestRingThatIsDecidedAtOnce: a push that was on its way is one, however fast its answer
// was.
func TestRingThatIsDecidedAtOnce(t *testing.T) {
	t.Parallel()
	for range 100 {
		push, err := service.Ring(t.Context(), mfa.Exchange{Clock: methodtest.Clock{}, Life: t.Context(), Until: time.Now().Add(time.Hour)},
			func(_ context.Context, sent func(mfa.Waiting)) error {
				sent(mfa.Waiting{Device: "Phone"})
				return mfa.ErrRejected
			})
		require.NoError(t, err)
		assert.Equal(t, "Phone", push.Waiting().Device)
		<-push.Decided()
		_, err = push.Poll(t.Context())
		require.ErrorIs(t, err, mfa.ErrRejected)
	}
}

// TestPanicIsNoApproval: a push whose goroutine panics lets nobody pass.
func TestPanicIsNoApproval(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		push, err := service.Ring(t.Context(), mfa.Exchange{Clock: methodtest.Clock{}, Life: t.Context(), Until: time.Now().Add(time.Hour)},
			func(_ context.Context, sent func(mfa.Waiting)) error {
				if late {
					sent(mfa.Waiting{})
				}
				panic("secret-of-a-request")
			})
		if err == nil {
			<-push.Decided()
			var passed bool
			passed, err = push.Poll(t.Context())
			assert.False(t, passed)
		}
		var p *panics.Error
		require.ErrorAs(t, err, &p)
	}
}
