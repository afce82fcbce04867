package mfa_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// directory is what Okta says about mia at the time.
type directory struct {
	groups []string
	denied error
	reads  int // of groups
	asked  int // about the account
}

func (d *directory) in(flow mfa.Flow) mfa.Flow {
	flow.Groups = func(context.Context, string) (groups []okta.Group, err error) {
		d.reads++
		for _, name := range d.groups {
			groups = append(groups, okta.Group{ID: name, Name: name})
		}
		return groups, nil
	}
	flow.Active = func(context.Context, string) error { d.asked++; return d.denied }
	return flow
}

func groupNames(who mfa.Subject) (names []string) {
	for _, g := range who.Groups {
		names = append(names, g.Name)
	}
	return names
}

// TestGroupsAreNoOlderThanAMinute: groups that were read beside a factor which took
// long are read again, and those that were read lately are not.
func TestGroupsAreNoOlderThanAMinute(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name  string
		polls int
		want  string
	}{{"approved soon", 5, "then"}, {"approved late", 35, "now"}} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			b := newBench(mfa.PushLimit{})
			answers := []any{waiting(phone)}
			for range tc.polls {
				answers = append(answers, waiting(phone))
			}
			flow := b.flow(scripted(append(answers, success(mia))...), here)
			flow.Groups = func(context.Context, string) ([]okta.Group, error) {
				name := "then"
				if b.clock.Now().Sub(noon) > mfa.MaxAge {
					name = "now"
				}
				return []okta.Group{{ID: "1", Name: name}}, nil
			}
			flow.Active = func(context.Context, string) error { return errors.New("nobody needs to ask: Okta has just said so") }
			s, err := run(t.Context(), flow, required(phone), want{})
			require.NoError(t, err)
			assert.Equal(t, []string{tc.want}, groupNames(s.Who()))
		})
	}
	t.Run("read before the password", func(t *testing.T) {
		t.Parallel()
		b := newBench(mfa.PushLimit{})
		d := &directory{groups: []string{"now"}}
		flow := d.in(b.flow(scripted(), here))
		old := func(context.Context, string) ([]okta.Group, error) { return []okta.Group{{ID: "1", Name: "then"}}, nil }
		flow.Begun = mfa.Flow{Groups: old}.ReadGroups(t.Context(), noon.Add(-mfa.MaxAge-1), mia.ID)
		s, err := run(t.Context(), flow, success(mia), want{})
		require.NoError(t, err)
		assert.Equal(t, []string{"now"}, groupNames(s.Who()))

		flow.Begun = mfa.Flow{Groups: old}.ReadGroups(t.Context(), noon, mia.ID)
		s, err = run(t.Context(), flow, success(mia), want{})
		require.NoError(t, err)
		assert.Equal(t, []string{"then"}, groupNames(s.Who()))
	})
}

// TestSlowMethodsDecideByWhatIsSoNow: a person who is suspended, or leaves a group,
// while a method of the mount is waited for gets what they have then.
func TestSlowMethodsDecideByWhatIsSoNow(t *testing.T) {
	t.Parallel()
	suspended := errors.New("suspended")
	for _, tc := range []struct {
		name      string
		takes     time.Duration
		meanwhile func(d *directory)
		want      []string
		err       error
		reads     int
	}{
		{name: "soon", takes: 10 * time.Second, want: []string{"admins"}, reads: 1},
		{name: "late", takes: 2 * time.Minute, want: []string{"admins"}, reads: 2},
		{name: "out of the group", takes: 2 * time.Minute, meanwhile: func(d *directory) { d.groups = nil }, reads: 2},
		{name: "suspended", takes: 2 * time.Minute, meanwhile: func(d *directory) { d.denied = suspended }, err: suspended, reads: 1},
	} {
		for _, hold := range []bool{false, true} {
			t.Run(tc.name, func(t *testing.T) {
				t.Parallel()
				b := newBench(mfa.PushLimit{}).waits()
				d := &directory{groups: []string{"admins"}}
				flow := d.in(b.flow(scripted(), here))
				flow.Require = func(context.Context, mfa.Subject) ([]mfa.Required, error) { return need(b.phone), nil }
				if flow.Hold = hold; hold {
					flow.Show = nil
				}
				s, err := flow.Begin(t.Context(), success(mia), mfa.Input{})
				require.NoError(t, err)
				push := soon(t, b.phone.rang)
				b.clock.Advance(tc.takes)
				if tc.meanwhile != nil {
					tc.meanwhile(d)
				}
				b.phone.decided <- nil
				soon(t, push.done)
				if hold {
					_, err = s.Continue(t.Context(), mfa.Flow{}, mfa.Input{})
				} else {
					err = s.Run(t.Context())
				}
				assert.Equal(t, tc.reads, d.reads)
				if tc.err != nil {
					assert.ErrorIs(t, err, tc.err)
					assert.True(t, s.Over())
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tc.want, groupNames(s.Who()))
			})
		}
	}
}

