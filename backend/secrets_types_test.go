package backend

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/backend/attempts"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/duo"
	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// secretField is the name of a field that holds a secret as plain text.
var secretField = regexp.MustCompile(`(?i)^(password|pass_?code|answer|secret|secret_?key|private_?key|api_?token|token|state_?token|access_?token|settings_?file|nonce|transaction_?id)$`)

// noSecrets are fields that look like secrets. A nonce of Okta's is of no use without the
// key of the service app, and a NoFactorError has no passcode.
var noSecrets = []string{"okta.Error.nonce", "okta.serviceApp.nonce", "mfa.NoFactorError.Want"}

// structType is a struct type of one of the packages.
type structType struct {
	fields    *ast.FieldList
	formatter bool // fmt asks the type what to print
}

// structTypes are those of the plugin's packages, by "package.Type".
func structTypes(t *testing.T) map[string]structType {
	t.Helper()
	all, formatters := map[string]structType{}, map[string]bool{}
	for _, dir := range []string{".", "attempts", "store", "../mfa", "../mfa/duo", "../mfa/pingid", "../mfa/service", "../okta"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		require.NoError(t, err)
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
			require.NoError(t, err)
			for _, decl := range file.Decls {
				if method, ok := decl.(*ast.FuncDecl); ok && method.Name.Name == "Format" && method.Recv != nil {
					if of, ok := method.Recv.List[0].Type.(*ast.Ident); ok {
						formatters[file.Name.Name+"."+of.Name] = true
					}
				}
				types, ok := decl.(*ast.GenDecl)
				if !ok {
					continue
				}
				for _, spec := range types.Specs {
					if spec, ok := spec.(*ast.TypeSpec); ok {
						if is, ok := spec.Type.(*ast.StructType); ok {
							all[file.Name.Name+"."+spec.Name.Name] = structType{fields: is.Fields}
						}
					}
				}
			}
		}
	}
	for name := range formatters {
		is := all[name]
		is.formatter = true
		all[name] = is
	}
	return all
}

// valuesOf returns the names of the types whose values fmt prints with one of typ: what is
// behind a pointer, it does not print.
func valuesOf(pkg string, typ ast.Expr) []string {
	switch typ := typ.(type) {
	case *ast.Ident:
		return []string{pkg + "." + typ.Name, typ.Name}
	case *ast.SelectorExpr:
		if of, ok := typ.X.(*ast.Ident); ok {
			return []string{of.Name + "." + typ.Sel.Name}
		}
	case *ast.ArrayType:
		return valuesOf(pkg, typ.Elt)
	case *ast.MapType:
		return append(valuesOf(pkg, typ.Key), valuesOf(pkg, typ.Value)...)
	}
	return nil
}

// TestTypesWithSecretsDoNotPrint: each struct that holds a secret as plain text, by itself
// or in the value of a field, embeds okta.Unprintable, so that no verb of fmt prints it.
func TestTypesWithSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	all := structTypes(t)
	require.True(t, all["okta.Unprintable"].formatter)
	holds := map[string]bool{}
	for changed := true; changed; { // until nothing new is found
		changed = false
		for name, is := range all {
			pkg, _, _ := strings.Cut(name, ".")
			for _, field := range is.fields.List {
				if slices.ContainsFunc(field.Names, func(own *ast.Ident) bool { return slices.Contains(noSecrets, name+"."+own.Name) }) {
					continue
				}
				for _, typ := range valuesOf(pkg, field.Type) {
					found := holds[typ] && !all[typ].fieldless()
					for _, own := range field.Names {
						found = found || typ == "string" && secretField.MatchString(own.Name) || typ == "byte" && own.Name == "key"
					}
					if found && !holds[name] {
						holds[name], changed = true, true
					}
				}
			}
		}
	}
	for _, sure := range []string{"backend.loginInput", "backend.loginRequest", "backend.heldLogin", "backend.configEntry", "backend.duoMethodEntry", "mfa.Want", "mfa.Credential", "mfa.TOTPKey", "pingid.secrets", "attempts.Attempt"} {
		require.True(t, holds[sure], sure)
	}
	for name := range holds {
		embeds := all[name].formatter
		for _, field := range all[name].fields.List {
			pkg, _, _ := strings.Cut(name, ".")
			for _, typ := range valuesOf(pkg, field.Type) {
				embeds = embeds || (typ == "okta.Unprintable" || typ == "Unprintable") && field.Names == nil
			}
			for _, own := range field.Names { // it would hide the method
				assert.NotEqual(t, "Format", own.Name, name)
			}
		}
		assert.True(t, embeds, "%s holds a secret as plain text: embed okta.Unprintable, or have the field be an okta.Secret", name)
	}
}

func (s structType) fieldless() bool { return s.fields == nil || len(s.fields.List) == 0 }

// TestValuesWithSecretsDoNotPrint: what the types above do.
func TestValuesWithSecretsDoNotPrint(t *testing.T) {
	t.Parallel()
	const canary = "canary-5e1f"
	want := mfa.Want{PassCode: canary}
	in := loginInput{username: "mia", password: canary, nonce: canary, transactionID: canary, want: want, mfa: credentials{"x": {PassCode: canary}}}
	cfg := configEntry{Token: canary}
	for name, v := range map[string]any{
		"want": want, "credential": mfa.Credential{PassCode: canary}, "given": in.given(), "input": in, "request": loginRequest{in: in},
		"held": heldLogin{password: canary, id: canary}, "config": cfg, "attempt": attempts.Attempt{Password: canary}, "key": keyPair{PrivateKey: canary},
		"duo": duoMethodEntry{SecretKey: canary}, "pingid": pingIDMethodEntry{SettingsFile: canary}, "okta": oktaMethodEntry{APIToken: canary},
		"totp": mfa.TOTPKey{Secret: canary, Period: time.Second}, "duo.Config": duo.Config{SecretKey: okta.NewSecret(canary)},
		"list": []loginInput{in}, "map": map[string]mfa.Want{"x": want}, "pointer": &in, "any": []any{in, &cfg}, "exported": struct{ V mfa.Want }{want},
	} {
		for verb := 'A'; verb <= 'z'; verb++ {
			if verb == 'p' || verb == 'w' { // of which fmt asks nobody, and go vet forbids them here
				continue
			}
			for _, flags := range []string{"", "+", "#", " ", "040", ".3"} {
				text := fmt.Sprintf("%"+flags+string(verb), v)
				plain := strings.NewReplacer(" ", "", "0x", "", "0X", "", ",", "").Replace(strings.ToLower(text))
				if strings.Contains(text, "canary") || strings.Contains(plain, fmt.Sprintf("%x", "canary")) || strings.Contains(text, strings.Trim(fmt.Sprint([]byte("canary")), "[]")) {
					t.Errorf("%s by %%%s%c: %s", name, flags, verb, text)
				}
			}
		}
	}
	for name, v := range map[string]any{"want": want, "credential": mfa.Credential{PassCode: canary}, "given": in.given(), "input": in, "held": heldLogin{password: canary},
		"attempt": attempts.Attempt{Password: canary}} {
		text, err := json.Marshal(v)
		require.NoError(t, err, name)
		assert.NotContains(t, string(text), canary, name)
	}
}
