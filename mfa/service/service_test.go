package service_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// login is a login whose person Okta has let in, and who has to satisfy methods.
func login(t *testing.T, required []mfa.Required) error {
	t.Helper()
	flow := mfa.Flow{
		Mount: new(mfa.Mount), Org: methodtest.Person.Org, Clock: methodtest.Clock{},
		Require: func(context.Context, mfa.Subject) ([]mfa.Required, error) { return required, nil },
	}
	tx := okta.Transaction{Status: okta.StatusSuccess, User: okta.User{ID: methodtest.Person.ID, Login: methodtest.Person.Login}}
	session, err := flow.Begin(t.Context(), tx, mfa.Input{})
	if err == nil {
		err = session.Run(t.Context())
	}
	return err
}

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

	err := login(t, required)
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
	required := []mfa.Required{
		{ID: "1", Name: "duo", Method: methodtest.Duo(t, duoSrv, nil)},
		{ID: "2", Name: "pingid", Method: methodtest.PingID(t, pingSrv, nil)},
	}
	require.NoError(t, login(t, required))
	assert.Equal(t, 1, atDuo.Pushes())
	assert.Equal(t, 1, atPing.Pushes())
}
