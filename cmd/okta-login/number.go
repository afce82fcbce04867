package main

import "strings"

// digits are the figures of a number, in five lines each.
var digits = [10][5]string{
	{"#####", "#   #", "#   #", "#   #", "#####"},
	{"  #  ", " ##  ", "  #  ", "  #  ", " ### "},
	{"#####", "    #", "#####", "#    ", "#####"},
	{"#####", "    #", " ####", "    #", "#####"},
	{"#   #", "#   #", "#####", "    #", "    #"},
	{"#####", "#    ", "#####", "    #", "#####"},
	{"#####", "#    ", "#####", "#   #", "#####"},
	{"#####", "    #", "   # ", "  #  ", "  #  "},
	{"#####", "#   #", "#####", "#   #", "#####"},
	{"#####", "#   #", "#####", "    #", "#####"},
}

// large is a number in figures that can be read from across the desk, with the number
// itself below them, for a screen reader.
func large(number string) string {
	var b strings.Builder
	for line := range 5 {
		b.WriteString("   ")
		for _, r := range number {
			if r >= '0' && r <= '9' {
				b.WriteString(" " + digits[r-'0'][line] + " ")
			}
		}
		b.WriteString("\n")
	}
	return b.String() + "    " + clean(number)
}
