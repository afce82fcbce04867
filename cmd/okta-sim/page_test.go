package main

import (
	"bytes"
	"encoding/json"
	"image"
	_ "image/png" // decodes QR codes
	"io/fs"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// look returns what the page shows.
func (s *sim) look() (now state) {
	s.t.Helper()
	status, text := s.control("GET", "/state", "", "")
	require.Equal(s.t, http.StatusOK, status, text)
	require.NoError(s.t, json.Unmarshal([]byte(text), &now))
	return now
}

// user returns what the page shows of a user.
func (s *sim) user(login string) userState {
	s.t.Helper()
	now := s.look()
	i := slices.IndexFunc(now.Users, func(u userState) bool { return u.Login == login })
	require.NotEqual(s.t, -1, i, login)
	return now.Users[i]
}

// from sends a request to the control API with a header set; "Host" is one, too.
func (s *sim) from(method, path string, header map[string]string) *http.Response {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.ready.ControlURL+path, nil)
	require.NoError(s.t, err)
	for name, value := range header {
		req.Header.Set(name, value)
	}
	if host := header["Host"]; host != "" {
		req.Host = host
	}
	resp, err := s.http.Do(req)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = resp.Body.Close() })
	return resp
}

// A website that is open in the developer's browser cannot approve a push, press a button
// or read anything: neither by the address nor by a name of its own that leads here.
func TestForeignWebsitesDriveNothing(t *testing.T) {
	t.Parallel()
	s := start(t)
	poll := s.challenge("pia@acme.test", 0)
	own := strings.TrimPrefix(s.ready.ControlURL, "http://")
	_, port, _ := strings.Cut(own, ":")
	paths := map[string]string{
		"/push/approve": "POST", "/push/reject": "POST", "/guide": "POST", "/faults": "POST", "/latency": "POST",
		"/state": "GET", "/requests": "GET", "/code?user=hope": "GET", "/duo/passcode?user=mia": "GET", "/page.js": "GET",
	}
	for name, header := range map[string]map[string]string{
		"another site":             {"Sec-Fetch-Site": "cross-site", "Origin": "https://evil.example"},
		"without an origin":        {"Sec-Fetch-Site": "cross-site"},
		"another port":             {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1:3000"},
		"an old browser":           {"Origin": "https://evil.example"},
		"an old one, another port": {"Origin": "http://127.0.0.1:3000"},
		"a sandbox":                {"Origin": "null"},
		"DNS rebinding":            {"Host": "evil.example:" + port, "Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example:" + port},
		"a name with an address":   {"Host": "127.0.0.1.evil.example:" + port},
		"another address":          {"Host": "192.0.2.1:" + port},
		"a localhost of its own":   {"Host": "localhost.evil.example"},
	} {
		for path, method := range paths {
			resp := s.from(method, path, header)
			assert.Equal(t, http.StatusForbidden, resp.StatusCode, "%s: %s", name, path)
		}
	}
	assert.Equal(t, "MFA_CHALLENGE WAITING", poll())
	assert.Equal(t, 403, s.from("GET", "/", map[string]string{"Host": "evil.example"}).StatusCode)

	for name, header := range map[string]map[string]string{
		"a program":      nil,
		"the page":       {"Sec-Fetch-Site": "same-origin", "Origin": s.ready.ControlURL},
		"the address":    {"Sec-Fetch-Site": "none"},
		"by localhost":   {"Host": "localhost:" + port, "Sec-Fetch-Site": "same-origin", "Origin": "http://localhost:" + port},
		"by IPv6":        {"Host": "[::1]:" + port},
		"an old browser": {"Origin": s.ready.ControlURL},
	} {
		for path, method := range paths {
			if path != "/guide" { // which wants a body
				assert.Less(t, s.from(method, path, header).StatusCode, 401, "%s: %s", name, path)
			}
		}
	}
	// A link may lead to the page. Nobody may frame it.
	resp := s.from("GET", "/", map[string]string{"Sec-Fetch-Site": "cross-site"})
	assert.Equal(t, http.StatusOK, resp.StatusCode)
	assert.Contains(t, resp.Header.Get("Content-Security-Policy"), "frame-ancestors 'none'")
}

// The page loads nothing from elsewhere, and runs no code but its script.
func TestPageIsWhole(t *testing.T) {
	t.Parallel()
	s := start(t)
	resp := s.from("GET", "/", nil)
	assert.Equal(t, "text/html; charset=utf-8", resp.Header.Get("Content-Type"))
	policy := resp.Header.Get("Content-Security-Policy")
	assert.True(t, strings.HasPrefix(policy, "default-src 'none';"), policy)
	assert.NotContains(t, policy, "unsafe")
	assert.NotContains(t, policy, "*")
	assert.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))

	addresses := regexp.MustCompile(`(?i)(https?:)?//[a-z0-9]|url\(|@import|data:`)
	inline := regexp.MustCompile(`(?i)<style|\sstyle=|\son[a-z]+=|<script[^>]*>[^<]|innerHTML|insertAdjacentHTML|eval\(`)
	files, err := fs.Glob(page, "page/*")
	require.NoError(t, err)
	assert.Len(t, files, 4)
	for _, name := range files {
		content, err := fs.ReadFile(page, name)
		require.NoError(t, err)
		text := strings.ReplaceAll(string(content), `xmlns="http://www.w3.org/2000/svg"`, "")
		assert.NotRegexp(t, addresses, text, name)
		assert.NotRegexp(t, inline, text, name)
		if name != "page/index.html" {
			status, got := s.control("GET", strings.TrimPrefix(name, "page"), "", "")
			assert.Equal(t, http.StatusOK, status, name)
			assert.Equal(t, strings.TrimSpace(string(content)), got, name)
		}
	}
	status, _ := s.control("GET", "/index.html", "", "")
	assert.Equal(t, http.StatusNotFound, status)
}

