package backend

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// sampleNames are all names of samples that a scrape may have.
func sampleNames(t *testing.T) (names []string) {
	t.Helper()
	suffixes := map[string][]string{
		kindCounter: {"_total"}, kindGauge: {""}, kindInfo: {"_info"}, kindHistogram: {"_bucket", "_count", "_sum"},
	}
	for _, f := range newMount(t, false).inner.families() {
		for _, suffix := range suffixes[f.kind] {
			names = append(names, f.name+suffix)
		}
	}
	return names
}

// TestMetricsAreDocumented: docs/monitoring.md explains each metric, label and event, and
// neither it nor the dashboard names one that does not exist.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	names := sampleNames(t)
	monitoring, err := os.ReadFile("../docs/monitoring.md")
	require.NoError(t, err)
	dashboard, err := os.ReadFile("../docs/grafana.json")
	require.NoError(t, err)
	require.True(t, json.Valid(dashboard))

	metric := regexp.MustCompile(`vault_okta_\w+`)
	var inTable []string
	for _, row := range regexp.MustCompile("(?m)^\\| `vault_okta_.*$").FindAllString(string(monitoring), -1) {
		inTable = append(inTable, metric.FindAllString(strings.Split(row, " | ")[0], -1)...)
	}
	assert.ElementsMatch(t, names, inTable)
	for file, text := range map[string][]byte{"monitoring.md": monitoring, "grafana.json": dashboard} {
		used := metric.FindAllString(string(text), -1)
		require.NotEmpty(t, used, file)
		assert.Subset(t, names, used, file)
	}
	for _, name := range names {
		assert.Contains(t, string(dashboard), name, "the dashboard shows each number")
	}

	// Values of labels, in the text and in the expressions.
	for label, known := range map[string][]string{
		"event": labels(loginEvents), "kind": attemptKinds, "endpoint": append(labels(okta.Endpoints), otherEndpoint), "result": append(labels(okta.CallResults), "hit", "miss", eventSent, eventFailed, eventDropped),
	} {
		for _, text := range []string{string(monitoring), string(dashboard)} {
			text = strings.ReplaceAll(strings.ReplaceAll(text, `\"`, `"`), `\|`, `|`)
			for _, m := range regexp.MustCompile(`\b`+label+`[=!]~?"([^"]+)"`).FindAllStringSubmatch(text, -1) {
				assert.Subset(t, known, strings.Split(m[1], "|"), m[0])
			}
		}
		for _, value := range known {
			assert.Contains(t, string(monitoring), "`"+value+"`", label)
		}
	}
	_, events, _ := strings.Cut(string(monitoring), "\n### Events\n")
	events, _, _ = strings.Cut(events, "\n### ")
	var listed []string
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| ").FindAllStringSubmatch(events, -1) {
		listed = append(listed, m[1])
	}
	assert.Equal(t, append([]string{"event"}, labels(logEvents)...), listed, "the table of events")
}
