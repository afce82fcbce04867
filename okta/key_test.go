package okta_test

import (
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

func newKey(t *testing.T) *okta.SigningKey {
	t.Helper()
	key, err := okta.NewSigningKey(okta.ES256)
	require.NoError(t, err)
	return key
}

// Whatever prints a key, or what it is a part of, the private number does not come out.
func TestSigningKeyDoesNotPrint(t *testing.T) {
	t.Parallel()
	key := newKey(t)
	text, err := key.PEM()
	require.NoError(t, err)
	block, _ := pem.Decode([]byte(text.Reveal()))
	private, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	require.NoError(t, err)
	raw, err := private.(*ecdsa.PrivateKey).Bytes()
	require.NoError(t, err)
	forms := []string{fmt.Sprintf("%x", raw), fmt.Sprintf("%X", raw), strings.Trim(fmt.Sprint(raw), "[]"), new(big.Int).SetBytes(raw).String()}
	for _, v := range append(shapes(key), shapes(*key)...) {
		for how, printed := range printed(v) {
			for _, form := range forms {
				assert.NotContains(t, printed, form, "%s of %T", how, v)
			}
		}
	}
}

func TestSigningKeyIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	for _, algorithm := range []string{okta.ES256, okta.RS256} {
		key, err := okta.NewSigningKey(algorithm)
		require.NoError(t, err)
		text, err := key.PEM()
		require.NoError(t, err)
		again, err := okta.ParseSigningKey(text)
		require.NoError(t, err)
		assert.Equal(t, key.ID(), again.ID())
		assert.Equal(t, algorithm, again.Algorithm())
		for _, broken := range []string{"", "x", strings.ReplaceAll(text.Reveal(), "PRIVATE KEY", "EC KEY"), strings.Replace(text.Reveal(), "MI", "AA", 1)} {
			_, err := okta.ParseSigningKey(okta.NewSecret(broken))
			assert.EqualError(t, err, "the private key cannot be read")
		}
	}
	_, err := okta.NewSigningKey("HS256")
	assert.Error(t, err)
}
