package okta_test

import (
	"context"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// call is a way to reach an endpoint. Pass is how many requests it sends there
// before the one that is meant.
type call struct {
	name     string
	endpoint string
	method   string
	path     string
	pass     int
	do       func(context.Context, *okta.Client) error
}

// everyCall is how many calls there are.
const everyCall = 18

// calls lists all that a client can ask, of one user whom it gives a push, which
// waits, and an app. The org needs pages of one group, and the user two groups.
func calls(t *testing.T, srv *oktatest.Server, user *oktatest.User) []call {
	t.Helper()
	list := append(authnCalls(user), managementCalls(t, srv, user)...)
	require.Len(t, list, everyCall)
	return list
}

// authnCalls are those of a login by itself.
func authnCalls(user *oktatest.User) []call {
	open := okta.Transaction{StateToken: state}
	groups := func(ctx context.Context, c *okta.Client) error {
		list, err := c.Groups(ctx, user.ID)
		return alone(err, list == nil)
	}
	transaction := func(tx okta.Transaction, err error) error {
		return alone(err, tx.Status == "" && tx.StateToken.IsZero() && tx.User == okta.User{})
	}
	groupsPath := "/api/v1/users/" + user.ID + "/groups"
	return []call{
		{"authn", "authn", http.MethodPost, "/api/v1/authn", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.Authenticate(ctx, login, password))
		}},
		{"verify", "verify", http.MethodPost, "/api/v1/authn/factors/ost1/verify", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.Verify(ctx, open, okta.Factor{ID: "ost1"}, passCode))
		}},
		{"verify by type", "verify", http.MethodPost, "/api/v1/authn/factors/token:hotp/verify", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.VerifyByType(ctx, okta.Transaction{StateToken: state, FactorTypes: []okta.FactorType{okta.FactorHOTP}}, okta.FactorHOTP, passCode))
		}},
		{"resend", "resend", http.MethodPost, "/api/v1/authn/factors/sms1/verify/resend", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.Resend(ctx, open, okta.Factor{ID: "sms1"}))
		}},
		{"previous", "previous", http.MethodPost, "/api/v1/authn/previous", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.Previous(ctx, open))
		}},
		{"skip", "skip", http.MethodPost, "/api/v1/authn/skip", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.Skip(ctx, open))
		}},
		{"cancel", "cancel", http.MethodPost, "/api/v1/authn/cancel", 0, func(ctx context.Context, c *okta.Client) error {
			return c.Cancel(ctx, open)
		}},
		{"groups", "groups", http.MethodGet, groupsPath, 0, groups},
		{"groups, page 2", "groups", http.MethodGet, groupsPath, 1, groups},
	}
}

// managementCalls are those of the users and the factors API.
func managementCalls(t *testing.T, srv *oktatest.Server, user *oktatest.User) []call {
	t.Helper()
	push, app := user.AddPush(), user.AddTOTP("OKTA")
	transactionPath := factorPath(push) + "/transactions/v2mst.a"
	srv.Fail("verifyfactor", oktatest.Body(201, "application/json", waitingAt(srv.URL+transactionPath, srv.URL+transactionPath)).Times(1))
	waiting, err := newClient(t, srv).ChallengeFactor(t.Context(), user.ID, enrolled(push), true)
	require.NoError(t, err)
	transaction := func(got okta.FactorTransaction, err error) error {
		return alone(err, visible(got) == okta.FactorTransaction{})
	}
	const users = "/api/v1/users"
	return []call{
		{"account", "users", http.MethodGet, users + "/" + user.ID, 0, func(ctx context.Context, c *okta.Client) error {
			got, err := c.Account(ctx, user.ID)
			return alone(err, got == okta.Account{})
		}},
		{"accounts by email", "listusers", http.MethodGet, users, 0, func(ctx context.Context, c *okta.Client) error {
			got, err := c.AccountsByEmail(ctx, login)
			return alone(err, got == nil)
		}},
		{"any account", "listusers", http.MethodGet, users, 0, func(ctx context.Context, c *okta.Client) error {
			got, ok, err := c.AnyAccount(ctx)
			return alone(err, !ok && got == okta.Account{})
		}},
		{"try groups", "groups", http.MethodGet, users + "/" + user.ID + "/groups", 0, func(ctx context.Context, c *okta.Client) error {
			return c.TryGroups(ctx, user.ID)
		}},
		{"factors", "listfactors", http.MethodGet, users + "/" + user.ID + "/factors", 0, func(ctx context.Context, c *okta.Client) error {
			got, err := c.Factors(ctx, user.ID)
			return alone(err, got == nil)
		}},
		{"challenge", "verifyfactor", http.MethodPost, factorPath(push) + "/verify", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.ChallengeFactor(ctx, user.ID, enrolled(push), true))
		}},
		{"answer", "verifyfactor", http.MethodPost, factorPath(app) + "/verify", 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.AnswerFactor(ctx, user.ID, enrolled(app), passCode))
		}},
		{"poll", "transaction", http.MethodGet, transactionPath, 0, func(ctx context.Context, c *okta.Client) error {
			return transaction(c.PollFactor(ctx, waiting))
		}},
		{"cancel push", "canceltransaction", http.MethodDelete, transactionPath, 0, func(ctx context.Context, c *okta.Client) error {
			return c.CancelFactor(ctx, waiting)
		}},
	}
}

// alone panics where an error comes with a result.
func alone(err error, without bool) error {
	if err != nil && !without {
		panic("a result beside an error")
	}
	return err
}
