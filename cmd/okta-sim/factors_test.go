package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// manage makes a management call and decodes its answer into v.
func (s *sim) manage(method, at string, status int, v any) {
	s.t.Helper()
	if !strings.HasPrefix(at, "https:") {
		at = s.ready.URL + at
	}
	req, err := http.NewRequestWithContext(s.t.Context(), method, at, nil)
	require.NoError(s.t, err)
	req.Header.Set("Authorization", "SSWS "+s.ready.APIToken)
	resp, err := s.http.Do(req)
	require.NoError(s.t, err)
	defer resp.Body.Close()
	require.Equal(s.t, status, resp.StatusCode, at)
	require.NoError(s.t, json.NewDecoder(resp.Body).Decode(v))
}

func TestPushesOfTheFactorsAPI(t *testing.T) {
	t.Parallel()
	s := start(t)
	var users []struct{ ID string }
	s.manage("GET", "/api/v1/users?search="+url.QueryEscape(`profile.login eq "pia@acme.test"`), 200, &users)
	require.Len(t, users, 1)
	pia := slices.IndexFunc(s.ready.Users, func(u userDescription) bool { return u.Login == "pia@acme.test" })
	verify := "/api/v1/users/" + users[0].ID + "/factors/" + s.ready.Users[pia].Factors[0].ID + "/verify"

	type push struct {
		FactorResult string
		Links        struct{ Poll struct{ Href string } } `json:"_links"`
	}
	for decision, want := range map[string]string{"approve": "SUCCESS", "reject": "REJECTED"} {
		var sent, polled push
		s.manage("POST", verify, 201, &sent)
		assert.Equal(t, "WAITING", sent.FactorResult)
		_, doc, _ := s.call("GET", s.ready.ControlURL+"/state", "", "")
		assert.InDelta(t, 1, doc["waiting_pushes"], 0)
		status, text := s.control("POST", "/push/"+decision, form, "user=pia@acme.test")
		assert.Equal(t, 200, status)
		assert.Contains(t, text, ": 1")
		s.manage("GET", sent.Links.Poll.Href, 200, &polled)
		assert.Equal(t, want, polled.FactorResult)
	}
}
