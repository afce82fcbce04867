package panics_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/internal/panics"
)

const secret = "correct-horse-battery"

// secretError quotes a secret and wraps a runtime.Error, as a panic that was
// passed on by another package may.
type secretError struct{ error }

func (e secretError) Error() string { return secret + e.error.Error() }
func (e secretError) Unwrap() error { return e.error }

//go:noinline
func fails(why func(string), password string) (err error) {
	defer panics.Recover(&err)
	why(password)
	return nil
}

func add(set map[string]bool, name string) { set[name] = true }

// outOfRange is what the runtime panics with.
func outOfRange() (err error) {
	defer func() { err = recover().(error) }()
	var none []string
	_ = none[len(secret)]
	return nil
}

// A panic is an error with the place where it began, and with nothing of its value
// that could be a secret.
func TestRecover(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		why  func(string)
		says string
	}{
		"a text":                    {func(s string) { panic(s) }, "panic: a value of type string"},
		"an error":                  {func(s string) { panic(errors.New(s)) }, "panic: a value of type *errors.errorString"},
		"a wrapped secret":          {func(s string) { panic(fmt.Errorf("reading %s: %w", s, errors.ErrUnsupported)) }, "panic: a value of type *fmt.wrapError"},
		"an index":                  {func(s string) { _ = []int(nil)[len(s)] }, "panic: runtime error: index out of range [21] with length 0"},
		"a nil map":                 {func(s string) { add(nil, s) }, "panic: assignment to entry in nil map"},
		"a type":                    {func(s string) { _ = any(s).(fmt.Stringer) }, "panic: interface conversion: string is not fmt.Stringer: missing method String"},
		"a runtime.Error passed on": {func(string) { panic(secretError{outOfRange()}) }, "panic: runtime error: index out of range [21] with length 0"},
		"nil":                       {func(string) { panic(nil) }, "panic: panic called with nil argument"},
	} {
		err := fails(test.why, secret)
		require.ErrorContains(t, err, test.says, name)
		caught, ok := errors.AsType[*panics.Error](err)
		require.True(t, ok, name)
		first, _, _ := strings.Cut(caught.Stack, "\n")
		assert.Regexp(t, `panics_test\.(TestRecover|add)`, first, name)
		assert.Contains(t, first, "panics_test.go:", name)
		assert.Contains(t, caught.Stack, "panics_test.fails ", name)
		assert.NotContains(t, caught.Stack+err.Error(), secret, name)
		assert.NotContains(t, caught.Stack, "0x", "no argument is printed: %s", name)
	}
	require.NoError(t, fails(func(string) {}, secret))
}

// A panic of a goroutine is its waiter's, once all have ended, with the stack of
// the goroutine.
func TestGroup(t *testing.T) {
	t.Parallel()
	var quiet, ended panics.Group
	var count atomic.Int32
	quiet.Go(func() { count.Add(1) })
	quiet.Wait()
	assert.EqualValues(t, 1, count.Load())

	gate := make(chan struct{})
	ended.Go(func() { panic(secret) })
	ended.Go(func() { defer close(gate); count.Add(1) })
	ended.Go(func() { <-gate; panic(errors.New(secret)) })
	err := fails(func(string) { ended.Wait() }, secret)
	caught, ok := errors.AsType[*panics.Error](err)
	require.True(t, ok)
	assert.EqualValues(t, 2, count.Load())
	assert.Contains(t, caught.Stack, "panics_test.TestGroup.func")
	assert.NotContains(t, caught.Stack+err.Error(), secret)
}
