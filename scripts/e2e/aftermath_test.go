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
// the orgs knew or were sent, and for every token that a login gave out.
func searchSecrets(path string) []string {
	b, err := os.ReadFile(path)
	if err != nil {
		return []string{err.Error()}
	}
	var leaks []string
	for _, secret := range secrets() {
		if at := indexSecret(b, secret); at >= 0 {
			leaks = append(leaks, "a secret in a log: "+lineAround(b, at))
		}
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
	all := append([]string(nil), suite.tokens...)
	for _, o := range suite.used {
		all = append(all, o.Secrets()...)
	}
	return all
}

// indexSecret finds a secret. A passcode is only digits, and counts only where
// it stands alone: not within a longer number, or after a decimal point.
func indexSecret(b []byte, secret string) int {
	digits := strings.Trim(secret, "0123456789") == ""
	for start := 0; ; {
		at := bytes.Index(b[start:], []byte(secret))
		if at < 0 {
			return -1
		}
		at += start
		if !digits || standsAlone(b, at, at+len(secret)) {
			return at
		}
		start = at + 1
	}
}

func standsAlone(b []byte, from, to int) bool {
	const partOfWord = "0123456789abcdefABCDEF.-_:+/"
	return (from == 0 || !strings.ContainsRune(partOfWord, rune(b[from-1]))) &&
		(to == len(b) || !strings.ContainsRune(partOfWord, rune(b[to])))
}

func TestIndexSecret(t *testing.T) {
	for _, row := range []struct {
		log, secret string
		want        int
	}{
		{"password=hunter22 tried", "hunter22", 9},
		{"password=***", "hunter22", -1},
		{`{"passCode":"123456"}`, "123456", 13},
		{"took 0.123456s, id 9123456, at 123456", "123456", 31},
		{"request 1234567 took 12.123456", "123456", -1},
		{"0x123456ff a-123456", "123456", -1},
	} {
		require.Equal(t, row.want, indexSecret([]byte(row.log), row.secret), row.log)
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
