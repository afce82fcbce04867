// Package pingid is the method of Ping Identity's PingID: a push to a phone, by
// version 4.9 of the authentication API.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiAuthentication.html
//
//	settings, err := pingid.ParseSettings(base64File)
//	method, err := pingid.New(pingid.Config{Settings: settings})
package pingid

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
)

// Config says which organization at PingID lets people in.
type Config struct {
	// Settings are the organization's, as ParseSettings reads them.
	Settings Settings
	// Format makes the username at PingID.
	Format mfa.Format
	// UserAgent is sent with each request.
	UserAgent string
	// RootCAs are trusted; nil means the system's.
	RootCAs *x509.CertPool
	// Timeout bounds a request that does not wait for the person. Zero means 15 s.
	Timeout time.Duration
	// Now tells the time; nil means time.Now.
	Now func() time.Time
}

// Method asks for a push to a phone.
type Method struct {
	settings  Settings
	sign      func(payload []byte) (*jose.JSONWebSignature, error)
	client    *service.Client
	format    mfa.Format
	userAgent string
	now       func() time.Time
}

// New fails where the settings are not those of ParseSettings.
func New(c Config) (*Method, error) {
	if c.Settings.secrets == nil {
		return nil, errors.New("settings_file_base64 is required")
	}
	m := &Method{
		settings: c.Settings, client: service.New(c.RootCAs, c.Timeout),
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

// String returns a placeholder, never the keys.
func (m *Method) String() string { return "[pingid]" }

// GoString returns a placeholder, never the keys.
func (m *Method) GoString() string { return m.String() }

// Prepare finds out whether PingID can be reached, and asks nothing about the person.
// The operation that would tell whether the person can be sent a push,
// startauthentication, sends a code by text message, call or mail to those who do not
// have the app (errorId 30001, 30002 and 30005).
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiErrorCodes.html
func (m *Method) Prepare(ctx context.Context, who mfa.Subject, c mfa.Credential) (mfa.Attempt, error) {
	if err := c.Only(mfa.KindPush); err != nil {
		return mfa.Attempt{}, err
	}
	name := m.format.Name(who)
	switch {
	case c.PassCode != "":
		return mfa.Attempt{}, &mfa.CredentialError{Problem: "takes no passcode: PingID sends a push"}
	case c.Device != "":
		return mfa.Attempt{}, &mfa.CredentialError{Problem: "takes no device: PingID chooses the phone"}
	case name == "":
		return mfa.Attempt{}, mfa.ErrUnknownPerson
	}
	if err := m.reach(ctx); err != nil {
		return mfa.Attempt{}, err
	}
	// PingID may know the person by several spellings of a name; Okta has one id for them.
	person := "pingid " + m.settings.OrgAlias + " " + who.Org + " " + who.ID
	return mfa.Attempt{
		Rings: person,
		Phone: person,
		Ring: func(ctx context.Context, x mfa.Exchange) (mfa.Push, error) {
			return service.Ring(ctx, x, func(ctx context.Context, sent func(mfa.Waiting)) error {
				return m.push(ctx, name, func() { sent(mfa.Waiting{}) })
			})
		},
	}, nil
}

// reach connects to PingID, and leaves the connection for the push. Any answer will do.
func (m *Method) reach(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, m.settings.IDPURL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", m.userAgent)
	_, _, err = m.client.Send(req, nil, m.client.Timeout, nil)
	return err
}

// errNoToken says that an answer is not signed at all, so that it may be a proxy's.
var errNoToken = fmt.Errorf("%w: not a token that HS256 signs", mfa.ErrServiceMalformed)

// answer is what PingID says of an operation.
type answer struct {
	ErrorID    *int   `json:"errorId"`
	ErrorMsg   string `json:"errorMsg"`
	ClientData any    `json:"clientData"`
}

// contradicts reports whether the answer belongs to another request than the one with
// that clientData, which PingID documents to echo. It demands no echo: PingID does not
// say that every answer has one.
func (a answer) contradicts(clientData string) bool {
	return a.ClientData != nil && a.ClientData != "" && a.ClientData != clientData
}

// These are the error ids that mean something to this package. All others are passed on
// with PingID's own words.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiErrorCodes.html
const (
	success    = 200
	noSuchUser = 10564
)

// push rings the person's phone once and waits for their answer.
//
// Where ctx ends, the wait ends and the connection is closed. The push cannot be
// withdrawn: cancelauthentication needs a session id, which authonline tells only when
// the push is over.
func (m *Method) push(ctx context.Context, name string, sent func()) error {
	clientData := rand.Text() // ties the answer to this request
	req, payload, err := m.request(ctx, "authonline", map[string]string{
		"spAlias": "web", "userName": name, "authType": "CONFIRM", "clientData": clientData,
	})
	if err != nil {
		return mfa.MarkNotSent(err)
	}
	resp, body, err := m.client.Send(req, payload, 0, sent)
	if err != nil {
		return err
	}
	said, err := m.open(body, clientData)
	switch {
	case resp.StatusCode != http.StatusOK && errors.Is(err, errNoToken):
		return unlessAccepted(service.Refusal(resp))
	case err != nil:
		return err
	case *said.ErrorID == success && resp.StatusCode == http.StatusOK:
		return nil
	case *said.ErrorID == success:
		return fmt.Errorf("%w: success, with HTTP status %d", mfa.ErrServiceMalformed, resp.StatusCode)
	case *said.ErrorID == noSuchUser:
		return mfa.MarkNotSent(mfa.ErrUnknownPerson)
	}
	return service.Denied(fmt.Sprintf("PingID error %d", *said.ErrorID), said.ErrorMsg)
}

// unlessAccepted marks err with mfa.MarkNotSent where PingID refused the request as such.
func unlessAccepted(err error) error {
	if service.Refused(err) {
		return mfa.MarkNotSent(err)
	}
	return err
}

// request makes a request for an operation, and returns it with its payload.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiOverview.html
func (m *Method) request(ctx context.Context, operation string, body any) (*http.Request, []byte, error) {
	payload, err := json.Marshal(map[string]any{
		"reqHeader": map[string]string{
			"locale":    "en",
			"orgAlias":  m.settings.OrgAlias,
			"secretKey": m.settings.secrets().token,
			"timestamp": m.now().UTC().Format("2006-01-02 15:04:05.000"),
			"version":   "4.9",
		},
		"reqBody": body,
	})
	if err != nil {
		return nil, nil, err
	}
	signed, err := m.sign(payload)
	if err != nil {
		return nil, nil, err
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return nil, nil, err
	}
	url := strings.TrimSuffix(m.settings.IDPURL, "/") + "/rest/4/" + operation + "/do"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json") // as in the vendor's examples
	req.Header.Set("User-Agent", m.userAgent)
	return req, []byte(token), nil
}

// open reads the answer to the request with that clientData. The answer must be signed by
// HS256 with our key, must name our token and our organization, and must not belong to
// another request. open fails with mfa.ErrServiceMalformed.
func (m *Method) open(text []byte, clientData string) (answer, error) {
	signed, err := jose.ParseSignedCompact(strings.TrimSpace(string(text)), []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return answer{}, errNoToken
	}
	secrets := m.settings.secrets()
	payload, err := signed.Verify(secrets.key)
	if err != nil {
		return answer{}, fmt.Errorf("%w: the signature is wrong", mfa.ErrServiceMalformed)
	}
	headers := signed.Signatures[0].Protected.ExtraHeaders
	token, _ := headers["token"].(string)
	if subtle.ConstantTimeCompare([]byte(token), []byte(secrets.token)) != 1 {
		return answer{}, fmt.Errorf("%w: the token is another", mfa.ErrServiceMalformed)
	}
	named := false
	for _, key := range []jose.HeaderKey{"org_alias", "orgAlias"} { // PingID spells it in two ways
		alias, found := headers[key]
		if found && alias != m.settings.OrgAlias {
			return answer{}, fmt.Errorf("%w: the organization is another", mfa.ErrServiceMalformed)
		}
		named = named || found
	}
	if !named {
		return answer{}, fmt.Errorf("%w: no organization is named", mfa.ErrServiceMalformed)
	}
	var doc struct {
		Answer answer `json:"responseBody"`
	}
	if err := json.Unmarshal(payload, &doc); err != nil || doc.Answer.ErrorID == nil {
		return answer{}, fmt.Errorf("%w: no response body with an error id", mfa.ErrServiceMalformed)
	}
	if doc.Answer.contradicts(clientData) {
		return answer{}, fmt.Errorf("%w: its clientData is that of another request", mfa.ErrServiceMalformed)
	}
	return doc.Answer, nil
}
