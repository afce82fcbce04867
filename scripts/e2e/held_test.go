package e2e

import (
	"encoding/json"
	"maps"
	"net/http"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
	"github.com/vault-okta/vault-plugin-auth-okta/scripts/e2e/harness"
)

// held is a login with wait=false.
type held struct {
	m        *mount
	username string
	id       string
	data     object // of the newest answer
}

var transactionID = regexp.MustCompile(`^[0-9a-f]{32}$`)

// begin begins a login that does not wait, which must not end at once.
func (m *mount) begin(u *oktatest.User, more ...object) *held {
	m.t.Helper()
	h := &held{m: m, username: u.Login()}
	a := m.login(u, append(more, object{"wait": false})...)
	h.id, _ = a.Data()["transaction_id"].(string)
	require.Regexp(m.t, transactionID, h.id, "the answer: %s", a.Raw)
	h.take(a)
	return h
}

// take takes over an answer, which must not be the last.
func (h *held) take(a harness.Answer) {
	t := h.m.t
	t.Helper()
	require.NoError(t, a.Err())
	require.Nil(t, a.JSON["auth"], "only the last answer carries a token")
	h.data = a.Data()
	require.Equal(t, h.id, h.data["transaction_id"])
	expires, err := time.Parse(time.RFC3339, h.data["expires_at"].(string))
	require.NoError(t, err)
	require.Equal(t, "Z", h.data["expires_at"].(string)[len("2006-01-02T15:04:05"):])
	require.WithinRange(t, expires, time.Now().Add(-2*time.Second), time.Now().Add(6*time.Minute))
	require.IsType(t, []any{}, h.data["factors"])
	require.NotContains(t, string(a.Raw), "stateToken")
}

// post goes on with the login, without the password.
func (h *held) post(body ...object) harness.Answer {
	h.m.t.Helper()
	return h.m.attempt(h.username, h.body(body...))
}

func (h *held) body(more ...object) object {
	body := object{"transaction_id": h.id}
	for _, fields := range more {
		maps.Copy(body, fields)
	}
	return body
}

// next goes on with the login, which must not end by that.
func (h *held) next(body ...object) *held {
	h.m.t.Helper()
	h.take(h.post(body...))
	return h
}

// require checks fields of the newest answer. A nil must not be there.
func (h *held) require(want object) *held {
	h.m.t.Helper()
	for field, value := range want {
		if value == nil {
			require.NotContains(h.m.t, h.data, field)
			continue
		}
		require.Equal(h.m.t, value, h.data[field], "%s of %v", field, h.data)
	}
	return h
}

// others are the types of the other factors.
func (h *held) others() []string {
	var types []string
	for _, f := range h.data["factors"].([]any) {
		require.NotEmpty(h.m.t, f.(object)["id"])
		types = append(types, f.(object)["factor"].(string))
	}
	return types
}

// wait asks how the login stands until that has changed, and returns the
// answer that is another.
func (h *held) wait() (a harness.Answer) {
	h.m.t.Helper()
	before := h.data["state"]
	eventually(h.m.t, "the end of the wait", func() bool {
		a = h.post()
		return a.Data()["state"] != before
	})
	return a
}

// requireEnd checks the last answer of a login, and that the id is useless
// then.
func (h *held) requireEnd(a harness.Answer) {
	h.m.t.Helper()
	require.NoError(h.m.t, a.Err())
	require.NotEmpty(h.m.t, a.Token(), "%s", a.Raw)
	require.NotContains(h.m.t, string(a.Raw), h.id)
	h.requireOver()
}

