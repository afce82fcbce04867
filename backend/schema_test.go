package backend

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// saysUnset is how a description tells what an absent field means.
var saysUnset = regexp.MustCompile(`(?i)when (empty|not set|0)|without (it|one)|required|none is needed|needs none|created without the field|which is the default|another name of`)

// Every field of every path says what it is, and what it means where it is not given, in
// path-help and in forms. A new field is in the test by itself.
func TestEveryFieldSaysWhatItIs(t *testing.T) {
	for _, path := range newBackend(settings{}).Paths {
		for name, field := range path.Fields {
			at := path.Pattern + " " + name
			assert.Regexp(t, `[.)]$`, field.Description, at)
			attrs := field.DisplayAttrs
			require.NotNil(t, attrs, at)
			assert.NotEmpty(t, attrs.Name, at)
			assert.NotEmpty(t, attrs.Group, at)
			inPath := strings.Contains(path.Pattern, "(?P<"+name+">")
			if field.Deprecated || inPath || field.Required {
				continue
			}
			assert.Regexp(t, saysUnset, field.Description, "%s: what it means where it is not given", at)
			switch field.Type {
			case framework.TypeBool:
				require.NotNil(t, field.Default, at)
				assert.Equal(t, field.Default, attrs.Value, at)
				assert.Contains(t, strings.ToLower(field.Description), fmt.Sprint(field.Default), at)
			case framework.TypeInt, framework.TypeDurationSecond:
				require.NotNil(t, field.Default, at)
				assert.Contains(t, field.Description, strings.TrimSuffix(fmt.Sprint(field.Default), "s"), at)
			}
			if len(field.AllowedValues) > 0 {
				require.NotNil(t, field.Default, at)
				assert.Contains(t, field.AllowedValues, field.Default, at)
				assert.Contains(t, field.Description, fmt.Sprint(field.Default), at)
			}
			for _, secret := range []string{"token", "password", "secret", "passcode", "totp", "settings_file"} {
				if name == secret || strings.HasSuffix(name, "_"+secret) {
					assert.True(t, attrs.Sensitive || name == "use_passcode", at)
				}
			}
		}
		for op, handler := range path.Operations {
			props := handler.Properties()
			assert.Regexp(t, `\.$`, props.Summary, "%s %s", op, path.Pattern)
			if op != logical.AliasLookaheadOperation {
				assert.NotEmpty(t, props.Responses, "%s %s", op, path.Pattern)
			}
		}
	}
}

// The default that a schema declares is the one in force.
func TestDeclaredDefaultsAreInForce(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		for field, value := range m.inForce("config") {
			schema := m.pathOf("config").Fields[field]
			require.NotNil(t, schema, field)
			want := schema.Default
			switch {
			case schema.Required || schema.Deprecated || field == "base_url": // which configure gives
				continue
			case slices.Contains(builtinDurations, field):
				want = schema.DefaultOrZero()
			case want == nil:
				want = schema.Type.Zero()
			}
			assert.JSONEq(t, asJSON(t, want), asJSON(t, value), field)
		}
		for _, typ := range methodTypes {
			body := fields{}
			for _, part := range asRead[typ.name] {
				for field, value := range part {
					if schema := typ.fields()[field]; typ.name != "okta" && (schema.Default == nil && schema.Type == framework.TypeString || schema.DisplayAttrs.Sensitive) {
						body[field] = value
					}
				}
			}
			at := "mfa/method/" + typ.name + "/new-" + typ.name
			m.write(at, body)
			for field, value := range m.read(at) {
				schema := m.pathOf("mfa/method/" + typ.name + "/(?P<method_id>[^/]+)").Fields[field]
				if schema == nil || schema.Default == nil || field == "base_url" { // which is read as it was given
					continue
				}
				assert.JSONEq(t, asJSON(t, schema.Default), asJSON(t, value), "%s %s", typ.name, field)
			}
		}
	})
}

// answerSeen are the statuses and fields that operations have answered, by path.
type answerSeen map[string]bool

