package mfa

import (
	"fmt"
	"slices"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Want is what the person gave to choose and answer a factor. The zero value leaves
// the choice to Choose.
type Want struct {
	okta.Unprintable
	// PassCode answers a factor; see CleanPassCode.
	PassCode string `json:"-"`
	// Kind narrows the choice; empty means any.
	Kind Kind
	// Provider narrows the choice; empty means any.
	Provider okta.Provider
	// Device is the name, in any case, or the factor id of one device that gets a push
	// or a code. A telephone is named by its number, as Okta masks it.
	Device string
	// Resend has a code sent again although the last one is pending.
	Resend bool
}

// names reports whether the choice of w allows the factor.
func (w Want) names(f okta.Factor) bool {
	return (w.Kind == "" || w.Kind == KindOf(f)) &&
		(w.Provider == "" || w.Provider == f.Provider) &&
		(w.Device == "" || isDevice(f, w.Device))
}

// isDevice reports whether the factor is the device of that name or factor id.
func isDevice(f okta.Factor, device string) bool {
	kind := KindOf(f)
	return (kind == KindPush || kind.sends()) &&
		(device == f.ID || strings.EqualFold(device, f.DeviceName) || strings.EqualFold(device, f.SentTo))
}

// providers that ParseProvider accepts.
var providers = []okta.Provider{
	okta.ProviderOkta, okta.ProviderGoogle, okta.ProviderYubico, okta.ProviderRSA, okta.ProviderSymantec, okta.ProviderOnPrem, okta.ProviderCustom,
}

// ParseProvider reads what people give as the provider, in any case: a provider,
// or a kind, because Vault's command line tool has no field for that. The empty
// string means any.
func ParseProvider(s string) (okta.Provider, Kind, error) {
	if s == "" {
		return "", "", nil
	}
	for _, p := range providers {
		if strings.EqualFold(s, string(p)) {
			return p, "", nil
		}
	}
	if k, err := ParseKind(s); err == nil {
		return "", k, nil
	}
	return "", "", fmt.Errorf("must be one of %s, or one of %s", join(providers), join(Kinds))
}

// Action says what to do with the factors of a Choice.
type Action int

const (
	// ActionRing: send a push to the first factor. The others are devices that may
	// ring, too.
	ActionRing Action = iota + 1
	// ActionSend: have Okta send the code of the one factor.
	ActionSend
	// ActionAnswer: try the passcode on each factor in turn.
	ActionAnswer
	// ActionAsk: the person has to give a passcode, or to choose one of the factors.
	ActionAsk
)

// Choice is what Choose decided. Factors is never empty, and in Okta's order.
type Choice struct {
	Action  Action
	Factors []okta.Factor
}

// Choose decides among the factors on offer. pending is the id of the factor
// whose code has been sent and not answered yet, if there is one.
//
// A passcode answers the pending code, if it looks like one, and then each factor
// that has passcodes of its own which look like it. Where there is no such factor,
// it answers a security question, whose answer may be anything, or a code that was
// sent and that this process has forgotten. Without a passcode the push devices
// ring. Where there are none, the only factor that sends codes sends one. To have a
// code sent again is to choose the pending one.
//
// Choose fails with *NoFactorError where the mount accepts no factor on offer that
// what the person gave chooses or answers.
func Choose(offered []okta.Factor, want Want, policy Policy, pending string) (Choice, error) {
	var named []okta.Factor
	for _, f := range offered {
		if policy.accepts(f) && want.names(f) {
			named = append(named, f)
		}
	}
	choice := withoutPassCode(named, want, pending)
	if want.PassCode != "" {
		choice = Choice{ActionAnswer, answerable(named, want.PassCode, pending)}
	}
	if len(choice.Factors) == 0 {
		return Choice{}, noFactor(want, policy, offered)
	}
	return choice, nil
}

func withoutPassCode(named []okta.Factor, want Want, pending string) Choice {
	devices := only(named, func(f okta.Factor) bool { return KindOf(f) == KindPush })
	senders := only(named, func(f okta.Factor) bool { return KindOf(f).sends() })
	if want.Device != "" && len(devices) > 0 {
		devices = devices[:1]
	}
	if want.Resend { // only a code can be sent again
		if again := only(senders, func(f okta.Factor) bool { return f.ID == pending }); len(again) > 0 {
			senders = again
		}
		named, devices = senders, nil
	}
	switch {
	case len(devices) > 0:
		return Choice{ActionRing, devices}
	case len(senders) == 1, len(senders) > 1 && want.Kind != "":
		return Choice{ActionSend, senders[:1]}
	}
	return Choice{ActionAsk, named}
}

// answerable returns the factors to try the passcode on.
func answerable(named []okta.Factor, passCode, pending string) []okta.Factor {
	var chosen, questions, senders []okta.Factor
	for _, f := range named {
		switch kind := KindOf(f); {
		case kind == KindPush:
		case f.ID == pending && looksLike(f, passCode):
			chosen = slices.Insert(chosen, 0, f)
		case kind.sends():
			if looksLike(f, passCode) {
				senders = append(senders, f)
			}
		case looksLike(f, passCode):
			chosen = append(chosen, f)
		case kind == KindQuestion:
			questions = append(questions, f)
		}
	}
	switch {
	case len(chosen) > 0:
		return chosen
	case len(questions) > 0:
		return questions
	case len(senders) > 0 && !ambiguous(senders):
		return senders[:1]
	}
	return nil
}

// ambiguous reports whether the factors are of several kinds.
func ambiguous(factors []okta.Factor) bool {
	return slices.ContainsFunc(factors, func(f okta.Factor) bool { return KindOf(f) != KindOf(factors[0]) })
}

func only(factors []okta.Factor, ok func(okta.Factor) bool) []okta.Factor {
	return slices.DeleteFunc(slices.Clone(factors), func(f okta.Factor) bool { return !ok(f) })
}
