package approval

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// indent begins the further lines of what takes more than one: our own words
// never begin with it.
const indent = "  "

// writeLine writes a text, broken into lines of 80 columns: between two values or
// words, else beside whatever is no part of a word, else anywhere, and never in
// the first half of a line. A broken number could be read as another one.
func writeLine(b *strings.Builder, text string) {
	from, column := 0, 0
	values, words := 0, 0 // where the line may be broken
	before := rune(0)
	for i, r := range text {
		if joined := inWord(before) && inWord(r) || isMark(r); column > columns/2 && !joined && r != ' ' {
			words = i
			if before == ' ' || before == ',' {
				values = i
			}
		}
		if column += width(r); column > columns {
			at := i
			for _, better := range []int{words, values} {
				if better > from {
					at = better
				}
			}
			b.WriteString(text[from:at] + "\n" + indent)
			from, column = at, len(indent)+widthOf(text[at:i+utf8.RuneLen(r)])
		}
		before = r
	}
	b.WriteString(text[from:] + "\n")
}

// inWord reports whether a character is a part of a word, a number, an address
// or an escape.
func inWord(r rune) bool {
	return unicode.IsLetter(r) || unicode.IsDigit(r) || isMark(r) || strings.ContainsRune(`.,:/@+-_=%\`, r)
}

// width returns how many columns a character takes, rather too many than too few.
func width(r rune) int {
	switch {
	case isMark(r):
		return 0
	case r >= 0x1100:
		return 2
	}
	return 1
}

func widthOf(s string) (n int) {
	for _, r := range s {
		n += width(r)
	}
	return n
}