func TestLiveCodesWork(t *testing.T) {
	t.Parallel()
	s := start(t)
	for login, nth := range map[string]int{"tom@acme.test": 0, "pia@acme.test": 1, "rosa@acme.test": 0, "syd@acme.test": 0, "quinn@acme.test": 0} {
		f := s.user(login).Factors[nth]
		require.NotEmpty(t, f.Code, login)
		assert.Equal(t, strings.Contains(f.Type, "totp"), f.QR, login)
		if f.Type != "question" {
			assert.WithinDuration(t, time.Now(), *f.Until, time.Minute+time.Second, login)
		}
		token, verify := s.login(login)
		doc := s.okta(verify[nth], map[string]string{"stateToken": token, "passCode": f.Code, "answer": f.Code})
		assert.Equal(t, "SUCCESS", doc["status"], "%s: %v", login, doc)
	}
}

// Who looks at the page presses no button: after many looks the device is still in step.
func TestLookingPressesNoButton(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 20 {
		for _, login := range []string{"hope@acme.test", "yuki@acme.test"} {
			f := s.user(login).Factors[0]
			assert.Empty(t, f.Code)
			assert.True(t, f.Button)
		}
	}
	token, verify := s.login("hope@acme.test")
	_, code := s.control("GET", "/code?user=hope", "", "")
	assert.Equal(t, "SUCCESS", s.okta(verify[0], map[string]string{"stateToken": token, "passCode": code})["status"])
}

func TestQRCodes(t *testing.T) {
	t.Parallel()
	s := start(t)
	id := s.user("tom@acme.test").Factors[0].ID
	status, _, raw := s.call("GET", s.ready.ControlURL+"/qr?user=tom&factor="+id, "", "")
	require.Equal(t, http.StatusOK, status, raw)
	code, format, err := image.Decode(bytes.NewBufferString(raw))
	require.NoError(t, err)
	assert.Equal(t, "png", format)
	assert.Equal(t, image.Rect(0, 0, qrSize, qrSize), code.Bounds())
	for _, query := range []string{"user=nobody&factor=" + id, "user=pia&factor=" + id, "user=tom", "user=sam&factor=" + s.user("sam@acme.test").Factors[0].ID} {
		status, _ := s.control("GET", "/qr?"+query, "", "")
		assert.Equal(t, http.StatusNotFound, status, query)
	}
}

