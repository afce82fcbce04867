package backend

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/store"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file renews tokens by the status of the account, where renewal of config is
// "status". Okta gets neither a password nor a factor, and none is kept.

// What is kept for renewal_grace in the internal data of a token, where it is set. The
// group aliases of a token do not tell its groups: Vault keeps those alone that lead to
// an identity group.
const (
	confirmedKey  = "confirmed_at" // when Okta last let the person in, or said that the account is active: RFC 3339
	orgKey        = "okta_org"     // the URL of the org that said so
	oktaGroupsKey = "okta_groups"  // its groups of the person: JSON of a list of keptGroup
)

// keptGroup is an okta.Group as it is stored.
type keptGroup struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Type string `json:"type,omitempty"`
}

// accountError says why the account of a token has no token renewed. It is a sentence
// about the account.
type accountError struct{ what string }

func (e *accountError) Error() string { return e.what }

// errAccountGone: Okta does not tell a deleted account from one that the API token may
// not see.
var errAccountGone = &accountError{"Okta has deleted your account, or does not show it to this mount"}

// accountStates are the words for what Okta says of accounts that are not active.
// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/
var accountStates = map[string]string{
	"SUSPENDED":        "your Okta account is suspended",
	"DEPROVISIONED":    "your Okta account is deactivated",
	"LOCKED_OUT":       "your Okta account is locked",
	"PASSWORD_EXPIRED": "your Okta password has expired",
	"RECOVERY":         "your Okta account is being recovered",
	"STAGED":           "your Okta account is not activated",
	"PROVISIONED":      "your Okta account is not activated",
}

// byStatus asks Okta whether the account is active, and for its groups.
func (r *renewal) byStatus(ctx context.Context) (*logical.Response, error) {
	who, err := r.ask(ctx)
	confirmed := r.now()
	failed := cmp.Or(err, who.GroupsError)
	if before, since, spared := r.spared(failed); spared {
		r.Logger().Warn("token renewed by renewal_grace: Okta could not be asked about the account",
			"event", eventRenewalGrace, "okta_user_id", okta.Clip(r.before.ID, 64), "confirmed_at", since, "error", failed)
		who, err, confirmed = before, nil, since
	}
	today := r.loginRequest
	if err == nil {
		today, err = r.asOfToday(ctx, who)
	}
	if err == nil {
		err = r.agrees(today, who)
	}
	if err != nil {
		return r.fail(ctx, nil, err)
	}
	auth := today.renewed()
	auth.Metadata = maps.Clone(auth.Metadata)
	auth.Metadata[oktaIDKey], auth.Metadata[oktaLoginKey] = who.ID, who.Login
	auth.InternalData = maps.Clone(auth.InternalData)
	today.noteConfirmed(auth, who, confirmed)
	return &logical.Response{Auth: auth}, nil // Vault passes on no warning of a renewal
}

// ask returns whose token it is, as Okta has them now, if the account is active and has
// the login to which the token was issued.
func (r *renewal) ask(ctx context.Context) (who mfa.Subject, err error) {
	id := r.before.ID
	if id == "" {
		if id, err = r.ownerOfPassword(ctx, r.flow()); err != nil {
			return mfa.Subject{}, err
		}
	}
	account, err := r.account(ctx, id)
	switch {
	case isCode(err, okta.CodeNotFound):
		return mfa.Subject{}, errAccountGone
	case err != nil:
		return mfa.Subject{}, err
	case account.Status != okta.AccountActive:
		return mfa.Subject{}, inactive(account.Status)
	case r.before.Login != "" && store.FoldLogin(account.Login) != store.FoldLogin(r.before.Login):
		return mfa.Subject{}, errRenamed
	}
	who = r.subject(id, account.Login)
	if who.Groups, err = r.groups(ctx, id); err != nil && r.cfg.goesWithoutGroups(err) {
		who.GroupsError, err = err, nil
	}
	return who, err
}

func inactive(status string) error {
	if what, known := accountStates[status]; known {
		return &accountError{what}
	}
	return &accountError{fmt.Sprintf("your Okta account is not active (status %q)", okta.Clip(status, 64))}
}

// subject is the person of the token.
func (r *renewal) subject(id, login string) mfa.Subject {
	return mfa.Subject{
		ID: id, Org: r.client.OrgURL(), Login: login, Name: r.before.Name, Caller: r.caller, Address: r.caller.Address,
	}
}

// spared reports whether renewal_grace covers that Okta could not be asked. It returns
// the person as Okta has last confirmed them, and when. It covers nothing that this org
// has not confirmed.
func (r *renewal) spared(err error) (who mfa.Subject, since time.Time, ok bool) {
	if !isOutage(err) || r.cfg.RenewalGrace == 0 || r.before.ID == "" {
		return mfa.Subject{}, time.Time{}, false
	}
	data := r.req.Auth.InternalData
	at, _ := data[confirmedKey].(string)
	since, timeErr := time.Parse(time.RFC3339, at)
	text, _ := data[oktaGroupsKey].(string)
	var groups []keptGroup
	groupErr := json.Unmarshal([]byte(text), &groups)
	if timeErr != nil || groupErr != nil || data[orgKey] != r.client.OrgURL() || r.now().Sub(since) > r.cfg.RenewalGrace {
		return mfa.Subject{}, time.Time{}, false
	}
	who = r.subject(r.before.ID, r.before.Login)
	for _, g := range groups {
		who.Groups = append(who.Groups, okta.Group(g))
	}
	return who, since, true
}

// isOutage reports whether Okta, or the way there, has failed. A rate limit is none:
// Okta says when to ask again.
func isOutage(err error) bool {
	if said, ok := errors.AsType[*okta.Error](err); ok {
		return said.HTTPStatus >= http.StatusInternalServerError
	}
	return errors.Is(err, okta.ErrUnreachable) || errors.Is(err, okta.ErrTimeout) || errors.Is(err, okta.ErrBusy)
}

// isRateLimit reports whether Okta has no time for the mount.
func isRateLimit(err error) bool {
	said, ok := errors.AsType[*okta.Error](err)
	return ok && said.HTTPStatus == http.StatusTooManyRequests
}

// noteConfirmed keeps in auth what its next renewal needs, and drops the password. An
// empty one stays: the builtin method panics at the renewal of a token that has none
// (observed with Vault 1.21.0), and sends an empty one to Okta, which refuses it.
// Where the groups are not known, what Okta has said before stays.
func (l *loginRequest) noteConfirmed(auth *logical.Auth, who mfa.Subject, at time.Time) {
	data := auth.InternalData
	data[passwordKey] = ""
	if who.GroupsError != nil {
		return
	}
	for _, key := range []string{confirmedKey, orgKey, oktaGroupsKey} {
		delete(data, key)
	}
	if l.cfg.RenewalGrace == 0 {
		return
	}
	kept := make([]keptGroup, len(who.Groups))
	for i, g := range who.Groups {
		kept[i] = keptGroup(g)
	}
	text, _ := json.Marshal(kept) // of strings alone: never fails
	data[confirmedKey], data[orgKey], data[oktaGroupsKey] = at.UTC().Format(time.RFC3339), l.client.OrgURL(), string(text)
}
