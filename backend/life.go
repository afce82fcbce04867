package backend

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// This file is about the end of a mount: it is disabled, or its plugin is reloaded, or
// Vault is sealed.

// errMountGone is the answer to a request whose mount has ended.
var errMountGone = errors.New("the mount has ended")

// life is the life of a mount. Each request hangs on it.
type life struct {
	context.Context // ends with the mount
	end             context.CancelFunc

	// serving is held for reading by each request that is being served. Whoever writes is
	// the end of the mount, and keeps it.
	serving sync.RWMutex

	// farewells are what goes on after its answer, and room has place for maxFarewells.
	farewells sync.WaitGroup
	room      chan struct{}
}

func newLife() *life {
	l := &life{room: make(chan struct{}, maxFarewells)}
	l.Context, l.end = context.WithCancel(context.Background())
	return l
}

// enter begins to serve a request. It returns a context that also ends with the mount,
// and what the caller calls when the request has been served; or errMountGone.
func (l *life) enter(ctx context.Context) (_ context.Context, leave func(), err error) {
	if !l.serving.TryRLock() {
		return nil, nil, errMountGone
	}
	ctx, stop := context.WithCancel(ctx)
	unhook := context.AfterFunc(l, stop)
	leave = func() { unhook(); stop(); l.serving.RUnlock() }
	if l.Err() != nil {
		leave()
		return nil, nil, errMountGone
	}
	return ctx, leave, nil
}

// maxFarewells bounds the farewells of a mount that go on after their answers.
const maxFarewells = 256

// later does, after the answer, what the client need not wait for. Where too much of that
// goes on already, it is done at once.
func (b *backend) later(farewell func()) {
	select {
	case b.life.room <- struct{}{}:
	default:
		farewell()
		return
	}
	b.life.farewells.Go(func() {
		defer func() { <-b.life.room }()
		b.logPanic(farewell)
	})
}

// cleanPatience is how long clean waits for what it ends. The SDK lets no request of any
// mount begin while it runs.
const cleanPatience = 3 * time.Second

// clean is called when the mount goes. It ends all logins: nobody can continue what is
// held, and no token of the others would be taken. Their pushes are taken back. Where
// Okta is slow that goes on after clean has returned, and so does the end of the
// connections, which has to be last.
func (b *backend) clean(ctx context.Context) {
	b.life.end()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		b.logPanic(func() {
			endAll(b.held.drain(), func(s *mfa.Session) { s.Close(ctx) })
			b.life.serving.Lock() // each request has left
			b.life.farewells.Wait()
			b.built.drop()
			b.clients.drop()
		})
	}()
	patience, stop := context.WithTimeout(ctx, cleanPatience)
	defer stop()
	select {
	case <-ended:
	case <-patience.Done():
	}
}
