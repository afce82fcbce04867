package mfa_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// loginOrg is the org of logins, where a method's org is another.
const loginOrg = "https://login.acme.test"

// factorsOrg is an org whose factors a method asks for.
type factorsOrg struct {
	*org
	api *okta.Client
	// said is what the person was told, in order.
	said []string
	// patience is that of who asks; zero is the longest.
	patience time.Duration
	// deaf says that there is no way to show a number.
	deaf bool
}

func newFactorsOrg(t testing.TB, options oktatest.Options) *factorsOrg {
	t.Helper()
	o := &factorsOrg{org: newOrg(t, options)}
	var err error
	o.api, err = okta.New(okta.Config{OrgURL: o.URL, APIToken: okta.NewSecret(o.Token), RootCAs: o.CertPool(), Timeout: patience, Now: o.clock.Now})
	require.NoError(t, err)
	t.Cleanup(o.api.CloseIdleConnections)
	return o
}

// method asks for the factors of the kinds, or for the default ones.
func (o *factorsOrg) method(kinds ...mfa.Kind) *mfa.OktaMethod {
	if len(kinds) == 0 {
		kinds = mfa.DefaultKinds
	}
	return &mfa.OktaMethod{
		For: func(c okta.Caller) mfa.FactorsAPI { return o.api.For(c) },
		Org: o.api.OrgURL(), Kinds: kinds,
	}
}

// who is the org's user, whom the org itself has let in.
func (o *factorsOrg) who() mfa.Subject {
	return mfa.Subject{ID: o.user.ID, Org: o.api.OrgURL(), Login: login, Name: "mia.ito", Caller: okta.Caller{Address: here}}
}

// elsewhere is somebody whom another org has let in.
func elsewhere(name string) mfa.Subject {
	return mfa.Subject{ID: "00u9elsewhere", Org: loginOrg, Login: name, Name: name}
}

// satisfy has the user satisfy the method in a login of their own, which Okta asks
// for nothing.
func (o *factorsOrg) satisfy(t testing.TB, m mfa.Method, c mfa.Credential) error {
	t.Helper()
	ctx := t.Context()
	if o.patience > 0 {
		ctx = methodtest.Within(ctx, o.patience+5*time.Second)
	}
	return o.satisfyAs(ctx, o.who(), m, c)
}

func (o *factorsOrg) satisfyAs(ctx context.Context, who mfa.Subject, m mfa.Method, c mfa.Credential) error {
	flow := mfa.Flow{
		Okta: scripted(success(mia)), Mount: new(mfa.Mount), Org: who.Org, Name: who.Name, Caller: who.Caller, Clock: o.clock, Nonce: ours,
		Require: func(context.Context, mfa.Subject) ([]mfa.Required, error) {
			return []mfa.Required{{ID: "1", Name: "method", Method: m}}, nil
		},
	}
	if !o.deaf {
		flow.Show = func(n mfa.Number) {
			o.said = append(o.said, fmt.Sprintf("show %d %s %v", n.Answer, n.Device, n.ExpiresAt.Sub(noon)))
		}
	}
	tx := success(okta.User{ID: who.ID, Login: who.Login})
	s, err := flow.Begin(ctx, tx, mfa.Input{Given: mfa.Given{"1": c}})
	if err == nil {
		err = s.Run(ctx)
	}
	if _, missing := errors.AsType[*mfa.MissingError](err); missing {
		return mfa.ErrNeedsPassCode
	}
	return err
}

// deleted is how many pushes were taken back.
func (o *factorsOrg) deleted() (n int) {
	for _, r := range o.Requests() {
		if r.Method == http.MethodDelete {
			n++
		}
	}
	return n
}

// challenges is how many challenges were asked for, and passcodes tried.
func (o *factorsOrg) challenges(f *oktatest.Factor) int {
	return o.Count(http.MethodPost, "/api/v1/users/"+f.User.ID+"/factors/"+f.ID+"/verify")
}

