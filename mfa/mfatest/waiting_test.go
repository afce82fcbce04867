package mfatest

import (
	"context"
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// askDuo sends a signed request and returns the answer.
func askDuo(ctx context.Context, t *testing.T, s *DuoServer, method, path string, form url.Values) (string, error) {
	t.Helper()
	address, body := s.URL+path, ""
	if method == http.MethodGet {
		address += "?" + form.Encode()
	} else {
		body = form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	require.NoError(t, err)
	date := time.Now().UTC().Format(time.RFC1123Z)
	signature := duoSignature(s.SecretKey, date, method, s.Host(), path, form)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Date", date)
	req.Header.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte(s.IntegrationKey+":"+signature)))
	resp, err := client(t, &s.Server).Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// A push waits while its client does, and all that wait are answered.
func TestDuoPushesWait(t *testing.T) {
	t.Parallel()
	s := NewDuo(t)
	mia := s.AddUser("mia").AddPhone("auto", "push")
	var status [2]url.Values
	for i := range status {
		form := url.Values{"username": {"mia"}, "factor": {"push"}, "device": {"auto"}, "async": {"1"}}
		text, err := askDuo(t.Context(), t, s, http.MethodPost, "/auth/v2/auth", form)
		require.NoError(t, err)
		found := regexp.MustCompile(`"txid":"(\w+)"`).FindStringSubmatch(text)
		require.NotNil(t, found, text)
		status[i] = url.Values{"txid": {found[1]}}
		text, err = askDuo(t.Context(), t, s, http.MethodGet, "/auth/v2/auth_status", status[i])
		require.NoError(t, err)
		require.Contains(t, text, `"pushed"`)
	}
	assert.Equal(t, 2, mia.Waiting())

	waits := func(n int) {
		t.Helper()
		require.Eventually(t, func() bool { return mia.Waiting() == n }, 2*time.Minute, time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	left, answered := make(chan error, 1), make(chan string, 1)
	go func() {
		_, err := askDuo(ctx, t, s, http.MethodGet, "/auth/v2/auth_status", status[0])
		left <- err
	}()
	require.Eventually(t, func() bool { return s.Count("/auth_status") == 3 }, 2*time.Minute, time.Millisecond)
	cancel()
	require.ErrorIs(t, <-left, context.Canceled)
	waits(1)
	assert.Equal(t, 1, mia.Answer(false), "the other one")
	assert.Zero(t, mia.Waiting())

	go func() {
		text, _ := askDuo(t.Context(), t, s, http.MethodGet, "/auth/v2/auth_status", status[0])
		answered <- text
	}()
	waits(1) // the client is back
	assert.Equal(t, 1, mia.Answer(true))
	assert.Contains(t, <-answered, `"allow"`)
	text, err := askDuo(t.Context(), t, s, http.MethodGet, "/auth/v2/auth_status", status[1])
	require.NoError(t, err)
	assert.Contains(t, text, `"deny"`)
	assert.Zero(t, mia.Answer(true))
}
