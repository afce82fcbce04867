package mfa

import (
	"context"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// PingIDConfig says which organization at PingID lets people in.
type PingIDConfig struct {
	Settings  PingIDSettings
	Format    Format // of the user names at PingID
	UserAgent string
	RootCAs   *x509.CertPool   // nil: the system's
	Timeout   time.Duration    // of a request that waits for nobody; zero: 15 s
	Now       func() time.Time // nil: time.Now
}

// PingID is the method of Ping Identity's PingID: a push to a phone, by the
// authentication API, version 4.9.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiAuthentication.html
type PingID struct {
	settings  PingIDSettings
	sign      func(payload []byte) (*jose.JSONWebSignature, error)
	service   *service
	format    Format
	userAgent string
	now       func() time.Time
}

// NewPingID fails where the settings are not those of ParsePingIDSettings.
func NewPingID(c PingIDConfig) (*PingID, error) {
	if c.Settings.secrets == nil {
		return nil, errors.New("settings_file_base64 is required")
	}
	p := &PingID{
		settings: c.Settings, service: newService(c.RootCAs, c.Timeout),
		format: c.Format, userAgent: c.UserAgent, now: c.Now,
	}
	if p.now == nil {
		p.now = time.Now
	}
	secrets := c.Settings.secrets()
	options := (&jose.SignerOptions{}).WithHeader("org_alias", c.Settings.OrgAlias).WithHeader("token", secrets.token)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.HS256, Key: secrets.key}, options)
	if err != nil {
		return nil, errors.New("use_base64_key cannot sign") // the library's words may say more
	}
	p.sign = signer.Sign
	return p, nil
}

// String returns a placeholder, never the keys.
func (p *PingID) String() string { return "[pingid]" }

// GoString returns a placeholder, never the keys.
func (p *PingID) GoString() string { return p.String() }

// Prepare finds out whether PingID can be reached, and asks nothing about the
// person. The one question that would tell, startauthentication, begins something:
// for somebody whose device is not the app, its answer asks for the code that a
// text message, a mail or a call brings (errorId 30001, 30002 and 30005).
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiErrorCodes.html
func (p *PingID) Prepare(ctx context.Context, who Subject, c Credential) (Attempt, error) {
	if err := c.only(KindPush); err != nil {
		return Attempt{}, err
	}
	name := p.format.Name(who)
	switch {
	case c.PassCode != "":
		return Attempt{}, &CredentialError{"takes no passcode: PingID sends a push"}
	case c.Device != "":
		return Attempt{}, &CredentialError{"takes no device: PingID chooses the phone"}
	case name == "":
		return Attempt{}, ErrUnknownPerson
	}
	if err := p.reach(ctx); err != nil {
		return Attempt{}, err
	}
	person := "pingid " + p.settings.OrgAlias + " " + strings.ToLower(name)
	return Attempt{
		Rings:  person,
		Phone:  person,
		Verify: func(ctx context.Context, x Exchange) error { return p.push(ctx, x, name) },
	}, nil
}

// reach connects to PingID, and leaves the connection for the push. Any answer
// will do: nothing is asked.
func (p *PingID) reach(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, p.settings.IDPURL, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", p.userAgent)
	_, _, err = p.service.send(req, nil, p.service.timeout, nil)
	return err
}

// errNoToken says that an answer is not even meant to be one of PingID's.
var errNoToken = fmt.Errorf("%w: not a token that HS256 signs", ErrServiceMalformed)

// pingAnswer is what an answer says.
type pingAnswer struct {
	ErrorID  *int   `json:"errorId"`
	ErrorMsg string `json:"errorMsg"`
}

// What PingID says of a push. Those ids that its documentation does not tie to one
// meaning are passed on with PingID's own words.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiErrorCodes.html
const (
	pingSuccess    = 200
	pingNoSuchUser = 10564
)

