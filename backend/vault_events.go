package backend

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// This file tells Vault's own event system what has happened. Who subscribes there needs
// the capability "subscribe" on the path of the event. docs/monitoring.md lists the types.

// vaultEvent is an event of Vault's event system.
type vaultEvent struct {
	about    string   // aboutWrite or aboutLogin
	kind     string   // the type, "okta/config-write"
	metadata []string // name, value, name, value
}

// These are what events are about.
const (
	aboutWrite = "write"
	aboutLogin = "login"
)

const (
	// maxVaultEvents bounds the events of writes that wait to be sent, and those of logins.
	// More are dropped: no request waits for the event system.
	maxVaultEvents = 128
	// vaultEventTimeout bounds the sending of one.
	vaultEventTimeout = 5 * time.Second
)

// vaultEvents sends the events of a mount, one after another. Anybody can cause events of
// logins, so those of writes have a queue of their own, which goes first.
type vaultEvents struct {
	writes, logins chan vaultEvent
	begin          sync.Once
	missing        atomic.Bool // the host has no event system
	results        *counters   // by what the events are about
}

const (
	eventSent    = "sent"
	eventFailed  = "failed"
	eventDropped = "dropped"
)

func newVaultEvents() *vaultEvents {
	return &vaultEvents{
		writes:  make(chan vaultEvent, maxVaultEvents),
		logins:  make(chan vaultEvent, maxVaultEvents),
		results: newCounters([]string{aboutWrite, aboutLogin}, []string{eventSent, eventFailed, eventDropped}),
	}
}

// notify has an event sent, if the host has an event system. It returns at once.
func (b *backend) notify(about, kind string, metadata ...string) {
	v := b.events
	if v.missing.Load() {
		return
	}
	v.begin.Do(func() { go b.logPanic(b.sendEvents) })
	queue := v.logins
	if about == aboutWrite {
		queue = v.writes
	}
	select {
	case queue <- vaultEvent{about, "okta/" + kind, metadata}:
	default:
		v.results.add(about, eventDropped)
	}
}

// sendEvents sends events until the mount ends or the host turns out to have no event
// system.
func (b *backend) sendEvents() {
	for b.life.Err() == nil && !b.events.missing.Load() {
		if e, ok := b.events.next(b.life.Done()); ok {
			b.sendEvent(e)
		}
	}
}

// next waits for the event to send next, until the end: the oldest one of a write, if any
// waits.
func (v *vaultEvents) next(end <-chan struct{}) (e vaultEvent, ok bool) {
	select {
	case e = <-v.writes:
		return e, true
	default:
	}
	select {
	case e = <-v.writes:
	case e = <-v.logins:
	case <-end:
		return vaultEvent{}, false
	}
	return e, true
}

func (b *backend) sendEvent(e vaultEvent) {
	ctx, stop := context.WithTimeout(b.life, vaultEventTimeout)
	defer stop()
	err := logical.SendEvent(ctx, b.Backend, e.kind, e.metadata...)
	switch {
	case err == nil:
		b.events.results.add(e.about, eventSent)
	case errors.Is(err, framework.ErrNoEvents), status.Code(err) == codes.Unimplemented: // OpenBao, and older hosts
		b.events.missing.Store(true)
	default:
		b.events.results.add(e.about, eventFailed)
	}
}

// notifyAnswer tells of a login that failed. Strangers can cause many, and the path of the
// event has nobody's name: the audit log has it, under the id of the request.
func (b *backend) notifyAnswer(a *attempt) {
	switch a.event {
	case "", eventLoginOK, eventLoginGone:
		return
	}
	b.notify(aboutLogin, strings.ReplaceAll(string(a.event), "_", "-"),
		logical.EventMetadataPath, "login", logical.EventMetadataOperation, a.kind, "request_id", a.requestID)
}

// notifyWrite tells of a write or a deletion, once it has succeeded.
func (b *backend) notifyWrite(req *logical.Request, resp *logical.Response, err error) {
	what := writtenThing(req.Path)
	if what == "" || !writes(req.Operation) || err != nil || resp.IsError() {
		return
	}
	verb := "-write"
	if req.Operation == logical.DeleteOperation {
		verb = "-delete"
	}
	b.notify(aboutWrite, what+verb, logical.EventMetadataPath, req.Path, logical.EventMetadataOperation, string(req.Operation),
		logical.EventMetadataModified, "true", "request_id", req.ID)
}

// writtenThing says what is written to under that path; "" for what is no news.
func writtenThing(path string) string {
	if path == "config" {
		return "config"
	}
	for prefix, what := range map[string]string{"config/key": "key", "users/": "user", "groups/": "group", "mfa/method/": "method"} {
		if strings.HasPrefix(path, prefix) {
			return what
		}
	}
	return ""
}
