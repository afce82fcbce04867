package backend

import (
	"encoding/json"
	"net/http"
	"strconv"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
)

func TestNumberData(t *testing.T) {
	t.Parallel()
	now := time.Now()
	in := now.Add
	for _, test := range []struct {
		name   string
		number mfa.Number
		want   string
	}{
		{"all of it", mfa.Number{Answer: 47, Device: "Mia's phone", ExpiresAt: in(90 * time.Second)},
			`{"correct_answer": 47, "device": "Mia's phone", "expires_in": 90}`},
		{"zero is a number", mfa.Number{}, `{"correct_answer": 0}`},
		{"a code to type", mfa.Number{Answer: 42, Code: "0042", Device: "d"}, `{"correct_answer": 42, "verification_code": "0042", "device": "d"}`},
		{"no device", mfa.Number{Answer: 9, ExpiresAt: in(time.Minute)}, `{"correct_answer": 9, "expires_in": 60}`},
		{"no expiry", mfa.Number{Answer: 9, Device: "d"}, `{"correct_answer": 9, "device": "d"}`},
		{"rounded down", mfa.Number{ExpiresAt: in(61*time.Second - 1)}, `{"correct_answer": 0, "expires_in": 60}`},
		{"less than a second", mfa.Number{ExpiresAt: in(999 * time.Millisecond)}, `{"correct_answer": 0, "expires_in": 0}`},
		{"expired", mfa.Number{ExpiresAt: in(-time.Hour)}, `{"correct_answer": 0, "expires_in": 0}`},
	} {
		t.Run(test.name, func(t *testing.T) {
			data := numberData(test.number, now)
			raw, err := json.Marshal(data)
			require.NoError(t, err)
			assert.JSONEq(t, test.want, string(raw))
			// What OpenAPI is told of the answer.
			read := newBackend(settings{}).pathVerify().Operations[logical.ReadOperation].Properties()
			schema := read.Responses[http.StatusOK][0].Fields
			assert.NoError(t, (&framework.FieldData{Raw: data, Schema: schema}).ValidateStrict())
		})
	}
}

func TestNumberBoard(t *testing.T) {
	t.Parallel()
	var board numberBoard
	show, end, err := board.open("nonce", "mia")
	require.NoError(t, err)
	_, ok := board.read("nonce")
	assert.False(t, ok, "no number yet")

	show(mfa.Number{Answer: 1, Device: "phone"})
	show(mfa.Number{}) // Okta tells the number at each poll; the newest counts
	number, ok := board.read("nonce")
	assert.True(t, ok)
	assert.Equal(t, mfa.Number{}, number)
	_, ok = board.read("another")
	assert.False(t, ok)

	_, _, err = board.open("nonce", "eve")
	assert.ErrorContains(t, err, "in use", "she must not overwrite it")
	again, endAgain, err := board.open("nonce", "mia") // her client repeats its request
	require.NoError(t, err)
	number, _ = board.read("nonce")
	assert.Equal(t, mfa.Number{}, number, "the first one's, until there is another")
	again(mfa.Number{Answer: 2})
	end()
	number, _ = board.read("nonce")
	assert.Equal(t, mfa.Number{Answer: 2}, number)

	endAgain()
	_, ok = board.read("nonce")
	assert.False(t, ok, "after the login")
}

func TestVerify(t *testing.T) {
	for _, number := range []int{47, 0} {
		t.Run(strconv.Itoa(number), func(t *testing.T) {
			bothWays(t, func(t *testing.T, m *mount) {
				m.configure(nil)
				push := m.addUser("Everyone").AddPush("WAITING").Number(number, 2)
				step := m.clock.hold(t)
				const nonce = "GENUINEnonce20chars."
				verify := func() (*logical.Response, int) {
					resp, status, _ := m.do(logical.ReadOperation, "verify/"+nonce, nil)
					return resp, status
				}
				_, status := verify()
				assert.Equal(t, http.StatusNotFound, status, "before the login")

				done := m.waiting(push, m.from(callerIP, nil, fields{"nonce": nonce}))
				_, status = verify()
				assert.Equal(t, http.StatusNotFound, status, "no number yet")

				kims := m.okta.AddUser("kim@acme.test", testPassword).AddPush()
				for password, says := range map[string]string{"guess": "E0000004", testPassword: "nonce is in use"} {
					_, status, text := m.do(logical.UpdateOperation, "login/kim@acme.test", fields{"password": password, "nonce": nonce})
					assert.Equal(t, http.StatusBadRequest, status)
					assert.Contains(t, text, says, "only whoever has a right password learns of the nonce")
				}
				assert.Equal(t, []int{1, 0, 1}, []int{push.Pushes(), kims.Pushes(), m.calls("cancel")})

				step() // first poll: still no number
				step() // second poll
				m.eventually(func() bool { _, status := verify(); return status == http.StatusOK && m.clock.asleep() == 1 }, "no number")
				resp, _ := verify()
				assert.Len(t, resp.Data, 3)
				assert.EqualValues(t, number, num(t, resp.Data["correct_answer"]))
				assert.Equal(t, "Phone 1", resp.Data["device"])
				left := num(t, resp.Data["expires_in"])
				assert.Positive(t, left)
				assert.Less(t, left, int64(85), "no longer than the login waits")

				m.clock.advance(10 * time.Second)
				resp, _ = verify()
				assert.Equal(t, left-10, num(t, resp.Data["expires_in"]), "counted down from read to read")

				push.Approve()
				step()
				r := m.finished(done)
				assert.Equal(t, http.StatusOK, r.status, r.text)
				_, status = verify()
				assert.Equal(t, http.StatusNotFound, status, "after the login")
			})
		})
	}
}

func TestNumberChallengeWithoutNonce(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush("WAITING").Number(0, 1)
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusBadRequest, status)
		assert.Contains(t, text, "nonce=<nonce>")
		assert.Contains(t, text, "verify/<nonce>")
		assert.Equal(t, 1, push.Pushes())
		assert.Equal(t, 1, m.okta.Count(http.MethodPost, "/api/v1/authn/cancel"))
	})
}

func TestNumberBoardIsBounded(t *testing.T) {
	var board numberBoard
	var ends []func()
	for i := range maxNumbers {
		_, end, err := board.open(strconv.Itoa(i/2), "mia")
		require.NoError(t, err)
		ends = append(ends, end)
	}
	_, _, err := board.open("one more", "mia")
	assert.Equal(t, http.StatusTooManyRequests, replyTo(err).status)
	assert.Contains(t, replyTo(err).text, "5 seconds")
	ends[0]()
	_, _, err = board.open("one more", "mia")
	assert.NoError(t, err)
}
