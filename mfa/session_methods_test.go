package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// journal is what methods have done, in order. Preparations come at the same time, so that
// those that follow one another are in the order of their names.
type journal struct {
	mu   sync.Mutex
	list []string
}

func (j *journal) note(what, name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	at := len(j.list)
	for line := what + " " + name; what == "prepare" && at > 0 && strings.HasPrefix(j.list[at-1], "prepare ") && j.list[at-1] > line; {
		at--
	}
	j.list = slices.Insert(j.list, at, what+" "+name)
}

// read returns what was noted since the last call.
func (j *journal) read() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	list := j.list
	j.list = nil
	return strings.Join(list, ", ")
}

// fakeMethod notes what it is asked for. It takes its passcode or else, where it
// rings a person, a push.
type fakeMethod struct {
	name     string
	journal  *journal
	passCode string
	rings    string // the person
	sends    bool   // a code, where no passcode is given
	passed   bool
	refuses  error // of Prepare
	fails    error // of Verify
	lost     bool  // and that before it knows whether a push waits
	expires  time.Time
	number   *int

	// rang gets each push that waits, and decided ends one; where decided is nil a
	// push is approved at once.
	rang    chan *fakePush
	decided chan error
	// slow, where it is not nil, holds up the end of a withdrawn push.
	slow chan struct{}
}

func (f *fakeMethod) Prepare(_ context.Context, who mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	f.journal.note("prepare", f.name)
	switch {
	case who.ID != mia.ID:
		panic("a method of somebody else")
	case f.refuses != nil:
		return mfa.Attempt{}, f.refuses
	case f.passed:
		return mfa.Attempt{Passed: true}, nil
	case c.PassCode != "":
		return mfa.Attempt{Verify: func(context.Context, mfa.Exchange) error { return f.answer(c.PassCode) }}, nil
	case f.rings != "":
		return mfa.Attempt{Rings: f.rings, Ring: func(_ context.Context, x mfa.Exchange) (mfa.Push, error) { return f.ring(x, c.Device) }}, nil
	case f.sends:
		return mfa.Attempt{Sends: true, Anew: true, Rings: "mia", Factor: okta.Factor{ID: f.name}, Verify: func(context.Context, mfa.Exchange) error {
			f.journal.note("send", f.name)
			return f.fails
		}}, nil
	}
	return mfa.Attempt{}, mfa.ErrNeedsPassCode
}

func (f *fakeMethod) answer(passCode string) error {
	f.journal.note("answer", f.name)
	if passCode != f.passCode {
		return mfa.ErrWrongPassCode
	}
	return f.fails
}

func (f *fakeMethod) ring(x mfa.Exchange, device string) (mfa.Push, error) {
	f.journal.note("ring", f.name)
	if f.lost || mfa.NotSent(f.fails) {
		return nil, f.fails
	}
	p := &fakePush{Exchange: x, method: f, done: make(chan struct{}), withdrawn: make(chan struct{}), gone: make(chan struct{})}
	p.waiting.Device, p.waiting.ExpiresAt = device, f.expires
	if f.number != nil && x.Numbers {
		p.show(*f.number)
	}
	if f.rang != nil {
		f.rang <- p
	}
	if f.decided == nil {
		p.err = f.fails
		close(p.done)
		return p, nil
	}
	go func() {
		defer close(p.gone)
		select {
		case p.err = <-f.decided:
			close(p.done)
		case <-p.withdrawn:
		}
	}()
	return p, nil
}

// fakePush is a push of a fakeMethod.
type fakePush struct {
	mfa.Exchange
	method                *fakeMethod
	done, withdrawn, gone chan struct{}
	err                   error // after done

	mu      sync.Mutex
	waiting mfa.Waiting
}

// show has the service tell a number.
func (p *fakePush) show(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waiting.Number = &mfa.Number{Answer: n, Device: p.waiting.Device}
}

func (p *fakePush) Waiting() mfa.Waiting {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.waiting
}

func (p *fakePush) Poll(context.Context) (bool, error) {
	select {
	case <-p.done:
		return p.err == nil, p.err
	default:
		return false, nil
	}
}

func (p *fakePush) Decided() <-chan struct{} { return p.done }

func (p *fakePush) Cancel(context.Context) {
	select {
	case <-p.done:
		return
	default:
	}
	p.method.journal.note("withdraw", p.method.name)
	close(p.withdrawn)
	<-p.gone // or it would take the next one's decision
	if p.method.slow != nil {
		<-p.method.slow
		p.method.journal.note("gone", p.method.name)
	}
}

