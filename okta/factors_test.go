package okta_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// enrolled is a factor of the org as the client names it.
func enrolled(f *oktatest.Factor) okta.Factor {
	return okta.Factor{ID: f.ID, Type: okta.FactorType(f.Type), Provider: okta.Provider(f.Provider)}
}

func factorPath(f *oktatest.Factor) string {
	return "/api/v1/users/" + f.User.ID + "/factors/" + f.ID
}

// ids are those of factors, in their order.
func ids(factors []okta.Factor) []string {
	list := []string{}
	for _, f := range factors {
		list = append(list, f.ID)
	}
	return list
}

// TestFactorsGolden: all fields, and nothing that tells where codes go to.
func TestFactorsGolden(t *testing.T) {
	t.Parallel()
	srv, _ := newOrg(t)
	c := newClient(t, srv)
	raw := string(golden(t, "factors/list"))
	srv.Fail("listfactors", oktatest.Body(200, "application/json", raw))
	got, err := c.Factors(t.Context(), mia.ID)
	require.NoError(t, err)
	active := func(status string, f okta.Factor) okta.Factor { f.Status = status; return f }
	secretive := sms
	secretive.SentTo = "…4821"
	caller := voice
	caller.SentTo = "…7730"
	mailed := email
	mailed.SentTo = "m…@acme.test"
	assert.Equal(t, []okta.Factor{
		active("ACTIVE", phone), active("ACTIVE", secretive), active("PENDING_ACTIVATION", caller),
		active("ACTIVE", mailed), active("INACTIVE", dislike),
		{ID: "new1", Type: "telepathy", Provider: "ACME", VendorName: "ACME", Status: "ACTIVE"},
	}, got)
}

// TestFactorsAreMasked: what people see before they have shown who they are
// tells them where a code goes only if they know.
func TestFactorsAreMasked(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	text, mail := user.AddFactor("sms", "OKTA"), user.AddFactor("email", "OKTA")
	c := newClient(t, srv)
	for _, tc := range []struct {
		name     string
		f        *oktatest.Factor
		to, want string
	}{
		{"number", text, "+15550164821", "…4821"},
		{"number with gaps", text, "+1 (555) 016-4821", "…4821"},
		{"masked number", text, "+1 XXX-XXX-4821", "+1 XXX-XXX-4821"},
		{"short number", text, "4821", "4821"},
		{"no number", text, "", ""},
		{"address", mail, "mia.ito@acme.test", "m…@acme.test"},
		{"masked address", mail, "m...o@acme.test", "m…@acme.test"},
		{"one letter", mail, "m@acme.test", "m…@acme.test"},
		{"no letter", mail, "@acme.test", "…@acme.test"},
		{"not ASCII", mail, "ömer@acme.test", "ö…@acme.test"},
		{"no address", mail, "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			tc.f.SetDestination(tc.to)
			list, err := c.Factors(t.Context(), user.ID)
			require.NoError(t, err)
			require.Len(t, list, 2)
			for _, f := range list {
				if f.ID == tc.f.ID {
					assert.Equal(t, tc.want, f.SentTo)
				}
			}
		})
	}
}

// TestFactors: those that the org offers to the person's own address, in any
// status.
func TestFactors(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t, oktatest.Options{AutoFactors: true})
	phone, app := user.AddPush(), user.AddTOTP("OKTA").OfferedTo("198.51.100.7")
	user.AddTOTP("GOOGLE").OfferedTo()
	pending, off := user.AddFactor("sms", "OKTA"), user.AddFactor("token:hotp", "CUSTOM")
	pending.SetStatus("PENDING_ACTIVATION")
	off.SetStatus("INACTIVE")
	user.AddFactor("call", "OKTA").SetStatus("NOT_SETUP")
	auto := user.AutoFactors()
	require.Len(t, auto, 2)
	everywhere := []string{phone.ID, pending.ID, off.ID, auto[0].ID, auto[1].ID}
	there := []string{phone.ID, app.ID, pending.ID, off.ID, auto[0].ID, auto[1].ID}

	base := newClient(t, srv)
	for _, tc := range []struct {
		name, address string
		want          []string
	}{
		{"address of the policy", "198.51.100.7", there},
		{"behind a proxy", "198.51.100.7, 10.0.0.1", there},
		{"another address", "203.0.113.9", everywhere},
		{"no address", "", everywhere},
		{"not an address", "198.51.100.7\r\nX-Evil: 1", everywhere},
	} {
		t.Run(tc.name, func(t *testing.T) {
			srv.Reset()
			got, err := base.For(okta.Caller{Address: tc.address}).Factors(t.Context(), user.ID)
			require.NoError(t, err)
			assert.Equal(t, tc.want, ids(got))
			for _, f := range got {
				want := map[string]string{pending.ID: "PENDING_ACTIVATION", off.ID: "INACTIVE"}[f.ID]
				if want == "" {
					want = okta.FactorActive
				}
				assert.Equal(t, want, f.Status)
			}
			require.Len(t, srv.Requests(), 1)
			assert.Equal(t, "/api/v1/users/"+user.ID+"/factors", srv.Requests()[0].Path)
		})
	}
	t.Run("nobody", func(t *testing.T) {
		got, err := base.Factors(t.Context(), "00u1nobody")
		refused := refusal(t, err)
		assert.Equal(t, okta.CodeNotFound, refused.Code)
		assert.Nil(t, got)
	})
	t.Run("by id alone", func(t *testing.T) {
		_, err := base.Factors(t.Context(), login)
		assert.Error(t, err)
	})
}

