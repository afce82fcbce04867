package backend

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/url"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// faultBound is how long a request to the mount may take, whatever happens. Vault
// itself gives a request 90 seconds.
const faultBound = 90 * time.Second

const matrixPerson, otherPerson = "mia.ito@acme.test", "kim.lee@acme.test"

// TestFaultMatrix: every call to Okta, Duo and PingID, and every fault. In each cell the
// login ends in bounded time and with a status that the product names. It hands over
// the password and each challenge once. No secret is told, and nothing is sent to a
// host that nobody configured. The next logins succeed, and nothing runs on after the
// mount has gone. The statuses are those that docs/security.md prints; -update writes
// them there.
func TestFaultMatrix(t *testing.T) {
	t.Parallel()
	table := newFaultTable()
	t.Run("cells", func(t *testing.T) {
		for nth, call := range table.calls {
			t.Run(call.service+": "+call.name, func(t *testing.T) {
				t.Parallel()
				for i := range table.rows {
					row := &table.rows[i]
					if (nth+i)%everyNth != 0 {
						continue
					}
					t.Run(row.name, func(t *testing.T) {
						synctest.Test(t, func(t *testing.T) {
							cell := faultCell(t, call, row)
							table.put(call, row, cell, t.Failed())
						})
					})
				}
			})
		}
	})
	if table.complete() {
		table.compare(t)
	}
}

// faultCell plays one cell, and returns what the table says of it.
func faultCell(t *testing.T, call *faultCall, row *faultRow) string {
	label := call.service + " " + call.name + " " + row.name + " " + fmt.Sprintf("%p", t)
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels("cell", label)))
	w := newFaultWorld(t, call, row.dial != nil || row.conn != nil)
	for _, name := range []string{matrixPerson, otherPerson} {
		call.person(w, name)
	}
	if call.configure != nil {
		call.configure(w)
	}

	w.strikeWith(row)
	o := call.login(w, matrixPerson)
	struck, applies := w.strikes()
	w.checkOnce(call)
	w.strikeWith(nil)
	if u := w.ping.User(matrixPerson); u != nil {
		u.Reject() // a push that could not be taken back; the simulated one waits for ever
	}
	if u := w.duo.User(matrixPerson); u != nil {
		u.Reject() // Duo's cannot be taken back
	}

	require.Positive(t, struck, "the login never made the call: %d %s", o.status, o.text)
	if applies {
		w.checkOutcome(call, row, o)
	}
	assert.Less(t, w.longest, faultBound)
	w.checkNext(call)

	w.close()
	time.Sleep(faultBound)
	synctest.Wait()
	assert.Equal(t, 1, goroutinesOf(label), "goroutines, with that of the test")
	assert.Empty(t, w.strange, "hosts that nobody configured")
	if !applies {
		return doesNotApply
	}
	if o.status == http.StatusOK && o.resp.Auth == nil && o.resp.Data["state"] != "cancelled" {
		return staysOpen
	}
	return strconv.Itoa(o.status)
}

// checkOutcome wants a status that the product names, and a token only where the call
// was not needed.
func (w *faultWorld) checkOutcome(call *faultCall, row *faultRow, o outcome) {
	w.t.Helper()
	assert.Contains(w.t, []int{http.StatusOK, http.StatusBadRequest, http.StatusTooManyRequests, http.StatusBadGateway, http.StatusGatewayTimeout}, o.status, o.text)
	switch {
	case o.resp != nil && o.resp.Auth != nil:
		assert.True(w.t, call.optional || row.harmless || slices.Contains(call.tolerates, row.name), "a login that may not succeed")
	case o.status != http.StatusOK:
		assert.NotEmpty(w.t, o.text)
	}
	for _, secret := range w.secrets() {
		assert.NotContains(w.t, o.text, secret)
		assert.NotContains(w.t, w.logs.String(), secret)
	}
}

func (w *faultWorld) secrets() []string {
	all := append(w.org.Secrets(), w.duo.Secrets()...)
	return append(append(all, w.ping.Secrets()...), testPassword)
}

// checkOnce wants the password and each challenge to have arrived once at most.
func (w *faultWorld) checkOnce(call *faultCall) {
	w.t.Helper()
	limit := max(call.times, 1)
	passwords, passCodes, proofs := 0, map[string]int{}, map[string]int{}
	for _, r := range w.org.Requests() {
		if strings.Contains(string(r.Body), testPassword) {
			passwords++
		}
		if _, code, found := strings.Cut(string(r.Body), `"passCode":"`); found {
			code, _, _ = strings.Cut(code, `"`)
			passCodes[code]++
			assert.LessOrEqual(w.t, passCodes[code], 1, "a passcode")
		}
		form, _ := url.ParseQuery(string(r.Body))
		for _, proof := range []string{form.Get("client_assertion"), r.Header.Get("DPoP")} {
			proofs[proof]++
			assert.True(w.t, proof == "" || proofs[proof] == 1, "an assertion or a proof of possession")
		}
	}
	assert.LessOrEqual(w.t, passwords, limit, "passwords")
	for _, f := range w.org.User(matrixPerson).Factors() {
		assert.LessOrEqual(w.t, f.Sent(), limit, "pushes and codes of %s", f.Type)
	}
	assert.LessOrEqual(w.t, w.duo.Count("/auth"), 1, "pushes and passcodes of Duo")
	for _, operation := range []string{"authonline", "startauthentication", "authoffline"} {
		assert.LessOrEqual(w.t, w.ping.Count("/"+operation+"/do"), 1, "%s of PingID", operation)
	}
}

// oktaPause is longer than the plugin asks nothing of an Okta that has failed several
// times in a row.
const oktaPause = 6 * time.Second

// checkNext wants another person to get in at once or, where Okta was left alone for a
// moment, after that. The same person gets in a while later.
func (w *faultWorld) checkNext(call *faultCall) {
	w.t.Helper()
	for _, name := range []string{otherPerson, matrixPerson} {
		o := call.login(w, name)
		if strings.Contains(o.text, "asks it nothing for a moment") {
			time.Sleep(oktaPause)
			o = call.login(w, name)
		}
		require.Equal(w.t, http.StatusOK, o.status, "%s, afterwards: %s", name, o.text)
		time.Sleep(10 * time.Minute)
	}
}

// goroutinesOf counts the goroutines with a label.
func goroutinesOf(label string) int {
	var profile bytes.Buffer
	_ = pprof.Lookup("goroutine").WriteTo(&profile, 1)
	_, groups, _ := strings.Cut(profile.String(), "\n") // the first line is a title
	count := 0
	for group := range strings.SplitSeq(groups, "\n\n") {
		var n int
		if _, err := fmt.Sscanf(group, "%d @", &n); err == nil && strings.Contains(group, fmt.Sprintf("%q:%q", "cell", label)) {
			count += n
		}
	}
	return count
}
