package okta

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestNextCursor(t *testing.T) {
	t.Parallel()
	const (
		self = `<https://acme.okta.com/api/v1/users/00u1/groups?limit=200>; rel="self"`
		next = `<https://acme.okta.com/api/v1/users/00u1/groups?after=c1&limit=200>; rel="next"`
	)
	for _, tc := range []struct {
		name    string
		headers []string
		want    string
		bad     bool
	}{
		{"none", nil, "", false},
		{"empty", []string{""}, "", false},
		{"last page", []string{self}, "", false},
		{"separate", []string{self, next}, "c1", false},
		{"separate, the other way", []string{next, self}, "c1", false},
		{"joined", []string{self + ", " + next}, "c1", false},
		{"joined without a space", []string{next + "," + self}, "c1", false},
		{"another host", []string{`<https://evil.test/x?after=c1>; rel="next"`}, "c1", false},
		{"relative", []string{`</api/v1/users/00u1/groups?after=c1>; rel="next"`}, "c1", false},
		{"without quotes", []string{`<?after=c1>; rel=next`}, "c1", false},
		{"capitals", []string{`<?after=c1>; REL="Next"`}, "c1", false},
		{"spaces", []string{`  < ?after=c1>  ;  rel = "next"  `}, "c1", false},
		{"several relations", []string{`<?after=c1>; rel="last next"`}, "c1", false},
		{"rel is not the first parameter", []string{`<?after=c1>; title="x"; rel="next"; type="y"`}, "c1", false},
		{"the first rel counts", []string{`<?after=c1>; rel="self"; rel="next"`}, "", false},
		{"a comma in quotes", []string{`<?after=c0>; title="a, <?after=c2>; rel=next"; rel="self", <?after=c1>; rel="next"`}, "c1", false},
		{"a comma in the target", []string{`<?x=1,2&after=c1>; rel="next"`}, "c1", false},
		{"the first next counts", []string{`<?after=c1>; rel="next"`, `<?after=c2>; rel="next"`}, "c1", false},
		{"escaped cursor", []string{`<?after=a%2Fb%26c%3D%22>; rel="next"`}, `a/b&c="`, false},
		{"a relation that only begins so", []string{`<?after=c1>; rel="nextpage"`}, "", false},
		{"no relation", []string{`<?after=c1>`}, "", false},
		{"no cursor", []string{`<https://acme.okta.com/api/v1/users/00u1/groups?limit=200>; rel="next"`}, "", true},
		{"empty cursor", []string{`<?after=>; rel="next"`}, "", true},
		{"not a URL", []string{`<::%zz>; rel="next"`}, "", true},
		{"not a query", []string{`<?after=%zz>; rel="next"`}, "", true},
		{"no end", []string{`<?after=c1; rel="next"`}, "", true},
		{"not a URL, but not next", []string{`<::%zz>; rel="self"`, next}, "c1", false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := nextCursor(tc.headers)
			assert.Equal(t, tc.want, got)
			if tc.bad {
				assert.ErrorIs(t, err, ErrMalformed)
			} else {
				assert.NoError(t, err)
			}
		})
	}
}

