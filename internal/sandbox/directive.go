package sandbox

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// marker starts the words for the sandbox; they go on to the end of the line.
const marker = "sandbox:"

// parseBehaviour reads the "sandbox:" words of a run's context. They may stand
// on lines of their own or after other text. The messages name what is wrong
// and list what would be right; they are empty when all is well.
func parseBehaviour(text string) (b behaviour, problems []string) {
	known, seen := map[string]option{}, map[string]bool{}
	for _, o := range options() {
		known[o.name] = o
	}
	for line := range strings.Lines(text) {
		words, ok := afterMarker(line)
		if !ok {
			continue
		}
		for name, value := range assignments(words) {
			o, ok := known[name]
			switch {
			case !ok:
				problems = append(problems, fmt.Sprintf("context: sandbox: unknown option %q; known are %s", name, optionNames()))
			case seen[name]:
				problems = append(problems, fmt.Sprintf("context: sandbox: %s is given twice", name))
			case !o.set(&b, value):
				problems = append(problems, fmt.Sprintf("context: sandbox: %s=%s is not valid; it takes %s", name, value, o.values))
			}
			seen[name] = true
		}
	}
	return b, problems
}

// afterMarker returns what follows the first marker that starts a word, so
// that "mysandbox:" is left to be ordinary text.
func afterMarker(line string) (string, bool) {
	for rest, offset := line, 0; ; {
		i := strings.Index(rest, marker)
		if i < 0 {
			return "", false
		}
		before, _ := utf8.DecodeLastRuneInString(line[:offset+i])
		rest, offset = rest[i+len(marker):], offset+i+len(marker)
		if offset == len(marker) || !unicode.IsLetter(before) && !unicode.IsDigit(before) && !strings.ContainsRune("_-.", before) {
			return rest, true
		}
	}
}

// assignments yields name and value of each word. The value of "text" is the
// rest of the line, spaces included.
func assignments(words string) func(yield func(name, value string) bool) {
	return func(yield func(string, string) bool) {
		for {
			words = strings.TrimSpace(words)
			if words == "" {
				return
			}
			if value, ok := strings.CutPrefix(words, "text="); ok {
				yield("text", value)
				return
			}
			end := strings.IndexFunc(words, unicode.IsSpace)
			if end < 0 {
				end = len(words)
			}
			name, value, _ := strings.Cut(words[:end], "=")
			words = words[end:]
			if !yield(name, value) {
				return
			}
		}
	}
}

func optionNames() string {
	var names []string
	for _, o := range options() {
		names = append(names, o.name)
	}
	return strings.Join(names, ", ")
}
