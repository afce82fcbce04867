package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/vault/api"
)

// identityMFA satisfies Vault's own login MFA, where the login asks for it.
func (l *login) identityMFA(ctx context.Context, a *api.Secret) (*api.Secret, error) {
	requirement := a.Auth.MFARequirement
	if requirement == nil {
		return a, checkToken(a)
	}
	l.transaction = "" // Okta's part is over
	for {
		payload, again, err := l.identityCredentials(ctx, requirement)
		if err != nil {
			return nil, err
		}
		a, err := l.server.post(ctx, "sys/mfa/validate", fields{
			"mfa_request_id": requirement.MFARequestID, "mfa_payload": payload,
		})
		if refused, ok := errors.AsType[*refusal](err); ok && again && l.screen.person && refused.isWrongCode() {
			l.screen.say("%s", clean(refused.text))
			continue
		}
		if err != nil {
			return nil, err
		}
		return a, checkToken(a)
	}
}

// identityCredentials asks for what the constraints of Vault's login MFA want: of each,
// one method. again reports whether they can be asked for again: a push would ring once more.
func (l *login) identityCredentials(ctx context.Context, requirement *api.MFARequirement) (payload map[string][]string, again bool, err error) {
	payload, again = map[string][]string{}, true
	for _, name := range slices.Sorted(maps.Keys(requirement.MFAConstraints)) {
		chosen, err := l.chooseIdentityMethod(ctx, requirement.MFAConstraints[name])
		if err != nil {
			return nil, false, err
		}
		payload[chosen.ID] = []string{}
		if !chosen.UsesPasscode {
			l.screen.say("Approve the login for %s.", identityName(chosen))
			again = false
			continue
		}
		code, err := l.screen.askSecret(ctx, fmt.Sprintf("Passcode for %s: ", identityName(chosen)))
		if err != nil {
			return nil, false, err
		}
		payload[chosen.ID] = []string{code}
	}
	return payload, again, nil
}

func (l *login) chooseIdentityMethod(ctx context.Context, constraint *api.MFAConstraintAny) (*api.MFAMethodID, error) {
	if constraint == nil || len(constraint.Any) == 0 {
		return nil, errors.New("an MFA enforcement names no method: tell your Vault administrator")
	}
	if len(constraint.Any) == 1 {
		return constraint.Any[0], nil
	}
	names := make([]string, len(constraint.Any))
	for i, m := range constraint.Any {
		names[i] = identityName(m)
	}
	i, err := l.screen.choose(ctx, "Which MFA method?", names)
	return constraint.Any[i], err
}

func identityName(m *api.MFAMethodID) string { return clean(cmp.Or(m.Name, m.Type)) }
