package mfa

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Required is a method that a login has to satisfy.
type Required struct {
	ID     string // tells it from every other
	Name   string // what people call it
	Type   string // for words only
	Method Method
}

// Given are the credentials of a login, by the ID of the method.
type Given map[string]Credential

// MethodError says at which method a login has failed.
type MethodError struct {
	Method Required
	Err    error
}

func (e *MethodError) Error() string { return e.Method.Name + ": " + e.Err.Error() }

func (e *MethodError) Unwrap() error { return e.Err }

// MissingError lists the methods that want a passcode and were given none.
type MissingError struct{ Methods []Required }

func (e *MissingError) Error() string {
	names := make([]string, len(e.Methods))
	for i, m := range e.Methods {
		names[i] = m.Name
	}
	return "no passcode for " + strings.Join(names, ", ")
}

// Waiting is the push that a held Validation waits for.
type Waiting struct {
	Method    Required
	Device    string // may be empty
	Number    *Number
	ExpiresAt time.Time
}

// Validation has one person satisfy the methods that are required of them. Like
// a Login it goes on by itself, with Run, or from call to call, with Continue. It
// is safe for concurrent use.
type Validation struct {
	// Who is the person; Guard, Limit and Origin are those of their login. Clock is
	// the system's where it is nil.
	Who    Subject
	Guard  *Guard
	Limit  PushLimit
	Origin string
	Clock  Clock
	Pace   *Pace // of the mount, for methods of Okta's; may be nil

	// Show tells the person the number of a number challenge, once: a client that
	// has been shown one does not ask for another. Where it is nil there is no way.
	// A Validation that is continued tells numbers by itself.
	Show func(Number)
	// Shown says that Okta's own challenge has shown the client a number.
	Shown bool

	once       sync.Once
	turn       turn // of the calls
	busy       turn // of the round that runs
	life       context.Context
	stop       context.CancelCauseFunc
	challenged atomic.Bool

	mu      sync.Mutex
	passed  map[string]bool
	waiting Waiting // the newest
	shown   bool    // a number, by Show
	rung    map[string]bool

	round *round // in turn
}

// round is one try to satisfy all that is required.
type round struct {
	given Given // it began with
	stop  context.CancelFunc
	rings chan struct{} // closed once a push waits
	ended chan struct{} // closed with the round
	err   error         // after ended
}

func (v *Validation) init() {
	v.once.Do(func() {
		if v.Clock == nil {
			v.Clock = systemClock{}
		}
		v.turn, v.busy = newTurn(), newTurn()
		v.life, v.stop = context.WithCancelCause(context.Background())
		v.passed = map[string]bool{}
	})
}

// Run has the person satisfy all of the methods, and fails with the first reason
// why they do not: *MissingError, or *MethodError. Codes are sent first, then
// passcodes are looked at, and then phones ring, one after the other, so that
// nothing is sent or used up in vain.
func (v *Validation) Run(ctx context.Context, required []Required, given Given) error {
	v.init()
	if v.Over() {
		return context.Cause(v.life)
	}
	var show func(Number)
	if v.Show != nil {
		show = v.show
	}
	return v.try(ctx, required, given, show, func() {})
}

// Continue is Run for a login that is held: it returns once a push waits, and
// tells about it, or once there is a reason why the person does not pass; nil and
// nil mean that they pass. After an error that is Retryable the person may try
// again with another credential, also in place of a push that waits. What has
// been satisfied before stays so. A caller that leaves ends nothing.
func (v *Validation) Continue(ctx context.Context, required []Required, given Given) (*Waiting, error) {
	v.init()
	if err := v.turn.take(ctx); err != nil {
		return nil, err
	}
	defer v.turn.give()
	if v.Over() {
		return nil, context.Cause(v.life)
	}
	if r := v.round; r != nil && !r.hasEnded() && v.isNews(given, r.given) {
		v.round = nil // the person has thought of something else
		r.stop()
		if err := r.wait(ctx, r.ended); err != nil {
			return nil, err
		}
		if r.decided() { // meanwhile
			v.round = r
		}
	}
	if v.round == nil {
		v.round = v.begin(required, given)
	}
	r := v.round
	if err := r.wait(ctx, r.rings); err != nil {
		return nil, err
	}
	if !r.hasEnded() {
		return v.whatWaits(), nil
	}
	v.round = nil
	switch {
	case r.err == nil && !v.Passed(required): // more is required than when the round began
		return nil, v.missing(required)
	case r.err == nil || !Retryable(r.err):
		v.stop(ErrOver)
	}
	return nil, r.err
}

// begin tries, apart from the caller, to satisfy what is required.
func (v *Validation) begin(required []Required, given Given) *round {
	ctx, cancel := context.WithTimeout(v.life, MaxWait)
	r := &round{given: given, stop: cancel, rings: make(chan struct{}), ended: make(chan struct{})}
	var rang sync.Once
	go func() {
		defer close(r.ended)
		defer cancel()
		r.err = v.try(ctx, required, given, v.note, func() { rang.Do(func() { close(r.rings) }) })
	}()
	return r
}

func (r *round) hasEnded() bool {
	select {
	case <-r.ended:
		return true
	default:
		return false
	}
}

// decided reports whether a round that has ended was not merely stopped.
func (r *round) decided() bool {
	return r.err == nil || !errors.Is(r.err, context.Canceled)
}

