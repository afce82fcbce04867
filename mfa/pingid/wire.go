package pingid

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// These are the operations of PingID's API.
const (
	opDetails = "getuserdetails"
	opStart   = "startauthentication"
	opStatus  = "authstatus"
	opCancel  = "cancelauthentication"
	opOnline  = "authonline" // deprecated
	opOffline = "authoffline"
)

// object is the body of a request.
type object = map[string]any

// errNoToken says that an answer is not signed at all, so that it may be a proxy's.
var errNoToken = fmt.Errorf("%w: not a token that HS256 signs", mfa.ErrServiceMalformed)

// answer is what PingID says of an operation.
type answer struct {
	ErrorID    *int   `json:"errorId"`
	ErrorMsg   string `json:"errorMsg"`
	MessageID  string `json:"uniqueMsgId"`
	ClientData any    `json:"clientData"`
	SessionID  string `json:"sessionId"`
	// Extended has the right number of number matching, where the organization uses that.
	Extended struct {
		Number *int `json:"numberForMatching"`
	} `json:"extendedAuthenticationDetails"`
	// Devices and Details are read by themselves: what is wrong in them is no reason to
	// refuse the rest.
	Devices json.RawMessage `json:"userDevices"`
	Details json.RawMessage `json:"userDetails"`

	status   int  // of HTTP
	unsigned bool // it may explain a failure, but proves nothing
}

// contradicts reports whether the answer belongs to another request than the one with
// that clientData, which PingID documents to echo. It demands no echo: PingID does not
// say that every answer has one.
func (a answer) contradicts(clientData string) bool {
	return a.ClientData != nil && a.ClientData != "" && a.ClientData != clientData
}

// call asks for an operation. It ends with ctx, and after patience where that is not zero.
// sending may be nil; see service.Client.Send.
//
// An answer without an error may still say that PingID refuses: see answer.meaning.
// mfa.NotSent is true for an error that says that PingID has not done what it was asked.
func (m *Method) call(ctx context.Context, operation string, body object, patience time.Duration, sending func()) (answer, error) {
	clientData := rand.Text() // ties the answer to this request
	body["clientData"] = clientData
	req, payload, err := m.request(ctx, operation, body)
	if err != nil {
		return answer{}, mfa.MarkNotSent(err)
	}
	resp, text, err := m.client.Send(req, payload, patience, sending)
	if err != nil {
		return answer{}, err
	}
	said, err := m.read(text, clientData)
	if resp.StatusCode != http.StatusOK && errors.Is(err, errNoToken) {
		if said, err = readUnsigned(text); err != nil {
			return answer{}, unlessAccepted(service.Refusal(resp))
		}
	}
	if err != nil {
		return answer{}, err
	}
	said.hide(m.settings.secrets().token, body["otp"], body["sessionId"])
	said.status = resp.StatusCode
	if *said.ErrorID == success && said.status != http.StatusOK {
		return answer{}, fmt.Errorf("%w: success, with HTTP status %d", mfa.ErrServiceMalformed, said.status)
	}
	return said, nil
}

// hide takes secrets that the request carried out of the texts that an error may quote.
func (a *answer) hide(secrets ...any) {
	for _, secret := range secrets {
		if secret, ok := secret.(string); ok {
			a.ErrorMsg, a.MessageID = okta.HideEcho(a.ErrorMsg, secret), okta.HideEcho(a.MessageID, secret)
		}
	}
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
	payload, err := json.Marshal(object{
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

// read reads the answer to the request with that clientData. The answer must be signed by
// HS256 with our key, must name our token and our organization, and must not belong to
// another request. read fails with mfa.ErrServiceMalformed.
func (m *Method) read(text []byte, clientData string) (answer, error) {
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
	said, err := readBody(payload)
	if err == nil && said.contradicts(clientData) {
		return answer{}, fmt.Errorf("%w: its clientData is that of another request", mfa.ErrServiceMalformed)
	}
	return said, err
}

// readUnsigned reads an error that PingID did not sign. It fails where the answer is not
// one, and for all that would be more than an error.
func readUnsigned(text []byte) (answer, error) {
	said, err := readBody(text)
	if err == nil && said.meaning().step != stepFail {
		err = errNoToken
	}
	said.unsigned = true
	return said, err
}

func readBody(payload []byte) (answer, error) {
	var doc struct {
		Answer answer `json:"responseBody"`
	}
	if err := json.Unmarshal(payload, &doc); err != nil || doc.Answer.ErrorID == nil {
		return answer{}, fmt.Errorf("%w: no response body with an error id", mfa.ErrServiceMalformed)
	}
	return doc.Answer, nil
}