// requireOver checks that nothing can be done with the id, and that Okta is not
// asked about it.
func (h *held) requireOver() {
	h.m.t.Helper()
	asked := func() (n int) {
		for _, r := range h.m.org.Requests() {
			if r.Path != "/api/v1/authn/cancel" && !strings.HasSuffix(r.Path, "/groups") { // which may be on their way yet
				n++
			}
		}
		return n
	}
	before := asked()
	for _, body := range []object{{}, {"totp": "123456"}, {"factor": "push"}, {"cancel": true}, {"wait": false}} {
		requireRefused(h.m.t, h.post(body), http.StatusBadRequest, "no login of this user is open under this transaction_id")
	}
	require.Equal(h.m.t, before, asked())
}

func TestHeldPush(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.mustWrite("groups/scientists", object{"policies": "science"})
	u := m.addUser("mia@acme.test", "Scientists")
	f := u.AddPush()
	f.SetName("Mia's phone")
	u.AddTOTP("OKTA")
	h := m.begin(u)
	h.require(object{
		"state": "waiting", "factor": "push", "provider": "OKTA", "device": "Mia's phone",
		"correct_answer": nil, "sent_to": nil, "question": nil,
	})
	require.Equal(t, []string{"totp"}, h.others())
	var polled []time.Time
	eventually(t, "some questions to Okta", func() bool {
		h.next().require(object{"state": "waiting", "factor": "push"})
		if f.Polls() > len(polled) {
			polled = append(polled, f.LastPoll())
		}
		return len(polled) == 2
	})
	require.GreaterOrEqual(t, polled[1].Sub(polled[0]), 1500*time.Millisecond, "however often the login is asked about")
	require.Equal(t, 1, f.Approve())
	a := h.wait()
	h.requireEnd(a)
	require.Equal(t, []any{"default", "science"}, policies(a))
	require.Equal(t, "mia@acme.test", m.lookup(a.Token())["meta"].(object)["username"])
	require.Equal(t, 1, f.Pushes())
	require.Equal(t, 1, m.org.Count(http.MethodPost, "/api/v1/authn"))
}

// Zero is a number, and so is one that Okta tells later.
func TestHeldNumberChallenge(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct{ number, fromPoll int }{
		"at once": {47, 0}, "zero at once": {0, 0}, "later": {11, 2}, "zero later": {0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			f := u.AddPush().Number(row.number, row.fromPoll)
			h := m.begin(u).require(object{"state": "waiting"})
			if row.fromPoll > 0 {
				h.require(object{"correct_answer": nil})
			}
			eventually(t, "a number", func() bool { return h.next().data["correct_answer"] != nil })
			h.require(object{"state": "waiting", "correct_answer": float64(row.number), "device": "Phone 1"})
			require.Equal(t, 1, f.Approve())
			h.requireEnd(h.wait())
			require.Equal(t, 1, f.Pushes())
		})
	}
}

func TestHeldPushNotApproved(t *testing.T) {
	t.Parallel()
	for result, words := range map[string]string{
		"REJECTED": "rejected", "TIMEOUT": "not answered in time", "CANCELLED": "cancelled", "ERROR": "could not verify",
		"SOMETHING_NEW": "does not let you in",
	} {
		t.Run(result, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			f := u.AddPush("WAITING", result)
			h := m.begin(u)
			requireRefused(t, h.wait(), http.StatusBadRequest, words)
			h.requireOver()
			require.Equal(t, 1, f.Pushes())
		})
	}
}

func TestHeldPasscode(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	clock := m.ownClock()
	u := m.addUser("mia@acme.test")
	f := u.AddTOTP("GOOGLE")
	h := m.begin(u).require(object{"state": "passcode_required", "factor": "totp", "provider": "GOOGLE"})
	require.Empty(t, h.others())
	h.next().require(object{"state": "passcode_required"})
	requireRefused(t, h.post(object{"totp": wrongCode(f)}), http.StatusBadRequest, "(E0000068)")
	h.next().require(object{"state": "passcode_required"})
	code := f.Code()
	h.requireEnd(h.post(object{"totp": code}))

	h = m.begin(u)
	requireRefused(t, h.post(object{"passcode": code}), http.StatusBadRequest, "(E0000082)")
	clock.Advance(time.Minute)
	h.requireEnd(h.post(object{"passcode": f.Code(), "provider": "google", "wait": false}))

	clock.Advance(time.Minute)
	a := m.login(u, object{"wait": false, "totp": f.Code()})
	require.NoError(t, a.Err())
	require.NotEmpty(t, a.Token(), "a login that nobody is needed for ends at once")
	require.Empty(t, a.Data())
}

