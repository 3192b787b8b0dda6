package sandbox

import (
	"regexp/syntax"
	"strings"
)

// maxPatternRunes stops a pattern such as (a{1000}){1000} early.
const maxPatternRunes = 1 << 12

// matching returns a string that matches a pattern, as far as it can: the
// caller validates the whole value anyway. Repetitions are taken as often as
// needed for the length, and characters vary with nth.
func matching(pattern string, length, nth int) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	tree = tree.Simplify()
	var text string
	for extra := range max(1, min(length, maxPatternRunes)) + 1 {
		w := patternWriter{extra: extra, nth: nth}
		w.write(tree)
		if text = w.String(); len([]rune(text)) >= length {
			break
		}
	}
	return text
}

type patternWriter struct {
	strings.Builder
	extra int // repetitions beyond the least, where the pattern allows them
	nth   int
	steps int
}

func (w *patternWriter) write(t *syntax.Regexp) {
	if w.steps++; w.steps > maxPatternRunes { // counts empty matches as well: ((^)*)* writes nothing, often
		return
	}
	switch t.Op {
	case syntax.OpLiteral:
		w.WriteString(string(t.Rune))
	case syntax.OpCharClass:
		w.WriteRune(w.pick(t.Rune))
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		w.WriteRune(rune('a' + w.nth%26))
	case syntax.OpStar:
		w.repeat(t.Sub[0], w.extra)
	case syntax.OpPlus:
		w.repeat(t.Sub[0], max(1, w.extra))
	case syntax.OpQuest:
		w.repeat(t.Sub[0], min(1, w.extra))
	case syntax.OpConcat, syntax.OpCapture:
		for _, sub := range t.Sub {
			w.write(sub)
		}
	case syntax.OpAlternate:
		w.write(t.Sub[w.nth%len(t.Sub)])
	}
}

func (w *patternWriter) repeat(t *syntax.Regexp, times int) {
	for range times {
		w.write(t)
	}
}

// pick takes the nth character of a class, from its first printable range.
func (w *patternWriter) pick(ranges []rune) rune {
	for i := 0; i+1 < len(ranges); i += 2 {
		low, high := max(ranges[i], '!'), min(ranges[i+1], '~')
		if low <= high {
			return low + rune(w.nth)%(high-low+1)
		}
	}
	if len(ranges) > 0 {
		return ranges[0]
	}
	return 'x'
}