// TestFactorRequests: what each call sends, and that all of them name a program:
// without a User-Agent Okta sends no push.
func TestFactorRequests(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	push, app, question := user.AddPush(), user.AddTOTP("OKTA"), user.AddFactor("question", "OKTA")
	for _, tc := range []struct {
		name, method, path, body string
		do                       func(*okta.Client) error
	}{
		{"push", http.MethodPost, factorPath(push) + "/verify", ``, func(c *okta.Client) error {
			_, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), false)
			return err
		}},
		{"push with a number", http.MethodPost, factorPath(push) + "/verify", `{"useNumberMatchingChallenge":true}`, func(c *okta.Client) error {
			_, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), true)
			return err
		}},
		{"number for what is no push", http.MethodPost, factorPath(app) + "/verify", ``, func(c *okta.Client) error {
			_, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(app), true)
			return err
		}},
		{"passcode", http.MethodPost, factorPath(app) + "/verify", `{"passCode":"000123"}`, func(c *okta.Client) error {
			_, err := c.AnswerFactor(t.Context(), user.ID, enrolled(app), "000123")
			return err
		}},
		{"answer", http.MethodPost, factorPath(question) + "/verify", `{"answer":" Grün\u003ckohl\" "}`, func(c *okta.Client) error {
			_, err := c.AnswerFactor(t.Context(), user.ID, enrolled(question), ` Grün<kohl" `)
			return err
		}},
		{"list", http.MethodGet, "/api/v1/users/" + user.ID + "/factors", ``, func(c *okta.Client) error {
			_, err := c.Factors(t.Context(), user.ID)
			return err
		}},
		{"escaped", http.MethodPost, "/api/v1/users/..%2Fx/factors/a%2Fb%3Fc%23d/verify", ``, func(c *okta.Client) error {
			_, err := c.ChallengeFactor(t.Context(), "../x", okta.Factor{ID: "a/b?c#d"}, false)
			return err
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, agent := range []string{"", "login-test/1.0"} {
				srv.Reset()
				c := newClient(t, srv, func(cfg *okta.Config) { cfg.UserAgent = agent })
				_ = tc.do(c.For(okta.Caller{Address: "198.51.100.7"})) // only the request counts
				require.Len(t, srv.Requests(), 1)
				r := srv.Requests()[0]
				assert.Equal(t, tc.method+" "+tc.path, r.Method+" "+r.Path)
				assert.Empty(t, r.RawQuery)
				if tc.body == "" {
					assert.Empty(t, r.Body)
				} else {
					assert.JSONEq(t, tc.body, string(r.Body))
					assert.Equal(t, "application/json", r.Header.Get("Content-Type"))
				}
				assert.NotEmpty(t, r.UserAgent())
				assert.Contains(t, r.UserAgent(), agent)
				assert.Equal(t, "198.51.100.7", r.ForwardedFor())
				assert.Equal(t, "SSWS "+srv.Token, r.Header.Get("Authorization"))
			}
		})
	}
	c := newClient(t, srv)
	for _, id := range []string{"", ".", ".."} {
		srv.Reset()
		_, err := c.Factors(t.Context(), id)
		assert.ErrorIs(t, err, okta.ErrMalformed)
		_, err = c.ChallengeFactor(t.Context(), id, enrolled(push), false)
		assert.ErrorIs(t, err, okta.ErrMalformed)
		_, err = c.AnswerFactor(t.Context(), user.ID, okta.Factor{ID: id}, passCode)
		assert.ErrorIs(t, err, okta.ErrMalformed)
		assert.Empty(t, srv.Requests())
	}
	assert.Equal(t, 4, push.Pushes())
}

