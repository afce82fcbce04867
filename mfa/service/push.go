package service

import (
	"context"
	"errors"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// Bound ends ctx where the wait for a push ends.
func Bound(ctx context.Context, x mfa.Exchange) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, x.Until.Sub(x.Clock.Now()))
}

// PushError tells why a push failed whose context Bound has made: an error about
// time is mfa.ErrPushTimeout where the wait for the push had ended.
func PushError(bound context.Context, err error) error {
	late := errors.Is(err, mfa.ErrServiceTimeout) || errors.Is(err, context.DeadlineExceeded)
	switch {
	case !late || !errors.Is(bound.Err(), context.DeadlineExceeded):
		return err
	case mfa.NotSent(err):
		return mfa.MarkNotSent(mfa.ErrPushTimeout)
	}
	return mfa.ErrPushTimeout
}