func TestHeldLoginWithoutAFactor(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	a := m.login(u, object{"wait": false})
	require.NoError(t, a.Err())
	require.NotEmpty(t, a.Token())
	requireRefused(t, m.login(u, object{"wait": false, "password": secret()}), http.StatusBadRequest, "(E0000004)")
}

func TestHeldCode(t *testing.T) {
	t.Parallel()
	for _, row := range sentFactors {
		t.Run(row.kind, func(t *testing.T) {
			t.Parallel()
			m := newMount(t, allFactors)
			clock := m.ownClock()
			m.org.Configure(func(o *oktatest.Options) { o.CodesStayInTransaction = true })
			u := m.addUser("mia@acme.test")
			f := u.AddFactor(row.kind, "OKTA")
			h := m.begin(u).require(object{"state": "passcode_required", "factor": row.kind, "sent_to": row.to, "device": nil})
			require.Equal(t, 1, f.Sent())
			requireRefused(t, h.post(object{"totp": wrongCode(f)}), http.StatusBadRequest, "(E0000068)")
			requireRefused(t, h.post(object{"resend": true}), http.StatusBadRequest, "so soon", "seconds")
			clock.Advance(time.Minute)
			h.next(object{"resend": true}).require(object{"state": "passcode_required", "factor": row.kind})
			require.Equal(t, 2, f.Sent())
			h.requireEnd(h.post(object{"totp": f.Code()}))
			require.Equal(t, 2, f.Sent())
			require.Zero(t, m.openTransactions())
		})
	}
}

// Who waits for a code gets that one again, whatever else there is.
func TestHeldResend(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	clock := m.ownClock()
	u := m.addUser("mia@acme.test")
	phone, text := u.AddPush(), u.AddFactor("sms", "OKTA")
	u.AddFactor("email", "OKTA")
	h := m.begin(u, object{"factor": "sms"}).require(object{"state": "passcode_required", "factor": "sms"})
	clock.Advance(time.Minute)
	h.next(object{"resend": true}).require(object{"state": "passcode_required", "factor": "sms"})
	require.Equal(t, 2, text.Sent())
	require.Zero(t, phone.Pushes())
	h.requireEnd(h.post(object{"totp": text.Code()}))
}

// With several factors the login waits for a choice, and then for what the
// factor needs.
func TestHeldChoice(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	u := m.addUser("mia@acme.test")
	text, mail := u.AddFactor("sms", "OKTA"), u.AddFactor("email", "OKTA")
	question := u.AddFactor("question", "OKTA")
	h := m.begin(u).require(object{"state": "factor_required", "factor": nil, "provider": nil})
	require.ElementsMatch(t, []string{"sms", "email", "question"}, h.others())
	for _, f := range h.data["factors"].([]any) {
		switch f := f.(object); f["factor"] {
		case "sms":
			require.Equal(t, "+1 XXX-XXX-4821", f["sent_to"])
		case "question":
			require.NotEmpty(t, f["question"])
		}
	}
	h.next(object{"factor": "sms"}).require(object{"state": "passcode_required", "factor": "sms"})
	require.ElementsMatch(t, []string{"email", "question"}, h.others())
	h.next(object{"provider": "email"}).require(object{"state": "passcode_required", "factor": "email", "sent_to": "m...a@acme.test"})
	h.next(object{"factor": "question"}).require(object{"state": "passcode_required", "factor": "question"})
	require.NotEmpty(t, h.data["question"])
	requireRefused(t, h.post(object{"factor": "push"}), http.StatusBadRequest, "provider=sms", "provider=email", "still open")
	requireRefused(t, h.post(object{"factor": "carrier pigeon"}), http.StatusBadRequest, "factor must be one of")
	h.requireEnd(h.post(object{"totp": question.Code(), "factor": "question"}))
	require.Equal(t, 1, text.Sent())
	require.Equal(t, 1, mail.Sent())
}