// unsent is an error of a push that reached no phone.
func unsent(t testing.TB) error {
	t.Helper()
	m := (&factorsScript{factors: []okta.Factor{with(okta.FactorActive, phone)}}).method()
	m.NumberOnly = true
	attempt, err := m.Prepare(t.Context(), elsewhere(login), mfa.Credential{})
	require.NoError(t, err)
	_, err = attempt.Ring(t.Context(), mfa.Exchange{})
	require.True(t, mfa.NotSent(err))
	return err
}

// bench is three methods of one person, and what they have in common.
type bench struct {
	*mount
	journal          journal
	app, phone, text *fakeMethod
}

func newBench(limit mfa.PushLimit) *bench {
	b := &bench{mount: newMount(limit)}
	b.app = &fakeMethod{name: "app", journal: &b.journal, passCode: "111111"}
	b.phone = &fakeMethod{name: "phone", journal: &b.journal, passCode: "222222", rings: "mia"}
	b.text = &fakeMethod{name: "text", journal: &b.journal, passCode: "333333", sends: true}
	return b
}

// waits makes pushes of the phone wait until they are decided.
func (b *bench) waits() *bench {
	b.phone.rang, b.phone.decided = make(chan *fakePush, 8), make(chan error, 8)
	return b
}

func need(methods ...*fakeMethod) []mfa.Required {
	var list []mfa.Required
	for _, m := range methods {
		list = append(list, mfa.Required{ID: "id of " + m.name, Name: m.name, Method: m})
	}
	return list
}

// gave are passcodes by the name of the method.
func gave(passCodes map[string]string) mfa.Given {
	given := mfa.Given{}
	for name, passCode := range passCodes {
		given["id of "+name] = mfa.Credential{PassCode: passCode}
	}
	return given
}

// validation is a login of mia whom Okta asks for nothing, so that the methods are
// all that it is about.
type validation struct {
	flow mfa.Flow

	mu       sync.Mutex
	session  *mfa.Session
	required []mfa.Required
	done     bool
}

func (b *bench) validation(nonce string) *validation {
	v := &validation{}
	v.flow = mfa.Flow{
		Okta: scripted(), Mount: &b.Mount, Policy: mfa.Policy{Push: b.limit}, Nonce: nonce, Clock: b.clock,
		Require: func(context.Context, mfa.Subject) ([]mfa.Required, error) {
			v.mu.Lock()
			defer v.mu.Unlock()
			return v.required, nil
		},
	}
	return v
}

// begin opens the session with the first call; first tells whose that is.
func (v *validation) begin(ctx context.Context, required []mfa.Required, given mfa.Given) (s *mfa.Session, first bool, err error) {
	v.mu.Lock()
	v.required = required
	if v.session != nil {
		defer v.mu.Unlock()
		return v.session, false, nil
	}
	flow := v.flow
	v.mu.Unlock()
	s, err = flow.Begin(ctx, success(mia), mfa.Input{Given: given})
	v.mu.Lock()
	defer v.mu.Unlock()
	v.session = s
	return s, true, err
}

// Run is a login that waits.
func (v *validation) Run(ctx context.Context, required []mfa.Required, given mfa.Given) error {
	s, _, err := v.begin(ctx, required, given)
	if err == nil {
		err = s.Run(ctx)
	}
	v.pass(err == nil)
	return err
}

// Continue is a call on a held login. It tells of the push that waits, and what is
// missing as an error.
func (v *validation) Continue(ctx context.Context, required []mfa.Required, given mfa.Given) (*mfa.State, error) {
	v.mu.Lock()
	v.flow.Hold = true
	v.mu.Unlock()
	s, first, err := v.begin(ctx, required, given)
	var state mfa.State
	switch {
	case err != nil:
		return nil, err
	case first:
		state, err = s.State(ctx)
	default:
		state, err = s.Continue(ctx, mfa.Flow{}, mfa.Input{Given: given})
	}
	switch {
	case err != nil:
		return nil, err
	case state.Phase == mfa.PhaseMethods:
		return nil, &mfa.MissingError{Methods: state.Missing}
	case state.Phase == mfa.PhaseWaiting:
		return &state, nil
	}
	v.pass(true)
	return nil, nil
}

func (v *validation) pass(done bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.done = v.done || done
}

// Passed reports whether all that is required has been satisfied.
func (v *validation) Passed() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.done
}

func (v *validation) Challenged() bool { return v.open() != nil && v.open().Challenged() }

func (v *validation) Over() bool { return v.open() != nil && v.open().Over() }

func (v *validation) Close(ctx context.Context) {
	if s := v.open(); s != nil {
		s.Close(ctx)
	}
}

func (v *validation) open() *mfa.Session {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.session
}

// begin runs f apart.
func begin(f func() error) <-chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

