package mfa

import (
	"slices"
	"time"
)

// This file has what a Validation knows of itself: what has been satisfied, what
// waits, which phones have rung and which number was shown.

// Over reports whether the validation can no longer be continued.
func (v *Validation) Over() bool {
	v.init()
	return v.life.Err() != nil
}

// Challenged says that a phone may have rung, or a code may have been sent.
func (v *Validation) Challenged() bool { return v.challenged.Load() }

// Passed reports whether the person has satisfied each of the methods.
func (v *Validation) Passed(required []Required) bool {
	return !slices.ContainsFunc(required, func(m Required) bool { return !v.hasPassed(m) })
}

// missing lists those that are not satisfied.
func (v *Validation) missing(required []Required) error {
	e := &MissingError{}
	for _, m := range required {
		if !v.hasPassed(m) {
			e.Methods = append(e.Methods, m)
		}
	}
	return e
}

func (v *Validation) hasPassed(m Required) bool {
	v.init()
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.passed[m.ID]
}

func (v *Validation) pass(m Required) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.passed[m.ID] = true
}

// waits notes what is waited for.
func (v *Validation) waits(m Required, device string, expires time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiting.Method, v.waiting.Device, v.waiting.ExpiresAt = m, device, expires
}

// whatWaits is a copy of what a round waits for.
func (v *Validation) whatWaits() *Waiting {
	v.mu.Lock()
	defer v.mu.Unlock()
	w := v.waiting
	return &w
}

// hasRungNow notes that a phone has rung, or may have.
func (v *Validation) hasRungNow(phone string) {
	v.challenged.Store(true)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.rung == nil {
		v.rung = map[string]bool{}
	}
	v.rung[phone] = true
}

func (v *Validation) hasRung(phone string) bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return phone != "" && v.rung[phone]
}

// forgetNumber is for the push before: the next one has another, or none.
func (v *Validation) forgetNumber() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiting.Number = nil
}

// note keeps a number for whoever asks what is waited for.
func (v *Validation) note(number Number) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.waiting.Number = &number
}

// show passes a number on.
func (v *Validation) show(number Number) {
	v.mu.Lock()
	v.shown = true
	v.mu.Unlock()
	v.Show(number)
}

func (v *Validation) hasShown() bool {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.shown
}
