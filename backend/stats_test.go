package backend

import (
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// numbers reads the numbers of the mount.
func (m *mount) numbers() (n struct {
	Since     time.Time
	Logins    map[string]map[string]int
	OktaCalls map[string]struct {
		Results       map[string]int
		P50, P95, P99 float64
	} `json:"okta_calls"`
	RateLimits    map[string]struct{ Limit, Remaining int } `json:"rate_limits"`
	PushesWaiting int                                       `json:"pushes_waiting"`
	LoginsHeld    int                                       `json:"logins_held"`
	LoginsQueued  int                                       `json:"logins_queued"`
	Memory        map[string]struct{ Hits, Misses int }
}) {
	m.t.Helper()
	raw, err := json.Marshal(m.read("stats"))
	require.NoError(m.t, err)
	require.NoError(m.t, json.Unmarshal(raw, &n))
	return n
}

// TestNumbers: each login counts once, by how it was answered, and each request to Okta.
func TestNumbers(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		before := m.numbers()
		assert.WithinDuration(t, m.clock.Now(), before.Since, time.Minute)
		assert.Empty(t, before.OktaCalls)
		assert.Empty(t, before.RateLimits)
		m.configure(nil)
		u := m.addUser("Everyone")
		auth := m.mustLogin(nil)
		_, status, text := m.renew(issued(auth))
		require.Equal(t, http.StatusOK, status, text)
		_, _, _ = m.login(fields{"password": "wrong"})
		_, _, _ = m.login(fields{"password": []any{"no string"}}) // refused before it is a login
		_, _, _ = m.do(logical.AliasLookaheadOperation, "login/"+testLogin, nil)
		m.okta.Fail("groups", oktatest.Status(500, "E0000009", "Internal Server Error"))
		_, _, _ = m.login(nil)
		m.okta.ClearFaults()

		n := m.numbers()
		assert.Equal(t, map[string]int{
			"login_ok": 1, "login_denied": 2, "lockout": 0, "rate_limited": 0, "okta_error": 1, "service_error": 0, "mount_error": 0, "login_gone": 0,
		}, n.Logins["login"])
		assert.Equal(t, 1, n.Logins["renewal"]["login_ok"])
		assert.Equal(t, map[string]int{"2xx": 3, "401": 1}, n.OktaCalls["authn"].Results)
		assert.Equal(t, 1, n.OktaCalls["groups"].Results["5xx"])
		assert.Len(t, n.OktaCalls, 2, "%v", n.OktaCalls)
		assert.Positive(t, n.RateLimits["authn"].Limit)
		assert.Equal(t, n.RateLimits["authn"].Limit-4, n.RateLimits["authn"].Remaining)
		assert.Greater(t, n.Memory["config"].Hits, 3)

		m.clock.advance(time.Minute + time.Second)
		assert.Empty(t, m.numbers().RateLimits, "the window has ended")

		push := u.AddPush()
		held := m.hold(nil)
		n = m.numbers()
		assert.Equal(t, 1, n.PushesWaiting)
		assert.Equal(t, 1, n.LoginsHeld)
		assert.Equal(t, 1, n.Logins["login"]["login_ok"], "a login that waits has not ended")
		push.Approve()
		m.clock.advance(10 * time.Second)
		_, status, text = m.do(logical.UpdateOperation, "login/"+testLogin, fields{"transaction_id": held.TransactionID})
		require.Equal(t, http.StatusOK, status, text)
		n = m.numbers()
		assert.Zero(t, n.PushesWaiting)
		assert.Zero(t, n.LoginsHeld)
		assert.Equal(t, 2, n.Logins["login"]["login_ok"])
		m.okta.Fail("authn", oktatest.RateLimited(0, time.Minute))
		_, _, _ = m.login(nil)
		assert.Equal(t, 1, m.numbers().Logins["login"]["rate_limited"])
		m.start()
		_, _, _ = m.login(nil)
		assert.Equal(t, 1, m.numbers().Memory["config"].Misses, "a mount that begins knows nothing")
	})
}

