package oktatest

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strings"
	"time"
)

// yubiKey makes Yubico OTPs: 12 characters of public id, and 32 that are an
// AES block of a private id and counters, all in modhex.
// https://developers.yubico.com/OTP/OTPs_Explained.html
type yubiKey struct {
	publicID  [6]byte
	privateID [6]byte
	block     cipher.Block
	touches   uint32 // how often the device was touched
	last      uint32 // the touch last accepted
}

func newYubiKey(secret []byte) *yubiKey {
	key := deviceSecret("yubikey" + string(secret))
	block, err := aes.NewCipher(key[:16])
	if err != nil {
		panic(err) // the key always has the right length
	}
	y := &yubiKey{block: block}
	copy(y.publicID[2:], secret) // ids from the factory begin with zeros
	copy(y.privateID[:], secret[4:])
	return y
}

// serial returns the number that is printed on the key, which Okta's profile of the
// factor shows.
func (y *yubiKey) serial() string {
	return fmt.Sprintf("%012d", binary.BigEndian.Uint32(y.publicID[2:]))
}

// code touches the key.
func (y *yubiKey) code(time.Time) string {
	y.touches++
	plain := y.plain(y.touches)
	var sealed [16]byte
	y.block.Encrypt(sealed[:], plain[:])
	return modhex(y.publicID[:]) + modhex(sealed[:])
}

// plain returns the block of a touch. The first touch after power up begins a
// session, and 256 of them begin another; the timer and the random bytes
// stay zero, so that an organization makes the same OTPs every time.
func (y *yubiKey) plain(touch uint32) (block [16]byte) {
	copy(block[:], y.privateID[:])
	binary.LittleEndian.PutUint16(block[6:], uint16(1+touch>>8))
	block[11] = byte(touch)
	binary.LittleEndian.PutUint16(block[14:], ^crc16(block[:14]))
	return block
}

// check accepts an OTP whose counter is newer than the last accepted one. Any other one
// of this key is a replay, whether it was used or not, because Yubico's validation
// servers say REPLAYED_OTP to both.
func (y *yubiKey) check(code string, _ time.Time) string {
	touch, ok := y.open(code)
	switch {
	case !ok:
		return "E0000068"
	case touch <= y.last:
		return "E0000082"
	}
	y.last = touch
	return ""
}

// open decrypts an OTP, and reports whether this key made it.
func (y *yubiKey) open(code string) (touch uint32, ok bool) {
	sealed, found := strings.CutPrefix(code, modhex(y.publicID[:]))
	raw, err := unmodhex(sealed)
	if !found || err != nil || len(raw) != aes.BlockSize {
		return 0, false
	}
	var plain [16]byte
	y.block.Decrypt(plain[:], raw)
	if !bytes.Equal(plain[:6], y.privateID[:]) || binary.LittleEndian.Uint16(plain[14:]) != ^crc16(plain[:14]) {
		return 0, false
	}
	session := uint32(binary.LittleEndian.Uint16(plain[6:]))
	return (session-1)<<8 | uint32(plain[11]), true
}

// crc16 is the checksum of ISO 13239 before its last inversion.
func crc16(b []byte) uint16 {
	crc := uint16(0xffff)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			odd := crc&1 == 1
			if crc >>= 1; odd {
				crc ^= 0x8408
			}
		}
	}
	return crc
}

// modhex is hexadecimal in letters that all keyboards have in one place.
const hexDigits, modhexDigits = "0123456789abcdef", "cbdefghijklnrtuv"

func modhex(b []byte) string { return translate(hex.EncodeToString(b), hexDigits, modhexDigits) }

func unmodhex(s string) ([]byte, error) {
	return hex.DecodeString(translate(s, modhexDigits, hexDigits))
}

// translate replaces the characters of one alphabet by those of another, and
// any other character by one that is in neither.
func translate(s, from, to string) string {
	return strings.Map(func(r rune) rune {
		if i := strings.IndexRune(from, r); i >= 0 {
			return rune(to[i])
		}
		return '?'
	}, s)
}
