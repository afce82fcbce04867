package mfa

import "context"

// turn is a lock for which a caller waits no longer than its context lasts. newTurn
// makes one.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

// take waits for the lock, and fails with ctx's error where ctx ends first. It takes
// a free lock also where ctx has ended.
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
