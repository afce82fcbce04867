package pingid

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// id is the id of a device: an integer, and larger than a float64 holds.
type id string

// UnmarshalJSON takes the number with quotes or without.
func (i *id) UnmarshalJSON(raw []byte) error {
	*i = id(strings.Trim(string(raw), `"`))
	return nil
}

// isID reports whether s looks like the id of a device.
func isID(s string) bool {
	return s != "" && len(s) <= 19 && s[0] != '0' && strings.Trim(s, "0123456789") == ""
}

// device is what a login needs of one of the person's devices: PingID tells more, such as
// telephone numbers, which are not kept.
type device struct {
	ID       id     `json:"deviceId"`
	Type     string `json:"type"`
	Role     string `json:"deviceRole"`
	Nickname string `json:"nickname"`
	Push     any    `json:"pushEnabled"` // a Boolean, or one as a string
}

// deviceKind is what a type of device does.
type deviceKind struct {
	kind  mfa.Kind        // of its passcodes; empty: it has none that can be typed
	sent  okta.FactorType // of a code that PingID sends there; empty: it makes its own
	words string          // for its passcode
}

// deviceKinds are PingID's types of device, in lower case.
var deviceKinds = map[string]deviceKind{
	"android":           {kind: mfa.KindTOTP, words: "the code that the PingID app shows"},
	"iphone":            {kind: mfa.KindTOTP, words: "the code that the PingID app shows"},
	"desktop":           {kind: mfa.KindTOTP, words: "the code that the PingID app shows on your computer"},
	"authenticator app": {kind: mfa.KindTOTP, words: "the code of your authenticator app"},
	"sms":               {kind: mfa.KindSMS, sent: okta.FactorSMS},
	"voice":             {kind: mfa.KindCall, sent: okta.FactorCall},
	"email":             {kind: mfa.KindEmail, sent: okta.FactorEmail},
	"yubikey":           {kind: mfa.KindToken, words: "what your YubiKey types when you touch it"},
	"hardware token":    {kind: mfa.KindToken, words: "the code of your hardware token"},
	"security key":      {},
	"fido2 biometrics":  {},
}

func (d device) does() deviceKind { return deviceKinds[strings.ToLower(d.Type)] }

// takes reports whether the device answers by that kind of factor.
func (d device) takes(kind mfa.Kind) bool {
	if kind == mfa.KindPush {
		return d.Push == true || d.Push == "true"
	}
	return kind != "" && d.does().kind == kind
}

// isUsable reports whether the device needs no browser, as far as is known.
func (d device) isUsable() bool {
	return d.takes(mfa.KindPush) || !d.isKnown() || d.does().kind != ""
}

// isKnown reports whether this package knows what such a device does.
func (d device) isKnown() bool {
	_, known := deviceKinds[strings.ToLower(d.Type)]
	return known
}

// sends reports whether PingID sends codes there.
func (d device) sends() bool { return d.does().sent != "" }

// words name the passcodes of the device.
func (d device) words() string { return cmp.Or(d.does().words, "a passcode of PingID") }

// label is what the person knows the device by.
func (d device) label() string {
	return service.Clip(cmp.Or(d.Nickname, strings.TrimSpace(d.Type+" "+string(d.ID))))
}

// name is the name that the person gave the device, or empty.
func (d device) name() string { return service.Clip(d.Nickname) }

// factor describes the device in the words of package mfa, as where a code goes.
func (d device) factor() okta.Factor {
	return okta.Factor{ID: string(d.ID), Type: d.does().sent, Provider: okta.ProviderOkta}
}

// devicesOf returns the person's devices, the default one first, and nil where PingID does
// not tell. It fails where the person cannot pass, and where PingID cannot be reached.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiUserManagement.html
func (m *Method) devicesOf(ctx context.Context, name string) ([]device, error) {
	said, err := m.call(ctx, opDetails, object{"userName": name, "getSameDeviceUsers": false}, m.client.Timeout, nil)
	for _, fatal := range []error{context.Canceled, mfa.ErrServiceTimeout, mfa.ErrServiceUnreachable} {
		if errors.Is(err, fatal) {
			return nil, err
		}
	}
	if err != nil {
		return nil, nil // this operation is no condition for the others
	}
	switch *said.ErrorID {
	case success:
	case noSuchUser:
		return nil, mfa.ErrUnknownPerson
	default:
		return nil, nil
	}
	var details struct {
		Status  string   `json:"status"`
		Default device   `json:"deviceDetails"`
		Devices []device `json:"devicesDetails"`
	}
	if json.Unmarshal(said.Details, &details) != nil {
		return nil, nil
	}
	if details.Status == "SUSPENDED" {
		return nil, service.Denied("your account at PingID is suspended: ask your PingID administrator")
	}
	return inOrder(details.Devices, details.Default.ID), nil
}

// inOrder returns the devices that have an id, the default one first.
func inOrder(devices []device, first id) []device {
	var known []device
	for _, d := range devices {
		if isID(string(d.ID)) {
			known = append(known, d)
		}
	}
	isFirst := func(d device) bool { return first != "" && d.ID == first || first == "" && d.Role == "PRIMARY" }
	slices.SortStableFunc(known, func(a, b device) int {
		switch {
		case isFirst(a) == isFirst(b):
			return 0
		case isFirst(a):
			return -1
		}
		return 1
	})
	return known
}

// choose returns the device that the person means, or PingID's default one where they do
// not say.
func (l *login) choose(c mfa.Credential) (device, error) {
	for _, d := range l.devices {
		if d.isUsable() && (c.Kind == "" || d.takes(c.Kind)) && (c.Device == "" || d.isCalled(c.Device)) {
			return d, nil
		}
	}
	problem := "has no device of yours that it can use without a browser"
	switch {
	case c.Device != "":
		problem = "knows no device of yours by that name that works without a browser"
	case c.Kind != "":
		problem = "knows no device of yours of that type"
	}
	return device{}, &mfa.CredentialError{Problem: problem + labels(l.devices)}
}

// isCalled reports whether the device has that name, in any case, or that id.
func (d device) isCalled(name string) bool {
	return strings.EqualFold(name, d.Nickname) || name == string(d.ID) || strings.EqualFold(name, d.label())
}

// labels lists the devices that can be used.
func labels(devices []device) string {
	var names []string
	for _, d := range devices {
		if d.isUsable() {
			names = append(names, fmt.Sprintf("%q", d.label()))
		}
	}
	if len(names) == 0 {
		return ""
	}
	return ": you have " + strings.Join(names, ", ")
}