func TestFactorsNeedAToken(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	f := enrolled(user.AddPush())
	c := newClient(t, srv, func(cfg *okta.Config) { cfg.APIToken = okta.Secret{} })
	_, err := c.Factors(t.Context(), user.ID)
	assert.ErrorIs(t, err, okta.ErrNoAPIToken)
	_, err = c.ChallengeFactor(t.Context(), user.ID, f, true)
	assert.ErrorIs(t, err, okta.ErrNoAPIToken)
	_, err = c.AnswerFactor(t.Context(), user.ID, f, passCode)
	assert.ErrorIs(t, err, okta.ErrNoAPIToken)
	assert.Empty(t, srv.Requests())
}

// TestFactorGolden decodes Okta's own samples, by a clock that is years from the
// org's.
func TestFactorGolden(t *testing.T) {
	t.Parallel()
	orgs := oktatest.NewClock(time.Date(2026, 3, 2, 10, 5, 0, 0, time.UTC))
	ours := oktatest.NewClock(time.Date(2031, 1, 1, 0, 0, 0, 0, time.UTC))
	srv, _ := newOrg(t, oktatest.Options{Now: orgs.Now})
	c := newClient(t, srv, func(cfg *okta.Config) { cfg.Now = ours.Now })
	in5 := ours.Now().Add(5 * time.Minute)
	for name, want := range map[string]okta.FactorTransaction{
		"waiting":             {Result: okta.ResultWaiting, ExpiresAt: in5},
		"waiting_number":      {Result: okta.ResultWaiting, ExpiresAt: in5, Challenge: &okta.Challenge{CorrectAnswer: 47}},
		"waiting_number_zero": {Result: okta.ResultWaiting, ExpiresAt: in5, Challenge: &okta.Challenge{CorrectAnswer: 0}},
		"success":             {Result: okta.ResultSuccess},
		"rejected":            {Result: okta.ResultRejected},
		"upgrade_required":    {Result: okta.ResultUpgradeRequired},
		"timeout":             {Result: okta.ResultTimeout},
		"challenge_sms":       {Result: okta.ResultChallenge},
	} {
		t.Run(name, func(t *testing.T) {
			status := 200
			if want.Result == okta.ResultWaiting {
				status = 201
			}
			srv.Fail("verifyfactor", oktatest.Body(status, "application/json", string(golden(t, "factors/"+name))).Times(1))
			got, err := c.ChallengeFactor(t.Context(), mia.ID, phone, true)
			require.NoError(t, err)
			assert.Equal(t, want, visible(got))
		})
	}
}

// visible is what of an answer is not the client's own.
func visible(t okta.FactorTransaction) okta.FactorTransaction {
	return okta.FactorTransaction{Result: t.Result, ExpiresAt: t.ExpiresAt, Challenge: t.Challenge}
}

// TestPush: with a number and without, from the push to its end.
func TestPush(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		number int // less than zero: without
		script []string
	}{
		"plain":       {-1, []string{"WAITING", "WAITING", "SUCCESS"}},
		"rejected":    {-1, []string{"WAITING", "REJECTED"}},
		"number":      {47, []string{"WAITING", "WAITING", "SUCCESS"}},
		"number zero": {0, []string{"WAITING", "TIMEOUT"}},
		"new result":  {0, []string{"WAITING", "BRAND_NEW"}},
		"no result":   {0, []string{"WAITING", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := oktatest.NewClock(time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC))
			srv, user := newOrg(t, oktatest.Options{Now: clock.Now, ExtraFields: true})
			push := user.AddPush(tc.script...).Number(max(tc.number, 0), 0)
			c := newClient(t, srv, func(cfg *okta.Config) { cfg.Now = clock.Now })
			got, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), tc.number >= 0)
			require.NoError(t, err)
			require.Equal(t, 201, srv.Requests()[0].Status)
			want := okta.FactorTransaction{Result: okta.ResultWaiting, ExpiresAt: clock.Now().Add(5 * time.Minute)}
			if tc.number >= 0 {
				want.Challenge = &okta.Challenge{CorrectAnswer: tc.number}
			}
			assert.Equal(t, want, visible(got))
			for _, result := range tc.script[:len(tc.script)-1] {
				clock.Advance(2 * time.Second)
				got, err = c.PollFactor(t.Context(), got)
				require.NoError(t, err)
				assert.Equal(t, want, visible(got), "%s: the number stays, and so does the end", result)
			}
			got, err = c.PollFactor(t.Context(), got)
			require.NoError(t, err)
			assert.Equal(t, okta.FactorResult(tc.script[len(tc.script)-1]), got.Result)
			assert.Equal(t, want.ExpiresAt, got.ExpiresAt, "an answer without an expiry moves none")
			assert.Equal(t, 1, push.Pushes())
			assert.Equal(t, len(tc.script), push.Polls())
			path := srv.Requests()[1].Path
			assert.True(t, strings.HasPrefix(path, factorPath(push)+"/transactions/v2mst."), "%s: the dots stay", path)
			for _, r := range srv.Requests()[1:] {
				assert.Equal(t, http.MethodGet+" "+path, r.Method+" "+r.Path)
				assert.Empty(t, r.Body)
			}
		})
	}
}