// Somebody who cannot answer the push switches: to a code, to another phone.
func TestHeldSwitch(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors, object{"max_push_failures": 5})
	u := m.addUser("mia@acme.test")
	first, second := u.AddPush(), u.AddPush()
	text, generator, question := u.AddFactor("sms", "OKTA"), u.AddTOTP("OKTA"), u.AddFactor("question", "OKTA")
	h := m.begin(u, object{"device": "Phone 1"}).require(object{"state": "waiting", "device": "Phone 1"})
	require.Equal(t, []int{1, 0}, []int{first.Waiting(), second.Waiting()})

	h.next(object{"device": "phone 2"}).require(object{"state": "waiting", "factor": "push", "device": "Phone 2"})
	soon(t, []int{0, 1}, func() []int { return []int{first.Waiting(), second.Waiting()} })
	soon(t, 1, first.Withdrawn)

	requireRefused(t, h.post(object{"device": first.ID}), http.StatusBadRequest, "has had a push for this login already")
	require.Equal(t, []int{1, 1}, []int{first.Pushes(), second.Pushes()}, "no phone rings twice")

	h.next(object{"factor": "sms"}).require(object{"state": "passcode_required", "factor": "sms", "device": nil})
	soon(t, 0, second.Waiting)
	soon(t, 1, second.Withdrawn)
	require.Contains(t, h.others(), "totp")
	requireRefused(t, h.post(object{"factor": "push"}), http.StatusBadRequest)

	requireRefused(t, h.post(object{"totp": wrongCode(text)}), http.StatusBadRequest, "(E0000068)")
	h.requireEnd(h.post(object{"totp": generator.Code(), "factor": "totp"}))
	require.Equal(t, []int{1, 1, 1}, []int{first.Pushes(), second.Pushes(), text.Sent()})

	// By a passcode alone, while the push waits.
	h = m.begin(u, object{"provider": "push", "device": second.ID}).require(object{"state": "waiting", "device": "Phone 2"})
	requireRefused(t, h.post(object{"totp": wrongCode(generator)}), http.StatusBadRequest, "(E0000068)")
	soon(t, 0, second.Waiting)
	requireRefused(t, h.post(object{"device": second.ID}), http.StatusBadRequest, "already")
	h.requireEnd(h.post(object{"totp": question.Code()}))
	require.Equal(t, []int{1, 2}, []int{first.Pushes(), second.Pushes()})
}

func TestHeldCancel(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	clock := m.ownClock()
	u := m.addUser("mia@acme.test")
	f := u.AddPush()
	h := m.begin(u)
	a := h.post(object{"cancel": true})
	require.NoError(t, a.Err())
	require.Equal(t, object{"transaction_id": h.id, "state": "cancelled"}, a.Data())
	require.Nil(t, a.JSON["auth"])
	h.requireOver()
	soon(t, 1, f.Withdrawn)
	soon(t, 1, m.cancels)

	other := m.addUser("eve@acme.test")
	text := other.AddFactor("sms", "OKTA")
	h = m.begin(other)
	require.NoError(t, h.post(object{"cancel": true}).Err())
	h.requireOver()
	soon(t, 2, m.cancels)
	clock.Advance(time.Minute)
	m.begin(other).require(object{"state": "passcode_required"})
	require.Equal(t, 2, text.Sent(), "a code of a cancelled login is not waited for")

	requireRefused(t, m.login(u, object{"cancel": true}), http.StatusBadRequest, "transaction_id")
}