// Requests are answered as the schemas declare it: with one of the statuses, and with the
// fields, each of its type. Each status of a success and each field has a request here
// that is answered with it.
func TestAnswersAreAsDeclared(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		seen := answerSeen{}
		call := func(op logical.Operation, path string, data fields) *logical.Response {
			t.Helper()
			resp, status, text := m.do(op, path, data)
			seen.check(t, m, op, path, resp, status, text)
			return resp
		}
		m.configure(nil)
		u := m.addUser("Everyone")
		m.callMappings(call)
		m.callMethods(call)
		m.callKeys(call)
		m.callLogins(call, u)
		m.callConfig(call)
		seen.requireAll(t, m)
	})
}

// check holds an answer against what is declared.
func (seen answerSeen) check(t *testing.T, m *mount, op logical.Operation, at string, resp *logical.Response, status int, text string) {
	t.Helper()
	path := m.inner.Route(at)
	require.NotNil(t, path, at)
	if op != logical.ReadOperation && op != logical.ListOperation && status == http.StatusOK && resp == nil {
		status = http.StatusNoContent
	}
	declared := path.Operations[op].Properties().Responses[status]
	require.NotEmpty(t, declared, "%s %s: %d: %s", op, at, status, text)
	seen[fmt.Sprint(op, path.Pattern, status)] = true
	if resp == nil || status != http.StatusOK {
		return
	}
	body := resp.Data
	if kind := body[logical.HTTPContentType]; kind != nil && kind != "application/json" {
		return // text
	}
	if raw, ok := body[logical.HTTPRawBody]; ok {
		body = fromJSON(t, raw)
	}
	for name, value := range body {
		field := declared[0].Fields[name]
		if !assert.NotNil(t, field, "%s %s answers %s, which is not declared", op, at, name) {
			continue
		}
		seen[fmt.Sprint(op, path.Pattern, name)] = true
		assert.Regexp(t, jsonOf[field.Type], asJSON(t, value), "%s %s: %s", op, at, name)
	}
}

// requireAll requires that each declared success and each of its fields was seen.
func (seen answerSeen) requireAll(t *testing.T, m *mount) {
	t.Helper()
	for _, path := range m.inner.Paths {
		for op, handler := range path.Operations {
			if op == logical.CreateOperation && path.Operations[logical.UpdateOperation] != nil {
				continue // Vault's document has one for both
			}
			if strings.Contains(path.Pattern, "verify/") {
				continue // TestNumberData compares its answers
			}
			for status, responses := range handler.Properties().Responses {
				if status < http.StatusBadRequest {
					assert.True(t, seen[fmt.Sprint(op, path.Pattern, status)], "%s %s is never answered with %d", op, path.Pattern, status)
				}
				for name, field := range responses[0].Fields {
					assert.NotEmpty(t, field.Description, "%s %s: %s", op, path.Pattern, name)
					if name == "verification_code" || name == "mfa_method" || name == "mfa_type" { // of Duo: see TestDuoCodeOfAHeldLogin
						continue
					}
					assert.True(t, seen[fmt.Sprint(op, path.Pattern, name)], "%s %s never answers %s", op, path.Pattern, name)
				}
			}
		}
	}
}

// jsonOf is what a value of each type looks like in JSON.
var jsonOf = map[framework.FieldType]string{
	framework.TypeString: `^"`, framework.TypeTime: `^"\d{4}-\d\d-\d\dT`, framework.TypeBool: `^(true|false)$`, framework.TypeInt: `^-?\d+$`,
	framework.TypeInt64: `^-?\d+$`, framework.TypeMap: `^\{`, framework.TypeKVPairs: `^\{`, framework.TypeSlice: `^\[`,
	framework.TypeStringSlice: `^\[("|\])`, framework.TypeCommaStringSlice: `^\[("|\])`,
}

// caller sends a request and holds its answer against what is declared.
type caller func(op logical.Operation, path string, data fields) *logical.Response

const (
	opRead, opList, opUpdate = logical.ReadOperation, logical.ListOperation, logical.UpdateOperation
	opPatch, opDelete        = logical.PatchOperation, logical.DeleteOperation
)

