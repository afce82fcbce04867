package okta_test

import (
	"context"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

const canary = "canary-5e1f-of-a-secret"

// secretive makes one of every exported type that holds a secret, as a user of the
// package gets it.
func secretive(t *testing.T) map[string][]any {
	t.Helper()
	srv, user := newOrg(t)
	cfg := okta.Config{OrgURL: srv.URL, APIToken: okta.NewSecret(canary + "-of-the-mount"), RootCAs: srv.CertPool()}
	c, err := okta.New(cfg)
	require.NoError(t, err)
	t.Cleanup(c.CloseIdleConnections)

	body := fmt.Sprintf(`{"status":"SUCCESS","stateToken":%q,"sessionToken":%[1]q,"_embedded":{"user":{"id":"00u1","profile":{"login":"mia"}}}}`, canary)
	srv.Fail("authn", oktatest.Body(200, "application/json", body))
	tx, err := c.Authenticate(t.Context(), login, password)
	require.NoError(t, err)
	require.Equal(t, canary, tx.StateToken.Reveal())

	push := user.AddPush()
	link := srv.URL + factorPath(push) + "/transactions/" + canary
	srv.Fail("verifyfactor", oktatest.Body(201, "application/json", waitingAt(link, link)))
	pushed, err := c.ChallengeFactor(t.Context(), user.ID, enrolled(push), false)
	require.NoError(t, err)

	srv.Fail("verify", oktatest.Status(409, okta.CodeNextPassCode, "Your PIN is "+canary[:8]))
	_, err = c.Verify(t.Context(), tx, okta.Factor{ID: "rsa1"}, passCode)
	asks := refusal(t, err)
	require.Equal(t, "Your PIN is "+canary[:8], asks.Words.Reveal())

	return map[string][]any{
		"Error":      append(shapes(*asks), fmt.Errorf("x: %w", err)),
		"Secret":     shapes(okta.NewSecret(canary)),
		"Config":     shapes(cfg),
		"ServiceApp": shapes(okta.ServiceApp{ClientID: "0oa1", Scopes: []string{"s"}, Key: newKey(t)}),
		"Device":     shapes(okta.Device{Token: okta.NewSecret(canary), Remember: true}),
		"Client": append(shapes(*c.OnDevice(okta.Device{Token: okta.NewSecret(canary)})),
			shapes(c.For(okta.Caller{Address: "198.51.100.7"}))...),
		"SigningKey":        shapes(*newKey(t)), // see TestSigningKeyDoesNotPrint
		"Transaction":       shapes(tx),
		"FactorTransaction": shapes(pushed),
	}
}

// openTypes hold no secret.
var openTypes = []string{"Account", "Answer", "Call", "Caller", "Challenge", "DownError", "Factor", "Group", "Organization", "RateLimit", "Reach",
	"Unprintable", "UnreachableError", "User"}

// shapes are the ways in which a value can be a part of what is printed.
func shapes[T any](v T) []any {
	return []any{
		v, &v, []T{v}, []*T{&v}, [1]T{v}, map[string]T{"k": v}, map[string]any{"k": v},
		struct{ V T }{v}, struct{ V *T }{&v}, struct{ v T }{v}, &struct{ v T }{v}, struct{ v *T }{&v}, struct{ v []T }{[]T{v}},
		struct{ v any }{v}, struct{ V struct{ v T } }{struct{ v T }{v}},
	}
}

// TestSecretsDoNotPrint: whatever prints a value, and whatever the value is a part
// of, what comes out holds no secret.
func TestSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	made := secretive(t)
	for name, values := range made {
		t.Run(name, func(t *testing.T) {
			for _, v := range values {
				for how, text := range printed(v) {
					if leaks(text) {
						t.Errorf("%s of %T: %s", how, v, text)
					}
				}
			}
		})
	}
	for _, name := range exportedStructs(t) {
		if made[name] == nil && !slices.Contains(openTypes, name) {
			t.Errorf("does a %s hold a secret? Add it to secretive or to openTypes.", name)
		}
	}
}

// printed is what all ways of printing make of v.
func printed(v any) map[string]string {
	all := map[string]string{"Sprint": fmt.Sprint(v), "Sprintln": fmt.Sprintln(v), "Errorf": fmt.Errorf("x: %v", v).Error()}
	for verb := 'A'; verb <= 'z'; verb++ {
		for _, flags := range []string{"", "+", "#", " ", "-40", "040", ".3"} {
			format := "%" + flags + string(verb)
			all[format] = fmt.Sprintf(format, v)
		}
	}
	raw, err := json.Marshal(v)
	all["json"] = fmt.Sprintf("%s %v", raw, err)
	var b strings.Builder
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("x", "v", v)
	for _, asJSON := range []bool{false, true} {
		hclog.New(&hclog.LoggerOptions{Output: &b, JSONFormat: asJSON}).Info("x", "v", v)
	}
	all["loggers"] = b.String()
	return all
}

// leaks looks for the secret, and for the bytes of it in hexadecimal or decimal.
func leaks(text string) bool {
	decimal := strings.Trim(fmt.Sprint([]byte(canary[:8])), "[]")
	plain := strings.NewReplacer(" ", "", "0x", "", "0X", "", ",", "").Replace(text)
	return strings.Contains(text, canary[:8]) || strings.Contains(text, decimal) ||
		strings.Contains(strings.ToLower(plain), fmt.Sprintf("%x", canary[:8]))
}

