package mfa

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// demands is the part of a session that is about the methods of the mount. It
// prepares all required methods before it tries one: first it has codes sent, then
// it verifies passcodes, and then it makes phones ring, one after the other.
type demands struct {
	*trail
	life context.Context // of the session

	required []Required
	passed   map[string]pass // by the ID of what is required
	given    Given           // that the queue was prepared with
	caller   okta.Caller     // for whom all this was prepared
	queue    []way           // prepared, in the order in which they are tried

	at   way   // whose push waits
	push Push  // nil: none waits
	lost error // why the last question about it got no answer
}

// pass is how a person has satisfied what is required.
type pass struct {
	method  Required // that they have satisfied, as it was then
	excused bool     // it passed without anything to do
}

// way is a prepared attempt at a method.
type way struct {
	Attempt
	method Required
	demand string // the ID of what is required
}

// rank is the place of an attempt in the queue.
func (a Attempt) rank() int {
	switch {
	case a.Sends:
		return 0
	case a.Ring == nil:
		return 1
	}
	return 2
}

// proceed tries the methods until a push waits or nothing is left to do. It gives a
// push that waits up only for another credential that the method accepts.
func (d *demands) proceed(ctx context.Context, who Subject, required []Required, given Given) error {
	d.required = required
	d.queue = slices.DeleteFunc(d.queue, func(w way) bool { return !d.wants(w) })
	news := d.isNews(given)
	switch {
	case d.push != nil && !d.wants(d.at):
		d.giveUp(ctx, uncounted)
	case d.push != nil && !news:
		d.showNumber()
		return nil
	}
	if who.Caller != d.caller && d.forgetPrepared() && !news {
		given = d.given
	}
	d.caller = who.Caller
	if news || !d.isCovered() {
		if err := d.prepare(ctx, who, given, news); err != nil {
			return err
		}
	}
	d.giveWayToChoice()
	d.giveUp(ctx, unanswered)
	for len(d.queue) > 0 {
		w := d.queue[0]
		d.queue = d.queue[1:]
		if err := d.try(ctx, w); err != nil {
			d.queue = nil
			return atMethod(w.method, err)
		}
		if d.push != nil {
			return nil
		}
	}
	d.phase = PhaseDone
	return nil
}

// forgetPrepared drops what was prepared for another caller: the services were told from
// where the login came, and may have decided by that. It reports whether it has dropped
// anything.
func (d *demands) forgetPrepared() bool {
	before := len(d.queue) + len(d.passed)
	d.queue = nil
	maps.DeleteFunc(d.passed, func(_ string, p pass) bool { return p.excused })
	return len(d.passed) < before
}

// isNews reports whether the person gives a credential, for a method that is not
// satisfied, with which the queue was not prepared. To ask for a push is no news,
// because a push is sent without a credential, too.
func (d *demands) isNews(given Given) bool {
	return slices.ContainsFunc(d.required, func(m Required) bool {
		return !d.hasPassed(m) && slices.ContainsFunc(m.Ways(), func(way Required) bool {
			c := given.of(way)
			return c != (Credential{}) && c != (Credential{Kind: KindPush}) && c != d.given.of(way)
		})
	})
}

// wants reports whether the way still leads to what is required: the method may have been
// changed since it was prepared.
func (d *demands) wants(w way) bool {
	return slices.ContainsFunc(d.required, func(r Required) bool { return r.ID == w.demand && r.takes(w.method) })
}

func (d *demands) hasPassed(m Required) bool {
	p, passed := d.passed[m.ID]
	return passed && m.takes(p.method)
}

// isCovered reports whether each required method is satisfied or prepared.
func (d *demands) isCovered() bool {
	return !slices.ContainsFunc(d.required, func(m Required) bool { return !d.hasPassed(m) && !d.isQueued(m) })
}

func (d *demands) isQueued(m Required) bool {
	return slices.ContainsFunc(d.queue, func(w way) bool { return w.demand == m.ID })
}

// prepare finds a way for each method that is not satisfied or, without news, for
// those that became required since the others were prepared. Where it fails, the
// queue stays as it was.
func (d *demands) prepare(ctx context.Context, who Subject, given Given, news bool) error {
	var queue []way
	var missing []Required
	if !news {
		queue = slices.Clone(d.queue)
	}
	open := slices.DeleteFunc(slices.Clone(d.required), func(m Required) bool {
		return d.hasPassed(m) || !news && d.isQueued(m)
	})
	for i, prepared := range prepareAll(ctx, open, who, given) {
		m, attempt, method, err := open[i], prepared.attempt, prepared.method, prepared.err
		switch {
		case errors.Is(err, ErrNeedsPassCode):
			missing = append(missing, wanting(m, err))
		case err != nil && len(missing) == 0:
			return &MethodError{method, MarkNotSent(err)}
		case err != nil: // the person has to bring a credential first
			return &MissingError{missing}
		case attempt.Passed:
			d.passed[m.ID] = pass{method, true}
		default:
			queue = append(queue, way{attempt, method, m.ID})
		}
	}
	if len(missing) > 0 {
		return &MissingError{missing}
	}
	if err := d.mayReplace(ctx, queue); err != nil {
		return err
	}
	slices.SortStableFunc(queue, func(a, b way) int { return cmp.Compare(a.rank(), b.rank()) })
	d.queue, d.given = queue, given
	return nil
}

