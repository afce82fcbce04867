package e2e

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// checkLogs looks at what the suite has left in the logs of its Vault, while
// that still runs. It returns what should not be there.
func checkLogs() []string {
	problems := append(searchSecrets(suite.vault.LogPath), searchSecrets(suite.audit)...)
	return append(problems, checkProcess(suite.vault.LogPath)...)
}

// searchSecrets looks in a log, written at level trace, for every secret that
// the orgs knew or were sent, and for every token and transaction id that a
// login gave out.
func searchSecrets(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	var leaks []string
	for _, at := range findSecrets(b, secrets()) {
		leaks = append(leaks, "a secret in a log: "+lineAround(b, at))
	}
	return leaks
}

// checkProcess checks that one process of the plugin has served all mounts and
// survived all tests.
func checkProcess(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	var problems []string
	if n := bytes.Count(b, []byte("plugin started: path="+suite.plugin.Path)); n > 1 {
		problems = append(problems, fmt.Sprintf("the plugin was started %d times", n))
	}
	for _, trouble := range []string{"plugin process exited: plugin=" + suite.plugin.Path, "panic:", "DATA RACE", "mismatch"} {
		if at := bytes.Index(b, []byte(trouble)); at >= 0 {
			problems = append(problems, lineAround(b, at))
		}
	}
	return problems
}

func secrets() []string {
	suite.mu.Lock()
	defer suite.mu.Unlock()
	all := append([]string(nil), suite.secrets...)
	for _, o := range suite.used {
		all = append(all, o.Secrets()...)
	}
	return all
}

// findSecrets finds the first place of each secret, each of which has at least
// four bytes. A passcode is only digits, and counts only where it stands alone:
// not within a longer number, or after a decimal point, or as a duration or the id of
// a process. (There are thousands of secrets: one pass over a log has to do for all.)
func findSecrets(b []byte, secrets []string) (places []int) {
	byStart := map[string][]string{}
	for _, secret := range secrets {
		byStart[secret[:4]] = append(byStart[secret[:4]], secret)
	}
	found := map[string]bool{}
	for at := 0; at+4 <= len(b); at++ {
		for _, secret := range byStart[string(b[at:at+4])] {
			digits := strings.Trim(secret, "0123456789") == ""
			if !found[secret] && bytes.HasPrefix(b[at:], []byte(secret)) && (!digits || standsAlone(b, at, at+len(secret))) {
				found[secret] = true
				places = append(places, at)
			}
		}
	}
	return places
}

func standsAlone(b []byte, from, to int) bool {
	const partOfWord = "0123456789abcdefABCDEF.-_:+/"
	for _, key := range []string{"_ms=", " pid=", " id=", " pluginID="} { // Vault's own, of processes
		if bytes.HasSuffix(b[:from], []byte(key)) {
			return false
		}
	}
	return !bytes.HasPrefix(b[to:], []byte("ms")) &&
		(from == 0 || !strings.ContainsRune(partOfWord, rune(b[from-1]))) &&
		(to == len(b) || !strings.ContainsRune(partOfWord, rune(b[to])))
}

func TestFindSecrets(t *testing.T) {
	for _, row := range []struct {
		log, secret string
		want        int // -1 where it is not there
	}{
		{"password=hunter22 tried", "hunter22", 9},
		{"password=***", "hunter22", -1},
		{`{"passCode":"123456"}`, "123456", 13},
		{"took 0.123456s, id 9123456, at 123456", "123456", 31},
		{"request 1234567 took 12.123456", "123456", -1},
		{"0x123456ff a-123456", "123456", -1},
		{"duration_ms=12345 code=12345", "12345", 23},
		{`at pid=12345 okta_calls="authn 2xx 12345ms" code=12345`, "12345", 49},
		{"plugin process exited: id=12345 pluginID=12345", "12345", -1},
	} {
		places := findSecrets([]byte(row.log), []string{"another", row.secret})
		if row.want < 0 {
			require.Empty(t, places, row.log)
			continue
		}
		require.Equal(t, []int{row.want}, places, row.log)
	}
}

// lineAround is the line of b at an offset, shortened.
func lineAround(b []byte, at int) string {
	from := bytes.LastIndexByte(b[:at], '\n') + 1
	to := len(b)
	if i := bytes.IndexByte(b[at:], '\n'); i >= 0 {
		to = at + i
	}
	return string(b[max(from, at-300):min(to, at+300)])
}
