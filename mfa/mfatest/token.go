package mfatest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
)

// Token is a JSON web token (RFC 7519) of a PingID, before it is signed.
type Token struct {
	Header  map[string]any
	Payload map[string]any
	Key     []byte
	// Unsigned leaves the signature out.
	Unsigned bool

	payload []byte // of one that was opened
}

// Answer returns the part of the payload that answers the request.
func (t *Token) Answer() map[string]any {
	answer, _ := t.Payload["responseBody"].(map[string]any)
	return answer
}

// sign signs with HMAC and SHA-256, whatever the header says.
func (t *Token) sign() string {
	header, _ := json.Marshal(t.Header)
	payload, _ := json.Marshal(t.Payload)
	text := base64.RawURLEncoding.EncodeToString(header) + "." + base64.RawURLEncoding.EncodeToString(payload)
	if t.Unsigned {
		return text + "."
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(hs256(t.Key, text))
}

// openToken reads a token that was signed with key.
func openToken(text string, key []byte) (*Token, error) {
	parts := strings.Split(text, ".")
	if len(parts) != 3 {
		return nil, errors.New("a token has three parts")
	}
	var raw [3][]byte
	for i, part := range parts {
		var err error
		if raw[i], err = base64.RawURLEncoding.Strict().DecodeString(part); err != nil {
			return nil, err
		}
	}
	if !hmac.Equal(raw[2], hs256(key, parts[0]+"."+parts[1])) {
		return nil, errors.New("the signature is wrong")
	}
	t := &Token{Key: key, payload: raw[1]}
	return t, json.Unmarshal(raw[0], &t.Header)
}

func hs256(key []byte, text string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(text))
	return mac.Sum(nil)
}