// TestPushesThatNobodyPollsDoNotWait: the number is right also before the mount tidies up.
func TestPushesThatNobodyPollsDoNotWait(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone").AddPush()
		m.hold(nil)
		require.Equal(t, 1, m.numbers().PushesWaiting)
		m.clock.advance(10 * time.Minute)
		assert.Zero(t, m.numbers().PushesWaiting)
	})
}

// scrape reads the numbers as Prometheus does.
func (m *mount) scrape() string {
	m.t.Helper()
	resp, status, text := m.do(logical.ReadOperation, "stats", fields{"format": "openmetrics"})
	require.Equal(m.t, http.StatusOK, status, text)
	assert.Equal(m.t, "application/openmetrics-text; version=1.0.0; charset=utf-8", resp.Data[logical.HTTPContentType])
	switch body := resp.Data[logical.HTTPRawBody].(type) {
	case []byte:
		return string(body)
	case string: // as JSON carries bytes
		var raw []byte
		require.NoError(m.t, json.Unmarshal([]byte(strconv.Quote(body)), &raw))
		return string(raw)
	default:
		m.t.Fatalf("%T", body)
		return ""
	}
}

// TestOpenMetricsIsWellFormed: the text keeps the rules that a strict reader holds it to,
// and has nothing without a bound in its labels.
func TestOpenMetricsIsWellFormed(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone").AddPush()
		_, _, _ = m.login(fields{"password": "wrong"})
		m.hold(nil)
		text := m.scrape()
		requireOpenMetrics(t, text)
		for _, want := range []string{
			`vault_okta_mount_info{mount_path="auth/okta/",mount_accessor="auth_okta_1",version="v9.9.9"} 1`,
			`vault_okta_logins_total{mount_path="auth/okta/",kind="login",event="login_denied"} 1`,
			`vault_okta_logins_total{mount_path="auth/okta/",kind="renewal",event="lockout"} 0`,
			`vault_okta_calls_total{mount_path="auth/okta/",endpoint="authn",result="401"} 1`,
			`vault_okta_call_duration_seconds_bucket{mount_path="auth/okta/",endpoint="authn",le="+Inf"} 2`,
			`vault_okta_pushes_waiting{mount_path="auth/okta/"} 1`,
			`vault_okta_logins_held{mount_path="auth/okta/"} 1`,
		} {
			assert.Contains(t, text, want+"\n")
		}
		assert.Regexp(t, `vault_okta_rate_limit_remaining\{mount_path="auth/okta/",api="authn"\} \d+\n`, text)
		for _, name := range []string{testLogin, callerIP, "Everyone"} {
			assert.NotContains(t, text, name)
		}
	})
}

// requireOpenMetrics holds text to the rules of OpenMetrics.
func requireOpenMetrics(t *testing.T, text string) {
	t.Helper()
	require.True(t, strings.HasSuffix(text, "\n# EOF\n"), text)
	label := `[a-z_]+="(?:[^"\\\n]|\\["\\n])*"`
	line := regexp.MustCompile(`^([a-z_]+)\{(` + label + `(?:,` + label + `)*)\} ([0-9.]+)$`)
	suffixes := map[string]string{"counter": "_total", "gauge": "", "info": "_info", "histogram": "_bucket|_count|_sum"}
	family, kind := "", ""
	families, series, last := map[string]bool{}, map[string]bool{}, map[string]float64{}
	for _, text := range strings.Split(strings.TrimSuffix(text, "# EOF\n"), "\n") {
		if declared := regexp.MustCompile(`^# TYPE (\w+) (\w+)$`).FindStringSubmatch(text); declared != nil {
			family, kind = declared[1], declared[2]
			require.Contains(t, suffixes, kind)
			require.NotContains(t, families, family, "declared once")
			families[family] = true
			continue
		}
		if text == "" || regexp.MustCompile(`^# (HELP|UNIT) `+family+` \S`).MatchString(text) {
			continue
		}
		m := line.FindStringSubmatch(text)
		require.NotNil(t, m, text)
		require.Regexp(t, `^`+family+`(?:`+suffixes[kind]+`)$`, m[1])
		id := m[1] + m[2]
		require.NotContains(t, series, id, "each series once")
		series[id] = true
		value, err := strconv.ParseFloat(m[3], 64)
		require.NoError(t, err)
		if kind == "histogram" {
			of := regexp.MustCompile(`,le="[^"]+"`).ReplaceAllString(m[2], "")
			switch {
			case strings.HasSuffix(m[1], "_bucket"):
				require.GreaterOrEqual(t, value, last[of], "buckets add up")
				last[of] = value
			case strings.HasSuffix(m[1], "_count"):
				require.Equal(t, last[of], value, "the last bucket has them all")
			}
		}
	}
	require.NotEmpty(t, series)
}

