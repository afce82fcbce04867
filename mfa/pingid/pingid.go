// Package pingid is the method of Ping Identity's PingID: a push to a phone, or a
// passcode, by version 4.9 of the authentication API.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiAuthentication.html
//
//	settings, err := pingid.ParseSettings(base64File)
//	method, err := pingid.New(pingid.Config{Settings: settings, Start: true})
package pingid

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// Config says which organization at PingID lets people in.
type Config struct {
	// Settings are the organization's, as ParseSettings reads them.
	Settings Settings
	// Start sends pushes by startauthentication, which Ping recommends: with number
	// matching, and taken back where the login ends. Otherwise they are sent by
	// authonline, which Ping has deprecated. Passcodes, and a push to a device that the
	// person chose, go by startauthentication in any case.
	Start bool
	// Format makes the username at PingID.
	Format mfa.Format
	// UserAgent is sent with each request.
	UserAgent string
	// RootCAs are trusted; nil means the system's.
	RootCAs *x509.CertPool
	// Timeout bounds a request that does not wait for the person. Zero means 15 s.
	Timeout time.Duration
	// Dial connects to PingID; nil means a net.Dialer.
	Dial okta.Dial
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// Method asks for a push to a phone, or for a passcode.
type Method struct {
	settings  Settings
	sign      func(payload []byte) (*jose.JSONWebSignature, error)
	client    *service.Client
	start     bool
	format    mfa.Format
	userAgent string
	now       func() time.Time
	open      sessions
}

// New fails where the settings are not those of ParseSettings.
func New(c Config) (*Method, error) {
	if c.Settings.secrets == nil {
		return nil, errors.New("settings_file_base64 is required")
	}
	m := &Method{
		settings: c.Settings, client: service.New(c.RootCAs, c.Timeout, c.Dial), start: c.Start,
		format: c.Format, userAgent: c.UserAgent, now: c.Now,
	}
	if m.now == nil {
		m.now = time.Now
	}
	secrets := c.Settings.secrets()
	options := (&jose.SignerOptions{}).WithHeader("org_alias", c.Settings.OrgAlias).WithHeader("token", secrets.token)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secrets.key}, options)
	if err != nil {
		return nil, errors.New("use_base64_key cannot sign") // the library's error may quote the key
	}
	m.sign = signer.Sign
	return m, nil
}

// CloseIdleConnections closes the connections that no request is using. Call it when the
// method is replaced.
func (m *Method) CloseIdleConnections() { m.client.Transport.CloseIdleConnections() }

// String returns a placeholder, never the keys.
func (m *Method) String() string { return "[pingid]" }

// GoString returns a placeholder, never the keys.
func (m *Method) GoString() string { return m.String() }

// Prepare asks PingID about the person's devices, by getuserdetails, which only reads.
// Where PingID does not answer, Prepare skips that: startauthentication, which may send a
// code or a push, then finds the device.
func (m *Method) Prepare(ctx context.Context, who mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	name := m.format.Name(who)
	switch {
	case c.Kind == mfa.KindQuestion:
		return mfa.Attempt{}, &mfa.CredentialError{Problem: "takes no factor of type " + string(c.Kind)}
	case name == "":
		return mfa.Attempt{}, mfa.ErrUnknownPerson
	}
	devices, err := m.devicesOf(ctx, name)
	if err != nil {
		return mfa.Attempt{}, err
	}
	// PingID may know the person by several spellings of a name; Okta has one id for them.
	person := "pingid " + m.settings.OrgAlias + " " + who.Org + " " + who.ID
	l := &login{method: m, name: name, person: person, devices: devices}
	l.rang = who.Rang("pingid "+m.settings.OrgAlias+" "+who.Org, okta.Factor{ID: who.ID})
	if c.PassCode != "" {
		return l.answer(c)
	}
	return l.ask(c)
}

// vendor is whom people know the codes from.
const vendor = "PingID"

// login is one person's login.
type login struct {
	method  *Method
	name    string   // at PingID
	person  string   // for the guard, and for the open sessions
	devices []device // the default one first; nil: not known
	rang    bool     // a phone has rung for this login
}

// ask prepares what happens without a passcode.
func (l *login) ask(c mfa.Credential) (mfa.Attempt, error) {
	open, isOpen := l.method.open.get(l.person, l.name, l.method.now())
	if l.rang && c == (mfa.Credential{}) && isOpen && open.words != "" && !open.choosing {
		// The push has come to want a passcode.
		if open.device.sends() {
			return l.sending(open.device, "", false), nil
		}
		return mfa.Attempt{}, &mfa.PassCodeNeededError{What: open.words}
	}
	if l.devices == nil {
		return l.askUnknown(c)
	}
	d, err := l.choose(c)
	switch {
	case err != nil:
		return mfa.Attempt{}, err
	case d.takes(mfa.KindPush) && c.Kind != mfa.KindTOTP, !d.isKnown(): // which may ring
		return l.ring(d, l.idFor(d, c)), nil
	case d.sends():
		return l.sending(d, l.idFor(d, c), c.Kind != ""), nil // to name the type is to ask for another code
	case c.Device != "":
		// The passcode comes with a request of its own, and is then for this device.
		l.method.open.put(l.person, session{name: l.name, device: d, until: l.method.now().Add(sessionLife)})
	}
	return mfa.Attempt{}, &mfa.PassCodeNeededError{What: d.words()}
}

// askUnknown is ask for a person whose devices PingID does not list.
func (l *login) askUnknown(c mfa.Credential) (mfa.Attempt, error) {
	open, isOpen := l.method.open.get(l.person, l.name, l.method.now())
	switch {
	case c.Device != "" && !isID(c.Device):
		return mfa.Attempt{}, &mfa.CredentialError{Problem: "cannot look your devices up by name, since PingID does not list them to this mount: give the device's id"}
	case c.Kind != "" && c.Kind != mfa.KindPush:
		return mfa.Attempt{}, &mfa.CredentialError{Problem: "cannot choose by type, since PingID does not list your devices to this mount: leave the type out"}
	case c == (mfa.Credential{}) && isOpen && open.device.sends() && open.id != "":
		return l.sending(open.device, "", false), nil
	}
	return l.ring(device{ID: id(c.Device)}, c.Device), nil
}

// idFor is the device id to send to PingID: none where PingID would choose the device
// itself.
func (l *login) idFor(d device, c mfa.Credential) string {
	if c.Device == "" && d.ID == l.devices[0].ID {
		return ""
	}
	return string(d.ID)
}

// sending has a code sent to the device.
func (l *login) sending(d device, id string, anew bool) mfa.Attempt {
	return mfa.Attempt{
		Sends: true, Factor: d.factor(), By: vendor, Anew: anew, Rings: l.person,
		Verify: func(ctx context.Context, _ mfa.Exchange) error {
			// Only the answer tells the session that the code belongs to.
			said, how, err := l.begin(context.WithoutCancel(ctx), id, false)
			if err == nil && how.step != stepDone {
				err = l.asks(d, said, how)
			}
			return err
		},
	}
}
