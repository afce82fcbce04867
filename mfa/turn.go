package mfa

import "context"

// turn is a lock that is not waited for longer than somebody cares. It is made
// with newTurn.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the lock, and fails with ctx's error where that ends first. A
// lock that is free is taken in any case.
func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	default:
	}
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) give() { <-t }