// Messages stay as they were sent, newest first, and say which codes are good.
func TestMessagesAreShown(t *testing.T) {
	t.Parallel()
	s := start(t)
	assert.Empty(t, s.look().Messages)
	for _, login := range []string{"emi@acme.test", "sam@acme.test"} {
		token, verify := s.login(login)
		s.okta(verify[0], map[string]string{"stateToken": token})
		now := s.look().Messages
		require.NotEmpty(t, now)
		assert.WithinDuration(t, time.Now(), now[0].SentAt, time.Minute)
		if login == "sam@acme.test" {
			assert.Equal(t, "SUCCESS", s.okta(verify[0], map[string]string{"stateToken": token, "passCode": now[0].Code})["status"])
		}
	}
	var sent *mfa.CodeSentError
	ping := s.methods()["pingid"]
	require.ErrorAs(t, satisfy(t.Context(), ping, someone, mfa.Credential{Kind: mfa.KindSMS}), &sent)
	told := func() (list [][]any) {
		for _, m := range s.look().Messages {
			list = append(list, []any{m.User, m.Service, m.By, m.To, m.Valid})
		}
		return list
	}
	want := [][]any{
		{someone, "pingid", "sms", "PingID SMS", true},
		{"sam@acme.test", "okta", "sms", "+1 XXX-XXX-4821", false},
		{"emi@acme.test", "okta", "email", "e...i@acme.test", true},
	}
	assert.Equal(t, want, told())
	require.NoError(t, satisfy(t.Context(), ping, someone, mfa.Credential{PassCode: s.look().Messages[0].Code, Kind: mfa.KindSMS}))
	want[0][4] = false
	assert.Equal(t, want, told())
}

// The phone shows three numbers, always the same while the push waits. The right one
// approves, and the others reject.
func TestNumbersArePicked(t *testing.T) {
	t.Parallel()
	s := start(t)
	for right, want := range map[bool]string{true: "SUCCESS <nil>", false: "MFA_CHALLENGE REJECTED"} {
		poll := s.challenge("noa@acme.test", 0)
		f := s.user("noa@acme.test").Factors[0]
		require.Len(t, f.Choices, 3)
		require.Equal(t, f.Choices, s.user("noa@acme.test").Factors[0].Choices)
		require.Contains(t, f.Choices, 47)
		pick, answer := "47", `{"approved":1,"rejected":0}`
		if !right {
			pick, answer = "8", `{"approved":0,"rejected":1}`
		}
		status, got := s.control("POST", "/push/number", form, "user=noa&device="+f.ID+"&number="+pick)
		assert.Equal(t, http.StatusOK, status)
		assert.JSONEq(t, answer, got)
		assert.Equal(t, want, poll())
		assert.Empty(t, s.user("noa@acme.test").Factors[0].Choices)
	}
	// A push without a number is not answered by one.
	poll := s.challenge("pia@acme.test", 0)
	_, got := s.control("POST", "/push/number", form, "user=pia&number=47")
	assert.JSONEq(t, `{"approved":0,"rejected":0}`, got)
	assert.Equal(t, "MFA_CHALLENGE WAITING", poll())
	for body, want := range map[string]int{
		"user=noa": 400, "user=noa&number=x": 400, "user=nobody&number=1": 404, "user=noa&number=1&device=Nobody's+phone": 404, "user=noa&number=1&service=nonsense": 404,
	} {
		status, _ := s.control("POST", "/push/number", form, body)
		assert.Equal(t, want, status, body)
	}
}

// Each service's push is answered by itself.
func TestPushesOfOneService(t *testing.T) {
	t.Parallel()
	s := start(t)
	poll := s.challenge("pia@acme.test", 0)
	duo, ping := s.push(t.Context(), s.methods()["duo"], "pia@acme.test"), s.push(t.Context(), s.methods()["pingid"], "pia@acme.test")
	s.waitFor(3)
	for service, end := range map[string]<-chan error{"duo": duo, "pingid": ping} {
		_, got := s.control("POST", "/push/approve", form, "user=pia&service="+service)
		assert.JSONEq(t, `{"approved":1}`, got)
		require.NoError(t, <-end)
	}
	assert.Equal(t, "MFA_CHALLENGE WAITING", poll())
	_, got := s.control("POST", "/push/approve", form, "user=pia&service=okta")
	assert.JSONEq(t, `{"approved":1}`, got)
	for _, body := range []string{"service=nonsense", "service=duo&device=Pia's+phone"} {
		status, _ := s.control("POST", "/push/approve", form, body)
		assert.Equal(t, http.StatusNotFound, status, body)
	}
}

