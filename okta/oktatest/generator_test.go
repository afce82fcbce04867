package oktatest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// The values of RFC 4226, appendix D.
func TestHOTPVectors(t *testing.T) {
	t.Parallel()
	g := counted{secret: []byte("12345678901234567890"), digits: 6}
	for _, want := range []string{
		"755224", "287082", "359152", "969429", "338314", "254676", "287922", "162583", "399871", "520489",
	} {
		assert.Equal(t, want, g.code(time.Time{}))
	}
}

// Modhex as Yubico tells it, and the checksum of ISO 13239, which is also CRC-16/X-25.
func TestYubiKeyFormat(t *testing.T) {
	t.Parallel()
	assert.Equal(t, "cbdefghijklnrtuv", modhex([]byte{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}))
	assert.Equal(t, uint16(0x906e), ^crc16([]byte("123456789")), "the check value of CRC-16/X-25")

	y := newYubiKey(deviceSecret("some key"))
	for touch := uint32(1); touch < 600; touch++ {
		plain := y.plain(touch)
		require.Equal(t, uint16(0xf0b8), crc16(plain[:]), "the residue over block and checksum")
		otp := y.code(time.Time{})
		require.Regexp(t, "^cccc[cbdefghijklnrtuv]{40}$", otp)
		got, ok := y.open(otp)
		require.True(t, ok)
		require.Equal(t, touch, got)
	}
}

func TestYubiKeyRefusesWhatItDidNotMake(t *testing.T) {
	t.Parallel()
	y, other := newYubiKey(deviceSecret("one")), newYubiKey(deviceSecret("other"))
	otp := y.code(time.Time{})
	forged := otp[:12] + other.code(time.Time{})[12:]
	for name, code := range map[string]string{
		"short":        otp[:43],
		"long":         otp + "c",
		"upper case":   strings.ToUpper(otp),
		"digits":       otp[:12] + strings.Repeat("0", 32),
		"another key":  other.code(time.Time{}),
		"forged block": forged,
		"id alone":     otp[:12],
	} {
		assert.Equal(t, "E0000068", y.check(code, time.Time{}), name)
	}
	assert.Empty(t, y.check(otp, time.Time{}))
}
