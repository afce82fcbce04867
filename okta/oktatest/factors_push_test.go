package oktatest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// pollPath is where the push of a reply is polled and cancelled.
func (r reply) pollPath(t *testing.T) string {
	t.Helper()
	href := r.str("_links", "poll", "href")
	require.NotEmpty(t, href, "%s", r.raw)
	assert.Equal(t, []any{"GET"}, r.at("_links", "poll", "hints", "allow"))
	assert.Equal(t, href, r.str("_links", "cancel", "href"))
	assert.Equal(t, []any{"DELETE"}, r.at("_links", "cancel", "hints", "allow"))
	return href
}

// answer is the number that a reply shows; nil if there is none.
func (r reply) answer() any { return r.at("_embedded", "challenge", "correctAnswer") }

func TestFactorsAPIPush(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddPush("WAITING", "SUCCESS").Number(47, 0)
	r := c.factor(f).is(t, 201, "WAITING")
	poll := r.pollPath(t)
	id, found := strings.CutPrefix(poll, srv.URL+factorPath(f)+"/transactions/")
	assert.True(t, found, poll)
	assert.Regexp(t, `^v2mst\..`, id)
	assert.Equal(t, "2026-03-02T12:05:00.000Z", r.str("expiresAt"))
	assert.Equal(t, "Phone 1", r.str("profile", "name"))
	assert.Nil(t, r.answer(), "nobody asked for the number")
	assert.Equal(t, []int{1, 0, 1}, []int{f.Pushes(), f.Polls(), f.Waiting()})
	assert.Equal(t, noon, f.LastSent())

	clock.Advance(2 * time.Second)
	r = c.get(poll).is(t, 200, "WAITING")
	assert.Equal(t, poll, r.pollPath(t))
	assert.Equal(t, "2026-03-02T12:05:00.000Z", r.str("expiresAt"))
	assert.Equal(t, 1, f.Polls())
	assert.Equal(t, clock.Now(), f.LastPoll())
	r = c.get(poll).is(t, 200, "SUCCESS")
	assert.Equal(t, map[string]any{"factorResult": "SUCCESS"}, r.doc)
	c.get(poll).is(t, 404, "E0000007")
	c.manage("DELETE", poll, nil).is(t, 404, "E0000007")
	assert.Equal(t, 2, f.Polls(), "there was nothing to poll")
	assert.Zero(t, f.Withdrawn())
}

func TestFactorsAPIPushScripts(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		script []string
		want   []string // of the request that sends the push, then of the polls
	}{
		"none":             {nil, []string{"WAITING", "WAITING", "WAITING"}},
		"approved":         {[]string{"WAITING", "WAITING", "SUCCESS"}, []string{"WAITING", "WAITING", "WAITING", "SUCCESS"}},
		"approved at once": {[]string{"SUCCESS"}, []string{"SUCCESS"}},
		"rejected":         {[]string{"WAITING", "REJECTED"}, []string{"WAITING", "WAITING", "REJECTED"}},
		"rejected at once": {[]string{"REJECTED"}, []string{"REJECTED"}},
		"too old an app":   {[]string{"WAITING", "OKTA_VERIFY_UPGRADE_REQUIRED"}, []string{"WAITING", "WAITING", "REJECTED"}},
		"timed out":        {[]string{"WAITING", "TIMEOUT"}, []string{"WAITING", "WAITING", "TIMEOUT"}},
		"unknown":          {[]string{"WAITING", "BRAND_NEW"}, []string{"WAITING", "WAITING", "BRAND_NEW"}},
		"no factorResult":  {[]string{"WAITING", ""}, []string{"WAITING", "WAITING", ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, srv := newClient(t)
			f := srv.AddUser(login, password).AddPush(tc.script...)
			r := c.factor(f).is(t, 201, tc.want[0])
			poll := r.str("_links", "poll", "href")
			for _, want := range tc.want[1:] {
				r = c.get(poll).is(t, 200, want)
			}
			switch last := tc.want[len(tc.want)-1]; last {
			case "WAITING":
				assert.Equal(t, 1, f.Waiting())
				return
			case "SUCCESS":
				assert.Nil(t, r.at("_links"))
			default:
				assert.Equal(t, srv.URL+factorPath(f)+"/verify", r.str("_links", "verify", "href"))
				assert.Equal(t, srv.URL+factorPath(f), r.str("_links", "factor", "href"))
				assert.Nil(t, r.at("_links", "poll"))
			}
			assert.Zero(t, f.Waiting())
			if poll != "" {
				c.get(poll).is(t, 404, "E0000007")
			}
		})
	}
}