func TestFaultsAreSwitched(t *testing.T) {
	t.Parallel()
	s := start(t, "-latency", "1ms", "-pingid-numbers")
	now := s.look().Switches
	assert.Equal(t, "1ms", now.Latency)
	assert.True(t, now.Numbers)
	assert.Empty(t, now.Faults)
	authn := func() int {
		status, _, _ := s.call("POST", s.ready.URL+"/api/v1/authn", "application/json", `{"username":"mia","password":"correct-horse"}`)
		return status
	}
	groups := func() int {
		status, _, _ := s.call("GET", s.ready.URL+"/api/v1/users/mia/groups", "", "")
		return status
	}
	ping := func() int {
		status, _, _ := s.call("GET", s.ready.Duo.URL+"/auth/v2/ping", "", "")
		return status
	}
	set := func(where, fault string) {
		status, got := s.control("POST", "/faults", form, "where="+where+"&fault="+fault)
		require.Equal(t, http.StatusOK, status, got)
	}
	healthy := []int{authn(), groups(), ping()}
	assert.Equal(t, []int{200, 401, 200}, healthy)
	set("okta/groups", "unavailable")
	set("duo", "rate_limited")
	assert.Equal(t, []int{200, 503, 429}, []int{authn(), groups(), ping()})
	assert.Equal(t, map[string]string{"okta/groups": "unavailable", "duo": "rate_limited"}, s.look().Switches.Faults)
	set("okta", "error")
	assert.Equal(t, []int{500, 503}, []int{authn(), groups()}, "an endpoint's own fault counts")
	for _, where := range []string{"okta", "okta/groups", "duo"} {
		set(where, "none")
	}
	assert.Equal(t, healthy, []int{authn(), groups(), ping()})

	for _, switched := range []struct {
		path, body string
		status     int
	}{
		{"/faults", "where=nowhere&fault=error", 400},
		{"/faults", "where=okta&fault=nonsense", 400},
		{"/faults", "where=okta", 400},
		{"/latency", "latency=20ms", 200},
		{"/latency", "latency=-1s", 400},
		{"/latency", "latency=2h", 400},
		{"/latency", "", 400},
		{"/pingid/numbers", "on=false", 200},
		{"/pingid/numbers", "on=maybe", 400},
	} {
		status, got := s.control("POST", switched.path, form, switched.body)
		assert.Equal(t, switched.status, status, "%s %s: %s", switched.path, switched.body, got)
	}
	now = s.look().Switches
	assert.Equal(t, "20ms", now.Latency)
	assert.False(t, now.Numbers)
	for _, at := range []string{s.ready.URL + "/api/v1/authn", s.ready.Duo.URL + "/auth/v2/ping", s.ready.PingID.URL + "/pingid/rest/4/authonline/do"} {
		begun := time.Now()
		_, _, _ = s.call("POST", at, "application/json", "{}")
		assert.GreaterOrEqual(t, time.Since(begun), 20*time.Millisecond, at)
	}
}

// Each kind of fault is felt everywhere.
func TestEachFaultIsFelt(t *testing.T) {
	t.Parallel()
	s := start(t)
	for kind := range faults {
		s.http.Timeout = 0
		if kind == "hangs" { // whatever the timeout, there is no answer
			s.http.Timeout = 100 * time.Millisecond
		}
		for _, where := range []string{"okta", "duo", "pingid"} {
			s.control("POST", "/faults", form, "where="+where+"&fault="+kind)
		}
		for _, at := range []string{s.ready.URL + "/api/v1/authn", s.ready.Duo.URL + "/auth/v2/ping", s.ready.PingID.URL + "/pingid/rest/4/authonline/do"} {
			resp, err := s.http.Post(at, "application/json", strings.NewReader(`{}`))
			if err != nil {
				assert.Contains(t, []string{"hangs", "drops"}, kind, at)
				continue
			}
			_ = resp.Body.Close()
			assert.GreaterOrEqual(t, resp.StatusCode, 400, "%s: %s", kind, at)
		}
	}
}