// An expiry that is past on arrival is not known, by whichever clock it is past. A push
// would end at its first question otherwise.
func TestExpiryThatIsPastOnArrivalIsNotKnown(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	c := &Client{transport: &transport{now: func() time.Time { return now }}}
	for name, tc := range map[string]struct {
		date    string
		expires time.Duration // after now
		want    time.Duration // after now; 0: not known
	}{
		"same clock":                {now.Format(http.TimeFormat), 5 * time.Minute, 5 * time.Minute},
		"Okta's clock is behind":    {now.Add(-time.Hour).Format(http.TimeFormat), -55 * time.Minute, 5 * time.Minute},
		"Date after the expiry":     {now.Add(time.Hour).Format(http.TimeFormat), 5 * time.Minute, 0},
		"Date at the expiry":        {now.Add(5 * time.Minute).Format(http.TimeFormat), 5 * time.Minute, 0},
		"no Date":                   {"", 5 * time.Minute, 5 * time.Minute},
		"no Date, our clock ahead":  {"", -time.Second, 0},
		"no sense, our clock ahead": {"yesterday", -time.Second, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got := c.localTime(now.Add(tc.expires), http.Header{"Date": {tc.date}})
			if tc.want == 0 {
				assert.Zero(t, got)
			} else {
				assert.Equal(t, now.Add(tc.want), got)
			}
		})
	}
	assert.Zero(t, c.localTime(time.Time{}, http.Header{}))
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 2, 10, 0, 0, 0, time.UTC)
	date := func(d time.Duration) string { return now.Add(d).Format(http.TimeFormat) }
	reset := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	for _, tc := range []struct {
		name                    string
		reset, date, retryAfter string
		want                    time.Duration
	}{
		{"nothing", "", "", "", 0},
		{"date only", "", date(0), "", 0},
		{"30 s", reset(30 * time.Second), date(0), "", 30 * time.Second},
		// None of these dates is today: the clock here has no part in it.
		{"server's clock 5 h ahead", reset(5*time.Hour + 30*time.Second), date(5 * time.Hour), "", 30 * time.Second},
		{"server's clock 5 h behind", reset(-5*time.Hour + 30*time.Second), date(-5 * time.Hour), "", 30 * time.Second},
		{"reset now", reset(0), date(0), "", time.Second},
		{"reset over", reset(-time.Minute), date(0), "", time.Second},
		{"far away", reset(48 * time.Hour), date(0), "", time.Hour},
		{"reset without date", reset(30 * time.Second), "", "", 0},
		{"reset without date, but Retry-After", reset(30 * time.Second), "", "7", 7 * time.Second},
		{"reset before Retry-After", reset(30 * time.Second), date(0), "7", 30 * time.Second},
		{"broken reset", "soon", date(0), "7", 7 * time.Second},
		{"broken date", reset(0), "yesterday", "7", 7 * time.Second},
		{"Retry-After only", "", "", "7", 7 * time.Second},
		{"Retry-After 0", "", "", "0", time.Second},
		{"Retry-After below 0", "", "", "-9", time.Second},
		{"Retry-After far away", "", "", "999999999999", time.Hour},
		{"Retry-After is too big", "", "", "99999999999999999999", 0},
		{"Retry-After is a date", "", date(0), date(time.Minute), 0},
		{"concurrency", reset(time.Minute), date(0), "", time.Minute},
	} {
		t.Run(tc.name, func(t *testing.T) {
			h := http.Header{}
			for k, v := range map[string]string{"X-Rate-Limit-Reset": tc.reset, "Date": tc.date, "Retry-After": tc.retryAfter} {
				if v != "" {
					h.Set(k, v)
				}
			}
			assert.Equal(t, tc.want, retryAfter("E0000047", h))
			assert.Equal(t, tc.want, retryAfter("", h))
		})
	}
}

// TestRetryAfterOfCodes: some codes are not about the rate limit whose reset
// their headers tell.
func TestRetryAfterOfCodes(t *testing.T) {
	t.Parallel()
	reset := http.Header{"X-Rate-Limit-Reset": {"1772445655"}, "Date": {"Mon, 02 Mar 2026 10:00:00 GMT"}}
	asked := reset.Clone()
	asked.Set("Retry-After", "7")
	for code, want := range map[string]time.Duration{
		CodeResendSMS:     30 * time.Second,
		CodeResendCall:    30 * time.Second,
		CodeResendEmail:   5 * time.Second,
		CodeSMSQuota:      0,
		CodeCallQuota:     0,
		CodeFreeSMSQuota:  0,
		CodeUserSMSLimit:  0,
		CodeUserCallLimit: 0,
		"E0000047":        55 * time.Second,
	} {
		assert.Equal(t, want, retryAfter(code, reset), code)
		if code != "E0000047" {
			assert.Equal(t, want, retryAfter(code, http.Header{}), code)
			assert.Equal(t, want, retryAfter(code, http.Header{"Retry-After": {"soon"}}), code)
			assert.Equal(t, 7*time.Second, retryAfter(code, asked), code)
		}
	}
}

// TestRetryAfterIsOf429Only: rate headers are part of every answer.
func TestRetryAfterIsOf429Only(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]time.Duration{429: 7 * time.Second, 503: 0, 401: 0} {
		err := parseError(&http.Response{StatusCode: status, Header: http.Header{"Retry-After": {"7"}}}, nil)
		said, ok := errors.AsType[*Error](err)
		require.True(t, ok)
		assert.Equal(t, want, said.RetryAfter, "%d", status)
	}
}

