package okta

import (
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// answering is a client that gets that answer to each request, and the URLs it asks for.
func answering(status int, contentType, body string, header http.Header) (*Client, *[]*url.URL) {
	asked := new([]*url.URL)
	return wired(func(req *http.Request) (*http.Response, error) {
		*asked = append(*asked, req.URL)
		h := header.Clone()
		if h == nil {
			h = http.Header{}
		}
		h.Set("Content-Type", contentType)
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req, Header: h,
			Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	}), asked
}

// oneSegment reports whether a request went to one place below prefix, which the name
// alone stands for, and not to another one.
func oneSegment(u *url.URL, prefix, name, suffix string) bool {
	segment, below := strings.CutPrefix(u.EscapedPath(), prefix)
	segment, ends := strings.CutSuffix(segment, suffix)
	plain, err := url.PathUnescape(segment)
	return below && ends && err == nil && plain == name && !strings.Contains(segment, "/") && segment != "." && segment != ".." && u.Host == "acme.okta.com" && u.RawQuery == ""
}

// FuzzAccount: a name of any kind leads to one place in the org, and what comes back has
// all that a login is authorized by, or is an error that tells no name.
func FuzzAccount(f *testing.F) {
	for _, name := range []string{"mia5e1f@acme.test", "a/5e1f", "..", ".", "", "5e1f?x=1#y", "%2e%2e5e1f", "\\..\\5e1f", "\x005e1f", "é5e1f", "5e1f;a=b", "\xff5e1f"} {
		for _, body := range []string{`{"id":"00u1","status":"ACTIVE","profile":{"login":"mia","email":"m@x"}}`, `{"id":"00u1"}`, `null`, `[]`, ``, `{"id":1}`, `{"id":"","status":"A","profile":{"login":"5e1f"}}`,
			`{"errorCode":"5e1f","errorSummary":"5e1f","errorId":"5e1f"}`} {
			f.Add(name, 200, "application/json", body)
			f.Add(name, 404, "application/json;charset=utf-8", body)
		}
	}
	f.Fuzz(func(t *testing.T, name string, status int, contentType, body string) {
		c, asked := answering(status, contentType, body, nil)
		account, err := c.Account(t.Context(), name)
		for _, u := range *asked {
			if !oneSegment(u, usersPath+"/", name, "") {
				t.Errorf("%q leads to %s", name, u)
			}
		}
		if err == nil {
			if account.ID == "" || account.Login == "" || account.Status == "" || status < 200 || status > 299 {
				t.Errorf("HTTP %d is the account %+v", status, account)
			}
			return
		}
		if account != (Account{}) || !known(err) {
			t.Errorf("%v, and yet %+v", err, account)
		}
		// A code, an id and a media type are quoted; a name, a sentence and a page are not.
		if strings.Contains(contentType, "5e1f") {
			return
		}
		if said, ok := errors.AsType[*Error](err); strings.Contains(err.Error(), "5e1f") && !(ok && strings.Contains(said.Code+said.ID, "5e1f")) {
			t.Errorf("quoted: %v", err)
		}
	})
}

// FuzzFactorsBody: each factor has an id, a type and a status, and shows little of where
// its codes go.
func FuzzFactorsBody(f *testing.F) {
	for _, seed := range []string{
		`[{"id":"opf1","factorType":"push","provider":"OKTA","status":"ACTIVE","profile":{"name":"Phone"}}]`, `[]`, `null`, `[null]`, `[{}]`, `{}`, ``,
		`[{"id":"sms1","factorType":"sms","status":"ACTIVE","profile":{"phoneNumber":"+15551234567"}}]`, `[{"id":"e","factorType":"email","status":"ACTIVE","profile":{"email":"mia.ito@acme.test"}}]`,
		`[{"id":"q","factorType":"question","status":"ACTIVE","profile":{"questionText":"What?\u001b"}}]`, `[{"id":"c","factorType":"call","status":"X","profile":{"phoneNumber":"1"}},{"id":"opf`,
	} {
		f.Add("00u1", 200, seed)
		f.Add("../x", 200, seed)
		f.Add("a/b?c", 403, seed)
	}
	f.Fuzz(func(t *testing.T, user string, status int, body string) {
		c, asked := answering(status, jsonType, body, nil)
		factors, err := c.Factors(t.Context(), user)
		for _, u := range *asked {
			if !oneSegment(u, usersPath+"/", user, "/factors") {
				t.Errorf("%q leads to %s", user, u)
			}
		}
		if err != nil && (factors != nil || !known(err)) {
			t.Errorf("%v, and yet %+v", err, factors)
		}
		for _, factor := range factors {
			if factor.ID == "" || factor.Type == "" || factor.Status == "" {
				t.Errorf("not a factor: %+v", factor)
			}
			checkShown(t, factor)
			if local, _, isEmail := strings.Cut(factor.SentTo, "@"); isEmail && len([]rune(local)) > 2 {
				t.Errorf("shows all of %q", factor.SentTo)
			}
		}
	})
}

// FuzzFactorTransaction: the links of a push lead below the factor that was asked, in the
// org that is configured, whatever the answer says; or there is no push.
func FuzzFactorTransaction(f *testing.F) {
	const own = "https://acme.okta.com/api/v1/users/00u1/factors/opf1/transactions/"
	for _, href := range []string{own + "t1", own + "..", own + "%2e%2e", own + "a%2fb", own + "t?x=1", "https://evil.test/api/v1/users/00u1/factors/opf1/transactions/t1", "/api/v1/users/00u1", "//evil.test/x", own, "::", own + "a#b", own + `a\\b`} {
		f.Add("00u1", "opf1", `{"factorResult":"WAITING","_links":{"poll":{"href":"`+href+`"},"cancel":{"href":"`+href+`"}}}`)
		f.Add("00u1", "opf1", `{"factorResult":"WAITING","_embedded":{"challenge":{"correctAnswer":7}},"_links":{"poll":{"href":"`+href+`"}}}`)
	}
	f.Add("../..", "a/b", `{"factorResult":"SUCCESS"}`)
	f.Fuzz(func(t *testing.T, user, factor, body string) {
		c, asked := answering(http.StatusCreated, jsonType, body, nil)
		begun, err := c.ChallengeFactor(t.Context(), user, Factor{ID: factor, Type: FactorPush}, true)
		if err == nil {
			_, _ = c.PollFactor(t.Context(), begun)
			_ = c.CancelFactor(t.Context(), begun)
		} else if begun != (FactorTransaction{}) || !known(err) {
			t.Errorf("%v, and yet %+v", err, begun)
		}
		below := usersPath + "/" + url.PathEscape(user) + "/factors/" + url.PathEscape(factor)
		for i, u := range *asked {
			id, transaction := strings.CutPrefix(u.EscapedPath(), below+"/transactions/")
			plain, err := url.PathUnescape(id)
			if u.Host != "acme.okta.com" || u.Scheme != "https" || i == 0 && u.EscapedPath() != below+"/verify" ||
				i > 0 && (!transaction || err != nil || plain == "" || plain == "." || plain == ".." || strings.ContainsAny(plain, `/\`)) {
				t.Errorf("request %d leads to %s", i, u)
			}
		}
	})
}

// FuzzAccessToken: an access token can stand in a header, ends within a day, and has all
// the scopes; and no error tells one.
func FuzzAccessToken(f *testing.F) {
	for _, body := range []string{
		`{"token_type":"DPoP","access_token":"eyJ5e1f","expires_in":3600,"scope":"okta.users.read okta.groups.read"}`, `{"token_type":"Bearer","access_token":"5e1f","expires_in":1,"scope":"okta.users.read"}`,
		`{"token_type":"bearer","access_token":"5e1f","expires_in":9223372036854775807,"scope":"okta.users.read"}`, `{"token_type":"mac","access_token":"5e1f"}`, `{"access_token":"5e1f 5e1f","expires_in":1}`, `null`, `[]`, ``,
		`{"error":"use_dpop_nonce","error_description":"5e1f"}`, `{"error":"invalid_client"}`, `{"token_type":"DPoP","access_token":"5e1f\r\nX: y","expires_in":3600,"scope":"okta.users.read"}`,
		`{"token_type":"DPoP","access_token":"5e1f\u0000","expires_in":3600,"scope":"okta.users.read"}`, `{"token_type":"DPoP","access_token":"é5e1f","expires_in":3600,"scope":"okta.users.read"}`,
	} {
		f.Add(200, body, "")
		f.Add(400, body, "nonce")
	}
	key, err := NewSigningKey(ES256)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, status int, body, nonce string) {
		c, asked := answering(status, jsonType, body, http.Header{"Dpop-Nonce": {nonce}})
		app, err := newServiceApp(ServiceApp{ClientID: "0oa1", Scopes: []string{"okta.users.read"}, Key: key}, time.Now)
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		token, err := app.fetch(t.Context(), c)
		if len(*asked) > 2 || (*asked)[0].String() != "https://acme.okta.com"+tokenPath {
			t.Errorf("asked for %v", *asked)
		}
		if err != nil {
			if !token.value.IsZero() || !known(err) {
				t.Errorf("%v, and yet a token", err)
			}
			if said, ok := errors.AsType[*Error](err); strings.Contains(err.Error(), "5e1f") && !(ok && strings.Contains(said.Code+said.ID, "5e1f")) {
				t.Errorf("quoted: %v", err)
			}
			return
		}
		req := http.Request{Header: http.Header{"Authorization": {token.scheme + " " + token.value.Reveal()}}}
		if _, value, found := strings.Cut(req.Header.Get("Authorization"), " "); !found || value == "" || strings.ContainsFunc(value, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("not for a header: %q", value)
		}
		if life := token.ends.Sub(began); life <= 0 || life > 25*time.Hour || status < 200 || status > 299 {
			t.Errorf("HTTP %d gives a token for %v", status, life)
		}
	})
}

// FuzzErrorBody: a code and ids are short and printable, whatever the body and the header
// are, and neither the text for logs nor a code has anything of the request in it.
func FuzzErrorBody(f *testing.F) {
	for _, body := range []string{`{"errorCode":"E0000004","errorId":"oae1"}`, `{"errorCode":"x-the-password-5e1f"}`, `{"errorSummary":"x-the-password-5e1f","errorCode":"E0000113"}`, `{"error":"invalid_client"}`, ``, `null`,
		`{"errorCode":"a\u001bb","errorId":"\r\n"}`, `{"errorCode":7}`, `{"errorCauses":[{"errorSummary":"x-the-password-5e1f"}],"errorCode":"E0000001"}`, `<p>x-the-password-5e1f`, `{"errorCode":"x\u002dthe-password-5e1f"}`} {
		for _, status := range []int{200, 202, 400, 401, 403, 409, 429, 500, 503} {
			f.Add(status, jsonType, body, "x-the-password-5e1f", `DPoP error="x"`)
			f.Add(status, "text/x-the-password-5e1f", body, "id", `error="x-the-password-5e1f"`)
			f.Add(status, "text/X-the-pASsword-5e1f", body, "id", "")
		}
	}
	f.Fuzz(func(t *testing.T, status int, contentType, body, id, challenge string) {
		const password = "x-the-password-5e1f"
		c, _ := answering(status, contentType, body, http.Header{"X-Okta-Request-Id": {id}, "Www-Authenticate": {challenge}})
		tx, err := c.Authenticate(t.Context(), "mia", password)
		if err == nil {
			if strings.Contains(string(tx.Status)+string(tx.FactorResult), password) {
				t.Errorf("the status %q", tx.Status)
			}
			return
		}
		quoted := []string{err.Error()}
		if said, ok := errors.AsType[*Error](err); ok {
			quoted = append(append(quoted, said.Code, said.ID, said.RequestID, said.Summary, said.Words.Reveal()), said.Causes...)
			for _, text := range quoted[1:] {
				if Clip(text, 257+len(password)) != text {
					t.Errorf("not fit to be shown: %q", text)
				}
			}
		}
		for _, text := range quoted {
			if strings.Contains(text, password) {
				t.Errorf("quoted: %q", text)
			}
		}
	})
}

// FuzzDeviceToken: a device token that is taken can stand in a header and in JSON as it is.
func FuzzDeviceToken(f *testing.F) {
	for _, s := range []string{"", "abc", strings.Repeat("x", 32), strings.Repeat("x", 33), "a b", "é", "\x7f", "a\nb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		token, err := ParseDeviceToken(s)
		switch {
		case err != nil && (!token.IsZero() || len(s) > 7 && strings.Contains(err.Error(), s)):
			t.Errorf("%v, and yet a token, or a part of it", err)
		case err == nil && (token.Reveal() != s || s == "" || len(s) > 32 || strings.Trim(s, "!\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~") != ""):
			t.Errorf("took %q", s)
		}
	})
}