// callMappings calls what users and groups can do.
func (m *mount) callMappings(call caller) {
	m.write("mfa/method/totp/mine", fields{"issuer": "Acme"})
	for _, at := range []string{"users", "groups"} {
		call(opList, at+"/", nil)
		call(opRead, at+"/fred", nil)
		call(opPatch, at+"/fred", fields{"policies": "p"})
		call(opUpdate, at+"/fred", fields{"policies": "p"})
		call(opUpdate, at+"/fred", fields{"mfa_methods": "mine"})
		call(opUpdate, at+"/fred", fields{"mfa_methods": "nobody"})
		call(opRead, at+"/fred", fields{"defaults": "true"})
		call(opList, at+"/", nil)
		call(opList, at+"/", fields{"limit": "many"})
		call(opRead, at+"/..", nil)
		call(opPatch, at+"/fred", fields{"policies": "q"})
		call(opPatch, at+"/fred", fields{"mfa_methods": "mine"})
		call(opPatch, at+"/fred", fields{"mfa_methods": "mine", "policies": nil})
		call(opDelete, at+"/fred", nil)
		call(opDelete, at+"/fred", nil)
	}
	m.write("users/noa", fields{"policies": "p", "groups": "g"})
	call(opList, "config/aliases", fields{"username": testLogin})
	call(opList, "config/aliases", fields{"username": ".."})
	call(opDelete, "users/noa", nil)
	call(opDelete, "mfa/method/totp/mine", nil)
}

// callMethods calls what MFA methods and their keys can do.
func (m *mount) callMethods(call caller) {
	call(opList, "mfa/method/", nil)
	for _, typ := range methodTypes {
		at := "mfa/method/" + typ.name
		call(opList, at+"/", nil)
		call(opRead, at+"/one", nil)
		call(opDelete, at+"/one", nil)
		call(opUpdate, at, fields{"method_id": "no-id"})
		body := fields{"method_name": "one"}
		for _, part := range asRead[typ.name] {
			for field, value := range part {
				body[field] = value
			}
		}
		if typ.name == "pingid" {
			body["start_authentication"] = false
		}
		call(opUpdate, at, body)
		call(opUpdate, at+"/one", body)
		call(opRead, at+"/one", nil)
		call(opList, at+"/", nil)
		call(opList, "mfa/method/", nil)
		if typ == totpMethodType {
			call(opUpdate, at+"/one/admin-generate", fields{"username": "mia"})
			call(opUpdate, at+"/one/admin-generate", fields{"username": "mia"})
			call(opUpdate, at+"/none/admin-generate", fields{"username": "mia"})
			call(opUpdate, at+"/one/admin-destroy", fields{"username": "mia"})
			call(opUpdate, at+"/one/admin-destroy", fields{"username": "mia"})
			call(opUpdate, at+"/one/admin-destroy", fields{"username": "mia", "unknown": 1})
			m.write(at+"/one/admin-generate", fields{"username": "mia"})
			call(opUpdate, at+"/one/admin-destroy", fields{"username": "mia", "unknown": 1})
		}
		m.write("config", fields{"mfa_methods": "one"})
		call(opDelete, at+"/one", nil)
		m.write("config", fields{"mfa_methods": ""})
		call(opDelete, at+"/one", nil)
		body["method_name"] = "two"
		m.write(at+"/two", body)
		call(opDelete, at+"/one", fields{"unknown": 1})
		call(opDelete, at+"/two", fields{"unknown": 1})
	}
}

// callKeys calls what the keys of a service app can do.
func (m *mount) callKeys(call caller) {
	call(opRead, "config/key", nil)
	call(opRead, "jwks", nil)
	call(opUpdate, "config/key/rotate", nil)
	call(opUpdate, "config/key", fields{"algorithm": "HS256"})
	call(opUpdate, "config/key", fields{"algorithm": "ES256"})
	call(opUpdate, "config/key/rotate", fields{"algorithm": "ES256"})
	call(opRead, "config/key", nil)
	call(opRead, "jwks", nil)
	call(opUpdate, "config/key/promote", fields{"kid": "another"})
	call(opUpdate, "config/key/promote", nil)
	call(opUpdate, "config/key/promote", nil)
	call(opDelete, "config/key", nil)
	call(opDelete, "config/key", fields{"unknown": 1})
}

