package duo_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
)

// verified is a Duo whose policy demands a Verified Push, with a person and a method by
// one clock.
func verified(t *testing.T, codes ...string) (*mfatest.DuoServer, *mfatest.DuoUser, *duo.Method, methodtest.Moving) {
	srv, clock := mfatest.NewDuo(t), methodtest.NewMoving()
	user := srv.AddUser(methodtest.Person.Login).AddNamedPhone("Pixel", "auto", "push", "phone", "mobile_otp")
	user.RequireVerifiedPush(6).NextCodes(codes...)
	return srv, user, methodtest.Duo(t, srv, func(c *duo.Config) { c.Clock = clock }), clock
}

// TestVerifiedPush: the code of preauth is shown before anybody can have typed it, and the
// push is the one of its transaction.
func TestVerifiedPush(t *testing.T) {
	t.Parallel()
	for _, given := range []mfa.Credential{{}, {Kind: mfa.KindPush}, {PassCode: "auto"}, {Device: "pixel"}} {
		for typed, want := range map[string]error{"314159": nil, "314158": mfa.ErrRejected} {
			srv, user, method, clock := verified(t, "314159")
			attempt, err := method.Prepare(t.Context(), methodtest.Person, given)
			require.NoError(t, err)
			said := methodtest.Talk{Clock: clock, Numbers: true}
			said.Rings = func() {
				require.NotNil(t, said.Told.Number)
				assert.Equal(t, 314159, said.Told.Number.Answer)
				assert.Equal(t, "314159", said.Told.Number.Code)
				assert.Equal(t, "Pixel (XXX-XXX-6620)", said.Told.Device)
				assert.WithinDuration(t, clock.Now().Add(time.Minute), said.Told.ExpiresAt, 2*time.Second)
				assert.Zero(t, user.Answer(true), "a tap is not enough")
				user.Type(typed)
			}
			assert.ErrorIs(t, said.Satisfy(t.Context(), attempt, time.Minute), want)
			sent := user.PushParameters()
			require.Len(t, sent, 1)
			assert.Equal(t, "push", sent[0].Get("factor"))
			assert.NotEmpty(t, sent[0].Get("txid"))
			methodtest.AssertNoSecret(t, append(srv.Secrets(), "314159"), err, method)
		}
	}
}

// TestVerifiedPushIsNotWeakened: where the code cannot be shown, no push is sent.
func TestVerifiedPushIsNotWeakened(t *testing.T) {
	t.Parallel()
	for want, said := range map[error]*methodtest.Talk{
		mfa.ErrCodeUnshown: {}, mfa.ErrNumberShown: {Shown: true},
	} {
		srv, user, method, clock := verified(t)
		said.Clock = clock
		attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
		require.NoError(t, err)
		err = said.Satisfy(t.Context(), attempt, time.Minute)
		assert.ErrorIs(t, err, want)
		assert.True(t, mfa.NotSent(err))
		assert.Zero(t, srv.Count("/auth"))

		// What else the person has needs no code.
		user.AddPassCode("555111")
		require.NoError(t, methodtest.Login(t.Context(), method, mfa.Credential{PassCode: "555111"}))
		attempt, err = method.Prepare(t.Context(), methodtest.Person, mfa.Credential{Kind: mfa.KindCall})
		require.NoError(t, err)
		user.Script(mfatest.DuoOutcome{Result: "allow", Status: "allow"})
		require.NoError(t, said.Satisfy(t.Context(), attempt, time.Minute))
	}
}

