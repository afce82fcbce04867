package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// phones are the push devices of a user.
type phones []*oktatest.Factor

func addPhones(u *oktatest.User, n int) (all phones) {
	for range n {
		all = append(all, u.AddPush())
	}
	return all
}

// numbers are what a method says of each phone.
func (all phones) numbers(of func(*oktatest.Factor) int) (n []int) {
	for _, f := range all {
		n = append(n, of(f))
	}
	return n
}

func (all phones) pushes() []int    { return all.numbers((*oktatest.Factor).Pushes) }
func (all phones) waiting() []int   { return all.numbers((*oktatest.Factor).Waiting) }
func (all phones) withdrawn() []int { return all.numbers((*oktatest.Factor).Withdrawn) }

// strictOrg makes the mount's org limit what a person may do, as Okta does.
func (m *mount) strictOrg() {
	m.org.Configure(func(o *oktatest.Options) {
		o.EnforcePerUserRate, o.EnforceTokenRate, o.EnforceUserRate = true, true, true
	})
}

func TestEveryPhoneRings(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.strictOrg()
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 3)
	u.AddPush().SetStatus("INACTIVE")
	terminal, err := m.person().OnTerminal(t.Context(), m.loginArgs(u, "password="+u.Password())...)
	require.NoError(t, err)
	eventually(t, "all phones to ring", func() bool { return slices.Equal(all.waiting(), []int{1, 1, 1}) })
	require.Equal(t, 1, all[1].Approve())
	require.Zero(t, terminal.Wait(), terminal.Screen())
	require.Contains(t, terminal.Screen(), "Success!")
	require.Equal(t, []int{1, 1, 1}, all.pushes())
	soon(t, []int{1, 0, 1}, all.withdrawn)
	soon(t, []int{0, 0, 0}, all.waiting, "nothing is left to approve")
	require.Zero(t, m.openTransactions())
}

// No more than a few.
func TestFourPhonesRing(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	m.strictOrg()
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 6)
	h := m.begin(u).require(object{"state": "waiting", "factor": "push", "device": "Phone 1"})
	soon(t, []int{1, 1, 1, 1, 0, 0}, all.waiting)
	require.Equal(t, 1, all[3].Approve())
	h.requireEnd(h.wait())
	require.Equal(t, []int{1, 1, 1, 1, 0, 0}, all.pushes())
	soon(t, []int{1, 1, 1, 0, 0, 0}, all.withdrawn)
}

func TestRejectionOnAnyPhoneDenies(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 3)
	ended := m.start(t.Context(), u)
	eventually(t, "all phones to ring", func() bool { return slices.Equal(all.waiting(), []int{1, 1, 1}) })
	require.Equal(t, 1, all[2].Reject())
	requireRefused(t, (<-ended).Answer, http.StatusBadRequest, "rejected on the phone")
	require.Equal(t, []int{1, 1, 1}, all.pushes())
	soon(t, []int{1, 1, 0}, all.withdrawn)
	soon(t, []int{0, 0, 0}, all.waiting)
}

// An approval ends the login also where Okta lets nobody in behind it.
func TestApprovalForNothingEndsTheLogin(t *testing.T) {
	t.Parallel()
	for status, words := range map[string]string{"PASSWORD_EXPIRED": "password has expired", "LOCKED_OUT": "account is locked"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			m := newMount(t)
			u := m.addUser("mia@acme.test")
			u.SetStatusAfterMFA(status)
			all := addPhones(u, 3)
			ended := m.start(t.Context(), u)
			eventually(t, "all phones to ring", func() bool { return slices.Equal(all.waiting(), []int{1, 1, 1}) })
			require.Equal(t, 1, all[1].Approve())
			requireRefused(t, (<-ended).Answer, http.StatusBadRequest, words)
			soon(t, []int{0, 0, 0}, all.waiting)
			soon(t, []int{1, 0, 1}, all.withdrawn)
			require.Equal(t, []int{1, 1, 1}, all.pushes())
		})
	}
}

// A phone on which nothing happens is no reason to give up the others.
func TestPhoneThatFailsIsPassedOver(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 3)
	all[0].SetScript("WAITING", "ERROR")
	all[1].SetScript("TIMEOUT")
	ended := m.start(t.Context(), u)
	eventually(t, "the third phone to ring", func() bool { return all[2].Waiting() == 1 })
	eventually(t, "a question about it", func() bool { return all[2].Polls() >= 1 })
	require.Equal(t, 1, all[2].Approve())
	requireSuccess(t, <-ended)
	require.Equal(t, []int{1, 1, 1}, all.pushes())
}

func TestPushDevicesFirst(t *testing.T) {
	t.Parallel()
	m := newMount(t, object{"push_devices": "first"})
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 3)
	all[0].SetStatus("PENDING_ACTIVATION")
	all[1].SetScript("WAITING", "SUCCESS")
	m.mustLogin(u)
	require.Equal(t, []int{0, 1, 0}, all.pushes())
	require.Equal(t, "first", m.mustRead("config")["push_devices"])

	all[2].SetScript("SUCCESS")
	m.mustLogin(u, object{"device": "Phone 3"})
	require.Equal(t, []int{0, 1, 1}, all.pushes())
}