// TestOktaMethodPrepares: without disturbing anybody, and on behalf of the person.
func TestOktaMethodPrepares(t *testing.T) {
	t.Parallel()
	o := newFactorsOrg(t, oktatest.Options{})
	phone := o.user.AddPush("SUCCESS")
	text := o.user.AddFactor("sms", "OKTA")
	app := o.user.AddTOTP("OKTA")
	for _, tc := range []struct {
		name         string
		kinds        []mfa.Kind
		c            mfa.Credential
		rings, sends bool
		err          error
	}{
		{name: "push", rings: true},
		{name: "passcode", c: mfa.Credential{PassCode: code}},
		{name: "code to send", kinds: []mfa.Kind{mfa.KindSMS}, sends: true},
		{name: "push before a code", kinds: []mfa.Kind{mfa.KindSMS, mfa.KindPush}, rings: true},
		{name: "code", kinds: []mfa.Kind{mfa.KindSMS}, c: mfa.Credential{PassCode: code}},
		{name: "code to send, by its type", kinds: []mfa.Kind{mfa.KindSMS, mfa.KindPush}, c: mfa.Credential{Kind: mfa.KindSMS}, sends: true},
		{name: "type alone", c: mfa.Credential{Kind: mfa.KindTOTP}, err: mfa.ErrNeedsPassCode},
		{name: "no passcode", kinds: []mfa.Kind{mfa.KindTOTP}, err: mfa.ErrNeedsPassCode},
		{name: "no factor", kinds: []mfa.Kind{mfa.KindToken}, err: mfa.ErrNoFactor},
	} {
		t.Run(tc.name, func(t *testing.T) {
			o.Reset()
			attempt, err := o.method(tc.kinds...).Prepare(t.Context(), o.who(), tc.c)
			assert.ErrorIs(t, err, tc.err)
			rings := ""
			if tc.rings || tc.sends {
				rings = o.URL + " " + o.user.ID // as those of a login: it is the same person
			}
			assert.Equal(t, rings, attempt.Rings)
			assert.Equal(t, tc.sends, attempt.Sends)
			assert.False(t, attempt.Passed)
			assert.Equal(t, tc.rings, attempt.Ring != nil)
			assert.Equal(t, tc.err == nil && !tc.rings, attempt.Verify != nil)
			for _, r := range o.Requests() {
				assert.Equal(t, http.MethodGet, r.Method, r.Path)
				assert.Equal(t, here, r.ForwardedFor())
			}
			assert.Zero(t, phone.Pushes()+text.Sent()+o.challenges(app))
		})
	}
}

// TestOktaMethodPassCodes: each factor that the passcode fits is tried, once.
func TestOktaMethodPassCodes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		codes func(o *factorsOrg, okta, google *oktatest.Factor) []string
		errs  []error
		tried [2]int // Okta Verify, Google Authenticator
	}{
		{"right", func(_ *factorsOrg, f, _ *oktatest.Factor) []string { return []string{f.Code()} }, []error{nil}, [2]int{1, 0}},
		{"right for the second", func(_ *factorsOrg, _, f *oktatest.Factor) []string { return []string{f.Code()} }, []error{nil}, [2]int{1, 1}},
		{"wrong", func(*factorsOrg, *oktatest.Factor, *oktatest.Factor) []string { return []string{"000000"} },
			[]error{refused(okta.CodeInvalidPassCode)}, [2]int{1, 1}},
		{"replayed", func(_ *factorsOrg, f, _ *oktatest.Factor) []string { return []string{f.Code(), f.Code()} },
			[]error{nil, refused(okta.CodePassCodeReplayed)}, [2]int{2, 0}},
		{"locked", func(o *factorsOrg, _, _ *oktatest.Factor) []string {
			o.Configure(func(opts *oktatest.Options) { opts.MaxFailures = 1 })
			return []string{"000000"}
		}, []error{refused(okta.CodeUserLocked)}, [2]int{1, 0}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{})
			phone, verify, google := o.user.AddPush("SUCCESS"), o.user.AddTOTP("OKTA"), o.user.AddTOTP("GOOGLE")
			for i, passCode := range tc.codes(o, verify, google) {
				err := o.satisfy(t, o.method(), mfa.Credential{PassCode: passCode})
				assertError(t, tc.errs[i], err)
				if err != nil {
					assert.NotContains(t, err.Error(), passCode)
				}
			}
			assert.Equal(t, tc.tried, [2]int{o.challenges(verify), o.challenges(google)})
			assert.Zero(t, phone.Pushes(), "a passcode bothers nobody")
			assert.Empty(t, o.said)
		})
	}
}

