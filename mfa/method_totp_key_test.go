package mfa_test

import (
	"bytes"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"image/png"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

// TestTOTPCredentials: what can be no passcode of the key is no guess.
func TestTOTPCredentials(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name    string
		c       mfa.Credential
		err     error
		problem string
	}{
		{"none", mfa.Credential{}, mfa.ErrNeedsPassCode, ""},
		{"too short", mfa.Credential{PassCode: "12345"}, nil, "takes a passcode of 6 digits"},
		{"too long", mfa.Credential{PassCode: "1234567"}, nil, "takes a passcode of 6 digits"},
		{"letters", mfa.Credential{PassCode: "12345x"}, nil, "takes a passcode of 6 digits"},
		{"a sign", mfa.Credential{PassCode: "-12345"}, nil, "takes a passcode of 6 digits"},
		{"spaces", mfa.Credential{PassCode: " 12345"}, nil, "takes a passcode of 6 digits"},
		{"other digits", mfa.Credential{PassCode: "１２"}, nil, "takes a passcode of 6 digits"}, // six bytes
		{"a device", mfa.Credential{Device: "Phone 1"}, nil, "rings no phone"},
		{"another type", mfa.Credential{Kind: mfa.KindPush, PassCode: code}, nil, "takes no factor of type push"},
		{"a device and a passcode", mfa.Credential{Device: "Phone 1", PassCode: code}, nil, "rings no phone"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			m := newTOTPMount(usual())
			attempt, err := m.Prepare(t.Context(), mfa.Subject{Login: login}, tc.c)
			assert.Nil(t, attempt.Verify)
			assert.Zero(t, m.store.uses)
			if tc.err != nil {
				assert.ErrorIs(t, err, tc.err)
				return
			}
			var useless *mfa.CredentialError
			require.ErrorAs(t, err, &useless)
			assert.Contains(t, useless.Problem, tc.problem)
			assert.True(t, mfa.Retryable(err))
		})
	}
}

// TestTOTPWithoutKey: whatever is given, and for whoever it is.
func TestTOTPWithoutKey(t *testing.T) {
	t.Parallel()
	m := newTOTPMount(usual())
	for _, c := range []mfa.Credential{{}, {PassCode: m.code(t, 0)}, {Device: "x"}, {Kind: mfa.KindTOTP}} {
		_, err := m.Prepare(t.Context(), mfa.Subject{Login: "eve@acme.test", Name: login}, c)
		assert.ErrorIs(t, err, mfa.ErrNoKey)
		assert.False(t, mfa.Retryable(err))
	}
	attempt, err := m.Prepare(t.Context(), mfa.Subject{Login: strings.ToUpper(login)}, mfa.Credential{PassCode: m.code(t, 0)})
	require.NoError(t, err)
	assert.NoError(t, attempt.Verify(t.Context(), mfa.Exchange{}), "people are known in any case")
}

// TestTOTPStoreFails: what cannot be kept has not happened.
func TestTOTPStoreFails(t *testing.T) {
	t.Parallel()
	lost := errors.New("the storage is gone")
	for name, set := range map[string]func(*totpStore){
		"look": func(s *totpStore) { s.lookErr = lost },
		"use":  func(s *totpStore) { s.useErr = lost },
		"keep": func(s *totpStore) { s.keepErr = lost },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newTOTPMount(usual())
			set(m.store)
			err := m.try(t, m.code(t, 0))
			assert.ErrorIs(t, err, lost)
			assert.False(t, mfa.Retryable(err))
		})
	}
	t.Run("key deleted meanwhile", func(t *testing.T) {
		t.Parallel()
		m := newTOTPMount(usual())
		attempt, err := m.Prepare(t.Context(), mfa.Subject{Login: login}, mfa.Credential{PassCode: m.code(t, 0)})
		require.NoError(t, err)
		m.store.keys = nil
		assert.ErrorIs(t, attempt.Verify(t.Context(), mfa.Exchange{}), mfa.ErrNoKey)
	})
	t.Run("key replaced meanwhile", func(t *testing.T) {
		t.Parallel()
		m := newTOTPMount(usual())
		attempt, err := m.Prepare(t.Context(), mfa.Subject{Login: login}, mfa.Credential{PassCode: m.code(t, 0)})
		require.NoError(t, err)
		other := usual()
		other.Secret = "KRSXG5CTMVRXEZLUKRSXG5CTMVRXEZLU"
		m.store.put(login, other)
		assert.ErrorIs(t, attempt.Verify(t.Context(), mfa.Exchange{}), mfa.ErrWrongPassCode)
	})
}

// TestTOTPKeyMakesNoSense: a key that is damaged lets nobody in, and does not
// count against them.
func TestTOTPKeyMakesNoSense(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*mfa.TOTPKey){
		"no secret":         func(k *mfa.TOTPKey) { k.Secret = "" },
		"not base32":        func(k *mfa.TOTPKey) { k.Secret = "10101010" },
		"small letters":     func(k *mfa.TOTPKey) { k.Secret = strings.ToLower(k.Secret) },
		"no period":         func(k *mfa.TOTPKey) { k.Period = 0 },
		"negative period":   func(k *mfa.TOTPKey) { k.Period = -30 * time.Second },
		"short period":      func(k *mfa.TOTPKey) { k.Period = time.Millisecond },
		"no algorithm":      func(k *mfa.TOTPKey) { k.Algorithm = "" },
		"unknown algorithm": func(k *mfa.TOTPKey) { k.Algorithm = "MD5" },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newTOTPMount(usual())
			key := usual()
			change(&key)
			m.store.put(login, key)
			for _, passCode := range []string{m.code(t, 0), "000000"} {
				err := m.try(t, passCode)
				require.Error(t, err)
				assert.False(t, mfa.Retryable(err))
				assert.NotErrorIs(t, err, mfa.ErrWrongPassCode)
				assert.NotContains(t, err.Error(), usual().Secret)
			}
			assert.Zero(t, m.stored(t).Wrong)
		})
	}
	t.Run("no digits", func(t *testing.T) {
		t.Parallel()
		m := newTOTPMount(usual())
		key := usual()
		key.Digits = 0
		m.store.put(login, key)
		for _, passCode := range []string{"", "0", "000000"} {
			assert.Error(t, m.try(t, passCode))
		}
	})
}

