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
	assert.False(t, s.pending("mia", sms, now))
	s.note("mia", sms, now)
	assert.True(t, s.pending("mia", sms, now.Add(codeLife-1)))
	assert.False(t, s.pending("mia", sms, now.Add(codeLife)))
	assert.False(t, s.pending("mia", call, now), "another factor")
	assert.False(t, s.pending("eve", sms, now), "somebody else")
	s.forget("mia", sms)
	assert.False(t, s.pending("mia", sms, now))

	// There is a bound, and what is no longer good makes room.
	for i := range maxCodes {
		s.note(strconv.Itoa(i), sms, now)
	}
	s.note("mia", sms, now)
	assert.False(t, s.pending("mia", sms, now))
	s.note("mia", sms, now.Add(codeLife))
	assert.True(t, s.pending("mia", sms, now.Add(codeLife)))
	assert.Len(t, s.until, 1)
	s.tidy(now.Add(2 * codeLife))
	assert.Empty(t, s.until)
}
