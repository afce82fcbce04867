package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/pquerna/otp/totp"
	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// spentCode is a passcode of a method of the mount that was taken once.
type spentCode struct {
	m      *mount
	method string // its id
	people int
	person *oktatest.User
	given  string
}

// The period is so long that a passcode is refused for having been used, and
// not for its age, however slow the machine is.
const spentPeriod = 300

func newSpentCode(m *mount) *spentCode {
	m.t.Helper()
	return &spentCode{m: m, method: m.createMethod("totp", object{
		"method_name": "once", "issuer": "Acme", "period": spentPeriod,
	})}
}

// spend logs a new person in with a passcode.
func (c *spentCode) spend() {
	c.m.t.Helper()
	c.prepare()
	c.take()
}

// prepare makes a new person who has to give a passcode.
func (c *spentCode) prepare() {
	m := c.m
	m.t.Helper()
	c.people++
	c.person = m.addUser(fmt.Sprintf("once%d@acme.test", c.people), "Staff")
	m.mustWrite("users/"+c.person.Login(), object{"mfa_methods": "once"})
	key := m.mustWrite("mfa/method/totp/"+c.method+"/admin-generate", object{"username": c.person.Login()}).Data()
	address, err := url.Parse(fmt.Sprint(key["url"]))
	require.NoError(m.t, err)
	noteSecret(address.Query().Get("secret"))
	code, err := totp.GenerateCodeCustom(address.Query().Get("secret"), time.Now(), totp.ValidateOpts{Period: spentPeriod, Digits: 6})
	require.NoError(m.t, err)
	c.given = "once:" + code
}

// take logs the person in with the passcode.
func (c *spentCode) take() {
	c.m.t.Helper()
	c.m.mustLogin(c.person, object{"mfa": c.given})
}

// requireSpent checks that the passcode is not taken again.
func (c *spentCode) requireSpent() {
	c.m.t.Helper()
	eventually(c.m.t, "an answer to a used passcode", func() bool {
		a := c.m.login(c.person, object{"mfa": c.given})
		require.Empty(c.m.t, a.Token(), "a used passcode was taken again")
		return a.Status == http.StatusBadRequest
	})
}