// TestCancelFactor: what waits is taken back, once, and what has nothing to be
// taken back by is let be.
func TestCancelFactor(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	push := user.AddPush()
	c := newClient(t, srv)
	got, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), false)
	require.NoError(t, err)
	got, err = c.PollFactor(t.Context(), got)
	require.NoError(t, err)
	require.NoError(t, c.CancelFactor(t.Context(), got), "the link of the push outlives the polls")
	assert.Equal(t, []int{1, 0}, []int{push.Withdrawn(), push.Waiting()})
	last := srv.Requests()[2]
	assert.Equal(t, http.MethodDelete+" "+srv.Requests()[1].Path, last.Method+" "+last.Path)
	assert.Equal(t, 204, last.Status)
	assert.Empty(t, last.Body)

	refused := refusal(t, c.CancelFactor(t.Context(), got))
	assert.Equal(t, okta.CodeNotFound, refused.Code)
	_, err = c.PollFactor(t.Context(), got)
	refused = refusal(t, err)
	assert.Equal(t, okta.CodeNotFound, refused.Code)

	srv.Reset()
	_, err = c.PollFactor(t.Context(), okta.FactorTransaction{})
	assert.ErrorIs(t, err, okta.ErrMalformed)
	assert.NoError(t, c.CancelFactor(t.Context(), okta.FactorTransaction{}))
	assert.Empty(t, srv.Requests())
}

// TestAnswerFactor: each kind of passcode, right, wrong, and used before.
func TestAnswerFactor(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t, oktatest.Options{MaxFailures: 9})
	c := newClient(t, srv)
	text := user.AddFactor("sms", "OKTA")
	got, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(text), false)
	require.NoError(t, err)
	assert.Equal(t, okta.FactorTransaction{Result: okta.ResultChallenge}, got)
	assert.Equal(t, 1, text.Sent())
	_, err = c.ChallengeFactor(t.Context(), user.ID, enrolled(text), false)
	refused := refusal(t, err)
	assert.Equal(t, okta.CodeResendSMS, refused.Code)
	assert.Equal(t, 30*time.Second, refused.RetryAfter)
	assert.Equal(t, 1, text.Sent())

	for name, f := range map[string]*oktatest.Factor{
		"totp": user.AddTOTP("GOOGLE"), "sms": text, "question": user.AddFactor("question", "OKTA"),
		"token": user.AddFactor("token:hardware", "YUBICO"),
	} {
		t.Run(name, func(t *testing.T) {
			wrong, err := c.AnswerFactor(t.Context(), user.ID, enrolled(f), "000000")
			refused := refusal(t, err)
			assert.Equal(t, okta.CodeInvalidPassCode, refused.Code)
			assert.Equal(t, 403, refused.HTTPStatus)
			assert.Zero(t, wrong)
			code := f.Code()
			right, err := c.AnswerFactor(t.Context(), user.ID, enrolled(f), code)
			require.NoError(t, err)
			assert.Equal(t, okta.FactorTransaction{Result: okta.ResultSuccess}, right)
			if name != "question" {
				again, err := c.AnswerFactor(t.Context(), user.ID, enrolled(f), code)
				assert.Error(t, err, "a passcode is good once")
				assert.Zero(t, again)
				assert.NotContains(t, err.Error(), code)
			}
		})
	}
}

// TestNotAFactorTransaction: what does not decode leaves nothing behind.
func TestNotAFactorTransaction(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	push := user.AddPush()
	c := newClient(t, srv)
	for _, body := range []string{
		``, `[]`, `"SUCCESS"`, `{"factorResult":7}`, `{"factorResult":"SUCCESS"} x`, `{"factorResult":"SUCCESS","expiresAt":"soon"}`,
		`{"factorResult":"WAITING","_embedded":{"challenge":{"correctAnswer":"47"}}}`, `{"factorResult":"WAITING","_embedded":{"challenge":{"correctAnswer":4.7}}}`,
	} {
		srv.Fail("verifyfactor", oktatest.Body(200, "application/json", body).Times(1))
		got, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), true)
		assert.ErrorIs(t, err, okta.ErrMalformed, body)
		assert.Zero(t, got, body)
	}
	for _, body := range []string{``, `{}`, `"x"`, `[7]`, `[{"id":[]}]`} {
		srv.Fail("listfactors", oktatest.Body(200, "application/json", body).Times(1))
		got, err := c.Factors(t.Context(), user.ID)
		assert.ErrorIs(t, err, okta.ErrMalformed, body)
		assert.Nil(t, got, body)
	}
}