// The id is good for who has it: with the user name that began the login, on the
// mount that did, while it lasts.
func TestHeldIDIsBound(t *testing.T) {
	t.Parallel()
	m, other := newMount(t), newMount(t)
	u, eve := m.addUser("mia@acme.test"), m.addUser("eve@acme.test")
	other.addUser("mia@acme.test").AddTOTP("OKTA")
	f := u.AddTOTP("OKTA")
	eve.AddTOTP("OKTA")
	h := m.begin(u)
	theirs := m.begin(eve)
	require.NotEqual(t, h.id, theirs.id)

	foreign := map[string]*held{
		"another user":         {m: m, username: eve.Login(), id: h.id},
		"another spelling":     {m: m, username: "MIA@acme.test", id: h.id},
		"the short name":       {m: m, username: "mia", id: h.id},
		"another mount":        {m: other, username: u.Login(), id: h.id},
		"nobody's id":          {m: m, username: u.Login(), id: strings.Repeat("0", 32)},
		"no id at all":         {m: m, username: u.Login(), id: "x"},
		"the other's id":       {m: m, username: u.Login(), id: theirs.id},
		"capitals":             {m: m, username: u.Login(), id: strings.ToUpper(h.id)},
		"an id with space":     {m: m, username: u.Login(), id: " " + h.id},
		"an id of a megabyte":  {m: m, username: u.Login(), id: strings.Repeat("0", 1<<20)},
		"the beginning of one": {m: m, username: u.Login(), id: h.id[:31]},
	}
	for name, f := range foreign {
		t.Log(name)
		f.requireOver()
	}
	requireRefused(t, m.attempt(u.Login(), object{"transaction_id": []string{h.id}}), http.StatusBadRequest, "transaction_id")
	requireRefused(t, m.attempt(u.Login(), object{"transaction_id": ""}), http.StatusBadRequest, "password")
	h.next().require(object{"state": "passcode_required"})
	h.requireEnd(h.post(object{"totp": f.Code()}))
}

func TestHeldIDExpires(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.org.Configure(func(o *oktatest.Options) { o.StateTokenLife = 20 * time.Second })
	u := m.addUser("mia@acme.test")
	f := u.AddTOTP("OKTA")
	h := m.begin(u)
	expires, err := time.Parse(time.RFC3339, h.data["expires_at"].(string))
	require.NoError(t, err)
	require.Less(t, time.Until(expires), 22*time.Second)
	eventually(t, "the end of the login", func() bool { return h.post().Err() != nil })
	requireRefused(t, h.post(object{"totp": f.Code()}), http.StatusBadRequest, "no login of this user is open")
	h.requireOver()
}

// A push that Okta gives up ends the login that waits for it.
func TestHeldPushExpires(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.org.Configure(func(o *oktatest.Options) { o.ChallengeLife = 3 * time.Second })
	u := m.addUser("mia@acme.test")
	f := u.AddPush()
	h := m.begin(u)
	requireRefused(t, h.wait(), http.StatusBadRequest, "not answered in time")
	h.requireOver()
	require.Equal(t, 1, f.Pushes())
}

// Of many requests that ask at the same time, one gets the token.
func TestHeldLoginGivesOneToken(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	u := m.addUser("mia@acme.test")
	f := u.AddFactor("question", "OKTA")
	h := m.begin(u)
	request := m.loginRequest(u.Login(), h.body(object{"totp": f.Code()}))
	var all sync.WaitGroup
	answers := make(chan outcome, 10)
	for range cap(answers) {
		all.Go(func() {
			a, err := m.vault.Do(t.Context(), request)
			noteSecrets(a)
			answers <- outcome{a, err}
		})
	}
	all.Wait()
	close(answers)
	tokens := 0
	for a := range answers {
		require.NoError(t, a.err)
		if a.Token() != "" {
			tokens++
			continue
		}
		requireRefused(t, a.Answer, http.StatusBadRequest, "no login of this user")
	}
	require.Equal(t, 1, tokens)
	h.requireOver()
}

