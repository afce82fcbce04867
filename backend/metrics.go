package backend

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// This file writes the numbers of a mount as OpenMetrics text.
// https://github.com/OpenObservability/OpenMetrics/blob/main/specification/OpenMetrics.md

const openMetricsType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

// family is a metric, with all samples of it.
type family struct {
	name, kind, help string
	samples          []sample
}

// sample is one value. Its name is that of its family with the suffix.
type sample struct {
	suffix string
	labels []string // name, value, name, value
	value  float64
}

// The kinds of families.
const (
	kindCounter   = "counter"
	kindGauge     = "gauge"
	kindHistogram = "histogram"
	kindInfo      = "info"
)

func (f *family) add(suffix string, value float64, labels ...string) {
	f.samples = append(f.samples, sample{suffix, labels, value})
}

// families are all metrics of the mount. A login, and a call to Okta, costs none of this.
func (b *backend) families() []*family {
	mount := &family{name: "vault_okta_mount", kind: kindInfo, help: "The mount, and the version of its plugin."}
	mount.add("_info", 1, "mount_accessor", b.log.mount().accessor, "version", b.version)
	start := &family{name: "vault_okta_start_time_seconds", kind: kindGauge, help: "When the mount began on this node, and its counters at zero."}
	start.add("", float64(b.stats.since.UnixMilli())/1000)
	logins := &family{name: "vault_okta_logins", kind: kindCounter, help: "Requests to log in and to renew a token, by how they were answered."}
	b.stats.logins.each(func(kind, event string, n int64) { logins.add("_total", float64(n), "kind", kind, "event", event) })
	calls := &family{name: "vault_okta_calls", kind: kindCounter, help: "Requests to Okta, by how they ended."}
	b.stats.calls.each(func(endpoint, result string, n int64) {
		if n > 0 {
			calls.add("_total", float64(n), "endpoint", endpoint, "result", result)
		}
	})
	memory := &family{name: "vault_okta_memory_reads", kind: kindCounter, help: "Reads of entries, from memory (hit) and from storage (miss)."}
	for _, m := range b.memories() {
		memory.add("_total", float64(m.hits), "entries", m.entries, "result", "hit")
		memory.add("_total", float64(m.misses), "entries", m.entries, "result", "miss")
	}
	events := &family{name: "vault_okta_events", kind: kindCounter, help: "Events for Vault's event system, by what became of them."}
	b.events.results.each(func(about, result string, n int64) {
		events.add("_total", float64(n), "about", about, "result", result)
	})
	limit := &family{name: "vault_okta_rate_limit", kind: kindGauge, help: "Requests that Okta allows in a window of its rate limit."}
	left := &family{name: "vault_okta_rate_limit_remaining", kind: kindGauge, help: "Requests that are left of them, for all who call the org."}
	for _, l := range b.rateLimits() {
		limit.add("", float64(l.Limit), "api", l.api)
		left.add("", float64(l.Remaining), "api", l.api)
	}
	return []*family{
		mount, start, logins, calls, b.durations(), memory, events, limit, left,
		gauge("vault_okta_pushes_waiting", "Pushes that wait for somebody to answer them.", b.logins.Waiting(b.now())),
		gauge("vault_okta_logins_held", "Logins with wait=false that have not ended.", b.held.count()),
		gauge("vault_okta_logins_queued", "Logins that wait for a place at Okta.", b.attempts.queued()),
	}
}

func gauge(name, help string, value int) *family {
	f := &family{name: name, kind: kindGauge, help: help}
	f.add("", float64(value))
	return f
}

// durations is how long Okta took, of the endpoints that have been called.
func (b *backend) durations() *family {
	f := &family{name: "vault_okta_call_duration_seconds", kind: kindHistogram, help: "How long Okta took to answer."}
	for _, endpoint := range b.stats.calls.rows {
		t := b.stats.times[endpoint].read()
		if t.count == 0 {
			continue
		}
		var below int64
		for i, n := range t.buckets {
			end := "+Inf"
			if i < len(bounds) {
				end = number(bounds[i].Seconds())
			}
			below += n
			f.add("_bucket", float64(below), "endpoint", endpoint, "le", end)
		}
		f.add("_count", float64(t.count), "endpoint", endpoint)
		f.add("_sum", t.sum.Seconds(), "endpoint", endpoint)
	}
	return f
}

// namedLimit is a rate limit of Okta's, by the API that has it.
type namedLimit struct {
	api string
	okta.RateLimit
}

// rateLimits are those whose window has not ended: what is left of the next one nobody
// knows.
func (b *backend) rateLimits() (all []namedLimit) {
	client := b.clients.current("")
	if client == nil {
		return nil
	}
	for _, l := range []namedLimit{
		{"authn", client.AuthnLimit()}, {"groups", client.UsersLimit()}, {"factors", client.PushLimit()},
	} {
		if l.Reset.After(b.now()) {
			all = append(all, l)
		}
	}
	return all
}

// memory is how often entries were read from memory, and how often not.
type memory struct {
	entries      string
	hits, misses int64
}

func (b *backend) memories() []memory {
	uses := func(entries string, of interface{ Uses() (hits, misses int64) }) memory {
		hits, misses := of.Uses()
		return memory{entries, hits, misses}
	}
	return []memory{
		uses("config", b.configs), uses("users", b.users), uses("groups", b.mappings),
		uses("methods", b.methods), uses("keys", b.keys),
	}
}

// openMetrics writes families as OpenMetrics text, each sample with the path of the mount.
func openMetrics(families []*family, mountPath string) []byte {
	var text strings.Builder
	for _, f := range families {
		fmt.Fprintf(&text, "# TYPE %s %s\n", f.name, f.kind)
		if strings.HasSuffix(f.name, "_seconds") {
			fmt.Fprintf(&text, "# UNIT %s seconds\n", f.name)
		}
		fmt.Fprintf(&text, "# HELP %s %s\n", f.name, f.help)
		for _, s := range f.samples {
			fmt.Fprintf(&text, `%s%s{mount_path="%s"`, f.name, s.suffix, escapeLabel.Replace(mountPath))
			for i := 0; i < len(s.labels); i += 2 {
				fmt.Fprintf(&text, `,%s="%s"`, s.labels[i], escapeLabel.Replace(s.labels[i+1]))
			}
			fmt.Fprintf(&text, "} %s\n", number(s.value))
		}
	}
	text.WriteString("# EOF\n")
	return []byte(text.String())
}

var escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }

// seconds is a duration as a number of seconds, to the millisecond.
func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }
