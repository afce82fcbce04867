package okta

import "errors"

// Device is what tells Okta that a person logs in from the same device as before. Okta
// ignores it unless the client has an API token. Where the org's policy lets people be
// remembered, Okta asks no factor of a device that it remembers: whoever has the token
// and the password logs in. So the token has to be random, and one person's alone.
// https://developer.okta.com/docs/reference/api/authn/#context-object
type Device struct {
	Token    Secret // as ParseDeviceToken returns it; zero means no device
	Remember bool   // ask Okta to remember the device once a factor is verified
}

// maxDeviceToken is the longest device token that Okta takes.
const maxDeviceToken = 32

// ParseDeviceToken reads a device token: 1 to 32 printable ASCII characters, none of
// them a space.
func ParseDeviceToken(s string) (Secret, error) {
	if s == "" || len(s) > maxDeviceToken {
		return Secret{}, errors.New("must have 1 to 32 characters")
	}
	for _, r := range s {
		if r <= ' ' || r > '~' {
			return Secret{}, errors.New("must be printable ASCII without spaces")
		}
	}
	return NewSecret(s), nil
}

// OnDevice returns a client whose logins come from that device. It shares everything
// else with c.
func (c *Client) OnDevice(d Device) *Client {
	clone := *c
	clone.device = d
	return &clone
}

// rememberQuery is the query of a request that verifies a factor, of a poll, too:
// Okta does not say which of them counts.
// https://developer.okta.com/docs/reference/api/authn/#verify-factor
func (d Device) rememberQuery() string {
	if d.Remember && !d.Token.IsZero() {
		return "?rememberDevice=true"
	}
	return ""
}
