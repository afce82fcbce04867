package backend

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// bareHint ends the answer to a login that gave a password alone and has to give more.
const bareHint = " (bao login drops these fields: write them, with the password, to auth/okta/login/" + testLogin + ")"

// Users of bao login can give neither totp nor provider: the answer names a
// way that does. It does so in no other login, and not where there is nothing to give.
func TestLoginByPasswordAloneIsToldHowToGiveMore(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		sms := u.AddFactor("sms", "OKTA")
		assert.Contains(t, m.refused(nil), "totp=<code> added"+bareHint)
		assert.Contains(t, m.refused(nil), "/v1/auth/okta/login/"+testLogin+bareHint)
		_, status, text := m.withHeader(nil, "okta:push")
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "then totp=<the code>)"+bareHint)
		for _, more := range []fields{{"nonce": "a-nonce"}, {"provider": "push"}, {"totp": "12"}} {
			assert.NotContains(t, m.refused(more), "bao login", more)
		}
		sms.SetStatus("INACTIVE")
		m.start() // forgets the code that was sent
		assert.NotContains(t, m.refused(nil), "bao login", "nothing can be given")
		assert.NotContains(t, m.refused(fields{"password": "guess"}), "bao login")
	})
}

// No text that people read names a command of Vault's tool alone: on OpenBao there is none
// of that name. The simulator's own commands stand below a line that says so.
func TestNoTextNamesACommandOfOneHost(t *testing.T) {
	t.Parallel()
	command := regexp.MustCompile(`\bvault (auth|delete|list|login|operator|patch|path-help|plugin|policy|read|secrets|token|write)\b`)
	texts := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && path != ".." || entry.Name() == "scripts" || entry.Name() == "okta-sim"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			if text, ok := node.(*ast.BasicLit); ok && text.Kind == token.STRING {
				texts++
				if found := command.FindString(text.Value); found != "" {
					assert.Contains(t, text.Value, "bao", "%s: %q", path, found)
				}
			}
			return true
		})
		return nil
	})
	require.NoError(t, err)
	require.Greater(t, texts, 1000)
}
