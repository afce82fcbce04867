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
	kind     string   // the type, "okta/config-write"
	metadata []string // name, value, name, value
}

const (
	// maxVaultEvents bounds the events that wait to be sent. More are dropped: no request
	// waits for the event system.
	maxVaultEvents = 128
	// vaultEventTimeout bounds the sending of one.
	vaultEventTimeout = 5 * time.Second
)

// vaultEvents sends the events of a mount, one after another.
type vaultEvents struct {
	queue   chan vaultEvent
	begin   sync.Once
	missing atomic.Bool // the host has no event system
	results *counters
}

const (
	eventSent    = "sent"
	eventFailed  = "failed"
	eventDropped = "dropped"
)

func newVaultEvents() *vaultEvents {
	return &vaultEvents{
		queue:   make(chan vaultEvent, maxVaultEvents),
		results: newCounters([]string{""}, []string{eventSent, eventFailed, eventDropped}),
	}
}

// notify has an event sent, if the host has an event system. It returns at once.
func (b *backend) notify(kind string, metadata ...string) {
	v := b.events
	if v.missing.Load() {
		return
	}
	v.begin.Do(func() { go b.logPanic(b.sendEvents) })
	select {
	case v.queue <- vaultEvent{"okta/" + kind, metadata}:
	default:
		v.results.add("", eventDropped)
	}
}

// sendEvents sends events until the mount ends or the host turns out to have no event
// system.
func (b *backend) sendEvents() {
	for !b.events.missing.Load() {
		select {
		case e := <-b.events.queue:
			b.sendEvent(e)
		case <-b.life.Done():
			return
		}
	}
}

func (b *backend) sendEvent(e vaultEvent) {
	ctx, stop := context.WithTimeout(b.life, vaultEventTimeout)
	defer stop()
	err := logical.SendEvent(ctx, b.Backend, e.kind, e.metadata...)
	switch {
	case err == nil:
		b.events.results.add("", eventSent)
	case errors.Is(err, framework.ErrNoEvents), status.Code(err) == codes.Unimplemented: // OpenBao, and older hosts
		b.events.missing.Store(true)
	default:
		b.events.results.add("", eventFailed)
	}
}

// notifyAnswer tells of a login that failed. Strangers can cause many, and the path of the
// event has nobody's name: the audit log has it, under the id of the request.
func (b *backend) notifyAnswer(a *attempt) {
	switch a.event {
	case "", eventLoginOK, eventLoginGone:
		return
	}
	b.notify(strings.ReplaceAll(string(a.event), "_", "-"),
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
	b.notify(what+verb, logical.EventMetadataPath, req.Path, logical.EventMetadataOperation, string(req.Operation),
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
