package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"
)

// client calls Vault as fast as it can: connections are kept, and answers are
// not decoded.
type client struct {
	http *http.Client
	base string // http://127.0.0.1:port/v1/
}

// maxWorkers is how many connections are kept: more than there are workers.
const maxWorkers = 1024

func newClient(addr string) client {
	return client{base: addr + "/v1/", http: &http.Client{
		Timeout: 100 * time.Second, // Vault gives a request up after 90
		Transport: &http.Transport{
			MaxIdleConns:        maxWorkers,
			MaxIdleConnsPerHost: maxWorkers,
			DisableCompression:  true,
		},
	}}
}

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// send sends a request and hands the answer to read, which must not keep it.
func (c client) send(ctx context.Context, method, path, token string, body []byte, read func([]byte) error) error {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if token != "" {
		req.Header.Set("X-Vault-Token", token)
	}
	_, err = fetch(c.http, req, read)
	return err
}

// fetch sends a request, reads the answer to its end, and returns its header.
func fetch(client *http.Client, req *http.Request, read func([]byte) error) (http.Header, error) {
	res, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	b := buffers.Get().(*bytes.Buffer)
	defer buffers.Put(b)
	b.Reset()
	if _, err := io.Copy(b, res.Body); err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: HTTP status %d: %.200s", req.Method, req.URL.Path, res.StatusCode, bytes.TrimSpace(b.Bytes()))
	}
	return res.Header, read(b.Bytes())
}

// issued is the client token in the answer to a login or a renewal.
func issued(answer []byte) (string, error) {
	_, rest, _ := bytes.Cut(answer, []byte(`"client_token":"`))
	token, _, found := bytes.Cut(rest, []byte(`"`))
	if !found || len(token) == 0 {
		return "", fmt.Errorf("no token in the answer: %.200s", answer)
	}
	return string(token), nil
}
