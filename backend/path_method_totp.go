package backend

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// totpMethodEntry is a stored method of type totp.
type totpMethodEntry struct {
	Issuer    string        `json:"issuer"`
	Period    time.Duration `json:"period"`
	Digits    int           `json:"digits"`
	Algorithm string        `json:"algorithm"`
	Skew      int           `json:"skew"`
	KeySize   int           `json:"key_size"`
	QRSize    int           `json:"qr_size"`
	MaxWrong  int           `json:"max_validation_attempts"`
}

// The bounds of the fields of a method of type totp.
const (
	minTOTPPeriod = 10 * time.Second
	maxTOTPPeriod = 5 * time.Minute
	minTOTPKey    = 16 // bytes: RFC 4226, section 4, R6
	maxTOTPKey    = 128
	minQRSize     = 100 // pixels
	maxQRSize     = 1000
	maxAttempts   = 20
	maxIssuer     = 64 // bytes
)

var defaultTOTPMethod = totpMethodEntry{
	Period: 30 * time.Second, Digits: 6, Algorithm: "SHA1", Skew: 1, KeySize: 20, QRSize: 200, MaxWrong: 5,
}

var totpMethodType = &methodType{
	name:     "totp",
	title:    "totp",
	fields:   totpMethodFields,
	update:   updateTOTPMethod,
	check:    checkTOTPMethod,
	describe: describeTOTPMethod,
	make:     makeTOTPMethod,
	help:     totpMethodHelp,
}

func totpMethodFields() map[string]*framework.FieldSchema {
	return map[string]*framework.FieldSchema{
		"issuer": {
			Type:         framework.TypeString,
			Description:  "Who issues the keys, as authenticator apps show it. Required.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Issuer"},
		},
		"period": {
			Type: framework.TypeDurationSecond, Default: durationText(defaultTOTPMethod.Period),
			Description:  "For how long a passcode is shown: 10s to 5m, and 30s when not set. Of keys that are generated from then on.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Period"},
		},
		"digits": {
			Type: framework.TypeInt, Default: defaultTOTPMethod.Digits, AllowedValues: []any{6, 8},
			Description:  "Digits of a passcode: 6 or 8, and 6 when not set. Of keys that are generated from then on.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Digits"},
		},
		"algorithm": {
			Type: framework.TypeString, Default: defaultTOTPMethod.Algorithm, AllowedValues: []any{"SHA1", "SHA256", "SHA512"},
			Description:  "SHA1, SHA256 or SHA512, and SHA1 when not set; many apps know SHA1 only. Of keys that are generated from then on.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Algorithm"},
		},
		"skew": {
			Type: framework.TypeInt, Default: defaultTOTPMethod.Skew, AllowedValues: []any{0, 1},
			Description:  "How many periods a passcode may be early or late: 0 or 1, and 1 when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Skew"},
		},
		"key_size": {
			Type: framework.TypeInt, Default: defaultTOTPMethod.KeySize,
			Description:  "Bytes of a key: 16 to 128, and 20 when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Key Size"},
		},
		"qr_size": {
			Type: framework.TypeInt, Default: defaultTOTPMethod.QRSize,
			Description:  "Pixels of the QR code: 100 to 1000, or 0 for none; 200 when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "QR Code Size"},
		},
		"max_validation_attempts": {
			Type: framework.TypeInt, Default: defaultTOTPMethod.MaxWrong,
			Description:  "How many wrong passcodes in a row bar a person for a minute, and then for twice as long each time: 1 to 20, and 5 when not set.",
			DisplayAttrs: &framework.DisplayAttributes{Name: "Maximum Validation Attempts"},
		},
	}
}

func updateTOTPMethod(d *framework.FieldData, entry *methodEntry) error {
	t := defaultTOTPMethod
	if entry.TOTP != nil {
		t = *entry.TOTP
	}
	if v, ok := newest[string](d, "issuer"); ok {
		t.Issuer = strings.TrimSpace(v)
	}
	if v, ok := newest[string](d, "algorithm"); ok {
		t.Algorithm = strings.ToUpper(v)
	}
	if v, ok := newest[int](d, "period"); ok && d.Raw["period"] != nil {
		t.Period = time.Duration(v) * time.Second
	}
	for field, into := range map[string]*int{
		"digits": &t.Digits, "skew": &t.Skew, "key_size": &t.KeySize, "qr_size": &t.QRSize, "max_validation_attempts": &t.MaxWrong,
	} {
		if v, ok := newest[int](d, field); ok && d.Raw[field] != nil {
			*into = v
		}
	}
	entry.TOTP = &t
	return nil
}

func checkTOTPMethod(entry *methodEntry) (problems []problem) {
	t := entry.TOTP
	badIssuer := len(t.Issuer) > maxIssuer || strings.ContainsFunc(t.Issuer, func(r rune) bool { return r == ':' || !unicode.IsPrint(r) })
	for _, rule := range []struct {
		broken bool
		inputError
	}{
		{t.Issuer == "", inputError{"issuer", "is required: the name that authenticator apps show"}},
		{badIssuer, inputError{"issuer", fmt.Sprintf("must be at most %d bytes of printable text without a colon", maxIssuer)}},
		{t.Period < minTOTPPeriod || t.Period > maxTOTPPeriod, inputError{"period", "must be 10s to 5m"}},
		{t.Digits != 6 && t.Digits != 8, inputError{"digits", "must be 6 or 8"}},
		{t.Algorithm != "SHA1" && t.Algorithm != "SHA256" && t.Algorithm != "SHA512", inputError{"algorithm", "must be SHA1, SHA256 or SHA512"}},
		{t.Skew != 0 && t.Skew != 1, inputError{"skew", "must be 0 or 1"}},
		{t.KeySize < minTOTPKey || t.KeySize > maxTOTPKey, inputError{"key_size", fmt.Sprintf("must be %d to %d bytes", minTOTPKey, maxTOTPKey)}},
		{t.QRSize != 0 && (t.QRSize < minQRSize || t.QRSize > maxQRSize), inputError{"qr_size", fmt.Sprintf("must be %d to %d pixels, or 0 for no QR code", minQRSize, maxQRSize)}},
		{t.MaxWrong < 1 || t.MaxWrong > maxAttempts, inputError{"max_validation_attempts", fmt.Sprintf("must be 1 to %d", maxAttempts)}},
	} {
		if rule.broken {
			problems = append(problems, wrong(&rule.inputError, rule.field))
		}
	}
	return problems
}

func describeTOTPMethod(entry *methodEntry, data map[string]any) {
	data["issuer"] = entry.TOTP.Issuer
	data["period"] = durationText(entry.TOTP.Period)
	data["digits"] = entry.TOTP.Digits
	data["algorithm"] = entry.TOTP.Algorithm
	data["skew"] = entry.TOTP.Skew
	data["key_size"] = entry.TOTP.KeySize
	data["qr_size"] = entry.TOTP.QRSize
	data["max_validation_attempts"] = entry.TOTP.MaxWrong
}

func makeTOTPMethod(_ context.Context, b *backend, req *logical.Request, _ *configEntry, entry *methodEntry) (mfa.Method, error) {
	return &mfa.TOTPMethod{
		Keys: b.keysOf(req.Storage, entry.ID),
		Skew: entry.TOTP.Skew, MaxWrong: entry.TOTP.MaxWrong, Now: b.now,
	}, nil
}

const totpMethodHelp = `
A method of type totp asks for the passcode of an authenticator app. The mount holds
the keys: it is for people who have no second factor in Okta. Make a person's key with
admin-generate, and delete it with admin-destroy. The mount accepts a passcode once.
`
