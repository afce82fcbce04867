package backend

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/framework"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file says which passwords are sent to Okta. Anybody may ask for a login: see
// package attempts.

// The defaults of the fields about wrong passwords.
const (
	defaultLoginFailures = 4
	defaultLoginWindow   = 15 * time.Minute
	defaultLoginLockout  = 15 * time.Minute

	minLoginWindow = time.Minute
	maxLoginWindow = 24 * time.Hour
)

func attemptFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"max_login_failures": {
			Type:    framework.TypeInt,
			Default: defaultLoginFailures,
			Description: fmt.Sprintf("How many wrong passwords of one account Okta is sent within login_failure_window: 2 to %d, fewer than "+
				"lock an account in Okta, or 0 for any number. Half of them are for addresses from which the person has not logged in "+
				"before, and the rest for those from which they have. %d when not set.", attempts.MaxLimit, defaultLoginFailures),
			DisplayAttrs: &framework.DisplayAttributes{Name: "Maximum Login Failures"},
		},
		"login_failure_window": {
			Type:         framework.TypeDurationSecond,
			Default:      durationText(defaultLoginWindow),
			Description:  "For how long a wrong password counts against max_login_failures, at least: 1m to 24h, and 15m when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Login Failure Window"},
		},
		"login_lockout_duration": {
			Type:         framework.TypeDurationSecond,
			Default:      durationText(defaultLoginLockout),
			Description:  "How long, at least, the mount sends no more passwords to Okta after the last of too many wrong ones: 1m to 24h, and 15m when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Login Lockout Duration"},
		},
	}
}

// updateAttempts takes over the fields about wrong passwords. A null counts as not
// given.
func (cfg *configEntry) updateAttempts(d *framework.FieldData) error {
	if v, ok := newest[int](d, "max_login_failures"); ok && d.Raw["max_login_failures"] != nil {
		if v < 0 || v == 1 || v > attempts.MaxLimit {
			return invalid("max_login_failures", fmt.Sprintf("must be 2 to %d, or 0 for any number", attempts.MaxLimit))
		}
		cfg.MaxLoginFailures = &v
	}
	for field, into := range map[string]*time.Duration{
		"login_failure_window": &cfg.LoginFailureWindow, "login_lockout_duration": &cfg.LoginLockout,
	} {
		if v, ok := newest[int](d, field); ok && d.Raw[field] != nil {
			duration := time.Duration(v) * time.Second
			if duration < minLoginWindow || duration > maxLoginWindow {
				return invalid(field, "must be 1m to 24h")
			}
			*into = duration
		}
	}
	return nil
}

func (cfg *configEntry) attemptLimits() attempts.Limits {
	failures := defaultLoginFailures
	if cfg.MaxLoginFailures != nil {
		failures = *cfg.MaxLoginFailures
	}
	return attempts.Limits{
		MaxFailures: failures,
		Window:      cmp.Or(cfg.LoginFailureWindow, defaultLoginWindow),
		Lockout:     cmp.Or(cfg.LoginLockout, defaultLoginLockout),
	}
}

// attemptTables holds the table of attempts of the org that the mount calls. The zero
// value is ready.
type attemptTables struct {
	mu    sync.Mutex
	org   string
	table *attempts.Table

	waiting, strangers atomic.Int64 // for a place: known people, and strangers
}

// of returns the table of the org. Another org has other accounts, so that a mount
// which moves there begins anew.
func (t *attemptTables) of(org string) *attempts.Table {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.table == nil || t.org != org {
		t.org, t.table = org, attempts.New()
	}
	return t.table
}

// authenticate sends the password to Okta, if the limits leave room for one that may
// be wrong. The ticket is closed but for what becomes of the login.
func (l *loginRequest) authenticate(ctx context.Context, send func(context.Context) (okta.Transaction, error)) (okta.Transaction, *attempts.Ticket, error) {
	limits := l.cfg.attemptLimits()
	limits.Okta = attempts.Quota(l.client.AuthnLimit())
	ticket, err := l.enter(ctx, limits)
	if err != nil {
		return okta.Transaction{}, nil, err
	}
	defer func() { ticket.Lost(l.now()) }() // unless it has been closed: a panic, for example
	if !ticket.Known() {
		ctx = okta.Unproven(ctx)
	}
	tx, err := send(ctx)
	said, answered := errors.AsType[*okta.Error](err)
	switch {
	case err == nil && tx.Status == okta.StatusLockedOut:
		ticket.Locked(l.now())
	case okta.RefusesPassword(err):
		ticket.Wrong(l.now())
	case err == nil:
		ticket.Right()
	case okta.Unsent(err), answered && said.HTTPStatus < http.StatusInternalServerError:
		ticket.Unsent()
	case ctx.Err() == nil:
		ticket.Unanswered(l.now())
	}
	return tx, ticket, err
}

const (
	// maxPatience is how long a login waits for a place: many who log in at the same
	// time are served in turn, and a client that is refused tries again by itself.
	maxPatience = 3 * time.Second
	// maxPatient bounds the strangers who wait, and the others; more are refused at once.
	maxPatient = 500
	// glance is how often a login that waits looks whether waiting is of any use.
	glance = time.Second
)

// enter gets the leave to send the password.
func (l *loginRequest) enter(ctx context.Context, limits attempts.Limits) (*attempts.Ticket, error) {
	table := l.attempts.of(l.client.OrgURL())
	attempt := attempts.Attempt{Name: l.in.username, Address: l.caller.Address, Password: l.in.password, Renewal: l.in.unattended}
	ctx, cancel := context.WithTimeout(ctx, maxPatience)
	defer cancel()
	for waits := false; ; waits = true {
		freed := table.Freed()
		ticket, err := table.Begin(l.now(), attempt, limits)
		if busy := find[*attempts.BusyError](err); busy == nil || !busy.ForAMoment() {
			return ticket, err
		}
		if !waits {
			leave, ok := l.attempts.wait(table.Known(attempt.Name, attempt.Address))
			if !ok {
				return nil, err
			}
			defer leave()
		}
		again := time.NewTimer(glance)
		select {
		case <-freed:
		case <-again.C:
		case <-ctx.Done():
			again.Stop()
			return nil, err
		}
		again.Stop()
	}
}

// wait counts one more login that waits for a place, until leave is called, unless too
// many wait.
func (t *attemptTables) wait(known bool) (leave func(), ok bool) {
	count := &t.waiting
	if !known {
		count = &t.strangers
	}
	if count.Add(1) > maxPatient {
		count.Add(-1)
		return nil, false
	}
	return func() { count.Add(-1) }, true
}

// queued is how many logins wait for a place.
func (t *attemptTables) queued() int { return int(t.waiting.Load() + t.strangers.Load()) }

// suspicious reports whether nothing but the password may be asked about a name from
// this address: a stranger must not be able to have the API token used.
func (l *loginRequest) suspicious() bool {
	table := l.attempts.of(l.client.OrgURL())
	return table.Suspicious(l.now(), l.in.username) || !table.Known(l.in.username, l.caller.Address)
}
