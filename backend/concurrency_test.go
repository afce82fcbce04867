package backend

import (
	"fmt"
	"net/http"
	"sync"
	"testing"

	"github.com/hashicorp/vault/sdk/logical"
	"github.com/stretchr/testify/assert"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// atOnce sends requests at the same time and counts the answers by status.
func (m *mount) atOnce(requests ...*logical.Request) map[int]int {
	m.t.Helper()
	var all sync.WaitGroup
	var mu sync.Mutex
	count := map[int]int{}
	for _, req := range requests {
		all.Go(func() {
			_, status, _ := m.send(m.t.Context(), req)
			mu.Lock()
			defer mu.Unlock()
			count[status]++
		})
	}
	all.Wait()
	return count
}

// Logins that begin together make one phone ring once.
func TestPushesAtOnceFromEverywhere(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(nil)
		push := m.addUser("Everyone").AddPush()
		step := m.clock.hold(t)
		var done []<-chan outcome
		for i := range 6 {
			done = append(done, m.background(t.Context(), m.from(fmt.Sprintf("203.0.113.%d", i+1), nil, nil)))
		}
		count := map[int]int{}
		m.eventually(func() bool { // all but one are refused
			for i, d := range done {
				select {
				case o := <-d:
					count[o.status]++
					done[i] = nil
				default:
				}
			}
			return count[http.StatusTooManyRequests] == 5
		}, "more than one waits")
		assert.Equal(t, 1, push.Pushes())
		push.Approve()
		step()
		for _, d := range done {
			if d != nil {
				o := m.finished(d)
				assert.Equal(t, http.StatusOK, o.status, o.text)
			}
		}
	})
}

// With one nonce each takes the place of another, and one is left.
func TestPushesAtOnceWithOneNonce(t *testing.T) {
	t.Parallel()
	inBubble(t, func(t *testing.T, m *mount) {
		m.configure(fields{"max_login_failures": 0, "max_push_failures": 100})
		push := m.addUser("Everyone").AddPush()
		var requests []*logical.Request
		for range 6 {
			requests = append(requests, m.from(callerIP, nil, fields{"wait": false, "nonce": "one"}))
		}
		count := m.atOnce(requests...)
		assert.Equal(t, 6, count[http.StatusOK]+count[http.StatusBadRequest], count)
		assert.Equal(t, 1, push.Waiting(), "pushes that wait on the phone")
		push.Approve()
		m.later()
		tokens := 0
		for id := range m.inner.held.byID {
			if resp, status, _ := m.proceed(heldState{TransactionID: id}, nil); status == http.StatusOK && resp.Auth != nil {
				tokens++
			}
		}
		assert.Equal(t, 1, tokens)
	})
}

// A code that was sent lets one login in, however many bring it at once.
func TestCodeAtOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.okta.Configure(func(o *oktatest.Options) { o.MaxFailures = 100 })
		m.configure(fields{"mfa_factors": allFactors, "max_login_failures": 0})
		sms := m.addUser("Everyone").AddFactor("sms", "OKTA")
		m.refused(nil)
		var requests []*logical.Request
		for range 6 {
			requests = append(requests, m.from(callerIP, nil, fields{"totp": sms.Code()}))
		}
		assert.Equal(t, map[int]int{http.StatusOK: 1, http.StatusBadRequest: 5}, m.atOnce(requests...))
		assert.Equal(t, 1, sms.Sent())
	})
}

// Logins of many people, in all ways, do not get into each other's way.
func TestManyPeopleAtOnce(t *testing.T) {
	bothWays(t, func(t *testing.T, m *mount) {
		m.configure(fields{"mfa_factors": allFactors})
		var all sync.WaitGroup
		for i := range 12 {
			name := fmt.Sprintf("u%d@acme.test", i)
			u := m.okta.AddUser(name, testPassword)
			u.SetGroups(name)
			m.write("groups/"+name, fields{"policies": fmt.Sprintf("p%d", i)})
			push, sms := u.AddPush("WAITING", "SUCCESS"), u.AddFactor("sms", "OKTA")
			do := func(data fields) (*logical.Response, int, string) {
				req := m.request(logical.UpdateOperation, "login/"+name, fields{"password": testPassword})
				for k, v := range data {
					req.Data[k] = v
				}
				return m.send(t.Context(), req)
			}
			all.Go(func() {
				var resp *logical.Response
				var status int
				var text string
				switch i % 3 {
				case 0:
					resp, status, text = do(nil)
				case 1:
					do(fields{"provider": "sms"})
					resp, status, text = do(fields{"totp": sms.Code()})
				case 2:
					push.SetScript("WAITING")
					resp, _, _ = do(fields{"wait": false})
					push.Approve()
					id := resp.Data["transaction_id"]
					for resp.Auth == nil { // until the other logins have made it late enough
						m.later()
						if resp, status, text = do(fields{"transaction_id": id}); status != http.StatusOK {
							break
						}
					}
				}
				if assert.Equal(t, http.StatusOK, status, text) {
					assert.Equal(t, []string{fmt.Sprintf("p%d", i)}, resp.Auth.Policies)
				}
			})
		}
		all.Wait()
	})
}
