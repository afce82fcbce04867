package mfa

import (
	"fmt"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Want is what the person gave to choose and answer a factor with.
type Want struct {
	// PassCode is the passcode of a one-time password generator; empty asks for
	// a push.
	PassCode string
	// Provider narrows the choice; empty means any.
	Provider okta.Provider
}

// Providers that ParseProvider accepts.
var providers = []okta.Provider{okta.ProviderOkta, okta.ProviderGoogle}

// ParseProvider reads a provider's name in any case; the empty string is any
// provider.
func ParseProvider(s string) (okta.Provider, error) {
	if s == "" {
		return "", nil
	}
	for _, p := range providers {
		if strings.EqualFold(s, string(p)) {
			return p, nil
		}
	}
	return "", fmt.Errorf("must be one of %s or %s", okta.ProviderOkta, okta.ProviderGoogle)
}

// Choose returns the factors to try, in order: with a passcode all one-time
// password generators of the wanted provider, without one the first push. Only
// factors that are active, or of which Okta does not say, are considered. It
// fails with *NoFactorError, never with an empty list.
func Choose(offered []okta.Factor, want Want) ([]okta.Factor, error) {
	var chosen []okta.Factor
	for _, f := range offered {
		if !want.fits(f) {
			continue
		}
		chosen = append(chosen, f)
		if f.Type == okta.FactorPush {
			break
		}
	}
	if len(chosen) == 0 {
		return nil, &NoFactorError{Want: want, Offered: offered}
	}
	return chosen, nil
}

func (w Want) fits(f okta.Factor) bool {
	if !Usable(f) || w.Provider != "" && w.Provider != f.Provider {
		return false
	}
	if w.PassCode == "" {
		return f.Type == okta.FactorPush
	}
	return f.Type == okta.FactorTOTP
}

// Usable reports whether the factor is of a kind that can be verified here, and
// active.
func Usable(f okta.Factor) bool {
	if f.ID == "" || f.Status != "" && f.Status != okta.FactorActive {
		return false
	}
	switch f.Type {
	case okta.FactorPush:
		return f.Provider == okta.ProviderOkta
	case okta.FactorTOTP:
		return f.Provider == okta.ProviderOkta || f.Provider == okta.ProviderGoogle
	}
	return false
}