// TestOpenMetricsOfAStrangeMount: whatever a mount is called, the text stays well formed.
func TestOpenMetricsOfAStrangeMount(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	text := string(openMetrics(m.inner.families(), "auth/a\"b\\c\nd/"))
	requireOpenMetrics(t, text)
	assert.Contains(t, text, `{mount_path="auth/a\"b\\c\nd/"`)
}

func TestStatsFormat(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		_, status, text := m.do(logical.ReadOperation, "stats", fields{"format": "xml"})
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Equal(t, `format must be "json" or "openmetrics"`, text)
		_, status, text = m.do(logical.ReadOperation, "stats", fields{"format": ""})
		assert.Equal(t, http.StatusOK, status, text)
	})
}

// TestStatsAreOfTheNodeAndPrivileged: no node hands the read on, and nobody reads the
// numbers without a token.
func TestStatsAreOfTheNodeAndPrivileged(t *testing.T) {
	t.Parallel()
	m := newMount(t, false)
	for _, path := range m.inner.Paths {
		handler, ok := path.Operations[logical.ReadOperation]
		if !ok {
			continue
		}
		operation := handler.(*framework.PathOperation)
		assert.Equal(t, path.Pattern != "stats", operation.ForwardPerformanceStandby, path.Pattern)
		assert.False(t, operation.ForwardPerformanceSecondary, path.Pattern)
	}
	for _, path := range m.backend.SpecialPaths().Unauthenticated {
		assert.False(t, strings.HasPrefix(statsPath, strings.TrimSuffix(path, "*")), path)
	}
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	var h histogram
	require.Equal(t, len(bounds)+1, len(h.buckets))
	assert.Zero(t, h.read().quantile(0.5), "nothing was measured")
	for range 90 {
		h.add(40 * time.Millisecond)
	}
	for range 9 {
		h.add(400 * time.Millisecond)
	}
	h.add(time.Hour)
	read := h.read()
	assert.EqualValues(t, 100, read.count)
	for part, want := range map[float64][2]time.Duration{
		0.5: {25 * time.Millisecond, 50 * time.Millisecond}, 0.95: {300 * time.Millisecond, 500 * time.Millisecond},
		0.99: {500 * time.Millisecond, 500 * time.Millisecond}, 1: {15 * time.Second, 15 * time.Second},
	} {
		got := read.quantile(part)
		assert.GreaterOrEqual(t, got, want[0], part)
		assert.LessOrEqual(t, got, want[1], part)
	}
	assert.True(t, okta.DefaultTimeout <= bounds[len(bounds)-1], "a request that times out is in a bucket with an end")
	var edge histogram
	edge.add(bounds[3])
	assert.EqualValues(t, 1, edge.read().buckets[3], "an upper end is in its bucket")
}

// BenchmarkObserve is what the numbers add to a request to Okta.
func BenchmarkObserve(b *testing.B) {
	s := newStats(time.Now())
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			s.observe(okta.Call{Endpoint: okta.EndpointGroups, Result: okta.CallOK, Duration: 80 * time.Millisecond})
		}
	})
}
