package backend

import (
	"net/http"
	"regexp"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Every list of the mount answers a part of itself: the paths are found by what they can
// do, so that a new one is in the test.
func TestEveryListHasPages(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"alias_source": "login"})
		for _, name := range []string{"b/y", "a/x", "c", "a", "b/x"} {
			m.write("users/"+name, fields{"policies": "p"}) // without a domain: in config/aliases, too
			m.write("groups/"+name, fields{"policies": "p"})
		}
		for _, typ := range []string{"okta", "totp", "duo", "pingid"} {
			for _, name := range []string{"1", "2", "3", "4", "5"} {
				body := fields{"method_name": typ + name}
				for _, part := range asRead[typ] {
					for field, value := range part {
						body[field] = value
					}
				}
				m.write("mfa/method/"+typ, body)
			}
		}
		lists := 0
		for _, path := range m.inner.Paths {
			if path.Operations[logical.ListOperation] == nil {
				continue
			}
			lists++
			at := regexp.MustCompile(`[\^?$]`).ReplaceAllString(path.Pattern, "")
			list := func(data fields) (keys []string, info fields, status int) {
				t.Helper()
				resp, status, text := m.do(logical.ListOperation, at, data)
				if status == http.StatusOK {
					info, _ = resp.Data["key_info"].(map[string]any)
					return toStrings(resp.Data["keys"]), info, status
				}
				require.Equal(t, http.StatusNotFound, status, "%s: %s", at, text)
				return nil, nil, status
			}
			whole, allInfo, _ := list(nil)
			require.GreaterOrEqual(t, len(whole), 5, at)
			for _, zero := range []any{"0", "-1", "", nil} {
				again, _, _ := list(fields{"limit": zero, "after": nil})
				assert.Equal(t, whole, again, at)
			}
			var paged []string
			for after := ""; ; {
				keys, info, _ := list(fields{"after": after, "limit": "2"})
				if len(keys) == 0 {
					break
				}
				assert.LessOrEqual(t, len(keys), 2, at)
				if allInfo != nil {
					assert.Len(t, info, len(keys), at)
				}
				for _, key := range keys {
					assert.Less(t, after, key, at)
					assert.Equal(t, allInfo[key], info[key], at)
					after = key
				}
				paged = append(paged, keys...)
			}
			assert.ElementsMatch(t, whole, paged, at)
			assert.IsIncreasing(t, paged, at)

			from, _, _ := list(fields{"after": paged[1]})
			assert.Equal(t, paged[2:], from, at)
			from, _, _ = list(fields{"after": paged[1] + "\x01", "limit": 1})
			assert.Equal(t, paged[2:3], from, "%s: a name that does not exist", at)
			many, _, _ := list(fields{"limit": "1000000"})
			assert.Equal(t, paged, many, at)

			for field, values := range map[string][]any{
				"limit": {"many", "1.5", "1e3", true, []any{"1", "2"}, "99999999999999999999"},
				"after": {[]any{"a", "b"}, map[string]any{"a": "b"}, 5},
			} {
				for _, value := range values {
					_, status, text := m.do(logical.ListOperation, at, fields{field: value})
					assert.Equal(t, http.StatusBadRequest, status, "%s %s=%v", at, field, value)
					assert.Regexp(t, "^"+field+" must be ", text)
				}
			}
			for name, schema := range pageFields {
				assert.Same(t, schema, path.Fields[name], at)
			}
		}
		assert.Equal(t, 8, lists)
	})
}