// soon is what comes from c.
func soon[T any](t testing.TB, c <-chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing comes")
		panic("unreachable")
	}
}

// assertAt wants an error of that method.
func assertAt(t *testing.T, name string, want, err error) {
	t.Helper()
	var at *mfa.MethodError
	if assert.ErrorAs(t, err, &at) {
		assert.Equal(t, name, at.Method.Name)
		assert.ErrorIs(t, err, want)
		assert.Equal(t, name+": "+want.Error(), err.Error())
	}
}

// assertMissing wants exactly these to want a passcode.
func assertMissing(t *testing.T, names string, err error) {
	t.Helper()
	var missing *mfa.MissingError
	if assert.ErrorAs(t, err, &missing) {
		var got []string
		for _, m := range missing.Methods {
			got = append(got, m.Name)
		}
		assert.Equal(t, names, strings.Join(got, ", "))
		assert.Equal(t, "no passcode for "+names, err.Error())
		assert.True(t, mfa.Retryable(err))
	}
}

// TestValidationSubsets: who has satisfied some of the methods has satisfied
// none.
func TestValidationSubsets(t *testing.T) {
	t.Parallel()
	denied := errors.New("denied")
	for satisfied := range 8 {
		for name, fail := range map[string]func(f *fakeMethod, given mfa.Given){
			"refused at once": func(f *fakeMethod, _ mfa.Given) { f.refuses = denied },
			"refused later":   func(f *fakeMethod, _ mfa.Given) { f.fails = denied },
			"nothing given":   func(f *fakeMethod, given mfa.Given) { f.rings = ""; delete(given, "id of "+f.name) },
			"wrong passcode":  func(f *fakeMethod, given mfa.Given) { given["id of "+f.name] = mfa.Credential{PassCode: "999999"} },
			"another's": func(f *fakeMethod, given mfa.Given) {
				f.passCode = "000000"
				given["id of "+f.name] = given["id of app"]
			},
			"given by another name": func(f *fakeMethod, given mfa.Given) {
				f.rings = ""
				delete(given, "id of "+f.name)
				given[strings.ToUpper(f.name)] = mfa.Credential{PassCode: f.passCode}
			},
			"no account there": func(f *fakeMethod, _ mfa.Given) { f.refuses = mfa.ErrUnknownPerson },
		} {
			t.Run(fmt.Sprintf("%03b %s", satisfied, name), func(t *testing.T) {
				t.Parallel()
				b := newBench(mfa.PushLimit{})
				b.text.sends = false
				given := gave(map[string]string{"app": "111111", "text": "333333"})
				methods := []*fakeMethod{b.app, b.phone, b.text}
				for i, f := range methods {
					if satisfied&(1<<i) == 0 {
						fail(f, given)
					}
				}
				all := satisfied == 7
				v := b.validation(ours)
				assert.Equal(t, all, v.Run(t.Context(), need(methods...), given) == nil)
				assert.Equal(t, all, v.Passed())
				held := newHeld(t, b)
				waiting, err := held.Continue(t.Context(), need(methods...), given)
				for err == nil && waiting != nil { // the push is approved by itself
					waiting, err = held.Continue(t.Context(), need(methods...), nil)
				}
				assert.Equal(t, all, err == nil)
			})
		}
	}
	t.Run("nothing required", func(t *testing.T) {
		t.Parallel()
		v := newBench(mfa.PushLimit{}).validation(ours)
		assert.NoError(t, v.Run(t.Context(), nil, nil))
		assert.False(t, v.Challenged())
	})
}

// TestValidationOrder: what costs nothing first, and a phone last.
func TestValidationOrder(t *testing.T) {
	t.Parallel()
	sent := &mfa.CodeSentError{}
	for _, tc := range []struct {
		name       string
		change     func(b *bench)
		given      map[string]string
		want       string
		err        error // at the method named last
		challenged bool
	}{
		{name: "push, passcodes", given: map[string]string{"app": "111111", "text": "333333"},
			want: "answer text, answer app, ring phone", challenged: true},
		{name: "wrong passcode", given: map[string]string{"app": "111111", "text": "000000"},
			want: "answer text", err: mfa.ErrWrongPassCode},
		{name: "the second passcode is wrong", given: map[string]string{"app": "000000", "text": "333333"},
			want: "answer text, answer app", err: mfa.ErrWrongPassCode},
		{name: "a code is sent before a passcode is used", change: func(b *bench) { b.text.fails = sent }, given: map[string]string{"app": "111111"},
			want: "send text", err: sent, challenged: true},
		{name: "passcodes alone", given: map[string]string{"app": "111111", "text": "333333", "phone": "222222"},
			want: "answer phone, answer text, answer app"},
		{name: "rejected", change: func(b *bench) { b.phone.fails = mfa.ErrRejected }, given: map[string]string{"app": "111111", "text": "333333"},
			want: "answer text, answer app, ring phone", err: mfa.ErrRejected, challenged: true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(mfa.PushLimit{})
			if tc.change != nil {
				tc.change(b)
			}
			v := b.validation(ours)
			err := v.Run(t.Context(), need(b.phone, b.text, b.app), gave(tc.given))
			assert.Equal(t, "prepare app, prepare phone, prepare text, "+tc.want, b.journal.read())
			assert.Equal(t, tc.challenged, v.Challenged())
			if tc.err == nil {
				assert.NoError(t, err)
				return
			}
			assertAt(t, tc.want[strings.LastIndex(tc.want, " ")+1:], tc.err, err)
		})
	}
}