func TestChoiceOfDevice(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 3)
	all[1].SetName("Mia's tablet")
	all[1].SetScript("SUCCESS")
	for _, device := range []string{"Mia's tablet", "MIA'S TABLET", " mia's tablet ", all[1].ID} {
		m.mustLogin(u, object{"device": device})
	}
	m.mustLogin(u, object{"device": "Mia's tablet", "provider": "push"})
	m.mustLogin(u, object{"device": "Mia's tablet", "factor": "push", "provider": "okta"})
	require.Equal(t, []int{0, 6, 0}, all.pushes())

	requireRefused(t, m.login(u, object{"device": "Mia's toaster"}), http.StatusBadRequest,
		`"Phone 1", "Mia's tablet" or "Phone 3"`, "device=<one of these>")
	requireRefused(t, m.login(u, object{"device": "Phone 1", "factor": "sms"}), http.StatusBadRequest, "device")
	requireRefused(t, m.login(u, object{"device": "Phone 1", "totp": "123456"}), http.StatusBadRequest, `a push "Phone 1"`)
	require.Equal(t, []int{0, 6, 0}, all.pushes())
}

// Who has to choose a number is in front of one phone: no other rings.
func TestNumberChallengeRingsOnePhone(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 3)
	all[0].Number(47, 0)
	ended := m.start(t.Context(), u, object{"nonce": "abcdefghijklmnopqrst"})
	require.Equal(t, "47", m.waitForNumber(t, "abcdefghijklmnopqrst").String())
	eventually(t, "some questions", func() bool { return all[0].Polls() >= 2 })
	require.Equal(t, []int{1, 0, 0}, all.pushes())
	require.Equal(t, 1, all[0].Approve())
	requireSuccess(t, <-ended)
	require.Equal(t, []int{1, 0, 0}, all.pushes())
}

// Where the number comes later, the other phones stop then.
func TestNumberChallengeOnALaterPoll(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 3)
	all[1].SetName("Mia's tablet")
	all[1].Number(0, 1)
	ended := m.start(t.Context(), u, object{"nonce": "abcdefghijklmnopqrst"})
	require.Equal(t, "0", m.waitForNumber(t, "abcdefghijklmnopqrst").String())
	require.Equal(t, "Mia's tablet", m.verify("abcdefghijklmnopqrst").Data()["device"])
	eventually(t, "the others to stop", func() bool { return slices.Equal(all.withdrawn(), []int{1, 0, 1}) })
	require.Equal(t, 1, all[1].Approve())
	requireSuccess(t, <-ended)
	require.Equal(t, []int{1, 1, 1}, all.pushes())
}

// Beside the number, verify tells the phone and how long it is good for; and
// nothing at all before there is a number.
func TestVerifyTellsDeviceAndTimeLeft(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	f := u.AddPush().Number(47, 2)
	f.SetName("Mia's phone")
	const nonce = "abcdefghijklmnopqrst"
	began := time.Now()
	ended := m.start(t.Context(), u, object{"nonce": nonce})
	eventually(t, "a push", func() bool { return f.Pushes() == 1 })
	for {
		a := m.verify(nonce)
		if f.Polls() > 0 {
			break // from the second poll on the number is known
		}
		require.Equal(t, http.StatusNotFound, a.Status)
		time.Sleep(100 * time.Millisecond)
	}
	m.waitForNumber(t, nonce)
	a := m.verify(nonce)
	require.Equal(t, "Mia's phone", a.Data()["device"])
	var body struct {
		Data struct {
			ExpiresIn json.Number `json:"expires_in"`
		} `json:"data"`
	}
	require.NoError(t, json.Unmarshal(a.Raw, &body))
	left, err := body.Data.ExpiresIn.Int64()
	require.NoError(t, err, "%s", a.Raw)
	require.Greater(t, left, int64((55*time.Second - time.Since(began)).Seconds()), "a push waits 60 seconds")
	require.LessOrEqual(t, left, int64(85), "Vault does not wait longer for an answer")
	require.Len(t, a.Data(), 3)
	require.Equal(t, 1, f.Approve())
	requireSuccess(t, <-ended)
}

// The tool prints whatever number there is, 0 as well.
func TestCLIPrintsTheNumberZero(t *testing.T) {
	t.Parallel()
	m := newMount(t)
	u := m.addUser("mia@acme.test")
	all := addPhones(u, 2)
	all[0].Number(0, 0)
	terminal, err := m.person().OnTerminal(t.Context(), m.loginArgs(u, "password="+u.Password())...)
	require.NoError(t, err)
	_, err = terminal.WaitFor(t.Context(), regexp.MustCompile(`tap the number "0"`))
	require.NoError(t, err)
	require.Equal(t, 1, all[0].Approve())
	require.Zero(t, terminal.Wait(), terminal.Screen())
	require.Equal(t, []int{1, 0}, all.pushes())
}