// TestTOTPKeyDoesNotPrint: no log can hold a key by accident.
func TestTOTPKeyDoesNotPrint(t *testing.T) {
	t.Parallel()
	key := usual()
	for _, v := range []any{key, &key, []mfa.TOTPKey{key}, map[string]mfa.TOTPKey{"mia": key}, struct{ Key mfa.TOTPKey }{key}, struct{ Key any }{key}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			text := fmt.Sprintf(verb, v)
			assert.NotContains(t, text, key.Secret, "%T %s", v, verb)
			assert.NotContains(t, text, fmt.Sprintf("%x", key.Secret), "%T %s", v, verb)
		}
	}
	assert.Equal(t, "[secret]", fmt.Sprint(key))

	raw, err := json.Marshal(key) // as it is stored
	require.NoError(t, err)
	var again mfa.TOTPKey
	require.NoError(t, json.Unmarshal(raw, &again))
	assert.Equal(t, key.Secret, again.Secret)
}

// TestNewTOTPKey: the URL says what the key is, the barcode is a picture, and
// the passcodes of the app are accepted.
func TestNewTOTPKey(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		config mfa.TOTPConfig
		login  string
	}{
		{"usual", mfa.TOTPConfig{Issuer: "Vault", Period: 30 * time.Second, Digits: 6, Algorithm: "SHA1", KeySize: 20, QRSize: 200}, login},
		{"strong", mfa.TOTPConfig{Issuer: "Acme & Söhne + Co=1?#%", Period: time.Minute, Digits: 8, Algorithm: "SHA512", KeySize: 64, QRSize: 512}, "mía/ito"},
		{"SHA256", mfa.TOTPConfig{Issuer: "Vault", Period: 30 * time.Second, Digits: 6, Algorithm: "SHA256", KeySize: 32, QRSize: 0}, "a b"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			key, link, barcode, err := mfa.NewTOTPKey(tc.config, tc.login)
			require.NoError(t, err)
			assert.Equal(t, []any{tc.config.Period, tc.config.Digits, tc.config.Algorithm}, []any{key.Period, key.Digits, key.Algorithm})
			assert.Equal(t, []any{int64(0), 0, time.Time{}}, []any{key.LastStep, key.Wrong, key.BarredUntil})
			raw, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(key.Secret)
			require.NoError(t, err)
			assert.Len(t, raw, tc.config.KeySize)

			u, err := url.Parse(link)
			require.NoError(t, err)
			assert.Equal(t, "otpauth://totp", u.Scheme+"://"+u.Host)
			assert.Equal(t, "/"+tc.config.Issuer+":"+tc.login, u.Path)
			assert.NotContains(t, u.RawQuery, "+", "apps show a plus as one")
			assert.Equal(t, url.Values{
				"secret": {key.Secret}, "issuer": {tc.config.Issuer}, "algorithm": {tc.config.Algorithm},
				"digits": {fmt.Sprint(tc.config.Digits)}, "period": {fmt.Sprint(tc.config.Period.Seconds())},
			}, u.Query())

			if tc.config.QRSize == 0 {
				assert.Empty(t, barcode)
			} else {
				data, err := base64.StdEncoding.DecodeString(barcode)
				require.NoError(t, err)
				picture, err := png.Decode(bytes.NewReader(data))
				require.NoError(t, err)
				size := picture.Bounds().Size()
				assert.Equal(t, []int{tc.config.QRSize, tc.config.QRSize}, []int{size.X, size.Y})
			}

			other, _, _, err := mfa.NewTOTPKey(tc.config, tc.login)
			require.NoError(t, err)
			assert.NotEqual(t, key.Secret, other.Secret)

			m := newTOTPMount(key)
			assert.NoError(t, m.try(t, m.code(t, 0)))
			m.clock.Advance(tc.config.Period)
			other.LastStep = key.LastStep
			m.store.put(login, other)
			assert.ErrorIs(t, m.try(t, m.code(t, 0)), mfa.ErrWrongPassCode)
		})
	}
	good := mfa.TOTPConfig{Issuer: "Vault", Period: 30 * time.Second, Digits: 6, Algorithm: "SHA1", KeySize: 20, QRSize: 200}
	for name, change := range map[string]func(c *mfa.TOTPConfig){
		"no algorithm":      func(c *mfa.TOTPConfig) { c.Algorithm = "" },
		"unknown algorithm": func(c *mfa.TOTPConfig) { c.Algorithm = "MD5" },
		"no issuer":         func(c *mfa.TOTPConfig) { c.Issuer = "" },
		"too small":         func(c *mfa.TOTPConfig) { c.QRSize = 1 },
	} {
		t.Run(name, func(t *testing.T) {
			config := good
			change(&config)
			key, link, barcode, err := mfa.NewTOTPKey(config, login)
			assert.Error(t, err)
			assert.Zero(t, key)
			assert.Empty(t, link+barcode)
		})
	}
}