func TestFactorsAPIPushDecidedByTheUser(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush()
	tx := c.login(login, password)
	c.verify(tx, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
	one, two := c.factor(f).pollPath(t), c.factor(f).pollPath(t)
	assert.NotEqual(t, one, two)
	assert.Equal(t, 3, f.Waiting(), "those of both APIs")
	assert.Equal(t, 3, f.Approve())
	c.get(one).is(t, 200, "SUCCESS")
	c.get(two).is(t, 200, "SUCCESS")
	c.verify(tx, f, "").is(t, 200, "SUCCESS")

	three := c.factor(f).pollPath(t)
	assert.Equal(t, 1, f.Reject())
	r := c.get(three).is(t, 200, "REJECTED")
	assert.NotEmpty(t, r.str("_links", "factor", "href"))
	c.get(three).is(t, 404, "E0000007")
	assert.Equal(t, 4, f.Pushes())
}

func TestFactorsAPIPushTimesOut(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	opts.ChallengeLife = time.Minute
	c, srv := newClient(t, opts)
	f := srv.AddUser(login, password).AddPush()
	r := c.factor(f)
	assert.Equal(t, "2026-03-02T12:01:00.000Z", r.str("expiresAt"))
	poll := r.pollPath(t)
	clock.Advance(59 * time.Second)
	c.get(poll).is(t, 200, "WAITING")
	clock.Advance(time.Second)
	assert.Zero(t, f.Approve())
	r = c.get(poll).is(t, 200, "TIMEOUT")
	assert.NotEmpty(t, r.str("_links", "verify", "href"))
	c.get(poll).is(t, 404, "E0000007")
}

func TestFactorsAPIPushIsCancelled(t *testing.T) {
	t.Parallel()
	clock, opts := newClock()
	c, srv := newClient(t, opts)
	u := srv.AddUser(login, password)
	for name, tc := range map[string]struct {
		before    func(f *oktatest.Factor)
		withdrawn int
	}{
		"while it waits":  {func(*oktatest.Factor) {}, 1},
		"once decided":    {func(f *oktatest.Factor) { f.Approve() }, 0},
		"after its life":  {func(*oktatest.Factor) { clock.Advance(5 * time.Minute) }, 0},
		"of who was lost": {func(*oktatest.Factor) { u.SetStatus("SUSPENDED") }, 1},
	} {
		u.SetStatus("ACTIVE")
		f := u.AddPush()
		poll := c.factor(f).is(t, 201, "WAITING").pollPath(t)
		tc.before(f)
		r := c.manage("DELETE", poll, nil)
		assert.Equal(t, 204, r.status, name)
		assert.Empty(t, r.raw, name)
		assert.NotEmpty(t, r.header.Get("X-Rate-Limit-Limit"), name)
		assert.Equal(t, tc.withdrawn, f.Withdrawn(), name)
		assert.Zero(t, f.Waiting(), name)
		c.get(poll).is(t, 404, "E0000007")
		c.manage("DELETE", poll, nil).is(t, 404, "E0000007")
	}
}

func TestFactorsAPINumberChallenge(t *testing.T) {
	t.Parallel()
	for _, number := range []int{47, 0} {
		c, srv := newClient(t)
		f := srv.AddUser(login, password).AddPush("WAITING", "REJECTED").Number(number, 1)
		r := c.factor(f, "useNumberMatchingChallenge", true).is(t, 201, "WAITING")
		assert.Equal(t, float64(number), r.answer())
		poll := r.pollPath(t)
		assert.Equal(t, float64(number), c.get(poll).is(t, 200, "WAITING").answer())
		assert.Nil(t, c.get(poll).is(t, 200, "REJECTED").answer())
		assert.Nil(t, c.factor(f, "useNumberMatchingChallenge", false).is(t, 201, "WAITING").answer())
	}
}

func TestNumbersThatAreMadeUp(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush()
	c.factor(f).is(t, 201, "WAITING")
	_, set := f.CorrectAnswer()
	assert.False(t, set)
	seen := make(map[any]bool)
	for range 20 {
		r := c.factor(f, "useNumberMatchingChallenge", true).is(t, 201, "WAITING")
		n, set := f.CorrectAnswer()
		assert.True(t, set)
		assert.Equal(t, float64(n), r.answer())
		assert.True(t, 0 <= n && n <= 99, n)
		assert.Equal(t, float64(n), c.get(r.pollPath(t)).answer())
		seen[n] = true
	}
	assert.Greater(t, len(seen), 1)
	tx := c.login(login, password)
	for range 2 {
		r := c.verify(tx, f, "").is(t, 200, "MFA_CHALLENGE WAITING")
		assert.Nil(t, r.at("_embedded", "factor", "_embedded"), "transactions make no numbers up")
	}
	f.SetScript("SUCCESS")
	assert.Nil(t, c.factor(f, "useNumberMatchingChallenge", true).is(t, 201, "SUCCESS").answer())
}

func TestPushNeedsAUserAgent(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u := srv.AddUser(login, password)
	f, totp := u.AddPush(), u.AddTOTP("OKTA")
	anonymous := func(path string, body any) reply {
		req := c.request("POST", path, body)
		req.Header.Set("Authorization", "SSWS "+srv.Token)
		req.Header.Set("User-Agent", "") // net/http sends none
		return c.do(req)
	}
	anonymous(factorPath(f)+"/verify", nil).is(t, 400, "E0000001")
	assert.Zero(t, f.Pushes())
	anonymous(factorPath(totp)+"/verify", map[string]string{"passCode": totp.Code()}).is(t, 200, "SUCCESS")
	c.factor(f, "passCode", "123456").is(t, 400, "E0000001")
	assert.Zero(t, f.Pushes())
	c.factor(f).is(t, 201, "WAITING")
}

func TestTransactionsOfOthers(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	u, tom := srv.AddUser(login, password), srv.AddUser("tom@acme.test", password)
	f, tablet, other := u.AddPush(), u.AddPush(), tom.AddPush()
	poll := c.factor(f).pollPath(t)
	for _, wrong := range []string{
		strings.Replace(poll, f.ID, tablet.ID, 1), strings.Replace(poll, u.ID, tom.ID, 1),
		strings.Replace(poll, factorPath(f), factorPath(other), 1), strings.Replace(poll, u.ID, login, 1),
		poll + "x", strings.Replace(poll, "v2mst.", "", 1),
	} {
		c.get(wrong).is(t, 404, "E0000007")
		c.manage("DELETE", wrong, nil).is(t, 404, "E0000007")
	}
	assert.Zero(t, f.Withdrawn())
	c.get(poll).is(t, 200, "WAITING")
	u.Delete()
	c.get(poll).is(t, 404, "E0000007")
}

// TestPushFromElsewhere is about a caller whose address changed.
func TestPushFromElsewhere(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush("WAITING", "SUCCESS").OfferedTo("192.0.2.1")
	c.factor(f).is(t, 404, "E0000007")
	r := c.manage("POST", factorPath(f)+"/verify", nil, "192.0.2.1").is(t, 201, "WAITING")
	f.User.SetStatus("SUSPENDED")
	c.get(r.pollPath(t)).is(t, 200, "WAITING")
	c.get(r.pollPath(t)).is(t, 200, "SUCCESS")
	assert.Equal(t, 1, f.Pushes())
}

func TestFaultsOfManagement(t *testing.T) {
	t.Parallel()
	c, srv := newClient(t)
	f := srv.AddUser(login, password).AddPush()
	poll := c.factor(f).pollPath(t)
	for endpoint, call := range map[string]func() reply{
		"listusers": func() reply { return c.get("/api/v1/users?search=" + search(`profile.login eq "x"`)) },
		"listfactors": func() reply {
			return c.get("/api/v1/users/" + f.User.ID + "/factors")
		},
		"getfactor":         func() reply { return c.get(factorPath(f)) },
		"verifyfactor":      func() reply { return c.factor(f) },
		"transaction":       func() reply { return c.get(poll) },
		"canceltransaction": func() reply { return c.manage("DELETE", c.factor(f).pollPath(t), nil) },
	} {
		assert.Contains(t, oktatest.Endpoints(), endpoint)
		srv.SetLatency(endpoint, time.Millisecond)
		srv.Fail(endpoint, oktatest.HTML(502).Times(1), oktatest.TruncatedJSON().Times(1))
		assert.Equal(t, 502, call().status, endpoint)
		cut := call()
		assert.Equal(t, 200, cut.status, endpoint)
		assert.NotEmpty(t, cut.raw, endpoint)
		assert.Nil(t, cut.doc, endpoint)
		got := call()
		assert.Less(t, got.status, 300, "%s: %s", endpoint, got.raw)
		assert.NotEmpty(t, got.header.Get("X-Rate-Limit-Reset"), endpoint)
	}
	c.get("/api/v1/users/"+f.User.ID).is(t, 200, "ACTIVE")

	srv.Fail("verifyfactor", oktatest.HTML(504).Delivered().Times(1))
	before := f.Pushes()
	assert.Equal(t, 504, c.factor(f).status)
	assert.Equal(t, before+1, f.Pushes(), "it took effect")
}