// The list of requests tells what was sent, but no secret: not one that the org knows,
// and not one that it does not.
func TestRequestsAreToldWithoutSecrets(t *testing.T) {
	t.Parallel()
	s := start(t)
	token, verify := s.login("tom@acme.test")
	s.okta(verify[0], map[string]string{"stateToken": token, "passCode": "wrong-code-1"})
	s.okta("/api/v1/authn", map[string]string{"username": "mia", "password": "a-real-one"})
	s.okta("/api/v1/authn?token=in-the-query&limit=200", map[string]string{"password": "another"})
	s.call("POST", s.ready.URL+"/oauth2/v1/token", form, "grant_type=client_credentials&client_assertion=signed.by.a.key&scope=okta.users.read")
	s.call("POST", s.ready.URL+"/api/v1/authn", "application/json",
		`{"username":"deep","context":{"deviceToken":"device-1"},"list":["in-a-list"],"passCode":123987,"options":{"warnBeforePasswordExpired":true}}`)
	s.call("POST", s.ready.URL+"/api/v1/authn", "application/json", `["in-an-array"]`)
	s.call("POST", s.ready.URL+"/api/v1/authn", "text/plain", "as-plain-text")
	s.call("POST", s.ready.URL+"/api/v1/authn", "application/json", `{"username":"`+strings.Repeat("x", 5000)+`"}`)
	_, got := s.control("GET", "/requests", "", "")
	for _, secret := range []string{
		token, "battery-staple", "wrong-code-1", "a-real-one", "in-the-query", "another", "signed.by", "device-1", "in-a-list", "123987",
		"in-an-array", "as-plain-text", strings.Repeat("x", 300),
	} {
		assert.NotContains(t, got, secret)
	}
	for _, want := range []string{
		`"body": "{\"password\":\"•••\",\"username\":\"mia\"}"`, `"query": "limit=200\u0026token=•••"`, `\"warnBeforePasswordExpired\":true`,
		`"body": "client_assertion=•••\u0026grant_type=client_credentials\u0026scope=okta.users.read"`,
	} {
		assert.Contains(t, got, want)
	}
}

func TestLastRequestsAreNumbered(t *testing.T) {
	t.Parallel()
	s := start(t)
	for range 5 {
		s.okta("/api/v1/authn", nil)
	}
	var list []requestState
	_, got := s.control("GET", "/requests?last=2", "", "")
	require.NoError(t, json.Unmarshal([]byte(got), &list))
	require.Len(t, list, 2)
	assert.Equal(t, []int{4, 5}, []int{list[0].Number, list[1].Number})
	for _, last := range []string{"-1", "x"} {
		status, _ := s.control("GET", "/requests?last="+last, "", "")
		assert.Equal(t, http.StatusBadRequest, status)
	}
}

// The page shows the commands that were printed, until whoever started okta-sim brings
// others.
func TestGuide(t *testing.T) {
	t.Parallel()
	s := start(t)
	var steps []step
	guide := func() []step {
		_, got := s.control("GET", "/guide", "", "")
		require.NoError(t, json.Unmarshal([]byte(got), &steps))
		return steps
	}
	assert.Greater(t, len(guide()), 5)
	for _, step := range steps {
		assert.Contains(t, s.out, step.Title+":\n  "+strings.ReplaceAll(step.Commands, "\n", "\n  ")+"\n")
	}
	mine := []step{{"Log in", "vault login -method=okta"}}
	raw, _ := json.Marshal(mine)
	status, _ := s.control("POST", "/guide", "application/json", string(raw))
	assert.Equal(t, http.StatusOK, status)
	assert.Equal(t, mine, guide())
	status, _ = s.control("POST", "/guide", "application/json", `{"title":"no list"}`)
	assert.Equal(t, http.StatusBadRequest, status)
	assert.Equal(t, mine, guide())
}

// Every kind of fault and every endpoint is one that the simulator knows.
func TestPlacesAndFaultsExist(t *testing.T) {
	t.Parallel()
	assert.Len(t, places(), 3+len(oktatest.Endpoints()))
	script, err := fs.ReadFile(page, "page/page.js")
	require.NoError(t, err)
	for kind := range faults {
		assert.True(t, strings.Contains(string(script), "  "+kind+": '"), "the page has no name for %s", kind)
	}
}