// TestOktaMethodCredentials: what does not fit is said before anything is tried.
func TestOktaMethodCredentials(t *testing.T) {
	t.Parallel()
	o := newFactorsOrg(t, oktatest.Options{})
	one, two, app := o.user.AddPush("SUCCESS"), o.user.AddPush("SUCCESS"), o.user.AddTOTP("OKTA")
	two.SetName("Mia's Tablet")
	for _, tc := range []struct {
		name  string
		c     mfa.Credential
		rings *oktatest.Factor
		words []string // of the refusal
	}{
		{"no device", mfa.Credential{}, one, nil},
		{"name", mfa.Credential{Device: "Mia's Tablet"}, two, nil},
		{"name in another case", mfa.Credential{Device: "mia's tablet"}, two, nil},
		{"id", mfa.Credential{Device: two.ID}, two, nil},
		{"unknown", mfa.Credential{Device: "Phone 2"}, nil, []string{`"Phone 1"`, `"Mia's Tablet"`}},
		{"id of what is no phone", mfa.Credential{Device: app.ID}, nil, []string{`"Phone 1"`}},
		{"part of a name", mfa.Credential{Device: "Phone"}, nil, []string{`"Phone 1"`}},
		{"type that the mount does not accept", mfa.Credential{Kind: mfa.KindSMS}, nil, []string{"push", "totp"}},
		{"too short", mfa.Credential{PassCode: "12345"}, nil, []string{"push", "totp"}},
		{"too long", mfa.Credential{PassCode: "1234567"}, nil, []string{"totp"}},
		{"words", mfa.Credential{PassCode: words}, nil, []string{"totp"}},
		{"YubiKey", mfa.Credential{PassCode: otp}, nil, []string{"totp"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			before := []int{one.Pushes(), two.Pushes()}
			o.Reset()
			err := o.satisfy(t, o.method(), tc.c)
			for i, f := range []*oktatest.Factor{one, two} {
				if f == tc.rings {
					before[i]++
				}
			}
			assert.Equal(t, before, []int{one.Pushes(), two.Pushes()})
			if tc.words == nil {
				assert.NoError(t, err)
				return
			}
			var useless *mfa.CredentialError
			require.ErrorAs(t, err, &useless)
			for _, word := range tc.words {
				assert.Contains(t, useless.Problem, word)
			}
			if tc.c.PassCode != "" {
				assert.NotContains(t, err.Error(), tc.c.PassCode)
			}
			assert.Zero(t, o.challenges(app), "no try is used up")
		})
	}
}

// TestOktaMethodFactors: those that the person has enrolled and may use, and of
// the kinds that the mount names.
func TestOktaMethodFactors(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		add   func(u *oktatest.User)
		kinds []mfa.Kind
		err   error
	}{
		{"push", func(u *oktatest.User) { u.AddPush("SUCCESS") }, nil, nil},
		{"nothing", func(*oktatest.User) {}, nil, mfa.ErrNoFactor},
		{"pending", func(u *oktatest.User) { u.AddPush("SUCCESS").SetStatus("PENDING_ACTIVATION") }, nil, mfa.ErrNoFactor},
		{"inactive", func(u *oktatest.User) { u.AddPush("SUCCESS").SetStatus("INACTIVE") }, nil, mfa.ErrNoFactor},
		{"of a status that is new", func(u *oktatest.User) { u.AddPush("SUCCESS").SetStatus("BRAND_NEW") }, nil, mfa.ErrNoFactor},
		{"not offered at the address", func(u *oktatest.User) { u.AddPush("SUCCESS").OfferedTo(there) }, nil, mfa.ErrNoFactor},
		{"offered at the address", func(u *oktatest.User) { u.AddPush("SUCCESS").OfferedTo(here) }, nil, nil},
		{"another kind", func(u *oktatest.User) { u.AddFactor("sms", "OKTA") }, nil, mfa.ErrNoFactor},
		{"a browser's", func(u *oktatest.User) { u.AddFactor("webauthn", "FIDO") }, mfa.Kinds, errSent}, // the e-mail address
		{"the next that is active", func(u *oktatest.User) {
			u.AddPush("REJECTED").SetStatus("INACTIVE")
			u.AddPush("SUCCESS")
		}, nil, nil},
		{"an e-mail address that the mount names", func(*oktatest.User) {}, []mfa.Kind{mfa.KindEmail}, errSent},
		{"a question that the mount names", func(*oktatest.User) {}, []mfa.Kind{mfa.KindQuestion}, mfa.ErrNeedsPassCode},
		{"the kind alone counts", func(u *oktatest.User) { u.AddPush("SUCCESS") }, []mfa.Kind{mfa.KindTOTP}, mfa.ErrNoFactor},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{AutoFactors: true})
			tc.add(o.user)
			assertError(t, tc.err, o.satisfy(t, o.method(tc.kinds...), mfa.Credential{}))
		})
	}
	t.Run("a factor without a status", func(t *testing.T) {
		t.Parallel()
		api := &factorsScript{factors: []okta.Factor{phone}}
		_, err := api.method().Prepare(t.Context(), elsewhere(login), mfa.Credential{})
		assert.ErrorIs(t, err, mfa.ErrNoFactor)
	})
}