// prepared is what has become of the preparation of a method.
type prepared struct {
	attempt Attempt
	method  Required // that is to satisfy what is required
	err     error
}

// prepareAll prepares methods at the same time. Where one fails for good, those that come
// after it are not waited for, as if they had not been tried.
func prepareAll(ctx context.Context, required []Required, who Subject, given Given) []prepared {
	list, stops := make([]prepared, len(required)), make([]context.CancelFunc, len(required))
	contexts := make([]context.Context, len(required))
	for i := range required {
		contexts[i], stops[i] = context.WithCancel(ctx)
		defer stops[i]()
	}
	var all panics.Group
	for i, m := range required {
		all.Go(func() {
			p := &list[i]
			p.attempt, p.method, p.err = m.prepare(contexts[i], who, given)
			if p.err != nil && !errors.Is(p.err, ErrNeedsPassCode) {
				for _, stop := range stops[i+1:] {
					stop()
				}
			}
		})
	}
	all.Wait()
	return list
}

// mayReplace says why one of the queue's challenges must not be sent in place of the
// push that waits.
func (d *demands) mayReplace(ctx context.Context, queue []way) error {
	if d.push == nil {
		return nil
	}
	for _, w := range queue {
		var err error
		switch {
		case w.Ring != nil:
			err = d.mayRingFor(ctx, w)
		case w.Sends && !d.isSent(w):
			err = d.maySend(ctx, w.Rings)
		}
		if err != nil {
			return &MethodError{w.method, MarkNotSent(err)}
		}
	}
	return nil
}

func (d *demands) mayRingFor(ctx context.Context, w way) error {
	if w.Phone != "" && d.rang[w.Phone] {
		return ErrRungBefore
	}
	return d.mayRing(ctx, w.Rings, time.Time{})
}

// try tries one way, until it has passed or a push waits.
func (d *demands) try(ctx context.Context, w way) error {
	switch err := ctx.Err(); {
	case err != nil:
		return MarkNotSent(err)
	case w.Ring != nil:
		return d.ringFor(ctx, w)
	}
	verify := func() error { return w.Verify(ctx, Exchange{Clock: d.flow.Clock, Mount: d.flow.Mount}) }
	var err error
	if w.Sends {
		err = d.sendFor(ctx, w, verify)
	} else {
		err = verify()
	}
	if err == nil {
		d.provedOwn()
		d.passed[w.demand] = pass{method: w.method}
	}
	return err
}

// isSent reports whether the code that w would have sent has been sent before, and
// is still good.
func (d *demands) isSent(w way) bool {
	return !w.Anew && d.flow.Mount.sent.isGood(w.Rings, w.Factor, d.flow.Clock.Now())
}

// sendFor has a code sent, by permit of the guard.
func (d *demands) sendFor(ctx context.Context, w way, sending func() error) error {
	if d.isSent(w) {
		return MarkNotSent(&CodeSentError{Factor: w.Factor, By: w.By, Again: true})
	}
	// Where the service lets the person in instead, it has sent nothing.
	sentNone := func(err error) bool { return err == nil || NotSent(err) }
	err := d.sendGuarded(ctx, w.Rings, sending, sentNone)
	if !sentNone(err) {
		d.noteCode(w, err)
	}
	return err
}

// noteCode remembers that a code was sent, or may have been.
func (d *demands) noteCode(w way, err error) {
	f := w.Factor
	if sent, ok := errors.AsType[*CodeSentError](err); ok {
		f = sent.Factor
	}
	d.flow.Mount.sent.note(w.Rings, f, d.flow.Clock.Now())
}

// ringFor makes a phone ring, by permit of the guard.
func (d *demands) ringFor(ctx context.Context, w way) error {
	if err := d.mayRingFor(ctx, w); err != nil {
		return MarkNotSent(err)
	}
	if err := d.begin(ctx, w.Rings, time.Time{}, &d.flow.Mount.factorPace); err != nil {
		return MarkNotSent(err)
	}
	push, err := w.Ring(ctx, Exchange{
		Clock: d.flow.Clock, Mount: d.flow.Mount, Life: d.life, Until: d.until, Numbers: d.canShow(), Shown: d.shown,
	})
	switch {
	case NotSent(err):
		d.hangUp(uncounted)
		return err
	case err != nil:
		d.hasRung(w.Phone)
		d.hangUp(resultOf(err))
		if is[*CodeSentError](err) { // the service chose to send one
			d.noteCode(w, err)
		}
		return err
	}
	d.hasRung(w.Phone)
	d.at, d.push, d.lost, d.phase = w, push, nil, PhaseWaiting
	d.showNumber()
	if d.isDecided() {
		return d.look(ctx)
	}
	d.schedule(d.interval(d.polls(), true), d.polls())
	return nil
}

