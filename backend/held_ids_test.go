package backend

import (
	"context"
	"net/http"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/mfa"
	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// The id of a held login is good for the username of its path, on its mount, in
// its process; elsewhere it is as unknown as one that never was, and asking there
// does it no harm.
func TestHeldForeignID(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		m.okta.AddUser("kim@acme.test", testPassword).AddTOTP("GOOGLE")
		held := m.hold(nil)

		other := m.another()
		other.configure(nil)
		for name, id := range map[string]string{
			"unknown": strings.Repeat("0", 32), "upper case": strings.ToUpper(held.TransactionID) + "X",
			"short": held.TransactionID[:31], "with a space": held.TransactionID + " ", "long": strings.Repeat("a", 1<<20),
		} {
			assert.Equal(t, noTransaction, m.setback(heldState{TransactionID: id}, nil), name)
		}
		for _, more := range []fields{nil, {"totp": "123456"}, {"cancel": true}, {"factor": "push"}, {"password": testPassword}} {
			for _, user := range []string{"kim@acme.test", "MIA.ITO@acme.test", "mia.ito", "nobody"} {
				data := fields{"transaction_id": held.TransactionID}
				for k, v := range more {
					data[k] = v
				}
				_, status, text := m.do(logical.UpdateOperation, "login/"+user, data)
				assert.Equal(t, http.StatusBadRequest, status, user)
				assert.Equal(t, noTransaction, text, user)
			}
			assert.Equal(t, noTransaction, other.setback(held, more), "another mount")
		}
		assert.Equal(t, 1, push.Waiting(), "untouched")
		assert.Equal(t, 1, m.authnCalls(), "and nothing asked of Okta")
		push.Approve()
		m.later()
		m.ended(held, nil)
	})
}

// After a restart nothing is known of a held login; the person logs in again.
func TestHeldRestart(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		totp := m.addUser("Everyone").AddTOTP("OKTA")
		held := m.hold(nil)
		m.start()
		assert.Equal(t, noTransaction, m.setback(held, fields{"totp": m.nextCode(totp)}))
		m.mustLogin(fields{"totp": m.nextCode(totp)})
	})
}

// A held login is held no longer than Okta holds its transaction, and what has
// expired is forgotten.
func TestHeldExpires(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"push_failure_window": "24h", "max_push_failures": 1})
		u := m.addUser("Everyone")
		push := u.AddPush()
		totp := u.AddTOTP("OKTA")
		waiting, typing := m.hold(nil), m.hold(fields{"factor": "totp"})
		m.clock.advance(4 * time.Minute)
		m.tidy()
		assert.Len(t, m.inner.held.byID, 2)
		m.continued(waiting, nil)
		m.clock.advance(61 * time.Second)
		m.okta.Reset()
		assert.Equal(t, noTransaction, m.setback(waiting, nil))
		assert.Equal(t, noTransaction, m.setback(typing, fields{"totp": m.nextCode(totp)}))
		assert.Equal(t, noTransaction, m.setback(typing, fields{"cancel": true}))
		assert.Empty(t, m.okta.Requests(), "Okta need not be asked")

		runs := []*mfa.Session{m.inner.held.byID[waiting.TransactionID].session, m.inner.held.byID[typing.TransactionID].session}
		m.tidy()
		for _, run := range runs {
			assert.True(t, run.Over())
		}
		assert.Empty(t, m.inner.held.byID)
		require.Len(t, m.okta.Requests(), 1, "nor told, of the one that it has forgotten, too")
		assert.Contains(t, m.lastBody("cancel"), m.okta.StateTokens()[0], "the one of the push, which was asked about since")
		_, status, text := m.login(nil)
		assert.Equal(t, http.StatusTooManyRequests, status, "nobody answered the push, and that counts")
		assert.Contains(t, text, "too many pushes")
		assert.Equal(t, 1, push.Pushes())
	})
}

// Once a minute all is forgotten that no longer matters: a process lives for
// months, and people who come once are many.
func TestTidyForgets(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		u.AddPush("WAITING", "REJECTED")
		u.AddFactor("sms", "OKTA")
		m.refused(nil)
		m.refused(fields{"factor": "sms"})
		m.hold(fields{"factor": "sms"})
		entries := func(of, table string) int {
			people := reflect.ValueOf(&m.inner.logins).Elem().FieldByName(of).FieldByName(table)
			return people.FieldByName("entries").Elem().FieldByName("items").Len()
		}
		kept := func() []int {
			return []int{entries("guard", "people"), entries("codes", "pending"), len(m.inner.held.byID)}
		}
		assert.Equal(t, []int{1, 1, 1}, kept())
		m.tidy()
		assert.Equal(t, []int{1, 1, 1}, kept())
		m.clock.advance(6 * time.Minute)
		m.tidy()
		assert.Equal(t, []int{1, 0, 0}, kept(), "a code and a login live for five minutes")
		m.clock.advance(24 * time.Hour)
		m.tidy()
		assert.Equal(t, []int{1, 0, 0}, kept(), "with others later it may still count, whatever the window will be")
		m.clock.advance(24 * time.Hour)
		m.tidy()
		assert.Equal(t, []int{0, 0, 0}, kept())
	})
}

