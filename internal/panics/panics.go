// Package panics turns a panic into an error. One process serves every mount of
// the plugin, and a panic that nothing recovers ends the process: with this
// package it fails the one request that met it.
//
//	func (c *cache) load() (v value, err error) {
//		defer panics.Recover(&err)
//		...
//	}
package panics

import (
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
)

// maxFrames bounds a Stack. The deepest frames, where the panic began, come first.
const maxFrames = 64

// Error is a panic that was recovered. It holds no data of a request: a panic's
// value may quote what a person sent, and so may the arguments in the stack that
// the runtime prints. Log Stack where the error is answered; Error leaves it out.
type Error struct {
	What  string // the text of a runtime.Error; of any other value, its type
	Stack string // a function with its file and line in each line
}

func (e *Error) Error() string { return "panic: " + e.What }

// Recover recovers a panic of the function that defers it, and sets *err to it as
// an *Error. It has to be deferred by itself, and not be called by a function that
// is deferred: the language lets only a deferred function recover.
func Recover(err *error) {
	if v := recover(); v != nil {
		*err = recovered(v)
	}
}

// recovered makes an Error of a panic's value. The frames of the functions that
// panicked are still on the stack.
func recovered(v any) *Error {
	if e, ok := v.(*Error); ok { // Group.Wait panics with it
		return e
	}
	return &Error{What: what(v), Stack: stack()}
}

func what(v any) string {
	if err, ok := v.(error); ok {
		if e, ok := errors.AsType[runtime.Error](err); ok {
			return e.Error()
		}
	}
	return fmt.Sprintf("a value of type %T", v)
}

func stack() string {
	counters := make([]uintptr, maxFrames)
	frames := runtime.CallersFrames(counters[:runtime.Callers(1, counters)])
	var b strings.Builder
	for panicked, more := false, true; more; {
		var frame runtime.Frame
		frame, more = frames.Next()
		if panicked && !strings.HasPrefix(frame.Function, "runtime.") {
			fmt.Fprintf(&b, "%s %s:%d\n", frame.Function, frame.File, frame.Line)
		}
		// The frames before it are of whoever recovers.
		panicked = panicked || frame.Function == "runtime.gopanic"
	}
	return b.String()
}

// Group waits for goroutines as sync.WaitGroup does. Where one of them panics, the
// others go on, and Wait panics in their place. The zero value is ready.
type Group struct {
	running sync.WaitGroup
	mu      sync.Mutex
	first   error
}

// Go calls f in a goroutine.
func (g *Group) Go(f func()) {
	g.running.Go(func() {
		if err := call(f); err != nil {
			g.mu.Lock()
			defer g.mu.Unlock()
			if g.first == nil {
				g.first = err
			}
		}
	})
}

// Wait returns once all functions have returned, or panics with the first *Error
// among them: whoever recovers it learns the stack of the goroutine.
func (g *Group) Wait() {
	g.running.Wait()
	if g.first != nil {
		panic(g.first)
	}
}

func call(f func()) (err error) {
	defer Recover(&err)
	f()
	return nil
}
