package mfa

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta"
)

func TestSentCodes(t *testing.T) {
	t.Parallel()
	now := time.Now()
	sms, call := okta.Factor{ID: "sms1"}, okta.Factor{ID: "clf1"}
	var s sentCodes
	assert.False(t, s.isGood("mia", sms, now))
	s.note("mia", sms, now)
	assert.True(t, s.isGood("mia", sms, now.Add(codeLife-1)))
	assert.False(t, s.isGood("mia", sms, now.Add(codeLife)))
	assert.False(t, s.isGood("mia", call, now), "another factor")
	assert.False(t, s.isGood("eve", sms, now), "somebody else")
	s.note("mia", call, now)
	s.forget("mia", sms)
	assert.False(t, s.isGood("mia", sms, now))
	assert.True(t, s.isGood("mia", call, now))
	s.tidy(now.Add(codeLife - 1))
	assert.True(t, s.isGood("mia", call, now))
	s.tidy(now.Add(codeLife))
	assert.False(t, s.isGood("mia", call, now))
}

// TestSentCodesAreBounded: a person's many codes push out their own oldest, and many
// people's the ones of the person who was away for the longest time.
func TestSentCodesAreBounded(t *testing.T) {
	t.Parallel()
	now := time.Now()
	sms := okta.Factor{ID: "sms1"}
	var s sentCodes
	s.note("eve", sms, now)
	for i := range maxCodesEach {
		s.note("mia", okta.Factor{ID: strconv.Itoa(i)}, now)
	}
	s.note("mia", sms, now)
	assert.False(t, s.isGood("mia", okta.Factor{ID: "0"}, now))
	assert.True(t, s.isGood("mia", okta.Factor{ID: "1"}, now))
	assert.True(t, s.isGood("mia", sms, now))
	assert.Len(t, s.good.get("mia"), maxCodesEach)
	assert.True(t, s.isGood("eve", sms, now), "somebody else's")

	for i := range maxPeople - 1 {
		s.note(strconv.Itoa(i), sms, now)
	}
	assert.False(t, s.isGood("mia", sms, now), "used before eve's")
	assert.True(t, s.isGood("eve", sms, now))
}
