package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// phones are factors that get pushes.
type phones []*oktatest.Factor

// phones adds people with phones that wait for their answer.
func (o *org) phones(n int) (who []*oktatest.User, list phones) {
	for range n {
		u := o.AddUser(fmt.Sprintf("pushed%d@acme.test", o.phoned), password)
		o.phoned++
		u.SetGroups(teams(2)...)
		who, list = append(who, u), append(list, u.AddPush())
	}
	return who, list
}

// ring waits until each has got its push.
func (p phones) ring(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	waits := func(f *oktatest.Factor) bool { return f.Pushes() == 0 }
	for slices.ContainsFunc(p, waits) {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return errors.New("not everybody got a push")
		}
	}
	return nil
}

// polls is how often they have been asked for an answer.
func (p phones) polls() (sum int) {
	for _, f := range p {
		sum += f.Polls()
	}
	return sum
}