// Each person has a few at most: the oldest gives way, and its transaction is
// cancelled.
func TestHeldBoundPerPerson(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		totp := m.addUser("Everyone").AddTOTP("OKTA")
		kim := m.okta.AddUser("kim@acme.test", testPassword)
		kim.AddTOTP("OKTA")
		resp, status, text := m.do(logical.UpdateOperation, "login/kim@acme.test", fields{"password": testPassword, "wait": false})
		kims := m.state(resp, status, text)
		var held []heldState
		for range maxHeldEach + 2 {
			held = append(held, m.hold(nil))
			m.clock.advance(time.Second)
		}
		seen := map[string]bool{kims.TransactionID: true}
		for _, h := range held {
			assert.False(t, seen[h.TransactionID], "ids are never the same")
			seen[h.TransactionID] = true
		}
		assert.Equal(t, noTransaction, m.setback(held[0], nil))
		assert.Equal(t, noTransaction, m.setback(held[1], nil))
		assert.Equal(t, 2, m.calls("cancel"))
		for _, h := range held[2:] {
			assert.Equal(t, "passcode_required", m.continued(h, nil).State)
		}
		assert.Len(t, m.inner.held.byID, maxHeldEach+1)
		m.ended(held[2], fields{"totp": m.nextCode(totp)})
		assert.Equal(t, "passcode_required", m.continued(held[5], nil).State, "the others go on")
	})
}

// Elsewhere a person has as many again: who knows a password cannot push out the
// logins of who has it.
func TestHeldBoundPerOrigin(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"trusted_proxies": callerIP})
		totp := m.addUser("Everyone").AddTOTP("OKTA")
		mine := m.hold(nil)
		theirs := func(address string, via ...string) heldState {
			return m.state(m.send(t.Context(), m.from(address, map[string][]string{"X-Forwarded-For": via}, fields{"wait": false})))
		}
		var last heldState
		for range maxHeldEach + 2 {
			last = theirs("203.0.113.9")
			theirs(callerIP, "203.0.113.10")
			m.clock.advance(time.Second)
		}
		assert.Len(t, m.inner.held.byID, 1+2*maxHeldEach)
		assert.Equal(t, 4, m.calls("cancel"))
		assert.Equal(t, "passcode_required", m.continued(last, nil).State, "from any address, by who has the id")
		m.ended(mine, fields{"totp": m.nextCode(totp)})
	})
}

// By another name of the same person they are no more.
func TestHeldBoundByAnyName(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		m.addUser("Everyone").AddTOTP("OKTA")
		for _, name := range []string{"mia.ito", "MIA.ITO", testLogin, "Mia.Ito@acme.test", "mia.ITO"} {
			_, status, text := m.do(logical.UpdateOperation, "login/"+name, fields{"password": testPassword, "wait": false})
			require.Equal(t, http.StatusOK, status, text)
		}
		assert.Len(t, m.inner.held.byID, maxHeldEach)
	})
}

// A mount that holds as many logins as it can says so before Okta is asked.
func TestHeldBoundPerMount(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		totp := m.addUser("Everyone").AddTOTP("OKTA")
		first := m.hold(nil)
		m.okta.Reset()
		held := &m.inner.held
		held.mu.Lock()
		for i := range maxHeld - 1 {
			id := "filler" + strconv.Itoa(i)
			held.byID[id] = &heldLogin{id: id, userID: id, session: &mfa.Session{}, expires: m.clock.Now().Add(time.Hour)}
		}
		held.mu.Unlock()
		_, status, text := m.login(fields{"wait": false})
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Equal(t, "too many logins are waiting on this mount: try again in 5 seconds", text)
		assert.Empty(t, m.okta.Requests())
		m.mustLogin(fields{"totp": m.nextCode(totp)}) // one that is not held
		m.ended(first, fields{"totp": m.nextCode(totp)})
		m.hold(nil)  // there is room again
		held.drain() // the fillers are no logins
	})
}

