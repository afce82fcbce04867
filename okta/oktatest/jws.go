package oktatest

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// This file reads signed tokens by itself, without the library that clients may use.

// jwk is a public key in the form of RFC 7517, as far as it is read. D is set where
// somebody sends a private one.
type jwk struct {
	KTY string `json:"kty"`
	KID string `json:"kid"`
	Crv string `json:"crv"`
	N   string `json:"n"`
	E   string `json:"e"`
	X   string `json:"x"`
	Y   string `json:"y"`
	D   string `json:"d"`
}

func number(s string) (*big.Int, error) {
	raw, err := base64.RawURLEncoding.DecodeString(s)
	return new(big.Int).SetBytes(raw), err
}

// public returns the key, which must not be a private one.
func (k jwk) public() (crypto.PublicKey, error) {
	switch {
	case k.D != "":
		return nil, errors.New("a private key")
	case k.KTY == "RSA":
		n, err := number(k.N)
		if err != nil {
			return nil, err
		}
		e, err := number(k.E)
		if err != nil || n.BitLen() < 2048 || !e.IsInt64() {
			return nil, errors.New("no RSA key of 2048 bits or more")
		}
		return &rsa.PublicKey{N: n, E: int(e.Int64())}, nil
	case k.KTY == "EC" && k.Crv == "P-256":
		x, errX := base64.RawURLEncoding.DecodeString(k.X)
		y, errY := base64.RawURLEncoding.DecodeString(k.Y)
		if err := errors.Join(errX, errY); err != nil {
			return nil, err
		}
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), bytes.Join([][]byte{{4}, x, y}, nil))
	}
	return nil, fmt.Errorf("a key of the type %q", k.KTY)
}

// thumbprint is that of RFC 7638.
func (k jwk) thumbprint() string {
	text := `{"crv":"` + k.Crv + `","kty":"EC","x":"` + k.X + `","y":"` + k.Y + `"}`
	if k.KTY == "RSA" {
		text = `{"e":"` + k.E + `","kty":"RSA","n":"` + k.N + `"}`
	}
	return digest(text)
}

// digest is the SHA-256 of a text in base64url.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// jws is a token whose signature has not been checked.
type jws struct {
	header struct {
		Alg string `json:"alg"`
		Typ string `json:"typ"`
		KID string `json:"kid"`
		JWK *jwk   `json:"jwk"`
	}
	claims    map[string]any
	signed    string
	signature []byte
}

// parseJWS reads the compact form.
func parseJWS(text string) (t jws, err error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return t, errors.New("not three parts")
	}
	for i, into := range []any{&t.header, &t.claims} {
		raw, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err == nil {
			err = json.Unmarshal(raw, into)
		}
		if err != nil {
			return t, err
		}
	}
	t.signed = parts[0] + "." + parts[1]
	t.signature, err = base64.RawURLEncoding.DecodeString(parts[2])
	return t, err
}

// signedBy reports whether the key has made the signature, by RS256 or ES256.
func (t jws) signedBy(key crypto.PublicKey) bool {
	sum := sha256.Sum256([]byte(t.signed))
	switch key := key.(type) {
	case *rsa.PublicKey:
		return t.header.Alg == "RS256" && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], t.signature) == nil
	case *ecdsa.PublicKey:
		if t.header.Alg != "ES256" || len(t.signature) != 64 {
			return false
		}
		r, s := new(big.Int).SetBytes(t.signature[:32]), new(big.Int).SetBytes(t.signature[32:])
		return ecdsa.Verify(key, sum[:], r, s)
	}
	return false
}

// text is a claim that is a string, or "".
func (t jws) text(claim string) string {
	s, _ := t.claims[claim].(string)
	return s
}

// seconds is a claim that is a whole number.
func (t jws) seconds(claim string) (int64, bool) {
	f, isNumber := t.claims[claim].(float64)
	return int64(f), isNumber && f == float64(int64(f))
}
