package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
)

// client calls Okta. It keeps its connections.
type client struct{ http *http.Client }

func newClient() client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 100
	return client{&http.Client{Transport: transport}}
}

// transaction is what a login needs of Okta's answers.
type transaction struct {
	Status     string `json:"status"`
	StateToken string `json:"stateToken"`
	Embedded   struct {
		User    struct{ ID string }
		Factors []struct{ ID string }
	} `json:"_embedded"`
}

// login verifies the password, answers the first factor if one is asked for,
// and returns the names of all groups; none without a token.
func (c client) login(ctx context.Context, url, token, username, password, passCode string) ([]string, error) {
	var tx transaction
	_, err := c.call(ctx, http.MethodPost, url+"/api/v1/authn", token,
		map[string]string{"username": username, "password": password}, &tx)
	if err != nil {
		return nil, err
	}
	if tx.Status == "MFA_REQUIRED" && len(tx.Embedded.Factors) > 0 {
		_, err = c.call(ctx, http.MethodPost, url+"/api/v1/authn/factors/"+tx.Embedded.Factors[0].ID+"/verify", token,
			map[string]string{"stateToken": tx.StateToken, "passCode": passCode}, &tx)
		if err != nil {
			return nil, err
		}
	}
	if tx.Status != "SUCCESS" {
		return nil, fmt.Errorf("status %q", tx.Status)
	}
	if token == "" {
		return nil, nil
	}
	var names []string
	for page := url + "/api/v1/users/" + tx.Embedded.User.ID + "/groups?limit=200"; page != ""; {
		var groups []struct{ Profile struct{ Name string } }
		header, err := c.call(ctx, http.MethodGet, page, token, nil, &groups)
		if err != nil {
			return nil, err
		}
		for _, g := range groups {
			names = append(names, g.Profile.Name)
		}
		page = next(header)
	}
	return names, nil
}

func (c client) call(ctx context.Context, method, url, token string, in, out any) (http.Header, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(raw)
	}
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "SSWS "+token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d", resp.StatusCode)
	}
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	return resp.Header, json.Unmarshal(raw, out)
}

// next is the URL of the next page of groups.
func next(header http.Header) string {
	for _, link := range header["Link"] {
		if target, relation, ok := strings.Cut(link, ">"); ok && strings.Contains(relation, `"next"`) {
			return strings.TrimPrefix(target, "<")
		}
	}
	return ""
}
