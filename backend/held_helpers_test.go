package backend

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/require"
)

// heldState is what a login with wait=false answers while it is not over.
type heldState struct {
	TransactionID string      `json:"transaction_id"`
	State         string      `json:"state"`
	ID            string      `json:"id"`
	Factor        string      `json:"factor"`
	Provider      string      `json:"provider"`
	Device        string      `json:"device"`
	SentTo        string      `json:"sent_to"`
	Question      string      `json:"question"`
	CorrectAnswer *int        `json:"correct_answer"`
	ExpiresAt     string      `json:"expires_at"`
	Factors       []heldState `json:"factors"`
}

func (m *mount) state(resp *logical.Response, status int, text string) heldState {
	m.t.Helper()
	require.Equal(m.t, http.StatusOK, status, text)
	require.NotNil(m.t, resp)
	require.Nil(m.t, resp.Auth)
	raw, err := json.Marshal(resp.Data)
	require.NoError(m.t, err)
	var s heldState
	require.NoError(m.t, json.Unmarshal(raw, &s))
	return s
}

// hold begins a login with wait=false, which has to wait for somebody.
func (m *mount) hold(more fields) heldState {
	m.t.Helper()
	data := fields{"wait": false}
	for k, v := range more {
		data[k] = v
	}
	s := m.state(m.login(data))
	require.Regexp(m.t, "^[0-9a-f]{32}$", s.TransactionID)
	return s
}

// proceed posts the id of a held login again.
func (m *mount) proceed(held heldState, more fields) (*logical.Response, int, string) {
	m.t.Helper()
	data := fields{"transaction_id": held.TransactionID}
	for k, v := range more {
		data[k] = v
	}
	return m.do(logical.UpdateOperation, "login/"+testLogin, data)
}

// continued is a held login that is still not over.
func (m *mount) continued(held heldState, more fields) heldState {
	m.t.Helper()
	s := m.state(m.proceed(held, more))
	require.Equal(m.t, held.TransactionID, s.TransactionID)
	return s
}

// ended takes the token at the end of a held login.
func (m *mount) ended(held heldState, more fields) *logical.Auth {
	m.t.Helper()
	resp, status, text := m.proceed(held, more)
	require.Equal(m.t, http.StatusOK, status, text)
	require.NotNil(m.t, resp.Auth, resp.Data)
	return resp.Auth
}

// setback is a held login that is answered 400; it returns the sentence.
func (m *mount) setback(held heldState, more fields) string {
	m.t.Helper()
	resp, status, text := m.proceed(held, more)
	require.Equal(m.t, http.StatusBadRequest, status, text)
	require.True(m.t, resp == nil || resp.Auth == nil)
	return text
}

// stillOpen is added to what a person can mend.
const stillOpen = " (this login is still open: continue it with its transaction_id)"

const noTransaction = "no login of this user is open under this transaction_id: log in again"

// later lets it be time to ask Okta about a push.
func (m *mount) later() { m.clock.advance(3 * time.Second) }
