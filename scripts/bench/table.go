package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// table is a table of text; the first column is aligned to the left.
type table struct {
	title string
	rows  [][]string // the first is the head
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// text is the table as aligned text, which can be Markdown at the same time.
func (t *table) text(markdown bool) string {
	widths := make([]int, len(t.rows[0]))
	for _, row := range t.rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "\n%s\n\n", t.title)
	for n, row := range t.rows {
		line := make([]string, len(row))
		for i, cell := range row {
			padding := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if line[i] = padding + cell; leftColumn(t.rows[0][i]) {
				line[i] = cell + padding
			}
		}
		if !markdown {
			b.WriteString(strings.TrimRight(strings.Join(line, "  "), " ") + "\n")
			continue
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(line, " | "))
		if n == 0 {
			b.WriteString(ruler(t.rows[0], widths))
		}
	}
	return b.String()
}

// leftColumn says that a column holds words.
func leftColumn(head string) bool {
	switch head {
	case "row", "subject", "what", "":
		return true
	}
	return false
}

func ruler(head []string, widths []int) string {
	line := make([]string, len(head))
	for i, width := range widths {
		line[i] = strings.Repeat("-", max(width-1, 1)) + ":"
		if leftColumn(head[i]) {
			line[i] = strings.Repeat("-", max(width, 2))
		}
	}
	return "| " + strings.Join(line, " | ") + " |\n"
}
