package duo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// These are Duo's factors, by which a device is asked, and the capabilities of the same
// names; what else a device may be able to do; and a type of device.
// https://duo.com/docs/authapi#/preauth
const (
	factorPush = "push"
	factorCall = "phone"
	factorAuto = "auto" // Duo decides between the two

	canCode   = "mobile_otp"
	typeToken = "token"
)

// device is one of the person's, as preauth tells of it.
type device struct {
	ID           string   `json:"device"`
	Type         string   `json:"type"`
	DisplayName  string   `json:"display_name"`
	Name         string   `json:"name"`
	Number       string   `json:"number"` // masked
	Capabilities []string `json:"capabilities"`
}

// label is what the person knows the device by.
func (d device) label() string {
	return cmp.Or(d.DisplayName, d.Name, d.Number, d.ID)
}

// isCalled reports whether the person may mean the device by that name.
func (d device) isCalled(name string) bool {
	return slices.ContainsFunc([]string{d.ID, d.DisplayName, d.Name, d.Number}, func(own string) bool {
		return own != "" && strings.EqualFold(own, name)
	})
}

func (d device) can(factor string) bool { return slices.Contains(d.Capabilities, factor) }

// rings reports whether the device can be sent a push or called.
func (d device) rings() bool { return d.can(factorPush) || d.can(factorCall) || d.can(factorAuto) }

// makesCodes reports whether the device makes passcodes. Duo lists no capabilities of a
// token.
func (d device) makesCodes() bool { return d.Type == typeToken || d.can(canCode) }

// wish is what the person asks for.
type wish struct {
	okta.Unprintable
	passCode string
	factor   string // empty: any that rings
	device   string // empty: any
}

// choice is the factor of a device that is to ring.
type choice struct {
	factor string
	device device
}

// wishOf reads a credential. Beside the kinds push and call, Duo's own words "phone" and
// "auto" choose a factor in the place of a passcode, which has digits in it.
func wishOf(c mfa.Credential) (wish, error) {
	want := wish{passCode: c.PassCode, device: c.Device}
	switch c.Kind {
	case "":
	case mfa.KindPush:
		want.factor = factorPush
	case mfa.KindCall:
		want.factor = factorCall
	default:
		return wish{}, &mfa.CredentialError{Problem: fmt.Sprintf("takes no factor of type %s: it takes push, call, or a passcode without a type", c.Kind)}
	}
	if want.factor != "" && want.passCode != "" {
		return wish{}, &mfa.CredentialError{Problem: fmt.Sprintf("takes no passcode of type %s: give the passcode without a type", c.Kind)}
	}
	for _, word := range []string{factorCall, factorAuto} {
		if strings.EqualFold(want.passCode, word) {
			want.passCode, want.factor = "", word
		}
	}
	return want, nil
}

// choose chooses among the devices, in Duo's order. Where the person leaves it open, a
// push comes before a call, and a call before what Duo would choose.
func (w wish) choose(devices []device) (choice, error) {
	named := devices
	if w.device != "" {
		named = slices.DeleteFunc(slices.Clone(devices), func(d device) bool { return !d.isCalled(w.device) })
		if len(named) == 0 {
			return choice{}, &mfa.CredentialError{Problem: "knows no device of yours by that name" + youHave(devices)}
		}
	}
	factors := []string{w.factor}
	switch w.factor {
	case "":
		factors = []string{factorPush, factorCall, factorAuto}
	case factorAuto: // which Duo lists for the devices that can take one of the others
		factors = []string{factorAuto, factorPush, factorCall}
	}
	for _, factor := range factors {
		if i := slices.IndexFunc(named, func(d device) bool { return d.can(factor) }); i >= 0 {
			return choice{factor, named[i]}, nil
		}
	}
	codes := slices.ContainsFunc(devices, device.makesCodes)
	switch {
	case w.device != "":
		return choice{}, incapable("finds that this device cannot take ", w.factor, devices)
	case w.factor != "" && slices.ContainsFunc(devices, device.rings):
		return choice{}, incapable(noPhone, w.factor, devices)
	case codes:
		return choice{}, mfa.ErrNeedsPassCode
	}
	return choice{}, mfa.ErrNoFactor
}

// noPhone begins what incapable says where the person named no device.
const noPhone = "finds no phone of yours that can take "

// incapable says that a factor cannot be had, and what else the person can give.
func incapable(problem, factor string, devices []device) error {
	var others []string
	for _, other := range []struct{ capability, word string }{{factorPush, "push"}, {factorCall, "call"}} {
		if other.capability != factor && slices.ContainsFunc(devices, func(d device) bool { return d.can(other.capability) }) {
			others = append(others, other.word)
		}
	}
	if slices.ContainsFunc(devices, device.makesCodes) {
		others = append(others, "a passcode")
	}
	problem += wordFor(factor)
	if len(others) > 0 {
		problem += ": you can give " + strings.Join(others, " or ")
	}
	return &mfa.CredentialError{Problem: problem}
}

func wordFor(factor string) string {
	switch factor {
	case factorPush:
		return "a push"
	case factorCall:
		return "a call"
	}
	return "a push or a call"
}

// youHave lists the devices that ring, by their names.
func youHave(devices []device) string {
	var names []string
	for _, d := range devices {
		if d.rings() {
			names = append(names, fmt.Sprintf("%q", d.label()))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": you have " + strings.Join(names, ", ")
}
