package mfa

import (
	"bytes"
	"context"
	"encoding/base32"
	"encoding/base64"
	"errors"
	"fmt"
	"image/png"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

// TOTPKeys stores the keys of one TOTPMethod: one key for each person, by their login at
// Okta in any case. Its methods fail with ErrNoKey where the person has no key.
type TOTPKeys interface {
	// Look returns a person's key.
	Look(ctx context.Context, login string) (TOTPKey, error)
	// Use calls f with a person's key, which f may change, while no other call uses the
	// key. Use stores what f has changed before it returns, also where f fails.
	Use(ctx context.Context, login string, f func(*TOTPKey) error) error
}

// TOTPConfig says how NewTOTPKey makes keys.
type TOTPConfig struct {
	// Issuer is the name of the issuer that authenticator apps show.
	Issuer string
	// Period is how long a passcode is valid.
	Period time.Duration
	// Digits is the length of a passcode: 6 or 8.
	Digits int
	// Algorithm is "SHA1", "SHA256" or "SHA512".
	Algorithm string
	// KeySize is the length of a key in bytes.
	KeySize int
	// QRSize is the width of the QR code in pixels. Zero makes no QR code.
	QRSize int
}

// TOTPKey is one person's key, and the state that protects it against replay and
// guessing.
type TOTPKey struct {
	okta.Unprintable
	// Secret is the key in base32. The three fields below are as in TOTPConfig.
	Secret    string        `json:"secret"`
	Period    time.Duration `json:"period"`
	Digits    int           `json:"digits"`
	Algorithm string        `json:"algorithm"`

	// LastStep is the newest time step of which a passcode was accepted. No passcode of
	// this step or an earlier one is accepted again.
	LastStep int64 `json:"last_step"`
	// Wrong counts the wrong passcodes since the last right one.
	Wrong int `json:"wrong"`
	// BarredUntil is the time before which no passcode is checked.
	BarredUntil time.Time `json:"barred_until"`
}

// TOTPMethod requires a passcode of RFC 6238, and checks it with a key that the mount
// stores.
type TOTPMethod struct {
	// Keys stores the keys.
	Keys TOTPKeys
	// Skew is how many time steps a passcode may be early or late: 0 or 1.
	Skew int
	// MaxWrong is how many wrong passcodes in a row bar a person: for a minute at first,
	// and twice as long each time after that, up to an hour. It must be positive.
	MaxWrong int
	// Now tells the time.
	Now func() time.Time
}

// The algorithms of RFC 6238, section 1.2.
var algorithms = map[string]otp.Algorithm{
	"SHA1": otp.AlgorithmSHA1, "SHA256": otp.AlgorithmSHA256, "SHA512": otp.AlgorithmSHA512,
}

const (
	shortestBar = time.Minute
	longestBar  = time.Hour
)

// NewTOTPKey makes a key for a person. It returns the key to store, the otpauth:// URL
// that authenticator apps read, and a QR code of the URL as a PNG in base64. barcode is
// empty where config.QRSize is zero.
func NewTOTPKey(config TOTPConfig, login string) (key TOTPKey, url, barcode string, err error) {
	algorithm, ok := algorithms[config.Algorithm]
	if !ok {
		return TOTPKey{}, "", "", fmt.Errorf("unknown algorithm %q", config.Algorithm)
	}
	made, err := totp.Generate(totp.GenerateOpts{
		Issuer: config.Issuer, AccountName: login, Period: uint(config.Period / time.Second),
		SecretSize: uint(config.KeySize), Digits: otp.Digits(config.Digits), Algorithm: algorithm,
	})
	if err != nil {
		return TOTPKey{}, "", "", err
	}
	if made, err = otp.NewKeyFromURL(keyURL(made.Secret(), config, login)); err != nil {
		return TOTPKey{}, "", "", err
	}
	if config.QRSize > 0 {
		picture, err := made.Image(config.QRSize, config.QRSize)
		if err != nil {
			return TOTPKey{}, "", "", err
		}
		var b bytes.Buffer
		if err := png.Encode(&b, picture); err != nil {
			return TOTPKey{}, "", "", err
		}
		barcode = base64.StdEncoding.EncodeToString(b.Bytes())
	}
	key = TOTPKey{Secret: made.Secret(), Period: config.Period, Digits: config.Digits, Algorithm: config.Algorithm}
	return key, made.URL(), barcode, nil
}

// keyURL returns the otpauth:// URL of a key. The library's own URL does not escape
// characters that separate parameters, such as the ampersand of "Acme & Sons".
// https://github.com/google/google-authenticator/wiki/Key-Uri-Format
func keyURL(secret string, config TOTPConfig, login string) string {
	query := url.Values{
		"secret": {secret}, "issuer": {config.Issuer}, "algorithm": {config.Algorithm},
		"digits": {strconv.Itoa(config.Digits)}, "period": {strconv.Itoa(int(config.Period / time.Second))},
	}
	u := url.URL{
		Scheme: "otpauth", Host: "totp", Path: "/" + config.Issuer + ":" + login,
		RawQuery: strings.ReplaceAll(query.Encode(), "+", "%20"), // apps show a plus as a plus
	}
	return u.String()
}

// Prepare checks that the person has a key and is not barred, and that the passcode has
// the right form.
func (m *TOTPMethod) Prepare(ctx context.Context, who Subject, c Credential) (Attempt, error) {
	if err := c.Only(KindTOTP); err != nil {
		return Attempt{}, err
	}
	login := Format{}.Name(who)
	key, err := m.Keys.Look(ctx, login)
	switch {
	case err != nil:
		return Attempt{}, err
	case c.Device != "":
		return Attempt{}, &CredentialError{"rings no phone: give it the passcode of your authenticator app"}
	case c.PassCode == "":
		return Attempt{}, ErrNeedsPassCode
	case len(c.PassCode) != key.Digits || !digits(c.PassCode):
		return Attempt{}, &CredentialError{fmt.Sprintf("takes a passcode of %d digits", key.Digits)}
	}
	if err := key.barred(m.Now()); err != nil {
		return Attempt{}, err
	}
	return Attempt{Verify: func(ctx context.Context, _ Exchange) error {
		return m.Keys.Use(ctx, login, func(key *TOTPKey) error { return m.verify(key, c.PassCode) })
	}}, nil
}

// verify checks a passcode, and changes the key so that the passcode counts once.
func (m *TOTPMethod) verify(key *TOTPKey, passCode string) error {
	now := m.Now()
	if err := key.barred(now); err != nil {
		return err
	}
	step, right, err := key.stepOf(passCode, now, m.Skew)
	switch {
	case err != nil:
		return err
	case !right:
		key.wrong(now, m.MaxWrong)
		return ErrWrongPassCode
	case step <= key.LastStep:
		return ErrPassCodeReplayed
	}
	key.LastStep, key.Wrong, key.BarredUntil = step, 0, time.Time{}
	return nil
}

// stepOf returns the newest time step of which passCode is the passcode. right is false
// where it is the passcode of no step within skew.
func (k *TOTPKey) stepOf(passCode string, now time.Time, skew int) (step int64, right bool, err error) {
	if !k.Valid() {
		return 0, false, errors.New("the stored TOTP key is not valid")
	}
	options := hotp.ValidateOpts{Digits: otp.Digits(k.Digits), Algorithm: algorithms[k.Algorithm]}
	current := now.Unix() / int64(k.Period/time.Second)
	for at := current - int64(skew); at <= current+int64(skew); at++ {
		// The library compares in constant time, except for a passcode of another length.
		ok, err := hotp.ValidateCustom(passCode, uint64(at), k.Secret, options)
		if err != nil {
			return 0, false, err
		}
		if ok {
			step, right = at, true
		}
	}
	return step, right, nil
}

// Valid reports whether passcodes can be made with the key.
func (k TOTPKey) Valid() bool {
	_, known := algorithms[k.Algorithm]
	return known && k.Period >= time.Second && k.Digits > 0 && isBase32(k.Secret)
}

// isBase32 reports whether s is a key in base32, without padding.
func isBase32(s string) bool {
	raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(s)
	return err == nil && len(raw) > 0
}

// barred fails with *PassCodesBarredError while no passcode is checked.
func (k *TOTPKey) barred(now time.Time) error {
	if wait := k.BarredUntil.Sub(now); wait > 0 {
		return &PassCodesBarredError{Wait: wait}
	}
	return nil
}

// wrong counts a wrong passcode, and bars the person after every most of them.
func (k *TOTPKey) wrong(now time.Time, most int) {
	k.Wrong++
	if k.Wrong%most != 0 {
		return
	}
	bar := longestBar
	if times := k.Wrong/most - 1; times < 6 {
		bar = shortestBar << times
	}
	k.BarredUntil = now.Add(bar)
}
