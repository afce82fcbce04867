package backend

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// eventBus is a host's event system, which answers each event with err.
type eventBus struct {
	mu     sync.Mutex
	events []string // type, path and operation of each
	err    error
	hangs  chan struct{} // nil: it does not hang
	keeps  chan struct{} // nil, or what each event waits for, whoever has given it up
}

func (e *eventBus) SendEvent(ctx context.Context, kind logical.EventType, data *logical.EventData) error {
	if e.keeps != nil {
		<-e.keeps
	}
	if e.hangs != nil {
		select {
		case <-e.hangs:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	of := data.Metadata.AsMap()
	e.events = append(e.events, strings.Join([]string{string(kind), of["path"].(string), of["operation"].(string), of["request_id"].(string)}, " "))
	return e.err
}

func (e *eventBus) seen() []string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]string{}, e.events...)
}

// eventful is a mount on a host with that event system.
func eventful(t *testing.T, bus logical.EventSender) *mount {
	t.Helper()
	m := newMount(t, false)
	require.NoError(t, m.inner.Setup(t.Context(), &logical.BackendConfig{
		Logger: hclog.NewNullLogger(), System: logical.TestSystemView(), StorageView: m.storage, EventsSender: bus,
	}))
	t.Cleanup(func() { m.backend.Cleanup(context.Background()) })
	return m
}

// eventsOf counts the events with that result, about writes and logins or about one of them.
func (m *mount) eventsOf(result string, only ...string) (n int64) {
	m.inner.events.results.each(func(about, of string, count int64) {
		if of == result && (len(only) == 0 || slices.Contains(only, about)) {
			n += count
		}
	})
	return n
}

// TestVaultEvents: writes and failed logins are told to Vault's event system, what failed
// or only was read is not, and no event has the name that somebody tried.
func TestVaultEvents(t *testing.T) {
	t.Parallel()
	bus := &eventBus{}
	m := eventful(t, bus)
	send := func(id string, op logical.Operation, path string, data fields) {
		req := m.request(op, path, data)
		req.ID = id
		m.send(t.Context(), req)
	}
	send("1", logical.UpdateOperation, "config", fields{"org_name": "acme", "base_url": m.okta.URL, "api_token": m.okta.Token, "max_login_failures": 2})
	send("2", logical.UpdateOperation, "config", fields{"base_url": "no host/"})
	send("3", logical.ReadOperation, "config", nil)
	send("4", logical.PatchOperation, "config", fields{"token_ttl": "1h"})
	send("5", logical.UpdateOperation, "users/mia", fields{"policies": "p"})
	send("6", logical.DeleteOperation, "users/mia", nil)
	send("7", logical.UpdateOperation, "groups/ops", fields{"policies": "p"})
	send("8", logical.UpdateOperation, "mfa/method/totp/my_totp", fields{"issuer": "Acme"})
	send("9", logical.UpdateOperation, "config/key", nil)
	m.addUser("Everyone")
	send("10", logical.UpdateOperation, "login/"+testLogin, fields{"password": testPassword})
	send("11", logical.UpdateOperation, "login/stranger", fields{"password": "wrong"})
	send("12", logical.UpdateOperation, "login/stranger", fields{"password": "wrong"})
	send("13", logical.DeleteOperation, "config", nil)
	writes := []string{
		"okta/config-write config update 1", "okta/config-write config patch 4",
		"okta/user-write users/mia update 5", "okta/user-delete users/mia delete 6", "okta/group-write groups/ops update 7",
		"okta/method-write mfa/method/totp/my_totp update 8", "okta/key-write config/key update 9",
		"okta/config-delete config delete 13",
	}
	logins := []string{"okta/login-denied login login 11", "okta/lockout login login 12"}
	m.eventually(func() bool { return len(bus.seen()) >= len(writes)+len(logins) }, "events are missing")
	seenWrites, seenLogins := sorted(bus.seen())
	assert.Equal(t, writes, seenWrites)
	assert.Equal(t, logins, seenLogins)
	m.eventually(func() bool {
		return m.eventsOf(eventSent, aboutWrite) == int64(len(writes)) && m.eventsOf(eventSent, aboutLogin) == int64(len(logins))
	}, "events are not counted")
}

// sorted tells events of writes from those of logins.
func sorted(events []string) (writes, logins []string) {
	for _, e := range events {
		if strings.Contains(e, " login ") {
			logins = append(logins, e)
		} else {
			writes = append(writes, e)
		}
	}
	return writes, logins
}

// TestWritesAreToldBeforeLogins: however many logins strangers have denied while the event
// system is slow, no event of an operator's write is dropped, and it comes next.
func TestWritesAreToldBeforeLogins(t *testing.T) {
	t.Parallel()
	bus := &eventBus{keeps: make(chan struct{})}
	m := eventful(t, bus)
	for range maxVaultEvents + 10 { // the mount is not configured, so each fails at once
		m.send(t.Context(), m.stranger(1, testLogin))
	}
	assert.Positive(t, m.eventsOf(eventDropped, aboutLogin), "the queue is full")
	m.configure(nil)
	m.write("mfa/method/totp/my_totp", fields{"issuer": "Acme"})
	m.do(logical.DeleteOperation, "mfa/method/totp/my_totp", nil)
	assert.Zero(t, m.eventsOf(eventDropped, aboutWrite))
	close(bus.keeps)
	m.eventually(func() bool { return len(bus.seen()) > maxVaultEvents }, "events are missing")
	writes, _ := sorted(bus.seen()[:4]) // and one about a login that was on its way before
	assert.Len(t, writes, 3)
	assert.Zero(t, m.eventsOf(eventDropped, aboutWrite))
}

// TestHostsWithoutEvents: a host that has no event system is asked once, and nobody
// notices.
func TestHostsWithoutEvents(t *testing.T) {
	t.Parallel()
	for name, err := range map[string]error{
		"OpenBao": status.Error(codes.Unimplemented, "unknown service pb.Events"), "a host that says so": framework.ErrNoEvents,
	} {
		bus := &eventBus{err: err}
		m := eventful(t, bus)
		m.configure(nil)
		m.eventually(func() bool { return m.inner.events.missing.Load() }, name)
		m.configure(nil)
		assert.Len(t, bus.seen(), 1, name)
		assert.Zero(t, m.eventsOf(eventFailed)+m.eventsOf(eventSent)+m.eventsOf(eventDropped), name)
	}
	m := eventful(t, nil)
	m.configure(nil)
	m.eventually(func() bool { return m.inner.events.missing.Load() }, "none at all")
}

// TestEventsHoldNobodyUp: while the event system hangs, logins go on, and the end of the
// mount does not wait for it.
func TestEventsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	bus := &eventBus{hangs: make(chan struct{})}
	m := eventful(t, bus)
	m.configure(nil)
	m.addUser("Everyone")
	for range maxVaultEvents + 100 { // one that nobody takes is given up after five seconds
		m.write("groups/ops", fields{"policies": "p"})
	}
	_, status, text := m.login(nil)
	require.Equal(t, http.StatusOK, status, text)
	assert.Positive(t, m.eventsOf(eventDropped))
	m.backend.Cleanup(t.Context())
	assert.Empty(t, bus.seen())
}

// TestFailedEventsAreCounted: an event system that refuses is tried again.
func TestFailedEventsAreCounted(t *testing.T) {
	t.Parallel()
	bus := &eventBus{err: status.Error(codes.Unknown, "event broker has not been started")}
	m := eventful(t, bus)
	m.configure(nil)
	m.configure(nil)
	m.eventually(func() bool { return m.eventsOf(eventFailed) == 2 }, "not tried twice")
}