// TestOtherHosts: the transport is the last guard of the token.
func TestOtherHosts(t *testing.T) {
	t.Parallel()
	c, err := New(Config{OrgURL: "https://acme.okta.com", APIToken: NewSecret("00token")})
	require.NoError(t, err)
	for _, u := range []string{
		"https://evil.test/", "https://acme.okta.com:444/", "http://acme.okta.com/", "https://acme.okta.com.evil.test/", "https://127.0.0.1:1/",
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, u, nil)
		require.NoError(t, err)
		_, _, err = c.transport.send(req)
		assert.ErrorIs(t, err, ErrMalformed, u)
	}
}

func TestDefaultTimeout(t *testing.T) {
	t.Parallel()
	for given, want := range map[time.Duration]time.Duration{0: DefaultTimeout, -1: DefaultTimeout, time.Second: time.Second} {
		c, err := New(Config{OrgURL: "https://acme.okta.com", Timeout: given})
		require.NoError(t, err)
		assert.Equal(t, want, c.transport.timeout)
	}
}

// wired is a client whose requests end at that function, and not in a network.
func wired(f func(*http.Request) (*http.Response, error)) *Client {
	c, err := New(Config{OrgURL: "https://acme.okta.com", APIToken: NewSecret("00token")})
	if err != nil {
		panic(err)
	}
	c.transport.base, c.transport.apart = roundTrip(f), roundTrip(f)
	return c
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
func (roundTrip) CloseIdleConnections()                                 {}

// canned is a client whose answers all have that body.
func canned(status int, contentType, link, body string) *Client {
	return wired(func(req *http.Request) (*http.Response, error) {
		return &http.Response{
			StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
			Header: http.Header{"Content-Type": {contentType}, "Link": {link}},
			Body:   io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)),
		}, nil
	})
}

// known reports whether an error is one that a caller can sort.
// FuzzTransaction: what cannot be decoded leaves nothing behind, an error
// document is never a transaction, and only an open challenge carries a factor.
// checkShown: what a person gets to see of a factor is short, printable, and of
// that type of factor.
// FuzzGroupsBody: all groups have an id and a name, or there are none.
// FuzzNextCursor: there is a cursor or an error or the end, and a cursor that
// is written into a link is read from it.
// FuzzRetryAfter: no wait, or one between a second and an hour.
// FuzzParseOrgURL: what is accepted has a scheme and a host and nothing else,
// is read by net/url as the same, and stays what it is.
func TestProxyURLIsNotQuoted(t *testing.T) {
	t.Parallel()
	_, err := quietly(func(*http.Request) (*url.URL, error) {
		return nil, errors.New("invalid proxy address http://me:secret@%zz")
	})(nil)
	assert.ErrorContains(t, err, "HTTPS_PROXY")
	assert.NotContains(t, err.Error(), "secret")
	proxy, err := quietly(func(*http.Request) (*url.URL, error) { return nil, nil })(nil)
	assert.NoError(t, err)
	assert.Nil(t, proxy)
}

// TestNetworkErrors: an administrator learns what is wrong with the network, and
// nothing that somebody on the way has written.
func TestNetworkErrors(t *testing.T) {
	t.Parallel()
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, "HTTP/1.1 407 mia@acme.test may not\r\n\r\n")
	}))
	t.Cleanup(proxy.Close)
	c, err := New(Config{OrgURL: "https://acme.okta.test"})
	require.NoError(t, err)
	at, err := url.Parse(proxy.URL)
	require.NoError(t, err)
	c.transport.base.(*http.Transport).Proxy = http.ProxyURL(at)
	_, err = c.OrgID(t.Context())
	assert.EqualError(t, err, "okta could not be reached: the proxy answered HTTP 407")

	for _, tc := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "acme.okta.com"}}, "dial tcp: lookup acme.okta.com: no such host"},
		{fmt.Errorf("x: %w", &tls.CertificateVerificationError{Err: errors.New("x509: unknown authority")}), "tls: failed to verify certificate: x509: unknown authority"},
		{errors.New("mia@acme.test"), "the connection failed (*errors.errorString)"},
	} {
		assert.Equal(t, tc.want, NetworkDetail(tc.err))
	}
}
