package mfa_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TestLoginWithoutGroups: a login goes on without groups only for the errors that
// GroupsOptional names, says so, and has nothing of a read that has failed in part.
func TestLoginWithoutGroups(t *testing.T) {
	t.Parallel()
	passing, other := errors.New("passing"), errors.New("other")
	optional := func(err error) bool { return errors.Is(err, passing) }
	for _, row := range []struct {
		name               string
		groups, attributes error
		optional           func(error) bool
		want               error // of the login
		unread             error
	}{
		{name: "both are read", optional: optional},
		{name: "no groups", groups: passing, optional: optional, unread: passing},
		{name: "no attributes", attributes: passing, optional: optional, unread: passing},
		{name: "another error", groups: other, optional: optional, want: other},
		{name: "another error of attributes", attributes: other, optional: optional, want: other},
		{name: "by default", groups: passing, want: passing},
		{name: "by default, of attributes", attributes: passing, want: passing},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			flow := newBench(mfa.PushLimit{}).flow(scripted(), here)
			flow.Groups = func(context.Context, string) ([]okta.Group, error) {
				if row.groups != nil {
					return nil, row.groups
				}
				return []okta.Group{{ID: "1", Name: "ops"}}, nil
			}
			flow.Attributes = func(context.Context, string) (map[string]string, error) {
				return map[string]string{"department": "lab"}, row.attributes
			}
			flow.GroupsOptional = row.optional
			s, err := run(t.Context(), flow, success(mia), want{})
			require.ErrorIs(t, err, row.want)
			if row.want != nil {
				return
			}
			assert.Equal(t, row.unread, s.Who().GroupsError)
			if row.unread != nil {
				assert.Empty(t, s.Who().Groups)
				assert.Empty(t, s.Who().Attributes)
				return
			}
			assert.Equal(t, []string{"ops"}, groupNames(s.Who()))
			assert.Equal(t, map[string]string{"department": "lab"}, s.Who().Attributes)
		})
	}
}