// TestLeaksAreFound: the test above sees a secret that is printed.
func TestLeaksAreFound(t *testing.T) {
	t.Parallel()
	for _, v := range []any{canary, []byte(canary), struct{ v string }{canary}, &struct{ V []byte }{[]byte(canary)}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%x", "% x", "%X", "%d", "%q"} {
			assert.True(t, leaks(fmt.Sprintf(verb, v)), "%s of %T: %s", verb, v, fmt.Sprintf(verb, v))
		}
	}
	assert.False(t, leaks(fmt.Sprint(struct{ v okta.Secret }{okta.NewSecret(canary)})))
}

// exportedStructs lists the exported struct types of the package.
func exportedStructs(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok && spec.Name.IsExported() {
				if _, ok := spec.Type.(*ast.StructType); ok {
					names = append(names, spec.Name.Name)
				}
			}
			return true
		})
	}
	require.Contains(t, names, "Client")
	return names
}

func TestSecret(t *testing.T) {
	t.Parallel()
	s := okta.NewSecret(canary)
	assert.Equal(t, canary, s.Reveal())
	assert.False(t, s.IsZero())
	assert.Equal(t, "[secret]", s.String())
	assert.Equal(t, "[secret] [secret]", fmt.Sprintf("%v %d", s, s))
	raw, err := json.Marshal(map[string]okta.Secret{"set": s, "empty": {}})
	require.NoError(t, err)
	assert.JSONEq(t, `{"set":"[secret]","empty":""}`, string(raw))

	var zero okta.Secret
	assert.True(t, zero.IsZero())
	assert.Equal(t, zero, okta.NewSecret(""))
	assert.Empty(t, zero.Reveal())
	assert.Empty(t, fmt.Sprintf("%v%s%x", zero, zero, zero))
}

// TestSessionTokenIsNotDecoded: it is worth a web session, and nobody here needs it.
func TestSessionTokenIsNotDecoded(t *testing.T) {
	t.Parallel()
	var success okta.Transaction
	require.NoError(t, json.Unmarshal(golden(t, "success"), &success))
	assert.NotContains(t, fmt.Sprintf("%#v", success), "20111sessionTokenSample")
}

// TestErrorsNameNobody: neither what a person typed nor what was searched for is
// part of an error, whoever quotes it.
func TestErrorsNameNobody(t *testing.T) {
	t.Parallel()
	srv, user := newOrg(t)
	c := newClient(t, srv)
	asks := map[string]func() error{
		"authn":     func() error { _, err := c.Authenticate(t.Context(), login, password); return err },
		"users":     func() error { _, err := c.Account(t.Context(), login); return err },
		"listusers": func() error { _, err := c.AccountsByEmail(t.Context(), login); return err },
		"groups":    func() error { _, err := c.Groups(t.Context(), login); return err },
	}
	quoting := "There is nothing like " + login + " (User)"
	check := func(t *testing.T, how string, err error) {
		t.Helper()
		require.Error(t, err, how)
		for _, name := range []string{"mia", "acme", password, "search", "profile", "/api/"} {
			assert.NotContains(t, strings.ToLower(err.Error()), name, how)
		}
	}
	for endpoint, ask := range asks {
		for how, fault := range map[string]oktatest.Fault{
			"summary":  oktatest.Status(404, "E0000007", quoting),
			"cause":    oktatest.Body(400, "application/json", `{"errorCode":"E0000001","errorCauses":[{"errorSummary":"`+quoting+`"}]}`),
			"redirect": oktatest.Redirect(302, "/login?user="+login),
			"web page": oktatest.Body(200, "text/html", quoting),
			"type":     oktatest.Body(200, login, quoting),
			"not JSON": oktatest.Body(200, "application/json", quoting),
			"closed":   oktatest.CloseConnection(),
			"limited":  oktatest.RateLimited(0, time.Minute),
		} {
			srv.Fail(endpoint, fault.Times(1))
			check(t, endpoint+" "+how, ask())
		}
	}
	_, err := c.Verify(t.Context(), okta.Transaction{StateToken: state}, okta.Factor{ID: login}, passCode)
	check(t, "verify", err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = c.Account(ctx, login)
	check(t, "cancelled", err)
	srv.Close()
	for endpoint, ask := range asks {
		check(t, endpoint+" unreachable", ask())
	}
	assert.NotEmpty(t, user.ID)
}

// TestWhatIsNoHTTPIsNotQuoted: net/http quotes the line that it cannot read.
func TestWhatIsNoHTTPIsNotQuoted(t *testing.T) {
	t.Parallel()
	for name, raw := range map[string]string{
		"status line": login + " is not HTTP\r\n\r\n",
		"header":      "HTTP/1.1 200 OK\r\n" + login + "\r\n\r\n",
		"length":      "HTTP/1.1 200 OK\r\nContent-Length: " + login + "\r\n\r\n",
		"encoding":    "HTTP/1.1 200 OK\r\nTransfer-Encoding: " + login + "\r\n\r\n",
		"chunk":       "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + login + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				conn, _, err := http.NewResponseController(w).Hijack()
				if err != nil {
					return
				}
				defer conn.Close()
				_, _ = io.WriteString(conn, raw)
			}))
			t.Cleanup(srv.Close)
			both(t, clientOf(t, srv), func(t *testing.T, err error) {
				is(okta.ErrUnreachable)(t, err)
				assert.NotContains(t, err.Error(), login)
			})
		})
	}
}
