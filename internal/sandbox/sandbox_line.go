package sandbox

import (
	"fmt"
	"iter"
	"regexp"
	"strings"
	"unicode"
)

// lineMarker starts the options for the sandbox, up to the end of the line. It
// starts a word: "mysandbox:" is ordinary text.
var lineMarker = regexp.MustCompile(`(^|[^\p{L}\p{Nd}_.-])sandbox:`)

// parseBehaviour reads the "sandbox:" options of a run's context. They may have a
// line of their own or follow other text. Each problem says what is wrong and what
// would be right.
func parseBehaviour(text string) (b behaviour, problems []string) {
	known, seen := map[string]option{}, map[string]bool{}
	for _, o := range options() {
		known[o.name] = o
	}
	for line := range strings.Lines(text) {
		for name, value := range assignments(afterMarker(line)) {
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

// afterMarker returns what follows the first marker of a line, or "".
func afterMarker(line string) string {
	match := lineMarker.FindStringIndex(line)
	if match == nil {
		return ""
	}
	return line[match[1]:]
}

// assignments yields the name and value of each option. The value of "text" is the
// rest of the line, spaces included.
func assignments(words string) iter.Seq2[string, string] {
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
