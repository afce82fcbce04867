package okta

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// These are the secrets of a request.
const (
	echoPassword = "pass_word_5e1f"
	echoCode     = "5e1f123"
	echoState    = "00state5e1f"
	echoDevice   = "device5e1f"
	echoToken    = "00token5e1f-of-the-mount"
)

// echoes are answers that repeat a secret in everything that is quoted of an answer. One
// that is longer than what is quoted is not quoted in part, either.
func echoes(secret string) map[string]*http.Response {
	answer := func(status int, contentType, body string, header ...string) *http.Response {
		h := http.Header{"Content-Type": {contentType}}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: h,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}
	}
	const id = "X-Okta-Request-Id"
	return map[string]*http.Response{
		"code":                       answer(400, jsonType, `{"errorCode":"`+secret+`","errorSummary":"x"}`),
		"code, in part":              answer(400, jsonType, `{"errorCode":"E `+secret+` x","errorSummary":"x"}`),
		"code, cut":                  answer(400, jsonType, `{"errorCode":"`+strings.Repeat("x", 22)+secret+`"}`),
		"code, no error":             answer(202, jsonType, `{"errorCode":"`+secret+`","errorSummary":"x"}`),
		"summary":                    answer(403, jsonType, `{"errorCode":"E0000001","errorSummary":"the value `+secret+` is wrong"}`),
		"cause":                      answer(403, jsonType, `{"errorCode":"E0000001","errorCauses":[{"errorSummary":"`+secret+`"}]}`),
		"words of another server":    answer(409, jsonType, `{"errorCode":"E0000113","errorSummary":"not `+secret+`"}`),
		"words of a failure":         answer(500, jsonType, `{"errorCode":"E0000074","errorSummary":"not `+secret+`"}`),
		"error id":                   answer(500, jsonType, `{"errorCode":"E0000009","errorId":"`+secret+`"}`),
		"OAuth's error":              answer(401, jsonType, `{"error":"`+secret+`","error_description":"not `+secret+`"}`),
		"OAuth's challenge":          answer(401, jsonType, ``, "WWW-Authenticate", `DPoP error="`+secret+`"`),
		"request id":                 answer(400, jsonType, `{"errorCode":"E0000001"}`, id, secret),
		"request id of a success":    answer(200, jsonType, `{}`, id, "x"+secret),
		"request id of a page":       answer(200, "text/html", `<p>`, id, secret),
		"media type":                 answer(200, "text/"+secret, `x`),
		"redirect":                   answer(302, jsonType, ``, "Location", "https://evil.test/"+secret, id, secret),
		"page":                       answer(502, "text/html", `<p>`+secret),
		"body that cannot be read":   answer(200, jsonType, `{"status":`+secret),
		"status":                     answer(200, jsonType, `{"status":"`+secret+`","id":"00u1","profile":{"login":"mia"}}`),
		"factor result":              answer(200, jsonType, `{"status":"MFA_CHALLENGE","factorResult":"`+secret+`","stateToken":"x"}`),
		"status and proof elsewhere": answer(200, jsonType, `[{"id":"`+secret+`","factorType":"push","status":"ACTIVE"}]`),
	}
}

// TestEchoesAreNotQuoted: whatever a server or a proxy repeats of a request, and wherever,
// nothing of the secrets in the request is a part of an error.
func TestEchoesAreNotQuoted(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	challenged := Transaction{StateToken: NewSecret(echoState), FactorTypes: []FactorType{"token:hotp"}}
	question, sms := Factor{ID: "f1", Type: FactorQuestion}, Factor{ID: "f1", Type: FactorSMS}
	calls := map[string]func(*Client) (any, error){
		"password": func(c *Client) (any, error) { return c.Authenticate(ctx, "mia", echoPassword) },
		"password on a device": func(c *Client) (any, error) {
			return c.OnDevice(Device{Token: NewSecret(echoDevice), Remember: true}).Authenticate(ctx, "mia", echoPassword)
		},
		"passcode":  func(c *Client) (any, error) { return c.Verify(ctx, challenged, sms, echoCode) },
		"answer":    func(c *Client) (any, error) { return c.Verify(ctx, challenged, question, echoCode) },
		"by type":   func(c *Client) (any, error) { return c.VerifyByType(ctx, challenged, "token:hotp", echoCode) },
		"resend":    func(c *Client) (any, error) { return c.Resend(ctx, challenged, sms) },
		"state":     func(c *Client) (any, error) { return c.State(ctx, challenged) },
		"skip":      func(c *Client) (any, error) { return c.Skip(ctx, challenged) },
		"previous":  func(c *Client) (any, error) { return c.Previous(ctx, challenged) },
		"cancel":    func(c *Client) (any, error) { return nil, c.Cancel(ctx, challenged) },
		"groups":    func(c *Client) (any, error) { return c.Groups(ctx, "00u1") },
		"account":   func(c *Client) (any, error) { return c.Account(ctx, "mia") },
		"factors":   func(c *Client) (any, error) { return c.Factors(ctx, "00u1") },
		"challenge": func(c *Client) (any, error) { return c.ChallengeFactor(ctx, "00u1", sms, false) },
		"code":      func(c *Client) (any, error) { return c.AnswerFactor(ctx, "00u1", sms, echoCode) },
	}
	secrets := []string{echoPassword, echoCode, echoState, echoDevice, echoToken}
	for name, call := range calls {
		for _, secret := range secrets {
			for place := range echoes(secret) {
				sent := false
				c, err := New(Config{OrgURL: "https://acme.okta.com", APIToken: NewSecret(echoToken)})
				require.NoError(t, err)
				answers := roundTrip(func(req *http.Request) (*http.Response, error) {
					body, err := io.ReadAll(req.Body)
					if err != nil {
						return nil, err
					}
					sent = strings.Contains(string(body), secret) || strings.HasSuffix(req.Header.Get("Authorization"), secret)
					resp := echoes(secret)[place]
					resp.Request = req
					return resp, nil
				})
				c.transport.base, c.transport.apart = answers, answers
				got, err := call(c)
				if !sent {
					continue // this request does not have this secret
				}
				quoted := fmt.Sprint(err)
				if tx, ok := got.(Transaction); ok {
					quoted += fmt.Sprint(tx.Status, tx.FactorResult)
				}
				if tx, ok := got.(FactorTransaction); ok {
					quoted += string(tx.Result)
				}
				if account, ok := got.(Account); ok {
					quoted += account.Status
				}
				if said, ok := errors.AsType[*Error](err); ok {
					quoted += fmt.Sprint(said.Code, said.ID, said.RequestID, said.Summary, said.Causes, said.Words.Reveal())
				}
				assert.NotContains(t, quoted, "5e1f", "%s, %s", name, place)
			}
		}
	}
}