// Somebody who begins many logins holds the newest few.
func TestHeldLoginsOfAPersonAreFew(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	u := m.addUser("mia@acme.test")
	f := u.AddFactor("question", "OKTA")
	var all []*held
	for range 5 {
		all = append(all, m.begin(u))
	}
	all[0].requireOver()
	soon(t, 1, m.cancels)
	elsewhere := m.at("127.0.0.9")
	for range 5 {
		elsewhere.begin(u)
	}
	soon(t, 2, m.cancels, "those from elsewhere are counted apart")
	for _, h := range all[1:] {
		h.requireEnd(h.post(object{"totp": f.Code()}))
	}
}

// A number may be the answer to a question: what comes alone is for what was
// asked, and for nothing else.
func TestHeldPasscodeIsForWhatWasAsked(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	u := m.addUser("mia@acme.test")
	generator, question := u.AddTOTP("OKTA"), u.AddFactor("question", "OKTA")
	h := m.begin(u, object{"factor": "question"})
	m.org.Reset()
	code := generator.Code()
	requireRefused(t, h.post(object{"totp": code}), http.StatusBadRequest, "(E0000068)")
	require.Equal(t, 1, m.org.Count(http.MethodPost, "/api/v1/authn/factors/"+question.ID+"/verify"))
	require.Len(t, m.org.Requests(), 1)
	h.requireEnd(h.post(object{"totp": code, "factor": "totp"}))
}

// A push is withdrawn also where the code to give instead was sent before.
func TestHeldSwitchToACodeOfBefore(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	u := m.addUser("mia@acme.test")
	phone, text := u.AddPush(), u.AddFactor("sms", "OKTA")
	requireRefused(t, m.login(u, object{"provider": "sms"}), http.StatusBadRequest, "by SMS")
	h := m.begin(u).require(object{"state": "waiting"})
	h.next(object{"factor": "sms"}).require(object{"state": "passcode_required", "factor": "sms"})
	soon(t, []int{0, 1, 1}, func() []int { return []int{phone.Waiting(), phone.Withdrawn(), text.Sent()} })
	h.requireEnd(h.post(object{"totp": text.Code()}))
	soon(t, 0, m.openTransactions)
}

// To cancel does not wait for a request that is being served: it ends it.
func TestHeldCancelEndsARequestInFlight(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	u := m.addUser("mia@acme.test")
	f, question := u.AddPush(), u.AddFactor("question", "OKTA")
	h := m.begin(u)
	m.org.Fail("verify", oktatest.Hang().Times(1))
	sent := m.org.Count(http.MethodPost, "/api/v1/authn/factors/"+question.ID+"/verify")
	answers := make(chan outcome, 1)
	request := m.loginRequest(u.Login(), h.body(object{"totp": question.Code()}))
	go func() {
		a, err := m.vault.Do(t.Context(), request)
		answers <- outcome{a, err}
	}()
	eventually(t, "a question to Okta", func() bool {
		return m.org.Count(http.MethodPost, "/api/v1/authn/factors/"+question.ID+"/verify") > sent
	})
	require.NoError(t, h.post(object{"cancel": true}).Err())
	a := <-answers
	require.NoError(t, a.err)
	requireRefused(t, a.Answer, http.StatusBadRequest, "no login of this user")
	h.requireOver()
	soon(t, 0, f.Waiting)
	soon(t, 0, m.openTransactions)
}

