package service_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
)

// TestServiceDownBeforePush: where one service is down, no phone rings for another.
func TestServiceDownBeforePush(t *testing.T) {
	t.Parallel()
	up, down := mfatest.NewDuo(t), mfatest.NewPingID(t)
	user := up.AddUser(methodtest.Person.Login).AddPhone("push")
	required := []mfa.Required{
		{ID: "1", Name: "duo", Method: methodtest.Duo(t, up, nil)},
		{ID: "2", Name: "pingid", Method: methodtest.PingID(t, down, nil)},
	}
	down.Close()

	v := &mfa.Validation{Who: methodtest.Person, Guard: new(mfa.Guard), Clock: methodtest.Clock{}}
	err := v.Run(t.Context(), required, nil)
	var failed *mfa.MethodError
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "pingid", failed.Method.Name)
	assert.ErrorIs(t, err, mfa.ErrServiceUnreachable)
	assert.True(t, mfa.NotSent(err))
	assert.Zero(t, user.Pushes())
}

// TestServicesInTurn: one login, a push of each.
func TestServicesInTurn(t *testing.T) {
	t.Parallel()
	duoSrv, pingSrv := mfatest.NewDuo(t), mfatest.NewPingID(t)
	atDuo := duoSrv.AddUser(methodtest.Person.Login).AddPhone("push").Script(mfatest.DuoOutcome{Result: "allow", Status: "allow"})
	atPing := pingSrv.AddUser(methodtest.Person.Login).Script(mfatest.PingIDOutcome{ErrorID: 200})
	v := &mfa.Validation{Who: methodtest.Person, Guard: new(mfa.Guard), Clock: methodtest.Clock{}}
	required := []mfa.Required{
		{ID: "1", Name: "duo", Method: methodtest.Duo(t, duoSrv, nil)},
		{ID: "2", Name: "pingid", Method: methodtest.PingID(t, pingSrv, nil)},
	}
	require.NoError(t, v.Run(t.Context(), required, nil))
	assert.True(t, v.Passed(required))
	assert.Equal(t, 1, atDuo.Pushes())
	assert.Equal(t, 1, atPing.Pushes())
}

// TestServiceStrangeCertificate: a host that nobody vouches for is sent nothing.
func TestServiceStrangeCertificate(t *testing.T) {
	t.Parallel()
	duoSrv, pingSrv := mfatest.NewDuo(t), mfatest.NewPingID(t)
	for name, method := range map[string]mfa.Method{
		"duo":    methodtest.Duo(t, duoSrv, func(c *duo.Config) { c.RootCAs = pingSrv.CertPool() }),
		"pingid": methodtest.PingID(t, pingSrv, func(c *pingid.Config) { c.RootCAs = duoSrv.CertPool() }),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
			assert.ErrorIs(t, err, mfa.ErrServiceUnreachable)
			assert.True(t, mfa.NotSent(err))
			assert.Empty(t, append(duoSrv.Requests(), pingSrv.Requests()...))
		})
	}
}

// TestServiceCallerLeaves: a login that its client has left ends at once.
func TestServiceCallerLeaves(t *testing.T) {
	t.Parallel()
	duoSrv, pingSrv := mfatest.NewDuo(t), mfatest.NewPingID(t)
	duoSrv.Fail(mfatest.Fault{Hang: true})
	pingSrv.Fail(mfatest.Fault{Hang: true})
	for name, method := range map[string]mfa.Method{
		"duo": methodtest.Duo(t, duoSrv, nil), "pingid": methodtest.PingID(t, pingSrv, nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			time.AfterFunc(50*time.Millisecond, cancel)
			begin := time.Now()
			_, err := method.Prepare(ctx, methodtest.Person, mfa.Credential{})
			assert.ErrorIs(t, err, context.Canceled)
			assert.Less(t, time.Since(begin), 5*time.Second)

			late, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err = method.Prepare(late, methodtest.Person, mfa.Credential{})
			assert.ErrorIs(t, err, mfa.ErrServiceTimeout)
		})
	}
}
