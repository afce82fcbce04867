package backend

import (
	"context"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
)

// statsPath is the path of the numbers of the mount on the node that is asked.
const statsPath = "stats"

func (b *backend) pathStats() *framework.Path {
	return &framework.Path{
		Pattern: statsPath,
		Fields: grouped("Numbers", fieldSchemas{
			"format": {
				Type:          framework.TypeString,
				Query:         true,
				Default:       formatJSON,
				AllowedValues: []any{formatJSON, formatOpenMetrics},
				Description:   `"json", or "openmetrics" for the plain text that Prometheus reads. "json" when empty.`,
				DisplayAttrs:  &framework.DisplayAttributes{Name: "Format"},
			},
		}),
		Operations: map[logical.Operation]framework.OperationHandler{
			logical.ReadOperation: &framework.PathOperation{
				Callback: b.pathStatsRead, Summary: "Read the numbers of the mount on this node.",
				Responses: told(numberFields(), http.StatusBadRequest),
			},
		},
		HelpSynopsis:    "Numbers of the mount on this node: logins, requests to Okta and their times, rate limits, memory.",
		HelpDescription: statsHelp,
		DisplayAttrs:    &framework.DisplayAttributes{OperationPrefix: operationPrefix, OperationSuffix: "stats"},
	}
}

// The formats of the numbers.
const (
	formatJSON        = "json"
	formatOpenMetrics = "openmetrics"
)

func (b *backend) pathStatsRead(_ context.Context, _ *logical.Request, d *framework.FieldData) (*logical.Response, error) {
	switch format, _ := newest[string](d, "format"); format {
	case "", formatJSON:
		return &logical.Response{Data: b.numbersNow()}, nil
	case formatOpenMetrics:
		return &logical.Response{Data: map[string]any{
			logical.HTTPStatusCode:  http.StatusOK,
			logical.HTTPContentType: openMetricsType,
			logical.HTTPRawBody:     openMetrics(b.families(), b.log.mount().path),
		}}, nil
	}
	return answerInput(invalid("format", `must be "json" or "openmetrics"`))
}

// numberFields are what numbersNow has.
func numberFields() fieldSchemas {
	return fieldSchemas{
		"since":          {Type: framework.TypeTime, Description: "When the mount began on this node."},
		"logins":         {Type: framework.TypeMap, Description: "Logins and renewals, by how they were answered."},
		"okta_calls":     {Type: framework.TypeMap, Description: "Requests to Okta, by endpoint: their results, and p50, p95 and p99 of their times in seconds."},
		"rate_limits":    {Type: framework.TypeMap, Description: "What Okta last said of its rate limits, by API."},
		"pushes_waiting": {Type: framework.TypeInt, Description: "Pushes that wait for people."},
		"logins_held":    {Type: framework.TypeInt, Description: "Logins with wait=false that are open."},
		"logins_queued":  {Type: framework.TypeInt, Description: "Logins that wait for a place at Okta."},
		"memory":         {Type: framework.TypeMap, Description: "Reads of entries, from memory and from storage."},
	}
}

// numbersNow are the numbers as a read answers them.
func (b *backend) numbersNow() map[string]any {
	logins := map[string]any{}
	for _, kind := range attemptKinds {
		logins[kind] = map[string]any{}
	}
	b.stats.logins.each(func(kind, event string, n int64) { logins[kind].(map[string]any)[event] = n })
	calls := map[string]any{}
	b.stats.calls.each(func(endpoint, result string, n int64) {
		if n == 0 {
			return
		}
		if calls[endpoint] == nil {
			t := b.stats.times[endpoint].read()
			calls[endpoint] = map[string]any{"results": map[string]any{},
				"p50": seconds(t.quantile(0.5)), "p95": seconds(t.quantile(0.95)), "p99": seconds(t.quantile(0.99))}
		}
		calls[endpoint].(map[string]any)["results"].(map[string]any)[result] = n
	})
	memory := map[string]any{}
	for _, m := range b.memories() {
		memory[m.entries] = map[string]any{"hits": m.hits, "misses": m.misses}
	}
	limits := map[string]any{}
	for _, l := range b.rateLimits() {
		limits[l.api] = map[string]any{"limit": l.Limit, "remaining": l.Remaining, "resets_at": l.Reset.UTC().Format(time.RFC3339)}
	}
	return map[string]any{
		"since":          b.stats.since.UTC().Format(time.RFC3339),
		"logins":         logins,
		"okta_calls":     calls,
		"rate_limits":    limits,
		"pushes_waiting": b.logins.Waiting(b.now()),
		"logins_held":    b.held.count(),
		"logins_queued":  b.attempts.queued(),
		"memory":         memory,
	}
}

const statsHelp = `
What this node has counted since it started the mount: requests to log in and to
renew tokens, by their outcome; requests to Okta, by endpoint and result, with the time
in seconds within which half, 95% and 99% of them ended; what is left of Okta's rate
limits; pushes that wait, and logins that are held or queued; and reads of entries
from memory and from storage.

With format=openmetrics the answer is the plain text that Prometheus scrapes.
`