// The bounds by themselves.
func TestHeldLogins(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var h heldLogins
	keep := func(login *heldLogin, expires time.Time) *heldLogin {
		gone, err := h.keep(login, expires, false)
		assert.NoError(t, err)
		return gone
	}
	add := func(id, user string, began time.Time) *heldLogin {
		return keep(&heldLogin{id: id, userID: user, username: user, session: &mfa.Session{}, began: began}, now.Add(time.Minute))
	}
	assert.Nil(t, h.find("a", "u", now), "the zero value is ready")
	assert.False(t, h.full())
	assert.Empty(t, h.expired(now))
	for _, id := range []string{"c", "a", "d", "b"} {
		assert.Nil(t, add(id, "u", now))
	}
	assert.Nil(t, add("x", "v", now.Add(-20*time.Minute)), "somebody else's")
	elsewhere := &heldLogin{id: "y", userID: "u", username: "u", origin: "elsewhere", session: &mfa.Session{}, began: now.Add(-20 * time.Minute)}
	assert.Nil(t, keep(elsewhere, now.Add(10*time.Minute)), "of the same person, elsewhere")
	assert.Nil(t, keep(h.byID["c"], now.Add(time.Minute)), "one of them again")
	gone := add("e", "u", now)
	require.NotNil(t, gone)
	assert.Equal(t, "a", gone.id, "the one that was not used for the longest time")
	assert.Nil(t, h.find("a", "u", now))
	assert.NotNil(t, h.find("e", "u", now))
	assert.NotNil(t, h.find("e", "u", now.Add(time.Minute)))
	assert.Nil(t, h.find("e", "u", now.Add(time.Minute+1)))
	assert.Nil(t, h.find("e", "v", now), "somebody else's")
	assert.Nil(t, h.find("", "", now))
	h.forget(gone)
	h.forget(&heldLogin{id: "x"})
	assert.Nil(t, h.find("x", "v", now))
	assert.Len(t, h.expired(now.Add(2*time.Minute)), 4)
	assert.Equal(t, []*heldLogin{elsewhere}, h.expired(now.Add(10*time.Minute+1)))
	assert.Empty(t, h.byID)
}

// TestHeldBoundPerPersonAnywhere: who knows a password and has many addresses holds no
// more than a person's share of the mount's logins, and the person's own stay, because
// they are used.
func TestHeldBoundPerPersonAnywhere(t *testing.T) {
	t.Parallel()
	var h heldLogins
	keep := func(login *heldLogin, waiting bool) (*heldLogin, error) {
		return h.keep(login, time.Now().Add(time.Minute), waiting)
	}
	theirs := &heldLogin{id: "theirs", userID: "u", origin: "home", session: &mfa.Session{}}
	for i := range 4 * maxHeldPerson {
		_, err := keep(theirs, false)
		require.NoError(t, err)
		id := strconv.Itoa(i)
		_, err = keep(&heldLogin{id: id, userID: "u", origin: id, session: &mfa.Session{}}, false)
		require.NoError(t, err)
	}
	assert.Len(t, h.byID, maxHeldPerson)
	assert.True(t, h.has(theirs))

	for _, login := range h.byID {
		_, err := keep(login, true)
		require.NoError(t, err)
	}
	one := &heldLogin{id: "one more", userID: "u", session: &mfa.Session{}}
	_, err := keep(one, false)
	assert.ErrorIs(t, err, errTooManyLogins, "no push that waits gives way")
	assert.False(t, h.has(one))
	_, err = keep(&heldLogin{id: "other", userID: "v", session: &mfa.Session{}}, false)
	assert.NoError(t, err)
}

// TestHeldPushIsNotPushedOut: behind a gateway everybody has the person's address. Who
// knows the password cannot have the login whose push waits give way, by beginning many,
// to send a push of their own in its place.
func TestHeldPushIsNotPushedOut(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		push := u.AddPush()
		u.AddTOTP("OKTA")
		theirs := m.hold(nil)
		require.Equal(t, "waiting", theirs.State)
		for range maxHeldEach + 2 {
			require.Equal(t, "passcode_required", m.hold(fields{"factor": "totp"}).State)
		}
		_, status, text := m.login(fields{"wait": false, "factor": "push"})
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, waitingText)
		assert.Equal(t, []int{1, 1, 0}, []int{push.Pushes(), push.Waiting(), push.Withdrawn()})
		push.Approve()
		m.later()
		m.ended(theirs, nil)
	})
}