// TestOktaMethodSendsACode: for the next login to bring.
func TestOktaMethodSendsACode(t *testing.T) {
	t.Parallel()
	for _, kind := range []mfa.Kind{mfa.KindSMS, mfa.KindCall, mfa.KindEmail} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			o := newFactorsOrg(t, oktatest.Options{})
			device := o.user.AddFactor(string(kind), "OKTA")
			m := o.method(kind)
			err := o.satisfy(t, m, mfa.Credential{})
			var out *mfa.CodeSentError
			require.ErrorAs(t, err, &out)
			assert.Equal(t, device.ID, out.Factor.ID)
			assert.False(t, mfa.NotSent(err))
			assert.Equal(t, 1, device.Sent())

			err = o.satisfy(t, m, mfa.Credential{})
			assert.Equal(t, 1, device.Sent(), "too early for another")
			assert.True(t, mfa.NotSent(err))
			assert.True(t, mfa.Retryable(err))
			var refusal *okta.Error
			require.ErrorAs(t, err, &refusal)
			assert.Equal(t, 429, refusal.HTTPStatus)

			assertError(t, refused(okta.CodeInvalidPassCode), o.satisfy(t, m, mfa.Credential{PassCode: "0000"}))
			assert.NoError(t, o.satisfy(t, m, mfa.Credential{PassCode: device.Code()}))
			assert.Equal(t, 1, device.Sent())
		})
	}
	t.Run("several", func(t *testing.T) {
		t.Parallel()
		o := newFactorsOrg(t, oktatest.Options{})
		text, caller := o.user.AddFactor("sms", "OKTA"), o.user.AddFactor("call", "OKTA")
		err := o.satisfy(t, o.method(mfa.KindSMS, mfa.KindCall), mfa.Credential{})
		assert.ErrorIs(t, err, mfa.ErrNeedsPassCode, "nobody said which")
		assert.Zero(t, text.Sent()+caller.Sent())
	})
}

// factorsScript is a factors API that says what it is told to, of one user. It
// notes what it was asked, as a script does.
type factorsScript struct {
	account okta.Account
	found   []okta.Account
	factors []okta.Factor
	answers []okta.FactorTransaction // the last one repeats
	err     error                    // of everything

	mu  sync.Mutex
	log []string
}

func (s *factorsScript) method() *mfa.OktaMethod {
	if s.account == (okta.Account{}) {
		s.account = okta.Account{ID: mia.ID, Login: mia.Login, Email: mia.Login, Status: okta.AccountActive}
	}
	return &mfa.OktaMethod{For: func(okta.Caller) mfa.FactorsAPI { return s }, Org: "https://acme.okta.com", Kinds: mfa.DefaultKinds}
}

func (s *factorsScript) asked() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, ", ")
}

// note notes a question. The account and the factors may be asked for at the same time:
// the account comes first.
func (s *factorsScript) note(asked string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := len(s.log)
	if strings.HasPrefix(asked, "account ") && at > 0 && strings.HasPrefix(s.log[at-1], "factors ") {
		at--
	}
	s.log = slices.Insert(s.log, at, asked)
}

func (s *factorsScript) next(asked string) (okta.FactorTransaction, error) {
	s.note(asked)
	var t okta.FactorTransaction
	if len(s.answers) > 0 {
		t = s.answers[0]
		s.answers = s.answers[min(1, len(s.answers)-1):]
	}
	return t, s.err
}