// isDecided reports whether the push has an answer that Poll returns without
// asking.
func (d *demands) isDecided() bool {
	select {
	case <-d.push.Decided():
		return true
	default:
		return false
	}
}

// isDue reports whether it is time for a poll.
func (d *demands) isDue() bool {
	return d.push != nil && (d.isDecided() || !d.flow.Clock.Now().Before(d.due))
}

// wait sleeps until the next poll is due, or until a push that tells by itself has
// been answered.
func (d *demands) wait(ctx context.Context) error {
	decided := d.push.Decided()
	if decided == nil {
		return d.inMethod(d.flow.Clock.Sleep(ctx, d.due.Sub(d.flow.Clock.Now())))
	}
	waiting, stop := context.WithTimeout(ctx, d.ends().Sub(d.flow.Clock.Now()))
	defer stop()
	select {
	case <-decided:
		return nil
	case <-waiting.Done():
	}
	if ctx.Err() != nil {
		return d.inMethod(ctx.Err())
	}
	at := d.at
	d.later(d.drop(ctx, unanswered))
	return &MethodError{at.method, ErrPushTimeout}
}

// inMethod adds the method to an error of its push.
func (d *demands) inMethod(err error) error {
	if err == nil {
		return nil
	}
	return atMethod(d.at.method, err)
}

// atMethod says at which method a login has failed, or which one wants a passcode.
func atMethod(m Required, err error) error {
	if errors.Is(err, ErrNeedsPassCode) {
		return &MissingError{[]Required{wanting(m, err)}}
	}
	return &MethodError{m, err}
}

// wanting is the method with the passcode that it wants, where it says which one.
func wanting(m Required, err error) Required {
	if needed, ok := errors.AsType[*PassCodeNeededError](err); ok {
		m.Wants = needed.What
	}
	return m
}

// poll polls the push once.
func (d *demands) poll(ctx context.Context) error { return d.inMethod(d.look(ctx)) }

func (d *demands) look(ctx context.Context) error {
	ends := d.ends()
	passed, err := false, cmp.Or(d.lost, ErrPushTimeout)
	if d.isDecided() || !d.flow.Clock.Now().After(ends) {
		passed, err = d.push.Poll(ctx)
	}
	switch {
	case err == nil && passed:
		d.lost = nil
		d.hangUp(approved)
		d.passed[d.at.demand] = pass{method: d.at.method}
		d.push, d.number, d.phase = nil, nil, PhaseMethods
		return nil
	case err == nil:
		d.lost = nil
		d.showNumber()
		d.schedule(d.interval(d.polls(), false), d.polls())
		return nil
	case !d.isDecided() && d.mayAskAgain(err, ends):
		if isPassing(err) && (d.lost == nil || !okta.Unsent(err)) {
			d.lost = err
		}
		d.putOff(retryAfter(err), d.polls())
		return nil
	}
	how := resultOf(err)
	if d.lost != nil && saidBy(err, okta.CodeNotFound) { // Okta has told the end of the push in an answer that was lost
		err = d.lost
	}
	if NotSent(err) { // some services tell it late
		how = uncounted
		delete(d.rang, d.at.Phone)
	}
	d.later(d.drop(ctx, how))
	return err
}

// showNumber tells the number of the push, where that is new.
func (d *demands) showNumber() {
	n := d.push.Waiting().Number
	if n != nil && (d.number == nil || d.number.Answer != n.Answer || d.number.Code != n.Code) {
		d.show(Number{Answer: n.Answer, Code: n.Code, Device: n.Device, ExpiresAt: d.ends()})
	}
}

// ends is when the push can no longer be approved.
func (d *demands) ends() time.Time { return earlier(d.push.Waiting().ExpiresAt, d.until) }

func (d *demands) polls() polls {
	return polls{pace: &d.flow.Mount.factorPace, limit: d.at.Limit, pushes: 1, ends: d.ends()}
}

// giveUp takes back the push that waits, if one does, also where ctx has ended.
func (d *demands) giveUp(ctx context.Context, how result) { d.drop(ctx, how)() }

// drop drops the push that waits, if one does, and returns what takes it back, also where
// ctx has ended.
func (d *demands) drop(ctx context.Context, how result) (takeBack func()) {
	push := d.push
	if push == nil {
		return func() {}
	}
	end := d.letGo()
	d.push, d.number, d.phase = nil, nil, PhaseMethods
	return func() {
		defer end(how) // another login may ring once the push has been taken back
		ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), cancelTimeout)
		defer stop()
		push.Cancel(ctx)
	}
}
