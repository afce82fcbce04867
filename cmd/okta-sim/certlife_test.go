package main

import (
	"crypto/tls"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestCertificateExpires(t *testing.T) {
	t.Parallel()
	s := start(t, "-cert-life", "-1h")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ready.URL+"/.well-known/okta-organization", http.NoBody)
	require.NoError(t, err)
	_, err = s.http.Do(req)
	var refused *tls.CertificateVerificationError
	require.ErrorAs(t, err, &refused)
	assert.ErrorContains(t, err, "expired")
}