// TestHeldPushThatIsNotTakenBackStillWaits: Okta limits the rate of the request that
// takes a push back. The push is still on the phone then, so no other is sent, and the
// person can approve it.
func TestHeldPushThatIsNotTakenBackStillWaits(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		push, totp := u.AddPush(), u.AddTOTP("OKTA")
		held := m.hold(nil)
		m.okta.Fail("previous", oktatest.Status(http.StatusTooManyRequests, "E0000047", "Too Many Requests").Times(1))
		assert.Contains(t, m.setback(held, fields{"totp": m.nextCode(totp)}), stillOpen)
		_, status, text := m.login(fields{"wait": false, "factor": "push"})
		assert.Equal(t, http.StatusTooManyRequests, status)
		assert.Contains(t, text, waitingText)
		assert.Equal(t, []int{1, 1}, []int{push.Pushes(), push.Waiting()})
		push.Approve()
		m.later()
		m.ended(held, nil)
	})
}

func TestNewTransactionID(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for range 1000 {
		id := newTransactionID()
		assert.Regexp(t, "^[0-9a-f]{32}$", id)
		assert.False(t, seen[id])
		seen[id] = true
	}
}

// Of calls at the same time one at most gets the token, and the person's code is
// spent once.
func TestHeldConcurrently(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		u := m.addUser("Everyone")
		push, totp := u.AddPush(), u.AddTOTP("GOOGLE")
		for _, by := range []string{"push", "totp"} {
			held := m.hold(nil)
			more := fields{}
			if by == "push" {
				push.Approve()
				m.later()
			} else {
				more["totp"] = m.nextCode(totp)
			}
			before := u.WrongPassCodes()
			var all sync.WaitGroup
			var mu sync.Mutex
			tokens, answers := 0, map[string]int{}
			for range 8 {
				all.Go(func() {
					resp, status, text := m.proceed(held, more)
					mu.Lock()
					defer mu.Unlock()
					if status == http.StatusOK && resp.Auth != nil {
						tokens++
						return
					}
					answers[strconv.Itoa(status)+" "+text]++
				})
			}
			all.Wait()
			assert.Equal(t, 1, tokens, by)
			assert.Equal(t, map[string]int{"400 " + noTransaction: 7}, answers, by)
			assert.Equal(t, before, u.WrongPassCodes(), by)
		}
	})
}

// Who leaves while a held login is being continued can come back to it; what
// Okta was asked meanwhile counts.
func TestHeldCallerLeaves(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		u := m.addUser("Everyone")
		push, sms := u.AddPush(), u.AddFactor("sms", "OKTA")
		leaves := func(held heldState, more fields) {
			m.okta.Reset()
			answer := m.stall("verify")
			ctx, leave := context.WithCancel(t.Context())
			data := fields{"transaction_id": held.TransactionID}
			for k, v := range more {
				data[k] = v
			}
			done := m.background(ctx, m.request(logical.UpdateOperation, "login/"+testLogin, data))
			m.eventually(func() bool { return m.calls("verify") > 0 }, "Okta was not asked")
			leave()
			answer()
			m.finished(done)
		}
		held := m.hold(nil)
		m.later()
		leaves(held, nil)
		assert.Equal(t, "waiting", m.continued(held, nil).State, "the login stays")
		assert.Equal(t, 1, push.Waiting())
		push.Approve()
		m.later()
		m.ended(held, nil)

		held = m.hold(fields{"factor": "sms"})
		leaves(held, fields{"totp": wrongCode(sms.Code())})
		m.ended(held, fields{"totp": sms.Code()})

		// A rejection that nobody heard of is one: to ask again would send another push.
		held = m.hold(nil)
		push.Reject()
		m.later()
		before := push.Pushes()
		leaves(held, nil)
		m.setback(held, nil)
		assert.Equal(t, before, push.Pushes())
	})
}

// Codes are one person's, whichever way the logins go: a held login's code
// answers one that waits, and the other way round.
func TestHeldCodeAndOtherLogins(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		sms := m.addUser("Everyone").AddFactor("sms", "OKTA")
		held := m.hold(nil)
		assert.Contains(t, m.refused(nil), "Okta sent a code by SMS to +1 XXX-XXX-4821 before, and it is still good")
		m.mustLogin(fields{"totp": sms.Code()})
		assert.Equal(t, noTransaction, m.setback(held, fields{"totp": "123456"}), "its transaction is used up")

		m.clock.advance(30 * time.Second)
		m.refused(nil)
		held = m.hold(nil)
		assert.Equal(t, "passcode_required", held.State)
		assert.Equal(t, "sms", held.Factor)
		assert.Equal(t, 2, sms.Sent(), "the one that was sent before will do")
		m.ended(held, fields{"totp": sms.Code()})

		m.clock.advance(30 * time.Second)
		m.refused(nil)
		m.clock.advance(30 * time.Second)
		held = m.hold(fields{"resend": true})
		assert.Equal(t, 4, sms.Sent())
		m.ended(held, fields{"totp": sms.Code()})
	})
}
