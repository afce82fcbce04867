package okta

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"

	"github.com/go-jose/go-jose/v4"
)

// The algorithms of a SigningKey.
const (
	RS256 = "RS256" // with 3072 bits
	ES256 = "ES256"
)

const (
	rsaBits  = 3072
	pemBlock = "PRIVATE KEY"
)

// SigningKey is a private key by which a service app proves itself to Okta. No verb of
// fmt prints it.
type SigningKey struct {
	id      string
	private crypto.Signer
}

// NewSigningKey makes a key for the algorithm, RS256 or ES256.
func NewSigningKey(algorithm string) (*SigningKey, error) {
	var private crypto.Signer
	var err error
	switch algorithm {
	case RS256:
		private, err = rsa.GenerateKey(rand.Reader, rsaBits)
	case ES256:
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	default:
		err = fmt.Errorf("no key can be made for the algorithm %q", algorithm)
	}
	if err != nil {
		return nil, err
	}
	return signingKey(private)
}

var errBrokenKey = errors.New("the private key cannot be read")

// ParseSigningKey reads what SigningKey.PEM has written. Its error quotes nothing of it.
func ParseSigningKey(text Secret) (*SigningKey, error) {
	block, _ := pem.Decode([]byte(text.Reveal()))
	if block == nil || block.Type != pemBlock {
		return nil, errBrokenKey
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, errBrokenKey
	}
	switch private := parsed.(type) {
	case *rsa.PrivateKey:
		return signingKey(private)
	case *ecdsa.PrivateKey:
		if private.Curve == elliptic.P256() {
			return signingKey(private)
		}
	}
	return nil, errBrokenKey
}

// signingKey names the key by its thumbprint, so that no two keys have one name.
// https://www.rfc-editor.org/rfc/rfc7638
func signingKey(private crypto.Signer) (*SigningKey, error) {
	thumbprint, err := (&jose.JSONWebKey{Key: private.Public()}).Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	return &SigningKey{base64.RawURLEncoding.EncodeToString(thumbprint), private}, nil
}

// PEM returns the private key in PKCS #8.
func (k *SigningKey) PEM() (Secret, error) {
	der, err := x509.MarshalPKCS8PrivateKey(k.private)
	if err != nil {
		return Secret{}, err
	}
	return NewSecret(string(pem.EncodeToMemory(&pem.Block{Type: pemBlock, Bytes: der}))), nil
}

// ID is the key's kid.
func (k *SigningKey) ID() string { return k.id }

// Algorithm is RS256 or ES256.
func (k *SigningKey) Algorithm() string {
	if _, isRSA := k.private.(*rsa.PrivateKey); isRSA {
		return RS256
	}
	return ES256
}

// PublicJWK returns the public key as Okta takes it: a JWK in JSON.
// https://www.rfc-editor.org/rfc/rfc7517
func (k *SigningKey) PublicJWK() (json.RawMessage, error) {
	return json.Marshal(jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: k.Algorithm(), Use: "sig"})
}

// signer returns what signs tokens with the key.
func (k *SigningKey) signer(options *jose.SignerOptions) (jose.Signer, error) {
	private := jose.JSONWebKey{Key: k.private}
	if !options.EmbedJWK {
		private.KeyID = k.id
	}
	return jose.NewSigner(jose.SigningKey{Algorithm: jose.SignatureAlgorithm(k.Algorithm()), Key: private}, options)
}

// Format prints a placeholder, whatever the verb.
func (k *SigningKey) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, placeholder) }

// MarshalText returns a placeholder, which is what JSON and loggers write.
func (k *SigningKey) MarshalText() ([]byte, error) { return []byte(placeholder), nil }
