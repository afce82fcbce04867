package pingid_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/mfatest/methodtest"
	"github.com/vault-okta/vault-plugin-auth-okta/mfa/pingid"
)

// whose says who has to act upon an error.
type whose int

const (
	nobodys  whose = iota + 1 // there is no error
	persons                   // the service does not let them in, and says why
	mounts                    // an administrator's
	passCode                  // the person gives one
	sentCode                  // the person gives the one that was sent
	choice                    // the person chooses a device
	ours                      // the login goes on by itself
)

// documented are the ids of PingID's page of errors.
// https://developer.pingidentity.com/pingid-api/pid_c_PingIDapiErrorCodes.html
var documented = map[int]struct {
	whose whose
	words string
}{
	200:   {nobodys, ""},
	30001: {sentCode, ""}, 30002: {sentCode, ""}, 30005: {sentCode, ""},
	30003: {passCode, "the PingID app"}, 30004: {passCode, "YubiKey"}, 30006: {passCode, "the PingID app"},
	30009: {passCode, "the PingID app"}, 30012: {passCode, "hardware token"}, 30015: {passCode, "authenticator app"},
	30016: {passCode, "next code"},
	30007: {ours, ""}, 30010: {ours, ""},
	30008: {choice, "choose a device"},
	30011: {persons, "security key"}, 30013: {persons, "biometrics"}, 30018: {persons, "FIDO2"}, 30014: {persons, "PingID administrator"},
	400:   {mounts, "the input was refused"},
	10551: {persons, "log in again"},
	10552: {mounts, "could not be taken from the user"}, 10553: {mounts, "could not be deleted"}, 10554: {mounts, "could not be added"},
	10555: {mounts, "could not be added"}, 10556: {mounts, "has the name"}, 10557: {mounts, "could not be changed"},
	10558: {mounts, "could not be changed"}, 10559: {mounts, "could not be suspended"}, 10561: {mounts, "not active"},
	10562: {mounts, "active already"}, 10563: {mounts, "in another service"}, 10565: {mounts, "could not be activated"},
	10564: {persons, ""},
}

// TestEveryDocumentedErrorHasWords: whoever has to act upon an error hears what it means,
// and an id is never all that they hear.
func TestEveryDocumentedErrorHasWords(t *testing.T) {
	t.Parallel()
	srv := mfatest.NewPingID(t)
	user := srv.AddUser(methodtest.Person.Login)
	for id, want := range documented {
		if id == 30010 {
			continue // TestNumberMatching has it
		}
		status := http.StatusOK
		if id < 30000 && id != 200 {
			status = http.StatusBadRequest
		}
		user.ScriptBegin(mfatest.PingIDOutcome{Status: status, ErrorID: id, Message: "PingID's own words"})
		user.Script(mfatest.PingIDOutcome{ErrorID: 200})
		method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = true })
		err := methodtest.Login(t.Context(), method, mfa.Credential{})
		switch want.whose {
		case nobodys, ours:
			assert.NoError(t, err, id)
		case persons:
			denied, ok := errors.AsType[*mfa.DeniedError](err)
			if id == 10564 {
				assert.ErrorIs(t, err, mfa.ErrUnknownPerson)
				break
			}
			require.True(t, ok, "%d: %v", id, err)
			assert.Contains(t, denied.Reason, want.words, id)
			assert.Contains(t, denied.Reason, fmt.Sprintf(" (PingID error %d: PingID's own words)", id))
			assert.Contains(t, denied.Reason, ": ", "what to do")
		case mounts:
			failed, ok := errors.AsType[*mfa.ServiceError](err)
			require.True(t, ok, "%d: %v", id, err)
			assert.Equal(t, http.StatusBadRequest, failed.Status)
			assert.Contains(t, failed.Message, want.words, id)
			assert.Contains(t, failed.Message, fmt.Sprintf("PingID error %d: PingID's own words", id))
			assert.True(t, mfa.NotSent(err), id)
		case passCode:
			needed, ok := errors.AsType[*mfa.PassCodeNeededError](err)
			require.True(t, ok, "%d: %v", id, err)
			assert.Contains(t, needed.What, want.words, id)
		case sentCode:
			sent, ok := errors.AsType[*mfa.CodeSentError](err)
			require.True(t, ok, "%d: %v", id, err)
			assert.Equal(t, "PingID", sent.By)
			assert.NotEmpty(t, mfa.KindOf(sent.Factor), id)
		case choice:
			useless, ok := errors.AsType[*mfa.CredentialError](err)
			require.True(t, ok, "%d: %v", id, err)
			assert.Contains(t, useless.Problem, want.words, id)
		}
		methodtest.AssertNoSecret(t, srv.Secrets(), err)
	}
}

// TestUnsignedError: what nobody signed may explain why a login fails. It lets nobody in,
// asks nobody for anything, and does not say that no phone rang.
func TestUnsignedError(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]error{
		`{"responseBody": {"errorId": 10564, "errorMsg": "x"}}`: mfa.ErrUnknownPerson,
		`{"responseBody": {"errorId": 10551}}`:                  &mfa.DeniedError{Reason: notApproved + " (PingID error 10551)"},
		`{"responseBody": {"errorId": 400}}`:                    &mfa.ServiceError{Status: 400, Message: "PingID error 400, which means that the input was refused"},
	} {
		for _, operation := range []string{"/authonline/do", "/startauthentication/do"} {
			srv := mfatest.NewPingID(t)
			srv.AddUser(methodtest.Person.Login)
			srv.Fail(mfatest.Fault{On: operation, Status: http.StatusBadRequest, Body: body})
			method := methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = operation != "/authonline/do" })
			err := methodtest.Login(t.Context(), method, mfa.Credential{})
			assert.Equal(t, want, err)
			assert.False(t, mfa.NotSent(err))
		}
	}
	for _, id := range []int{200, 30001, 30009, 30010} {
		for status, refused := range map[int]bool{http.StatusOK: false, http.StatusBadRequest: true} {
			srv := mfatest.NewPingID(t)
			srv.AddUser(methodtest.Person.Login)
			srv.Fail(mfatest.Fault{On: "/startauthentication/do", Status: status, Body: fmt.Sprintf(`{"responseBody": {"errorId": %d, "sessionId": "webs_x"}}`, id)})
			err := methodtest.Login(t.Context(), methodtest.PingID(t, srv, func(c *pingid.Config) { c.Start = true }), mfa.Credential{})
			_, isRefused := errors.AsType[*mfa.ServiceError](err)
			assert.Equal(t, refused, isRefused, id)
			assert.Equal(t, !refused, errors.Is(err, mfa.ErrServiceMalformed), id)
		}
	}
}