// callLogins calls what logins can do.
func (m *mount) callLogins(call caller, u *oktatest.User) {
	login := "login/" + testLogin
	call(opRead, "verify/nobody", nil)
	call(opUpdate, login, fields{"password": "guess"})
	call(opUpdate, login, nil)
	call(opUpdate, login, fields{"password": testPassword})
	m.write("config", fields{"alias_metadata": fields{"team": "science"}})
	call(opRead, "resolve/"+testLogin, nil)
	call(opRead, "resolve/nobody", nil)
	call(opRead, "resolve/..", nil)
	m.write("mfa/method/totp/asked", fields{"issuer": "Acme"})
	m.write("mfa/method/totp/asked/admin-generate", fields{"username": testLogin})
	m.write("config", fields{"mfa_methods": "asked", "mfa_factors": allFactors})
	held := call(opUpdate, login, fields{"password": testPassword, "wait": false})
	call(opUpdate, login, fields{"transaction_id": held.Data["transaction_id"], "cancel": true})
	m.write("config", fields{"mfa_methods": ""})
	u.AddPush("WAITING").Number(47, 0)
	u.AddFactor("question", "OKTA")
	u.AddFactor("sms", "OKTA")
	for _, factor := range []fields{{"factor": "push", "nonce": "nonce-of-a-login"}, {"factor": "question"}, {"factor": "sms"}} {
		factor["password"], factor["wait"] = testPassword, false
		held = call(opUpdate, login, factor)
		m.later()
		call(opUpdate, login, fields{"transaction_id": held.Data["transaction_id"]})
		call(opUpdate, login, fields{"transaction_id": held.Data["transaction_id"], "cancel": true})
	}
	m.write("config", fields{"token_bound_cidrs": "192.0.2.1"})
	call(opUpdate, login, fields{"password": testPassword})
	m.write("config", fields{"token_bound_cidrs": ""})
	m.okta.Fail("authn", oktatest.CloseConnection())
	call(opUpdate, login, fields{"password": testPassword})
}

// callConfig calls what config can do, and deletes it.
func (m *mount) callConfig(call caller) {
	call(opRead, "stats", nil)
	call(opRead, "stats", fields{"format": "openmetrics"})
	call(opRead, "stats", fields{"format": "xml"})
	call(opRead, "config/check", nil)
	call(opUpdate, "config/check", fields{"token_ttl": "1h"})
	call(opUpdate, "config/check", fields{"base_url": "http://acme.okta.test"})
	call(opDelete, "config", nil)
	call(opDelete, "config", nil)
	call(opRead, "config", nil)
	call(opList, "config/aliases", nil)
	call(opPatch, "config", fields{"org_name": "acme"})
	call(opUpdate, "config", fields{"org_name": "a b"})
	call(opUpdate, "config", fields{"org_name": "acme", "api_token": "00token"})
	call(opUpdate, "config", fields{"org_name": "acme", "bypass_okta_mfa": true})
	call(opPatch, "config", fields{"bypass_okta_mfa": nil})
	call(opPatch, "config", fields{"api_token": nil})
	call(opPatch, "config", fields{"org_name": nil})
	call(opUpdate, "config", fields{"ttl": "1h", "max_ttl": "2h", "production": true})
	call(opRead, "config", fields{"defaults": "true"})
	call(opUpdate, "config", fields{"base_url": "okta.com"})
	call(opRead, "config", fields{"defaults": "true"})
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// fromJSON is a raw body, which the plugin protocol encodes in base64.
func fromJSON(t *testing.T, raw any) (body fields) {
	t.Helper()
	text, ok := raw.([]byte)
	if !ok {
		var err error
		text, err = base64.StdEncoding.DecodeString(raw.(string))
		require.NoError(t, err)
	}
	require.NoError(t, json.Unmarshal(text, &body))
	return body
}