// isNews reports whether the person gives something for a method that they have not
// satisfied, which the round does not know of. To ask for a push is none: it is what
// comes without a credential.
func (v *Validation) isNews(given, known Given) bool {
	for id, c := range given {
		if c != known[id] && c != (Credential{Kind: KindPush}) && !v.hasPassed(Required{ID: id}) {
			return true
		}
	}
	return false
}

// wait waits for one of the round's signals, or for its end.
func (r *round) wait(ctx context.Context, signal <-chan struct{}) error {
	select {
	case <-signal:
	case <-r.ended:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// try is one round. It ends with its caller, and when another login takes this
// one's place.
func (v *Validation) try(ctx context.Context, required []Required, given Given, show func(Number), rings func()) error {
	if err := v.busy.take(ctx); err != nil {
		return err
	}
	defer v.busy.give()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(v.life, cancel)()
	err := v.satisfy(ctx, required, given, show, rings)
	if err != nil && v.life.Err() != nil {
		return context.Cause(v.life) // ErrOver or ErrReplaced
	}
	return err
}

// way is an attempt at a method.
type way struct {
	Attempt
	method Required
}

func (v *Validation) satisfy(ctx context.Context, required []Required, given Given, show func(Number), rings func()) error {
	ways, err := v.prepare(ctx, required, given)
	if err != nil {
		return err
	}
	slices.SortStableFunc(ways, func(a, b way) int { return cmp.Compare(a.rank(), b.rank()) })
	for _, w := range ways {
		if err := v.verify(ctx, w, show, rings); err != nil {
			return &MethodError{w.method, err}
		}
		v.pass(w.method)
	}
	return nil
}

// rank is the place of an attempt in the order of Run.
func (a Attempt) rank() int {
	switch {
	case a.Sends:
		return 0
	case a.Rings == "":
		return 1
	}
	return 2
}

// prepare finds a way for each method that is not satisfied.
func (v *Validation) prepare(ctx context.Context, required []Required, given Given) ([]way, error) {
	var ways []way
	var missing []Required
	for _, m := range required {
		if v.hasPassed(m) {
			continue
		}
		attempt, err := m.Method.Prepare(ctx, v.Who, given[m.ID])
		switch {
		case errors.Is(err, ErrNeedsPassCode):
			missing = append(missing, m)
		case err != nil && len(missing) == 0:
			return nil, &MethodError{m, MarkNotSent(err)}
		case err != nil: // they have something to mend first
			return nil, &MissingError{missing}
		case attempt.Passed:
			v.pass(m)
		default:
			ways = append(ways, way{attempt, m})
		}
	}
	if len(missing) > 0 {
		return nil, &MissingError{missing}
	}
	return ways, nil
}

// verify goes one way to its end.
func (v *Validation) verify(ctx context.Context, w way, show func(Number), rings func()) error {
	patience := MaxWait
	if deadline, ok := ctx.Deadline(); ok {
		patience = min(patience, time.Until(deadline)-farewell)
	}
	x := Exchange{Clock: v.Clock, Pace: v.Pace, Until: v.Clock.Now().Add(patience), Waiting: func(device string, expires time.Time) {
		v.challenged.Store(true)
		v.waits(w.method, device, earlier(expires, v.Clock.Now().Add(patience)))
		rings()
	}}
	v.forgetNumber()
	if x.Shown = v.Shown || v.hasShown(); show != nil && !x.Shown {
		x.Show = show
	}
	if w.Rings != "" {
		return v.ring(ctx, w, x, patience)
	}
	err := w.Verify(ctx, x)
	if w.Sends && !NotSent(err) {
		v.challenged.Store(true)
	}
	return err
}

// ring has a phone ring, by leave of the guard.
func (v *Validation) ring(ctx context.Context, w way, x Exchange, patience time.Duration) error {
	switch {
	case patience <= 0:
		return MarkNotSent(ErrPushTimeout)
	case v.hasRung(w.Phone):
		return MarkNotSent(ErrRungBefore)
	}
	r := &ring{
		guard: v.Guard, clock: v.Clock, person: w.Rings, origin: v.Origin, limit: v.Limit, until: x.Until,
		withdraw: v.withdraw,
	}
	if err := v.Guard.begin(ctx, r); err != nil {
		return MarkNotSent(err)
	}
	during, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	err := w.Verify(during, x)
	if errors.Is(during.Err(), context.DeadlineExceeded) && ctx.Err() == nil && err != nil && !NotSent(err) {
		err = ErrPushTimeout
	}
	switch {
	case err == nil:
		r.end(approved)
	case NotSent(err):
		r.end(uncounted)
		return err
	default:
		r.end(resultOf(err))
	}
	v.hasRungNow(w.Phone)
	return err
}

// withdraw ends the validation in favour of another login.
func (v *Validation) withdraw(ctx context.Context) {
	v.stop(ErrReplaced)
	v.settle(ctx)
}

// Close ends the validation, and takes back what it has begun, also where ctx has
// ended.
func (v *Validation) Close(ctx context.Context) {
	v.init()
	v.stop(ErrOver)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), turnPatience)
	defer cancel()
	v.settle(ctx)
}

// settle waits until the round that runs has ended.
func (v *Validation) settle(ctx context.Context) {
	if v.busy.take(ctx) == nil {
		v.busy.give()
	}
}
