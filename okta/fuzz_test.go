package okta

import (
	"errors"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

func known(err error) bool {
	_, said := errors.AsType[*Error](err)
	return said || errors.Is(err, ErrMalformed)
}

func FuzzTransaction(f *testing.F) {
	for _, seed := range []string{
		`{"status":"SUCCESS","sessionToken":"20111x","_embedded":{"user":{"id":"00u1","profile":{"login":"mia"}}}}`,
		`{"status":"MFA_REQUIRED","stateToken":"00x","_embedded":{"factors":[{"id":"opf1","factorType":"push","provider":"OKTA"}]}}`,
		`{"status":"MFA_REQUIRED","_embedded":{"factors":[{"factorType":"question","profile":{"questionText":"What?\u001b"}},{"factorType":"email","profile":{"email":7}}]}}`,
		`{"status":"MFA_CHALLENGE","_embedded":{"factor":{"factorType":"sms","profile":{"phoneNumber":"+1 XXX"}}},"_links":{"resend":[{"href":"x"}]}}`,
		`{"status":"MFA_CHALLENGE","_embedded":{"factor":{"factorType":"call","profile":[]}},"_links":{"resend":{"href":{}}}}`,
		`{"status":"MFA_REQUIRED","_embedded":{"factor":[{"id":"opf1"},null]}}`,
		`{"status":"MFA_CHALLENGE","factorResult":"WAITING","_embedded":{"factor":{"id":"opf1","_embedded":{"challenge":{"correctAnswer":0}}}}}`,
		`{"status":"MFA_CHALLENGE","_embedded":{"factor":[]}}`,
		`{"status":"MFA_CHALLENGE","factorResult":"REJECTED","_embedded":{"factors":{"id":"opf1","factorType":"push"}}}`,
		`{"status":"MFA_CHALLENGE","_embedded":{"factors":[{"id":"opf1"},{"id":"opf2"}],"factor":[{"id":"opf1"},{"id":"opf2"}]}}`,
		`{"status":"MFA_ENROLL","_embedded":{"factors":null},"_links":{"skip":{"href":"https://acme.okta.com/api/v1/authn/skip"}}}`,
		`{"status":"MFA_REQUIRED","_embedded":{"factorTypes":[{"factorType":"token:hotp","_links":{"next":{"href":"https://acme.okta.com/api/v1/authn/factors/token:hotp/verify"}}}]}}`,
		`{"status":"MFA_REQUIRED","_embedded":{"factorTypes":{"factorType":"a/b"}},"_links":{"skip":[{"href":"//acme.okta.com/api/v1/authn/skip"}]}}`,
		`{"errorCode":"E0000070","status":"SUCCESS","_embedded":{"user":{"id":"00u1"}}}`,
		`{"status":"SUCCESS","_embedded":{"user":{"id":"00u1"`, `null`, `[]`, `{}`, ``, `<html>`,
		`{"status":"SUCCESS","expiresAt":"2026-03-02T10:05:00.000Z"}`, `{"status":"SUCCESS"}{"errorCode":"E0000004"}`,
	} {
		f.Add(200, "application/json", seed)
		f.Add(202, "text/html; charset=utf-8", seed)
		f.Add(403, "application/json", seed)
	}
	f.Fuzz(func(t *testing.T, status int, contentType, body string) {
		tx, err := canned(status, contentType, "", body).Authenticate(t.Context(), "mia", "pw")
		if err != nil {
			if !known(err) {
				t.Errorf("an error of no kind: %v", err)
			}
			if tx.Status != "" || !tx.StateToken.IsZero() || tx.User != (User{}) || tx.Factors != nil || tx.Factor != nil || tx.Challenge != nil || tx.CanResend || tx.CanSkip || tx.FactorTypes != nil {
				t.Errorf("%v, and yet %+v", err, tx)
			}
			return
		}
		if status < 200 || status > 299 {
			t.Errorf("HTTP %d is no error", status)
		}
		if tx.Status == "" || tx.Status == StatusSuccess && (tx.User.ID == "" || tx.User.Login == "") {
			t.Errorf("a login of nobody: %+v", tx)
		}
		if tx.Status != StatusMFAChallenge && (tx.Factor != nil || tx.Challenge != nil) || tx.Challenge != nil && tx.Factor == nil {
			t.Errorf("a challenge that is none: %+v", tx)
		}
		plain := !strings.Contains(body, `\`) // a host can be read as it stands
		if (tx.CanSkip || tx.FactorTypes != nil) && plain && !strings.Contains(strings.ToLower(body), "acme.okta.com") {
			t.Errorf("an offer of another org's: %+v", tx)
		}
		shown := tx.Factors
		if tx.Factor != nil {
			shown = append(shown, *tx.Factor)
		}
		for _, f := range shown {
			checkShown(t, f)
		}
	})
}

func checkShown(t *testing.T, f Factor) {
	for _, text := range []struct {
		s   string
		max int
	}{{f.VendorName, 64}, {f.DeviceName, 64}, {f.SentTo, 64}, {f.Question, 128}} {
		if Clip(text.s, text.max+1) != text.s { // one for the sign of an omission
			t.Errorf("%q is not fit to be shown", text.s)
		}
	}
	sent := f.Type == FactorSMS || f.Type == FactorCall || f.Type == FactorEmail
	if f.SentTo != "" && !sent || f.Question != "" && f.Type != FactorQuestion {
		t.Errorf("a text of another factor: %+v", f)
	}
}

func FuzzGroupsBody(f *testing.F) {
	for _, seed := range []string{
		`[{"id":"00g1","type":"OKTA_GROUP","profile":{"name":"Everyone"}}]`, `[]`, `null`, `{}`, `[null]`, `[{}]`, ``,
		`[{"id":"00g1","profile":{"name":"Everyone"}},{"id":"00g`, `[{"profile":""}]`, `{"errorCode":"E0000047"}`, `[[]]`,
		`[{"profile":{"name":"a"},"_embedded":{"x":[1]},"objectClass":["x"]}]`,
	} {
		f.Add(200, "application/json", "", seed)
		f.Add(200, "application/xml", `<?after=x>; rel="next"`, seed)
		f.Add(429, "application/json", `<::%zz>; rel="next"`, seed)
	}
	f.Fuzz(func(t *testing.T, status int, contentType, link, body string) {
		groups, err := canned(status, contentType, link, body).Groups(t.Context(), "00u1")
		if err != nil && (groups != nil || !known(err)) {
			t.Errorf("%v, and yet %d groups", err, len(groups))
		}
		for _, g := range groups {
			if g.ID == "" || g.Name == "" {
				t.Errorf("a group without an id or a name: %+v", g)
			}
		}
	})
}

func FuzzNextCursor(f *testing.F) {
	for _, seed := range []string{
		``, `<https://acme.okta.com/?after=c1>; rel="next"`, `<a>; rel="self", <?after=c1>; rel=next`, `<::%zz>; rel="next"`,
		`<?after=c1; rel="next"`, `<?after=%00>; title="a,b"; rel="last next"`, `<<>>;;,,""`, `<?after=c1>;rel="next`,
	} {
		f.Add(seed, "")
		f.Add(`<a>; rel="self"`, seed)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		cursor, err := nextCursor([]string{one, two})
		if err != nil {
			if cursor != "" || !errors.Is(err, ErrMalformed) {
				t.Errorf("%v beside %q", err, cursor)
			}
			return
		}
		if cursor == "" {
			return
		}
		for _, link := range []string{`<?after=` + url.QueryEscape(cursor) + `>; rel="next"`, `<a>, </x?after=` + url.QueryEscape(cursor) + `>; rel=next`} {
			if again, err := nextCursor([]string{link}); err != nil || again != cursor {
				t.Errorf("%s: got %q, %v", link, again, err)
			}
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("E0000047", "1772445630", "Mon, 02 Mar 2026 10:00:00 GMT", "")
	f.Add(CodeResendSMS, "1772445630", "Mon, 02 Mar 2026 10:00:00 GMT", "")
	f.Add(CodeSMSQuota, "", "", "30")
	f.Add("", strconv.Itoa(math.MaxInt64), "Mon, 01 Jan 0001 00:00:00 GMT", "-1")
	f.Add("", strconv.Itoa(math.MinInt64), "Fri, 31 Dec 9999 23:59:59 GMT", "1e9")
	f.Fuzz(func(t *testing.T, code, reset, date, retry string) {
		h := http.Header{"X-Rate-Limit-Reset": {reset}, "Date": {date}, "Retry-After": {retry}}
		d := retryAfter(code, h)
		if d != 0 && (d < time.Second || d > time.Hour) {
			t.Errorf("wait %v", d)
		}
		h.Del("X-Rate-Limit-Reset")
		if _, known := codeWait[code]; known && d != retryAfter(code, h) {
			t.Errorf("%s: a wait of %v that comes from the rate limit", code, d)
		}
	})
}

func FuzzParseOrgURL(f *testing.F) {
	for _, seed := range []string{
		"https://acme.okta.com", "https://Acme.okta.com:8443/", "https://[::1]:1", "https://[fe80::1%25eth0]", "https://a@b", "https://1::2:443",
		"https://acme.okta.com\\@evil.test", "https://acme.okta.com/..", "https://acme.okta.com#", "https://x?", "http://x", "https://a%2eb",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := ParseOrgURL(s)
		if err != nil {
			if got != nil {
				t.Errorf("%v, and yet %v", err, got)
			}
			return
		}
		asked, err := url.Parse(s)
		if err != nil {
			t.Fatalf("accepted what is not a URL: %v", err)
		}
		if got.Scheme != "https" || *got != (url.URL{Scheme: got.Scheme, Host: got.Host}) {
			t.Errorf("got %#v of %#v", got, asked)
		}
		sameName := got.Hostname() == strings.ToLower(strings.TrimSuffix(asked.Hostname(), "."))
		ip, err := netip.ParseAddr(got.Hostname())
		if same, notIP := netip.ParseAddr(strings.ToLower(asked.Hostname())); !sameName && (err != nil || notIP != nil || ip != same) {
			t.Errorf("got the host %q of %q", got.Hostname(), asked.Hostname())
		}
		port, _ := strconv.Atoi(asked.Port())
		if port == 443 {
			port = 0
		}
		if kept, _ := strconv.Atoi(got.Port()); kept != port {
			t.Errorf("got the port %q of %q", got.Port(), asked.Port())
		}
		again, err := ParseOrgURL(got.String())
		if err != nil || *again != *got {
			t.Errorf("again: %v, %v; once: %v", again, err, got)
		}
		if req, err := http.NewRequest(http.MethodGet, got.String()+"/api/v1/authn?x=1", nil); err != nil || req.URL.Host != got.Host || req.URL.Path != "/api/v1/authn" {
			t.Errorf("a request would go to %v, %v", req, err)
		}
	})
}