// What counts is how the mount is configured when the login is gone on with.
func TestHeldLoginAndANewConfiguration(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test", "Scientists")
	m.mustWrite("groups/scientists", object{"policies": "science"})
	phone, generator := u.AddPush(), u.AddTOTP("OKTA")
	h := m.begin(u)
	typing := m.begin(u, object{"factor": "totp"})
	m.mustWrite("config", object{"mfa_factors": "totp"})
	requireRefused(t, h.post(), http.StatusBadRequest, "no login of this user")
	h.requireOver()
	soon(t, 0, phone.Waiting, "what is accepted no longer is not waited for")
	typing.next().require(object{"state": "passcode_required"})
	require.Empty(t, typing.others())
	m.mustWrite("config", object{"api_token": ""})
	a := typing.post(object{"totp": generator.Code()})
	typing.requireEnd(a)
	require.NotContains(t, policies(a), "science", "no token, no groups")

	// Nobody whom one org has let in gets a token for another.
	m.mustWrite("config", object{"mfa_factors": "", "api_token": m.org.Token})
	h = m.begin(u)
	elsewhere := newOrg(t)
	m.mustWrite("config", object{"org_name": elsewhere.Name})
	require.Equal(t, 1, phone.Approve())
	m.org.Reset()
	requireRefused(t, h.post(), http.StatusBadRequest, "no login of this user")
	h.requireOver()
	require.Empty(t, elsewhere.Requests())
	soon(t, 1, m.cancels)
	require.Len(t, m.org.Requests(), 1)
}

// Vault's audit log has the id only as a hash, as it has tokens.
func TestAuditLogHidesTransactionIDs(t *testing.T) {
	t.Parallel()
	m := newMount(t, allFactors)
	u := m.addUser("mia@acme.test")
	f := u.AddFactor("question", "OKTA")
	h := m.begin(u)
	h.requireEnd(h.post(object{"totp": f.Code()}))
	log, err := os.ReadFile(suite.audit)
	require.NoError(t, err)
	require.NotContains(t, string(log), h.id)
	hashed := 0
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `"`+m.full("login/"+u.Login())+`"`) {
			hashed += strings.Count(line, `"transaction_id":"hmac-sha256:`)
		}
	}
	require.Greater(t, hashed, 2, "in the answer that gave it, and in each request")
}

// The tool can do all of it, too, if not by its login command.
func TestHeldLoginByVaultWrite(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.ownClock()
	u, cli := m.addUser("mia@acme.test"), m.person()
	f := u.AddTOTP("OKTA")
	phone := u.AddPush()
	write := func(args ...string) harness.CLIResult {
		t.Helper()
		result, err := cli.Run(t.Context(), append([]string{"write", "-format=json", m.full("login/" + u.Login())}, args...)...)
		require.NoError(t, err)
		return result
	}
	var a struct {
		Data object
		Auth struct {
			ClientToken string `json:"client_token"`
		}
	}
	begun := write("password="+u.Password(), "wait=false")
	require.Zero(t, begun.Code, begun.Stderr)
	require.NoError(t, json.Unmarshal([]byte(begun.Stdout), &a))
	id, _ := a.Data["transaction_id"].(string)
	require.Regexp(t, transactionID, id)
	noteSecret(id)
	require.Equal(t, "waiting", a.Data["state"])
	require.Empty(t, a.Auth.ClientToken)

	wrong := write("transaction_id="+id, "totp="+wrongCode(f))
	requireCLIRefused(t, wrong, "(E0000068)")
	done := write("transaction_id="+id, "totp="+f.Code())
	require.Zero(t, done.Code, done.Stderr)
	require.NoError(t, json.Unmarshal([]byte(done.Stdout), &a))
	noteSecret(a.Auth.ClientToken)
	require.Equal(t, "mia@acme.test", m.lookup(a.Auth.ClientToken)["meta"].(object)["username"])
	soon(t, 1, phone.Withdrawn)

	// One that waits.
	ended := make(chan harness.CLIResult, 1)
	go func() { ended <- write("password="+u.Password(), "factor=push", "device="+phone.Name()) }()
	eventually(t, "a push", func() bool { return phone.Waiting() == 1 })
	require.Equal(t, 1, phone.Approve())
	result := <-ended
	require.Zero(t, result.Code, result.Stderr)
	require.NoError(t, json.Unmarshal([]byte(result.Stdout), &a))
	noteSecret(a.Auth.ClientToken)
}