// TestAssertionIsNotQuoted: neither is what the service app proves itself with.
func TestAssertionIsNotQuoted(t *testing.T) {
	t.Parallel()
	key, err := NewSigningKey(ES256)
	require.NoError(t, err)
	places := len(echoes("x"))
	for place := range echoes("x") {
		var assertion string
		c := wired(func(req *http.Request) (*http.Response, error) {
			if err := req.ParseForm(); err != nil {
				return nil, err
			}
			assertion = req.PostForm.Get("client_assertion")
			resp := echoes(assertion)[place]
			resp.Request = req
			return resp, nil
		})
		err := c.TryServiceApp(t.Context(), ServiceApp{ClientID: "0oa1", Scopes: []string{"okta.users.read"}, Key: key})
		require.Error(t, err, place)
		require.NotEmpty(t, assertion)
		quoted := err.Error()
		if said, ok := errors.AsType[*Error](err); ok {
			quoted += fmt.Sprint(said.Code, said.ID, said.RequestID, said.Summary, said.Causes, said.Words.Reveal())
		}
		assert.NotContains(t, quoted, assertion[:8], place)
		places--
	}
	assert.Zero(t, places)
}

func TestHideEcho(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ text, want string }{
		{"", ""}, {"nothing", "nothing"}, {"the code 123456 is wrong", "the code [secret] is wrong"},
		{"123456123456", "[secret][secret]"}, {"abc is short", "abc is short"}, {"12345678", "[secret]"},
	} {
		assert.Equal(t, row.want, HideEcho(row.text, "123456", "abc", "", "12345678"))
	}
	assert.Equal(t, "as it is", HideEcho("as it is"))
}

// TestMeaningDoesNotDependOnThePassword: what stands in Okta's own words, too, hides none
// of these. Otherwise a wrong password could pass for something else, and a right one for
// nothing.
func TestMeaningDoesNotDependOnThePassword(t *testing.T) {
	t.Parallel()
	for _, password := range []string{"json", "application/json", "E0000004", "0000", "00000", "SUCCESS", "ESS ", "PASS", "success", "errorCode", "mia.ito", "00u1"} {
		c := canned(401, jsonType, "", `{"errorCode":"E0000004","errorSummary":"Authentication failed"}`)
		_, err := c.Authenticate(t.Context(), "mia.ito", password)
		said, ok := errors.AsType[*Error](err)
		require.True(t, ok, "%s: %v", password, err)
		assert.Equal(t, CodeAuthenticationFailed, said.Code, password)

		c = canned(200, jsonType, "", `{"status":"SUCCESS","_embedded":{"user":{"id":"00u1","profile":{"login":"mia.ito"}}}}`)
		tx, err := c.Authenticate(t.Context(), "mia.ito", password)
		require.NoError(t, err, password)
		assert.Equal(t, StatusSuccess, tx.Status)
	}
}

// TestNameIsNotHidden: Okta's sentences may name the person, who reads them.
func TestNameIsNotHidden(t *testing.T) {
	t.Parallel()
	c := canned(403, jsonType, "", `{"errorCode":"E0000001","errorSummary":"mia.ito is unknown"}`)
	_, err := c.Authenticate(t.Context(), "mia.ito", "pw-of-mia")
	said, ok := errors.AsType[*Error](err)
	require.True(t, ok)
	assert.Equal(t, "mia.ito is unknown", said.Summary)
}
