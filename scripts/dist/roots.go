package main

import (
	"bytes"
	"encoding/pem"

	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// rootsFile is where Go's own library looks for the certificates to trust.
const rootsFile = "etc/ssl/certs/ca-certificates.crt"

// roots are Mozilla's certificate authorities, as the Go project publishes them. An
// image that is made FROM scratch has no others, and without any the plugin reaches no
// Okta. Those that Mozilla trusts under conditions are left out: a file cannot state them.
func roots() []byte {
	var all bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&all, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes all
		}
	}
	return all.Bytes()
}