// TestStaleCode: a login that had to wait between the two shows a new code, whatever Duo
// says by then.
func TestStaleCode(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change   func(*mfatest.DuoServer, *mfatest.DuoUser)
		code     string
		preauths int
		want     error
		denied   bool
		pushes   int
	}{
		"a new code":     {change: func(*mfatest.DuoServer, *mfatest.DuoUser) {}, code: "222", preauths: 2, pushes: 1},
		"a plain push":   {change: func(_ *mfatest.DuoServer, u *mfatest.DuoUser) { u.RequireVerifiedPush(0) }, preauths: 2, pushes: 1},
		"barred by now":  {change: func(_ *mfatest.DuoServer, u *mfatest.DuoUser) { u.SetResult("deny", "no") }, preauths: 2, denied: true},
		"allowed by now": {change: func(_ *mfatest.DuoServer, u *mfatest.DuoUser) { u.SetResult("allow", "") }, preauths: 2},
		"Duo fails": {change: func(s *mfatest.DuoServer, _ *mfatest.DuoUser) { s.Fail(mfatest.Fault{On: "/preauth", Drop: true}) },
			preauths: 1, want: mfa.ErrServiceUnreachable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, user, method, clock := verified(t, "111", "222")
			attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
			require.NoError(t, err)
			clock.Advance(30 * time.Second)
			test.change(srv, user)
			push, err := attempt.Ring(t.Context(), mfa.Exchange{Clock: clock, Life: t.Context(), Until: clock.Now().Add(time.Minute), Numbers: true})
			assert.Len(t, user.Preauths(), test.preauths)
			assert.Equal(t, test.pushes, user.Pushes())
			switch {
			case test.denied, test.want != nil:
				if _, ok := errors.AsType[*mfa.DeniedError](err); !test.denied || !ok {
					assert.ErrorIs(t, err, test.want)
				}
				assert.True(t, mfa.NotSent(err))
				return
			}
			require.NoError(t, err)
			defer push.Cancel(t.Context())
			if test.code == "" {
				assert.Nil(t, push.Waiting().Number)
				return
			}
			assert.Equal(t, test.code, push.Waiting().Number.Code)
			assert.Equal(t, 1, user.Type(test.code))
		})
	}
}

// TestLeadingZero: "vault login" prints a number, so that a code whose zero it would lose is
// exchanged, where Duo has another one.
func TestLeadingZero(t *testing.T) {
	t.Parallel()
	for want, codes := range map[string][]string{
		"731": {"017", "731"}, "044": {"011", "022", "033", "044", "555"},
	} {
		_, user, method, clock := verified(t, codes...)
		attempt, err := method.Prepare(t.Context(), methodtest.Person, mfa.Credential{})
		require.NoError(t, err)
		said := methodtest.Talk{Clock: clock, Numbers: true}
		said.Rings = func() {
			assert.Equal(t, want, said.Told.Number.Code)
			assert.Equal(t, 1, user.Type(want))
		}
		require.NoError(t, said.Satisfy(t.Context(), attempt, time.Minute))
	}
}

// TestPreauthAnswers about a Verified Push that make no sense send no push.
func TestPreauthAnswers(t *testing.T) {
	t.Parallel()
	const phone = `"devices":[{"device":"D","capabilities":["push"]}]`
	for more, number := range map[string]bool{
		`,"txid":"t"`: false,
		`,"txid":"t","verification_code":"","expiration":9`:           false,
		`,"txid":"t","verification_code":"123"`:                       true,
		`,"txid":"t","verification_code":"123","expiration":1`:        true,
		`,"txid":"t","verification_code":"123","expiration":"99"`:     true,
		`,"txid":"t","verification_code":"123","expiration":null`:     true,
		`,"txid":"","verification_code":"123","expiration":1`:         false,
		`,"txid":"t","verification_code":"12a"`:                       false,
		`,"txid":"t","verification_code":"-12"`:                       false,
		`,"txid":"t","verification_code":"1234567890","expiration":1`: false,
		`,"txid":"t","verification_code":123`:                         false,
	} {
		t.Run(more, func(t *testing.T) {
			t.Parallel()
			srv := mfatest.NewDuo(t)
			srv.AddUser(methodtest.Person.Login).AddPhone("push")
			srv.Fail(mfatest.Fault{On: "/preauth", Body: `{"stat":"OK","response":{"result":"auth",` + phone + more + `}}`})
			srv.Fail(mfatest.Fault{On: "/auth", Body: `{"stat":"OK","response":{"txid":"of the push"}}`})
			srv.Fail(mfatest.Fault{On: "/auth_status", Body: `{"stat":"OK","response":{"result":"allow"}}`})
			said := methodtest.Talk{Numbers: true}
			attempt, err := methodtest.Duo(t, srv, nil).Prepare(t.Context(), methodtest.Person, mfa.Credential{})
			if err == nil {
				err = said.Satisfy(t.Context(), attempt, time.Minute)
			}
			plain := more == `,"txid":"t"` || more == `,"txid":"t","verification_code":"","expiration":9`
			if !number && !plain {
				assert.ErrorIs(t, err, mfa.ErrServiceMalformed)
				assert.Zero(t, srv.Count("/auth"))
				return
			}
			require.NoError(t, err)
			assert.Equal(t, number, said.Told.Number != nil)
			assert.Zero(t, said.Told.ExpiresAt, "none of these ends the wait")
		})
	}
}