func (s *factorsScript) Account(_ context.Context, name string) (okta.Account, error) {
	s.note("account " + name)
	return s.account, s.err
}

func (s *factorsScript) AccountsByEmail(_ context.Context, email string) ([]okta.Account, error) {
	s.note("email " + email)
	return s.found, s.err
}

func (s *factorsScript) Factors(_ context.Context, userID string) ([]okta.Factor, error) {
	s.note("factors " + userID)
	return s.factors, s.err
}

func (s *factorsScript) ChallengeFactor(_ context.Context, _ string, f okta.Factor, number bool) (okta.FactorTransaction, error) {
	return s.next(fmt.Sprintf("challenge %s %v", f.ID, number))
}

func (s *factorsScript) AnswerFactor(_ context.Context, _ string, f okta.Factor, passCode string) (okta.FactorTransaction, error) {
	return s.next("answer " + f.ID + " " + passCode)
}

func (s *factorsScript) PollFactor(context.Context, okta.FactorTransaction) (okta.FactorTransaction, error) {
	return s.next("poll")
}

func (s *factorsScript) CancelFactor(ctx context.Context, _ okta.FactorTransaction) error {
	s.note(fmt.Sprintf("cancel %v", ctx.Err()))
	return assert.AnError
}

// TestOktaMethodAnswers: a passcode is right where Okta says so, and nowhere else.
func TestOktaMethodAnswers(t *testing.T) {
	t.Parallel()
	for result, want := range map[okta.FactorResult]error{
		okta.ResultSuccess: nil, "": okta.ErrMalformed, "MAYBE": errStrange, "success": errStrange,
		okta.ResultWaiting: errStrange, okta.ResultChallenge: errStrange,
		okta.ResultRejected: mfa.ErrRejected, okta.ResultUpgradeRequired: mfa.ErrAppTooOld, okta.ResultTimeout: mfa.ErrPushTimeout, okta.ResultExpired: mfa.ErrPushTimeout,
		okta.ResultCancelled: mfa.ErrCancelled, okta.ResultError: mfa.ErrFactorFailed, okta.ResultFailed: mfa.ErrFactorFailed,
		okta.ResultPassCodeReplayed: mfa.ErrPassCodeReplayed, okta.ResultTimeWindowExceeded: mfa.ErrPassCodeTimeWindow,
	} {
		t.Run(string(result), func(t *testing.T) {
			t.Parallel()
			api := &factorsScript{factors: []okta.Factor{with("ACTIVE", verify)}, answers: []okta.FactorTransaction{{Result: result}}}
			attempt, err := api.method().Prepare(t.Context(), elsewhere(login), mfa.Credential{PassCode: code})
			require.NoError(t, err)
			assertError(t, want, attempt.Verify(t.Context(), mfa.Exchange{Mount: new(mfa.Mount)}))
			assert.Equal(t, "account mia.ito@acme.test, factors 00u1mia, answer ost1 123456", api.asked())
		})
	}
}

// TestOktaMethodCodeAnswers: to have a code sent proves nothing, whatever Okta
// answers.
func TestOktaMethodCodeAnswers(t *testing.T) {
	t.Parallel()
	for result, want := range map[okta.FactorResult]error{
		okta.ResultChallenge: errSent, okta.ResultSuccess: errStrange, okta.ResultWaiting: errStrange, "MAYBE": errStrange,
		"": okta.ErrMalformed, okta.ResultFailed: mfa.ErrFactorFailed,
	} {
		t.Run(string(result), func(t *testing.T) {
			t.Parallel()
			api := &factorsScript{factors: []okta.Factor{with("ACTIVE", sms)}, answers: []okta.FactorTransaction{{Result: result}}}
			m := api.method()
			m.Kinds = []mfa.Kind{mfa.KindSMS}
			attempt, err := m.Prepare(t.Context(), elsewhere(login), mfa.Credential{})
			require.NoError(t, err)
			err = attempt.Verify(t.Context(), mfa.Exchange{Clock: newClock(), Mount: new(mfa.Mount)})
			assertError(t, want, err)
			assert.False(t, mfa.NotSent(err))
		})
	}
}
