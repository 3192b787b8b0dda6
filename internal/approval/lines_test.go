package approval

import (
	"strings"
	"testing"
)

// TestBreakLines breaks a line where it is full: after the last space or comma of its
// second half, else beside a character that is no part of a word, else anywhere.
func TestBreakLines(t *testing.T) {
	x := func(n int) string { return strings.Repeat("x", n) }
	for name, tt := range map[string]struct{ text, want string }{
		"empty":                      {"", "\n"},
		"full":                       {x(80), x(80) + "\n"},
		"one too many":               {x(81), x(80) + "\n" + indent + "x\n"},
		"three lines":                {x(160), x(80) + "\n" + indent + x(78) + "\n" + indent + "xx\n"},
		"a space":                    {x(50) + " " + x(50), x(50) + " \n" + indent + x(50) + "\n"},
		"a comma":                    {x(50) + "," + x(50), x(50) + "," + x(29) + "\n" + indent + x(21) + "\n"},
		"a comma before a sign":      {x(50) + ",[" + x(50), x(50) + ",\n" + indent + "[" + x(50) + "\n"},
		"two spaces":                 {x(45) + " " + x(10) + " " + x(50), x(45) + " " + x(10) + " \n" + indent + x(50) + "\n"},
		"a space at the end":         {x(79) + " " + x(5), x(79) + " \n" + indent + x(5) + "\n"},
		"a space behind the end":     {x(80) + " " + x(5), x(80) + "\n" + indent + " " + x(5) + "\n"},
		"a space in the first half":  {x(30) + " " + x(60), x(30) + " " + x(49) + "\n" + indent + x(11) + "\n"},
		"a space at half":            {x(39) + " " + x(60), x(39) + " " + x(40) + "\n" + indent + x(20) + "\n"},
		"a space behind half":        {x(40) + " " + x(60), x(40) + " \n" + indent + x(60) + "\n"},
		"a bracket":                  {x(50) + "[" + x(50), x(50) + "[\n" + indent + x(50) + "\n"},
		"a space before a bracket":   {x(45) + " " + x(10) + "[" + x(50), x(45) + " \n" + indent + x(10) + "[" + x(50) + "\n"},
		"wide characters":            {strings.Repeat("\u6f22", 41), strings.Repeat("\u6f22", 40) + "\n" + indent + "\u6f22\n"},
		"narrow ones below them":     {strings.Repeat("\u10ff", 80), strings.Repeat("\u10ff", 80) + "\n"},
		"the first of the wide ones": {strings.Repeat("\u1100", 41), strings.Repeat("\u1100", 40) + "\n" + indent + "\u1100\n"},
		"a long word behind a space": {x(45) + " [" + x(90), x(45) + " \n" + indent + "[" + x(77) + "\n" + indent + x(13) + "\n"},
		"a mark takes no column":     {x(80) + "\u0301", x(80) + "\u0301\n"},
		"a mark stays with a sign":   {x(50) + "[\u0301" + x(50), x(50) + "\n" + indent + "[\u0301" + x(50) + "\n"},
	} {
		if got := breakLines(tt.text); got != tt.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, tt.want)
		}
	}
}
