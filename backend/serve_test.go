package backend

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/tokenutil"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// loses panics with what a person has given, as any bug may.
func loses(secret string) { panic(fmt.Sprintf("cannot parse %q", secret)) }

// caught asserts that the one panic since before is in the log: its place, and not
// its data.
func (m *mount) caught(before string) {
	m.t.Helper()
	log := strings.TrimPrefix(m.logs.String(), before)
	assert.Equal(m.t, 1, strings.Count(log, "[ERROR] request failed by a bug in the plugin"), log)
	assert.Contains(m.t, log, "backend.loses ")
	assert.Contains(m.t, log, "serve_test.go:")
	assert.NotContains(m.t, log, testPassword)
}

// A panic ends the one call that it is in: the mount serves the next, and the caller
// learns that the plugin is to blame. A panic that gets further ends this test's
// process, as it would end every login on every mount.
func TestPanicEndsOneCall(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone")
		config := m.inner.Route("config")
		read, exists := config.Operations[logical.ReadOperation], config.ExistenceCheck
		config.Operations[logical.ReadOperation] = &framework.PathOperation{
			Callback: func(context.Context, *logical.Request, *framework.FieldData) (*logical.Response, error) {
				loses(testPassword)
				return nil, nil
			},
		}
		config.ExistenceCheck = func(context.Context, *logical.Request, *framework.FieldData) (bool, error) {
			loses(testPassword)
			return false, nil
		}
		m.inner.PeriodicFunc = func(context.Context, *logical.Request) error { loses(testPassword); return nil }
		m.inner.Invalidate = func(context.Context, string) { loses(testPassword) }

		calls := map[string]func() error{
			"request":   func() error { return m.failed(logical.ReadOperation, "config") },
			"tidying":   func() error { return m.failed(logical.RollbackOperation, "") },
			"existence": func() error { return m.existence("config") },
			"invalidation": func() error {
				m.backend.InvalidateKey(t.Context(), configKey)
				return nil
			},
		}
		for name, call := range calls {
			before := m.logs.String()
			if err := call(); name != "invalidation" {
				require.ErrorContains(t, err, "a bug in the okta auth plugin", name)
				assert.Equal(t, http.StatusInternalServerError, statusOf(err), name)
				assert.NotContains(t, err.Error(), testPassword, name)
			}
			m.caught(before)
			m.mustLogin(nil)
		}

		config.Operations[logical.ReadOperation], config.ExistenceCheck = read, exists
		assert.Equal(t, "acme", m.read("config")["org_name"])
		require.NoError(t, m.existence("config"))
	})
}

// failed is the error of a request.
func (m *mount) failed(op logical.Operation, path string) error {
	_, err := m.backend.HandleRequest(m.t.Context(), m.request(op, path, fields{"password": testPassword}))
	return err
}

// existence is the error of an existence check.
func (m *mount) existence(path string) error {
	_, _, err := m.backend.HandleExistenceCheck(m.t.Context(), m.request(logical.CreateOperation, path, fields{"api_token": testPassword}))
	return err
}

// statusOf is the HTTP status that Vault makes of an error.
func statusOf(err error) int {
	status := 0
	logical.AdjustErrorStatusCode(&status, err)
	return status
}

// A mount that goes by a panic takes no other mount with it.
func TestPanicOfAMountThatGoes(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		other := m.another()
		other.configure(nil)
		other.addUser("Everyone")
		m.inner.Clean = func(context.Context) { loses(testPassword) }
		m.backend.Cleanup(t.Context())
		m.caught("")
		other.mustLogin(nil)
	})
}

// faultyClock panics in the next wait for a push.
type faultyClock struct {
	*stepClock
	broken bool
}

func (c *faultyClock) Sleep(ctx context.Context, d time.Duration) error {
	if c.broken {
		loses(testPassword)
	}
	return c.stepClock.Sleep(ctx, d)
}

// A panic may come after a push, and 500 would make Vault's client send another.
func TestPanicAfterThePush(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		clock := &faultyClock{stepClock: m.clock, broken: true}
		m.inner.clock = clock
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("WAITING", "SUCCESS")
		text := m.refused(nil)
		assert.Contains(t, text, "a bug in the okta auth plugin")
		assert.Contains(t, text, "a push or a code may have been sent")
		assert.NotContains(t, text, testPassword)
		m.caught("")
		assert.Equal(t, 1, push.Pushes())
		clock.broken = false
		m.mustLogin(nil)
		assert.Equal(t, 2, push.Pushes())
	})
}

// notSecret are the fields whose names sound like a secret's, and why they hold none.
var notSecret = map[string]string{
	"passcode_separator":  "a character that an operator chooses",
	"key_rotation_period": "a duration",
	"key_size":            "a number of bytes",
	"use_passcode":        "true or false",
	"integration_key":     "Duo's name for a client id; the secret is secret_key",
}

// A field whose name sounds like a secret's is marked as Sensitive, which has the UI
// hide it and the plugin keep it out of the framework's errors.
func TestSecretsAreSensitive(t *testing.T) {
	t.Parallel()
	b := newBackend(settings{version: testVersion})
	sounds := regexp.MustCompile(`token|passw|passcode|totp|key|secret|settings|credential`)
	met := map[string]bool{}
	for _, path := range b.Paths {
		for name, field := range path.Fields {
			met[name] = true
			_, tokenParam := tokenutil.TokenFields()[name] // limits and policies of the tokens that Vault issues
			if sounds.MatchString(name) && !tokenParam && notSecret[name] == "" {
				assert.Contains(t, b.sensitive, name, path.Pattern)
			}
			if fieldType, sensitive := b.sensitive[name]; sensitive {
				assert.Equal(t, fieldType, field.Type, "%s is checked by one type", name)
				assert.Contains(t, []framework.FieldType{framework.TypeString, framework.TypeStringSlice}, fieldType,
					"checkSensitive knows no other: %s", name)
			}
		}
	}
	for name := range notSecret {
		assert.True(t, met[name], "no path has a field %s", name)
	}
	assert.ElementsMatch(t, []string{
		"api_token", "token", "password", "totp", "passcode", "transaction_id", "device_token", "secret_key", "settings_file_base64", "mfa",
	}, slices.Collect(maps.Keys(b.sensitive)), "what the UI must hide")
}

// No error quotes what a sensitive field holds, whatever was put into it.
func TestSensitiveFieldsAreNotQuoted(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		for name, fieldType := range m.inner.sensitive {
			problem := " must be a string"
			wrong := []any{fields{"a": testPassword}, []any{testPassword}}
			if fieldType == framework.TypeStringSlice {
				problem = " must be a list of strings"
				wrong = []any{fields{"a": testPassword}, []any{[]any{testPassword}}, []any{fields{"a": testPassword}}}
			}
			for _, path := range []string{"config", "login/" + testLogin, "mfa/method/duo", "mfa/method/okta", "mfa/method/pingid"} {
				for _, value := range wrong {
					req := m.request(logical.UpdateOperation, path, fields{name: value})
					_, _, err := m.backend.HandleExistenceCheck(t.Context(), req)
					require.NoError(t, err)
					_, status, text := m.send(t.Context(), req)
					assert.Equal(t, http.StatusBadRequest, status)
					assert.Contains(t, text, name+problem)
					assert.NotContains(t, text, testPassword)
				}
			}
		}
		assert.NotContains(t, m.logs.String(), testPassword)
	})
}