// push makes the person's phone ring, once, and waits for their answer.
//
// Where ctx ends, the wait ends and the connection is closed. There is nothing to
// take back: cancelauthentication wants a session, which authonline tells only when
// the push is over.
func (p *PingID) push(ctx context.Context, x Exchange, name string) error {
	ctx, cancel := x.bound(ctx)
	defer cancel()
	req, payload, err := p.request(ctx, "authonline", map[string]string{
		"spAlias": "web", "userName": name, "authType": "CONFIRM",
	})
	if err != nil {
		return notSent(err)
	}
	resp, body, err := p.service.send(req, payload, 0, func() { x.Waiting("", x.Until) })
	if err != nil {
		return pushError(ctx, err)
	}
	answer, err := p.open(body)
	switch {
	case resp.StatusCode != http.StatusOK && errors.Is(err, errNoToken):
		return unlessAccepted(refusal(resp))
	case err != nil:
		return err
	case *answer.ErrorID == pingSuccess && resp.StatusCode == http.StatusOK:
		return nil
	case *answer.ErrorID == pingSuccess:
		return fmt.Errorf("%w: success, with HTTP status %d", ErrServiceMalformed, resp.StatusCode)
	case *answer.ErrorID == pingNoSuchUser:
		return notSent(ErrUnknownPerson)
	}
	return denied(fmt.Sprintf("PingID error %d", *answer.ErrorID), answer.ErrorMsg)
}

// unlessAccepted marks the refusal of a request that was not looked at.
func unlessAccepted(err error) error {
	var refused *ServiceError
	if errors.As(err, &refused) && notDone(refused.Status) {
		return notSent(err)
	}
	return err
}

// request makes a request for an operation.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiOverview.html
func (p *PingID) request(ctx context.Context, operation string, body any) (*http.Request, []byte, error) {
	payload, err := json.Marshal(map[string]any{
		"reqHeader": map[string]string{
			"locale":    "en",
			"orgAlias":  p.settings.OrgAlias,
			"secretKey": p.settings.secrets().token,
			"timestamp": p.now().UTC().Format("2006-01-02 15:04:05.000"),
			"version":   "4.9",
		},
		"reqBody": body,
	})
	if err != nil {
		return nil, nil, err
	}
	signed, err := p.sign(payload)
	if err != nil {
		return nil, nil, err
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		return nil, nil, err
	}
	url := strings.TrimSuffix(p.settings.IDPURL, "/") + "/rest/4/" + operation + "/do"
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, nil)
	if err != nil {
		return nil, nil, err
	}
	req.Header.Set("Content-Type", "application/json") // which the vendor's examples say
	req.Header.Set("User-Agent", p.userAgent)
	return req, []byte(token), nil
}

// open reads an answer that is signed with our key and meant for us: neither
// another algorithm nor another token nor another organization will do, nor an
// answer that does not say. It fails with ErrServiceMalformed.
func (p *PingID) open(text []byte) (pingAnswer, error) {
	signed, err := jose.ParseSignedCompact(strings.TrimSpace(string(text)), []jose.SignatureAlgorithm{jose.HS256})
	if err != nil {
		return pingAnswer{}, errNoToken
	}
	secrets := p.settings.secrets()
	payload, err := signed.Verify(secrets.key)
	if err != nil {
		return pingAnswer{}, fmt.Errorf("%w: the signature is wrong", ErrServiceMalformed)
	}
	headers := signed.Signatures[0].Protected.ExtraHeaders
	token, _ := headers["token"].(string)
	if subtle.ConstantTimeCompare([]byte(token), []byte(secrets.token)) != 1 {
		return pingAnswer{}, fmt.Errorf("%w: the token is another", ErrServiceMalformed)
	}
	named := false
	for _, key := range []jose.HeaderKey{"org_alias", "orgAlias"} { // PingID spells it in two ways
		alias, found := headers[key]
		if found && alias != p.settings.OrgAlias {
			return pingAnswer{}, fmt.Errorf("%w: the organization is another", ErrServiceMalformed)
		}
		named = named || found
	}
	if !named {
		return pingAnswer{}, fmt.Errorf("%w: no organization is named", ErrServiceMalformed)
	}
	var doc struct {
		Answer pingAnswer `json:"responseBody"`
	}
	if err := json.Unmarshal(payload, &doc); err != nil || doc.Answer.ErrorID == nil {
		return pingAnswer{}, fmt.Errorf("%w: no response body with an error id", ErrServiceMalformed)
	}
	return doc.Answer, nil
}