// TestLastPasscodeDecidesByWhatIsSoNow: also where the method's own answer was what
// took long, after the requirements were looked up.
func TestLastPasscodeDecidesByWhatIsSoNow(t *testing.T) {
	t.Parallel()
	b := newBench(mfa.PushLimit{})
	d := &directory{groups: []string{"admins"}}
	slow := slowMethod{b.app, func() { b.clock.Advance(2 * time.Minute); d.groups = nil }}
	flow := d.in(b.seamFlow(scripted(), here, mfa.Required{ID: "1", Name: "app", Method: slow}))
	s, err := flow.Begin(t.Context(), success(mia), mfa.Input{Given: mfa.Given{"app": {PassCode: "111111"}}})
	require.NoError(t, err)
	assert.Empty(t, groupNames(s.Who()))
	assert.Equal(t, []int{2, 1}, []int{d.reads, d.asked})
}

type slowMethod struct {
	*fakeMethod
	meanwhile func()
}

func (m slowMethod) Prepare(ctx context.Context, who mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	a, err := m.fakeMethod.Prepare(ctx, who, c)
	if verify := a.Verify; verify != nil {
		a.Verify = func(ctx context.Context, x mfa.Exchange) error { m.meanwhile(); return verify(ctx, x) }
	}
	return a, err
}

// TestGroupsThatFailAreWaitedFor15Seconds: a login reads groups again where the read
// beside the factor has failed, and waits 15 s at most for both reads together.
func TestGroupsThatFailAreWaitedFor15Seconds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name         string
		first, again time.Duration // how long the two reads take
		before       time.Duration // how long before the login needs the groups the first one begins
		reads        int
		waits        time.Duration
		err          error
	}{
		{name: "both hang", first: 15 * time.Second, again: 30 * time.Second, reads: 1, waits: 15 * time.Second, err: okta.ErrTimeout},
		{name: "pages hang", first: 40 * time.Second, again: 30 * time.Second, reads: 1, waits: 40 * time.Second, err: okta.ErrTimeout},
		{name: "the second hangs", first: time.Second, again: 30 * time.Second, reads: 2, waits: 15 * time.Second, err: okta.ErrTimeout},
		{name: "the second works", first: 5 * time.Second, again: time.Second, reads: 2, waits: 6 * time.Second},
		{name: "the first failed before, and the second hangs", first: time.Second, before: 30 * time.Second, again: 30 * time.Second,
			reads: 2, waits: 15 * time.Second, err: okta.ErrTimeout},
		{name: "the first fails meanwhile, and the second hangs", first: 15 * time.Second, before: 10 * time.Second, again: 30 * time.Second,
			reads: 2, waits: 15 * time.Second, err: okta.ErrTimeout},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				reads := 0
				groups := func(ctx context.Context, _ string) ([]okta.Group, error) {
					if reads++; reads == 1 {
						time.Sleep(tc.first) // of this bubble
						return nil, okta.ErrTimeout
					}
					select {
					case <-ctx.Done():
						return nil, okta.ErrTimeout
					case <-time.After(tc.again):
						return []okta.Group{{ID: "1", Name: "admins"}}, nil
					}
				}
				flow := mfa.Flow{Okta: scripted(), Mount: new(mfa.Mount), Groups: groups}
				flow.Begun = mfa.Flow{Groups: groups}.ReadGroups(t.Context(), time.Now(), mia.ID)
				time.Sleep(tc.before)
				began := time.Now()
				s, err := run(t.Context(), flow, success(mia), want{})
				assert.ErrorIs(t, err, tc.err)
				assert.Equal(t, tc.waits, time.Since(began))
				assert.Equal(t, tc.reads, reads)
				if tc.err == nil {
					assert.Equal(t, []string{"admins"}, groupNames(s.Who()))
				}
			})
		})
	}
}
