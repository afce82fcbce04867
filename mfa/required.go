package mfa

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
)

// Required is a method that a person has to satisfy, or several of which one is enough.
type Required struct {
	ID     string // differs from that of every other method
	Name   string // what people call the method
	Type   string // for words only
	Wants  string // the passcode that the method wants, in words; empty: that is not known
	Method Method
	// Revision is another for a method of the same ID that is made of something else. What a
	// person has done for one revision does not satisfy another.
	Revision string
	// Or are methods of which one is enough. Where there are any, ID and Name stand for
	// all of them, and Type and Method are empty.
	Or []Required
}

// Ways returns the methods that satisfy m: m itself, or those of which one is enough.
func (m Required) Ways() []Required {
	if len(m.Or) > 0 {
		return m.Or
	}
	return []Required{m}
}

// takes reports whether people who have satisfied way, as it was then, have satisfied m.
func (m Required) takes(way Required) bool {
	return slices.ContainsFunc(m.Ways(), func(now Required) bool { return now.ID == way.ID && now.Revision == way.Revision })
}

// prepare prepares m. Where one of several is enough, that is one of those that the
// person gave something for, or else the first that can be tried with nothing.
func (m Required) prepare(ctx context.Context, who Subject, given Given) (Attempt, Required, error) {
	options := m.Ways()
	if named := slices.DeleteFunc(slices.Clone(options), func(o Required) bool { return !given.Has(o) }); len(named) > 0 {
		options = named
	}
	var failed, needs error
	at := m
	for _, option := range options {
		attempt, err := option.Method.Prepare(ctx, who, given.of(option))
		switch {
		case err == nil:
			return attempt, option, nil
		case errors.Is(err, ErrNeedsPassCode):
			needs = cmp.Or(needs, err)
		case failed == nil:
			at, failed = option, err
		}
	}
	if needs != nil {
		return Attempt{}, m, needs
	}
	return Attempt{}, at, failed
}

// Given are the credentials of a login, by the name or the ID of the method.
type Given map[string]Credential

func (g Given) of(m Required) Credential {
	if c, ok := g[m.ID]; ok {
		return c
	}
	return g[m.Name]
}

// Has reports whether there is a credential for m.
func (g Given) Has(m Required) bool {
	_, byID := g[m.ID]
	_, byName := g[m.Name]
	return byID || byName
}

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

// wanted are the methods for which the person has to bring a credential, where err
// says no more than that.
func wanted(err error) []Required {
	if missing, ok := errors.AsType[*MissingError](err); ok {
		return missing.Methods
	}
	if is[*CodeSentError](err) {
		if at, ok := errors.AsType[*MethodError](err); ok {
			return []Required{at.Method}
		}
	}
	return nil
}
