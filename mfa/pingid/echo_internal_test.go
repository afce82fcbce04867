package pingid

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

// TestHide: what a request carried is in no text that an error may quote. Only texts are
// compared: a request without a passcode has none.
func TestHide(t *testing.T) {
	t.Parallel()
	said := answer{ErrorMsg: "the code 73519408 of webs_x1 is wrong", MessageID: "m-73519408"}
	said.hide("token", "73519408", "webs_x1", nil, 7)
	assert.Equal(t, answer{ErrorMsg: "the code [secret] of [secret] is wrong", MessageID: "m-[secret]"}, said)
}
