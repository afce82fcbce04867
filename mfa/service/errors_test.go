package service_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/service"
)

// TestRetryAfter: the wait is what the service says, by either header and in either form,
// whatever this machine's clock says.
func TestRetryAfter(t *testing.T) {
	t.Parallel()
	const now, later, past = "Fri, 02 Jan 2015 03:04:05 GMT", "Fri, 02 Jan 2015 03:04:45 GMT", "Fri, 02 Jan 2015 03:00:00 GMT"
	for name, test := range map[string]struct {
		header map[string]string
		want   time.Duration
	}{
		"nothing":          {},
		"seconds":          {map[string]string{"Retry-After": "7"}, 7 * time.Second},
		"the other header": {map[string]string{"X-Retry-After": "8"}, 8 * time.Second},
		"both":             {map[string]string{"Retry-After": "7", "X-Retry-After": "8"}, 7 * time.Second},
		"none":             {map[string]string{"Retry-After": "0"}, time.Second},
		"a day":            {map[string]string{"Retry-After": "86400"}, time.Hour},
		"negative":         {map[string]string{"Retry-After": "-7"}, 0},
		"words":            {map[string]string{"Retry-After": "soon"}, 0},
		"a date":           {map[string]string{"Retry-After": later, "Date": now}, 40 * time.Second},
		"a date gone by":   {map[string]string{"Retry-After": past, "Date": now}, time.Second},
		"a date alone":     {map[string]string{"Retry-After": later}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			resp := &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{}}
			for key, value := range test.header {
				resp.Header.Set(key, value)
			}
			assert.Equal(t, test.want, service.RetryAfter(resp))
			assert.Equal(t, &mfa.ServiceError{Status: 429, Message: "Too Many Requests", RetryAfter: test.want}, service.Refusal(resp))
		})
	}
}
