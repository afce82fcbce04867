package backend

import (
	commandline "flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var updateDocs = commandline.Bool("update", false, "write the fault matrix into docs/security.md")

// The table of the fault matrix, which docs/security.md prints between two markers.
const (
	faultDocs    = "../docs/security.md"
	faultsBegin  = "<!-- The fault matrix begins. `go test ./backend -run TestFaultMatrix -update` writes it. -->\n"
	faultsEnd    = "<!-- The fault matrix ends. -->\n"
	doesNotApply = "–"
	staysOpen    = "open"
)

type faultTable struct {
	calls []*faultCall
	rows  []faultRow

	mu     sync.Mutex
	cells  map[*faultCall]map[string]string // by the name of the row
	failed int
}

func newFaultTable() *faultTable {
	table := &faultTable{calls: faultCalls(), rows: faultRows(), cells: map[*faultCall]map[string]string{}}
	for _, call := range table.calls {
		table.cells[call] = map[string]string{}
	}
	return table
}

func (f *faultTable) put(call *faultCall, row *faultRow, cell string, failed bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.cells[call][row.name] = cell
	if failed {
		f.failed++
	}
}

// complete reports whether all cells were played, and not only those of -run.
func (f *faultTable) complete() bool {
	for _, cells := range f.cells {
		if len(cells) != len(f.rows) {
			return false
		}
	}
	return true
}

// text is what the document says.
func (f *faultTable) text() string {
	var b strings.Builder
	played := 0
	for _, cells := range f.cells {
		for _, cell := range cells {
			if cell != doesNotApply {
				played++
			}
		}
	}
	fmt.Fprintf(&b, "%d calls and %d faults make %d cells that apply; %d of them pass.\n", len(f.calls), len(f.rows), played, played-f.failed)
	for _, group := range []struct{ title, service string }{
		{"Okta's Authentication API", "Okta"},
		{"Okta's management APIs", "Okta API"},
		{"Okta's access tokens of a service app, and a call with one", oauth},
		{"Duo", "Duo"},
		{"PingID", "PingID"},
	} {
		var calls []*faultCall
		fmt.Fprintf(&b, "\n#### %s\n\n| fault |", group.title)
		for _, call := range f.calls {
			if call.service == group.service {
				calls = append(calls, call)
				fmt.Fprintf(&b, " %s |", call.name)
			}
		}
		b.WriteString("\n| --- |" + strings.Repeat(" --- |", len(calls)) + "\n")
		for _, line := range f.lines(calls) {
			fmt.Fprintf(&b, "| %s |%s\n", strings.Join(line.faults, "; "), line.cells)
		}
	}
	return b.String()
}

// faultLine is a line of the table: faults that are answered in the same way.
type faultLine struct {
	faults []string
	cells  string
}

// lines has no line for faults that cannot be in any of the calls.
func (f *faultTable) lines(calls []*faultCall) (lines []*faultLine) {
	for _, row := range f.rows {
		cells := ""
		for _, call := range calls {
			cells += " " + f.cells[call][row.name] + " |"
		}
		if strings.Trim(cells, doesNotApply+" |") == "" {
			continue
		}
		i := slices.IndexFunc(lines, func(l *faultLine) bool { return l.cells == cells })
		if i < 0 {
			i = len(lines)
			lines = append(lines, &faultLine{cells: cells})
		}
		lines[i].faults = append(lines[i].faults, row.name)
	}
	return lines
}

// compare wants the document to have the table, or writes it there.
func (f *faultTable) compare(t *testing.T) {
	t.Helper()
	raw, err := os.ReadFile(faultDocs)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(raw), faultsBegin)
	require.True(t, found, "%s has no place for the fault matrix", faultDocs)
	printed, after, found := strings.Cut(rest, faultsEnd)
	require.True(t, found, "%s has no end of the fault matrix", faultDocs)
	if *updateDocs {
		require.NoError(t, os.WriteFile(faultDocs, []byte(before+faultsBegin+f.text()+faultsEnd+after), 0o644))
		return
	}
	assert.Equal(t, printed, f.text(), "%s prints another matrix: run the test with -update, and read what changes", faultDocs)
}
