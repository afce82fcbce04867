package e2e

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/vault-okta/vault-plugin-auth-okta/okta/oktatest"
)

// Many people log in at the same time, and all of their pushes wait. What it
// costs is told, not judged: that depends on the machine. (It runs by itself,
// before the tests that run side by side.)
func TestManyWaitingPushes(t *testing.T) {
	if testing.Short() {
		t.Skip("a load test")
	}
	const (
		logins = 500
		watch  = 8 * time.Second // for this long the polls are counted
	)
	m := newMount(t, object{"push_timeout": "80s"})
	idle := memory(t)
	phones := make([]*oktatest.Factor, logins)
	answers := make(chan answered, logins)
	began := time.Now()
	for i := range phones {
		u := m.addUser(fmt.Sprintf("user%d@acme.test", i))
		phones[i] = u.AddPush()
		ended := m.startAmongStrangers(u)
		go func() { answers <- answered{<-ended, time.Now()} }()
	}
	eventually(t, "a push to everybody", func() bool {
		return !slices.ContainsFunc(phones, func(f *oktatest.Factor) bool { return f.Pushes() == 0 })
	})
	waiting := time.Now()
	time.Sleep(watch) // counts
	watched := time.Now()
	during := memory(t)

	for i, f := range phones {
		require.Equal(t, 1, f.Approve(), i)
	}
	approving := time.Since(watched)
	var waits []time.Duration
	for range phones {
		a := <-answers
		requireSuccess(t, a.outcome)
		waits = append(waits, a.at.Sub(watched))
	}
	slices.Sort(waits)
	for i, f := range phones {
		require.Equal(t, 1, f.Pushes(), i)
	}
	polls, most := m.polls(waiting, watched)
	t.Logf("%d logins, all waiting %.1f s after the first began; plugin: RSS %d MB idle, %d MB waiting (%d MB of them "+
		"the binary's), %d MB at most; %.0f polls/s over %.1f s, %d in the busiest second; answers after the approval of all (in %.2f s): "+
		"median %.1f s, 99%% %.1f s, last %.2f s",
		logins, waiting.Sub(began).Seconds(), idle["VmRSS"], during["VmRSS"], during["RssFile"], memory(t)["VmHWM"],
		float64(polls)/watched.Sub(waiting).Seconds(), watched.Sub(waiting).Seconds(), most, approving.Seconds(),
		waits[logins/2].Seconds(), waits[logins*99/100].Seconds(), waits[logins-1].Seconds())
}

// answered is how a login ended, and when.
type answered struct {
	outcome
	at time.Time
}

// polls counts the questions about factors in a time: all, and those of the
// busiest second.
func (m *mount) polls(from, to time.Time) (all, most int) {
	seconds := map[int]int{}
	for _, r := range m.org.Requests() {
		if r.Method != http.MethodPost || !strings.HasSuffix(r.Path, "/verify") || r.Time.Before(from) || r.Time.After(to) {
			continue
		}
		all++
		second := int(r.Time.Sub(from) / time.Second)
		seconds[second]++
		most = max(most, seconds[second])
	}
	return all, most
}

var memoryLine = regexp.MustCompile(`(?m)^(VmRSS|VmHWM|RssFile):\s+(\d+) kB$`)

// memory is what the plugin's process holds, in MB: VmRSS now, RssFile of it
// for its binary, and VmHWM at most so far.
func memory(t *testing.T) map[string]int {
	t.Helper()
	status, err := os.ReadFile(filepath.Join(pluginProcess(t), "status"))
	require.NoError(t, err)
	sizes := map[string]int{}
	for _, m := range memoryLine.FindAllSubmatch(status, -1) {
		kb, err := strconv.Atoi(string(m[2]))
		require.NoError(t, err)
		sizes[string(m[1])] = (kb + 1023) / 1024
	}
	return sizes
}

// pluginProcess is the directory in /proc of the plugin under the shared Vault. The link
// exe in it can be read by root only, because the process is not dumpable.
func pluginProcess(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("/proc/%d", pluginPID(t, suite.vault))
}
