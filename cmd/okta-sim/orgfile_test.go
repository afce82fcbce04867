package main

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestOrgFileIsServed(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "org.json")
	org := `{"users":[{"login":"ann@x.test","password":"pw","app_groups":["AD"],
		"factors":[{"type":"push","script":["SUCCESS"]},{"type":"sms","status":"PENDING_ACTIVATION"}]}]}`
	if err := os.WriteFile(name, []byte(org), 0o600); err != nil {
		t.Fatal(err)
	}
	s := start(t, "-org", name)
	if got, want := s.ready.Users[0].Groups, []string{"Everyone", "AD"}; !slices.Equal(got, want) {
		t.Errorf("groups = %q, want %q", got, want)
	}
	tx := s.okta("/api/v1/authn", map[string]string{"username": "ann", "password": "pw"})
	factors := tx["_embedded"].(map[string]any)["factors"].([]any)
	doc := s.okta("/api/v1/authn/factors/"+factors[0].(map[string]any)["id"].(string)+"/verify",
		map[string]string{"stateToken": tx["stateToken"].(string)})
	if doc["status"] != "SUCCESS" {
		t.Errorf("got %v", doc)
	}
}

func TestOrgFileEmail(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "org.json")
	org := `{"users":[{"login":"ann@x.test","email":"Team@x.test","password":"pw","factors":[{"type":"email"}]},
		{"login":"bob@x.test","email":"Team@x.test","password":"pw"},{"login":"cy@x.test","password":"pw"}]}`
	require.NoError(t, os.WriteFile(name, []byte(org), 0o600))
	s := start(t, "-org", name)
	for email, want := range map[string][]string{
		"team@x.test": {"ann@x.test", "bob@x.test"}, "cy@x.test": {"cy@x.test"}, "ann@x.test": nil,
	} {
		var users []struct{ Profile struct{ Login string } }
		s.manage("GET", "/api/v1/users?search="+url.QueryEscape(`profile.email eq "`+email+`"`), 200, &users)
		var got []string
		for _, u := range users {
			got = append(got, u.Profile.Login)
		}
		assert.Equal(t, want, got, email)
	}
	_, _, raw := s.call("POST", s.ready.URL+"/api/v1/authn", "application/json", `{"username":"ann","password":"pw"}`)
	assert.Contains(t, raw, "T...m@x.test")
}

// The profile of a user has the attributes of the file, as metadata_fields reads them.
func TestOrgFileProfile(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "org.json")
	org := `{"users":[{"login":"ann@x.test","password":"pw","profile":{"department":"lab","seats":3}},{"login":"bob@x.test","password":"pw"}]}`
	require.NoError(t, os.WriteFile(name, []byte(org), 0o600))
	s := start(t, "-org", name)
	for login, want := range map[string][2]any{"ann@x.test": {"lab", 3.0}, "bob@x.test": {}} {
		var u struct{ Profile map[string]any }
		s.manage("GET", "/api/v1/users/"+login, 200, &u)
		assert.Equal(t, want, [2]any{u.Profile["department"], u.Profile["seats"]}, login)
		assert.Equal(t, login, u.Profile["login"])
	}
}

func TestOrgFileRefusals(t *testing.T) {
	t.Parallel()
	for org, want := range map[string]string{
		`{}`:               "no users",
		`{"users":[`:       "unexpected EOF",
		"{\n\"users\": x}": "line 2",
		`{"users":[{"login":"a","pasword":"b"}]}`:                                                       `unknown field "pasword"`,
		`{"users":[{"login":"a","Emails":"b"}]}`:                                                        `unknown field "Emails"`,
		`{"users":[{"login":"a","password":"b","email":["c"]}]}`:                                        "cannot unmarshal array",
		`{"users":[{"login":"a"}]}`:                                                                     "password is missing",
		`{"users":[{"password":"a"}]}`:                                                                  "login is missing",
		`{"users":[{"login":"a","password":"b"},{"login":"A","password":"b"}]}`:                         "already taken",
		`{"users":[{"login":"a","password":"b"}]} {}`:                                                   "more than one",
		`{"users":[{"login":"a","password":"b","more_groups":-1}]}`:                                     "more_groups",
		`{"users":[{"login":"a","password":"b","factors":[{}]}]}`:                                       "factor 1: type is missing",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"totp","number":3}]}]}`:               "only a push",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"push","number_from_poll":3}]}]}`:     "needs a number",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"sms","code":"123456"}]}]}`:           "sms cannot have a code",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"push","code":"123456"}]}]}`:          "push cannot have a code",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"totp","destination":"x"}]}]}`:        "destination",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"totp","new_pin":"server"}]}]}`:       "only a token",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"token","new_pin":"mine"}]}]}`:        "chosen or server",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"totp","step":-1}]}]}`:                "negative",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"totp","step":2}]}]}`:                 "1 to 2",
		`{"users":[{"login":"a","password":"b","factors":[{"type":"totp","step":1},{"type":"push"}]}]}`: "1 to 1",
	} {
		if _, err := decodeOrg([]byte(org)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", org, err, want)
		}
	}
}

// TestOrgFileKinds: the built-in organization has people of each kind that a login
// must cope with.
func TestOrgFileKinds(t *testing.T) {
	t.Parallel()
	s := start(t)
	token, verify := s.login("sue@acme.test")
	require.Len(t, verify, 1, "of the first step")
	_, code := s.control("GET", "/totp?user=sue", "", "")
	tx := s.okta(verify[0], map[string]string{"stateToken": token, "passCode": code})
	assert.Equal(t, "MFA_REQUIRED", tx["status"], "the second step")

	token, verify = s.login("pim@acme.test")
	_, code = s.control("GET", "/code?user=pim", "", "")
	doc := s.okta(verify[0], map[string]string{"stateToken": token, "passCode": code})
	assert.Equal(t, "E0000113", doc["errorCode"])

	_, _, raw := s.call("POST", s.ready.URL+"/api/v1/authn", "application/json", `{"username":"oda","password":"brass-compass"}`)
	assert.Contains(t, raw, "Acme Fobs")
	_, _, raw = s.call("POST", s.ready.URL+"/api/v1/authn", "application/json", `{"username":"zoe","password":"mirror-pair"}`)
	assert.Contains(t, raw, "/api/v1/authn/factors/token:software:totp/verify")
	_, _, raw = s.call("POST", s.ready.URL+"/api/v1/authn", "application/json", `{"username":"ian","password":"later-please"}`)
	assert.Contains(t, raw, "/api/v1/authn/skip")

	name := filepath.Join(t.TempDir(), "org.json")
	org := `{"users":[{"login":"ann@x.test","password":"pw","factors":[{"type":"token","provider":"RSA","new_pin":"server"}]}]}`
	require.NoError(t, os.WriteFile(name, []byte(org), 0o600))
	s = start(t, "-org", name)
	token, verify = s.login("ann@x.test")
	_, code = s.control("GET", "/code?user=ann", "", "")
	doc = s.okta(verify[0], map[string]string{"stateToken": token, "passCode": code})
	assert.Regexp(t, `PIN is [0-9]{8}\.`, doc["errorSummary"])
}
