package backend

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// longer are durations that may be longer than a minute and a half.
var longer = map[string]bool{"key_rotation_period": true, "renewal_grace": true, "push_failure_window": true, "login_failure_window": true,
	"login_lockout_duration": true}

// A duration of the plugin's own is read as it is written, whichever way that was. Those
// of the builtin method are read in seconds. The fields are found in the schemas.
func TestDurationsAreReadInOneForm(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.write("mfa/method/totp/mine", fields{"issuer": "Acme"})
		found := 0
		for path, at := range map[string]string{"config": "config", "mfa/method/totp/(?P<method_id>[^/]+)": "mfa/method/totp/mine"} {
			for field, schema := range m.pathOf(path).Fields {
				if schema.Type != framework.TypeDurationSecond {
					continue
				}
				found++
				for seconds, text := range map[int]string{4500: "1h15m", 60: "1m", 75: "1m15s"} {
					if field == "key_rotation_period" && seconds < 3600 || !longer[field] && seconds > 80 {
						continue // out of its bounds
					}
					for _, form := range []any{seconds, float64(seconds), fmt.Sprint(seconds), fmt.Sprintf("%ds", seconds), text} {
						m.write(at, fields{field: form})
						if got := m.read(at)[field]; slices.Contains(builtinDurations, field) {
							assert.EqualValues(t, seconds, num(t, got), "%s=%v", field, form)
						} else {
							assert.Equal(t, text, got, "%s=%v", field, form)
						}
					}
				}
				m.write(at, fields{"ttl": 0, "max_ttl": 0, "token_ttl": 0, "token_max_ttl": 0, "token_period": 0})
			}
		}
		assert.Greater(t, found, 10)
	})
}

func TestDurationText(t *testing.T) {
	for d, text := range map[time.Duration]string{
		0: "0s", time.Second: "1s", 80 * time.Second: "1m20s", 10 * time.Minute: "10m", time.Hour: "1h", 90 * time.Minute: "1h30m",
		24 * time.Hour: "24h", time.Hour + time.Second: "1h0m1s", 100 * time.Minute: "1h40m", 10 * time.Hour: "10h", 20 * time.Second: "20s",
	} {
		assert.Equal(t, text, durationText(d))
	}
}

// pathOf returns the path of that pattern.
func (m *mount) pathOf(pattern string) *framework.Path {
	m.t.Helper()
	for _, path := range m.inner.Paths {
		if strings.Trim(path.Pattern, "^$") == pattern {
			return path
		}
	}
	require.Fail(m.t, "no such path", pattern)
	return nil
}
