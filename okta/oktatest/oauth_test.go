package oktatest_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"
)

// signer makes tokens by hand.
type signer struct {
	t   *testing.T
	key *ecdsa.PrivateKey
}

func newSigner(t *testing.T) signer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signer{t, key}
}

func (s signer) jwk() map[string]any {
	raw, err := s.key.PublicKey.Bytes()
	if err != nil {
		s.t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	return map[string]any{"kty": "EC", "crv": "P-256", "x": b64(raw[1:33]), "y": b64(raw[33:]), "kid": "k1"}
}

func (s signer) sign(header, claims map[string]any) string {
	var parts []string
	for _, part := range []map[string]any{header, claims} {
		raw, err := json.Marshal(part)
		if err != nil {
			s.t.Fatal(err)
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(raw))
	}
	signed := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(signed))
	r, v, err := ecdsa.Sign(rand.Reader, s.key, sum[:])
	if err != nil {
		s.t.Fatal(err)
	}
	raw := append(r.FillBytes(make([]byte, 32)), v.FillBytes(make([]byte, 32))...)
	return signed + "." + base64.RawURLEncoding.EncodeToString(raw)
}

// The organization refuses each fault of an assertion and of a proof by its own name.
func TestAssertionsAndProofsAreChecked(t *testing.T) {
	t.Parallel()
	type part = map[string]any
	for name, tc := range map[string]struct {
		header, claims, proofHeader, proof part // what differs from a good request
		error, says                        string
	}{
		"good":                    {},
		"wrong sub":               {claims: part{"sub": "x"}, error: "invalid_client", says: "sub"},
		"wrong iss":               {claims: part{"iss": "x"}, error: "invalid_client", says: "iss"},
		"wrong aud":               {claims: part{"aud": "https://x.example/oauth2/v1/token"}, error: "invalid_client", says: "aud"},
		"no exp":                  {claims: part{"exp": nil}, error: "invalid_client", says: "exp"},
		"expired":                 {claims: part{"exp": noon.Unix()}, error: "invalid_client", says: "expired"},
		"exp too far":             {claims: part{"exp": noon.Add(time.Hour + time.Second).Unix()}, error: "invalid_client", says: "far"},
		"iat of the future":       {claims: part{"iat": noon.Unix() + 1}, error: "invalid_client", says: "future"},
		"another alg":             {header: part{"alg": "HS256"}, error: "invalid_client", says: "alg"},
		"alg of another key":      {header: part{"alg": "RS256"}, error: "invalid_client", says: "signature"},
		"another kid":             {header: part{"kid": "k2"}, error: "invalid_client", says: "kid"},
		"proof: typ":              {proofHeader: part{"typ": "JWT"}, error: "invalid_dpop_proof", says: "typ"},
		"proof: no jwk":           {proofHeader: part{"jwk": nil}, error: "invalid_dpop_proof", says: "jwk"},
		"proof: htm":              {proof: part{"htm": "GET"}, error: "invalid_dpop_proof", says: "htm"},
		"proof: htu":              {proof: part{"htu": "https://x.example"}, error: "invalid_dpop_proof", says: "htu"},
		"proof: old":              {proof: part{"iat": noon.Add(-5*time.Minute - time.Second).Unix()}, error: "invalid_dpop_proof", says: "iat"},
		"proof: of the future":    {proof: part{"iat": noon.Unix() + 1}, error: "invalid_dpop_proof", says: "iat"},
		"proof: no jti":           {proof: part{"jti": nil}, error: "invalid_dpop_proof", says: "jti"},
		"proof: no nonce":         {proof: part{"nonce": nil}, error: "use_dpop_nonce", says: "nonce"},
		"proof: of another nonce": {proof: part{"nonce": "x"}, error: "use_dpop_nonce", says: "nonce"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, opts := newClock()
			c, srv := newClient(t, opts)
			app := srv.AddServiceApp("okta.users.read")
			mine, bound := newSigner(t), newSigner(t)
			set, _ := json.Marshal(part{"keys": []any{mine.jwk()}})
			if err := app.SaveKeys(set); err != nil {
				t.Fatal(err)
			}
			target := srv.URL + "/oauth2/v1/token"
			n := 0
			ask := func(nonce string, header, claims, proofHeader, proof part) reply {
				n++
				h, cl := part{"alg": "ES256", "kid": "k1"}, part{"iss": app.ID, "sub": app.ID, "aud": target, "exp": noon.Unix() + 60, "jti": fmt.Sprint("a", n)}
				ph, p := part{"alg": "ES256", "typ": "dpop+jwt", "jwk": bound.jwk()}, part{"htm": "POST", "htu": target, "iat": noon.Unix(), "jti": fmt.Sprint("p", n), "nonce": nonce}
				maps.Copy(h, header)
				maps.Copy(cl, claims)
				maps.Copy(ph, proofHeader)
				maps.Copy(p, proof)
				form := url.Values{
					"grant_type": {"client_credentials"}, "scope": {"okta.users.read"},
					"client_assertion_type": {"urn:ietf:params:oauth:client-assertion-type:jwt-bearer"}, "client_assertion": {mine.sign(h, cl)},
				}
				req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, target, strings.NewReader(form.Encode()))
				req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
				req.Header.Set("DPoP", bound.sign(ph, p))
				return c.do(req)
			}
			nonce := ask("", nil, nil, nil, nil).header.Get("DPoP-Nonce")
			r := ask(nonce, tc.header, tc.claims, tc.proofHeader, tc.proof)
			if tc.error == "" {
				if r.status != 200 || r.str("token_type") != "DPoP" || app.Issued() != 1 {
					t.Fatalf("%d %s", r.status, r.raw)
				}
				if again := ask(nonce, nil, part{"jti": "a2"}, nil, nil); again.str("error") != "invalid_client" {
					t.Errorf("the assertion was used before: %s", again.raw)
				}
				if again := ask(nonce, nil, nil, nil, part{"jti": "p2"}); again.str("error") != "invalid_dpop_proof" {
					t.Errorf("the proof was used before: %s", again.raw)
				}
				return
			}
			if r.str("error") != tc.error || !strings.Contains(r.str("error_description"), tc.says) || app.Issued() != 0 {
				t.Errorf("%d %s", r.status, r.raw)
			}
		})
	}
}