// TestValidationBothersNobodyInVain: where one method cannot be satisfied, no
// passcode of another is used, no code sent, and no phone rings.
func TestValidationBothersNobodyInVain(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		change  func(b *bench)
		given   map[string]string
		missing string
		at      string
		err     error
	}{
		{name: "one passcode is missing", given: map[string]string{"text": "333333"}, missing: "app"},
		{name: "two are missing", change: func(b *bench) { b.text.sends = false }, missing: "text, app"},
		{name: "the other is missing", change: func(b *bench) { b.text.sends = false }, given: map[string]string{"app": "111111"}, missing: "text"},
		{name: "none is missing where a phone rings", change: func(b *bench) { b.phone.rings, b.text.sends = "", false }, missing: "phone, text, app"},
		{name: "an empty one", given: map[string]string{"app": "", "text": "333333"}, missing: "app"},
		{name: "the last refuses", change: func(b *bench) { b.app.refuses = mfa.ErrNoKey }, at: "app", err: mfa.ErrNoKey},
		{name: "the first refuses", change: func(b *bench) { b.phone.refuses = mfa.ErrUnknownPerson }, at: "phone", err: mfa.ErrUnknownPerson},
		{name: "one refuses before one is missing", change: func(b *bench) { b.text.refuses = mfa.ErrNoFactor }, at: "text", err: mfa.ErrNoFactor},
		{name: "one is missing before one refuses", change: func(b *bench) { b.text.sends = false; b.app.refuses = mfa.ErrNoKey }, missing: "text"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(mfa.PushLimit{})
			if tc.change != nil {
				tc.change(b)
			}
			v := b.validation(ours)
			err := v.Run(t.Context(), need(b.phone, b.text, b.app), gave(tc.given))
			if tc.missing != "" {
				assertMissing(t, tc.missing, err)
			} else {
				assertAt(t, tc.at, tc.err, err)
				assert.True(t, mfa.NotSent(err))
			}
			for _, step := range strings.Split(b.journal.read(), ", ") {
				assert.True(t, strings.HasPrefix(step, "prepare "), step)
			}
			assert.False(t, v.Challenged())
		})
	}
}

// TestValidationPassedByPrepare: what has been shown before is not asked for.
func TestValidationPassedByPrepare(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{})
	b.phone.passed = true
	v := b.validation(ours)
	require.NoError(t, v.Run(t.Context(), need(b.phone, b.app), gave(map[string]string{"app": "111111"})))
	assert.Equal(t, "prepare app, prepare phone, answer app", b.journal.read())
	assert.False(t, v.Challenged())
	assert.True(t, v.Passed())
}

// TestValidationNumber: the person is shown one number a login, and the method
// that comes second is told that there is no way to show another.
func TestValidationNumber(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{})
	b.phone.number, b.phone.rang = answerOf(0), make(chan *fakePush, 1)
	second := &fakeMethod{name: "second", journal: &b.journal, rings: "mia elsewhere", number: answerOf(7), rang: make(chan *fakePush, 1)}
	var shown []mfa.Number
	v := b.validation(ours)
	v.flow.Show = func(n mfa.Number) { shown = append(shown, n) }
	require.NoError(t, v.Run(t.Context(), need(b.phone, second), nil))
	assert.Equal(t, []mfa.Number{{ExpiresAt: noon.Add(mfa.MaxWait)}}, shown)
	assert.True(t, soon(t, b.phone.rang).Numbers)
	x := soon(t, second.rang)
	assert.False(t, x.Numbers)
	assert.True(t, x.Shown, "and why there is no way")

	plain := b.validation(ours)
	require.NoError(t, plain.Run(t.Context(), need(b.phone), nil))
	x = soon(t, b.phone.rang)
	assert.False(t, x.Numbers)
	assert.False(t, x.Shown)
}
