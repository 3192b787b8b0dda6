package clients

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Line is a line of a change: Sign is '+' for a new one, '-' for an old one, ' ' for one
// that stays.
type Line struct {
	Sign rune
	Text string
}

// Lines returns the entry before and after the change, line by line, in the syntax of its
// file. Values that may be secrets are hidden.
func (c Change) Lines() []Line {
	old := slices.Clone(c.old) // in the order of the new ones, which shows what stays
	slices.SortStableFunc(old, func(a, b field) int { return c.new.rank(a.name) - c.new.rank(b.name) })
	return diff(c.lines(old), c.lines(c.new))
}

// rank returns how many fields stand before the one of a name.
func (f fields) rank(name string) int {
	if i := slices.IndexFunc(f, func(field field) bool { return field.name == name }); i >= 0 {
		return i
	}
	return len(f)
}

func (c Change) lines(entry fields) []string {
	if entry == nil {
		return nil
	}
	shown := hideFields(entry)
	text := c.File.client.format.render(c.path(), shown)
	if strings.Contains(c.File.client.key, "input:") && names(entry.object(), c.File.client.key) {
		if with, err := addInput([]byte(text), map[string]any{}); err == nil {
			text = string(with)
		}
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

// hidden stands in the place of what may be a secret.
const hidden = "(hidden)"

// hideFields returns an entry without the values of its variables and headers, unless they
// are names of variables or no secrets, and without the secrets of its URL and arguments.
func hideFields(entry fields) (out fields) {
	for _, f := range entry {
		switch value := f.value.(type) {
		case fields:
			f.value = hideValues(value)
		case map[string]any:
			f.value = hideValues(sorted(value))
		case []string:
			f.value = hideArguments(value)
		case []any:
			f.value = hideArguments(texts(value))
		case string:
			f.value = hideURL(value)
		}
		out = append(out, f)
	}
	return out
}

// hideValues hides the values of variables and headers.
func hideValues(members fields) (out fields) {
	plain := []string{keyName + "_FILE", "TR_API_URL", "TR_USER_ID"}
	for _, f := range members {
		value, isText := f.value.(string)
		isName := regexp.MustCompile(`^(` + variable + `|Bearer \$\{?\w+\}?|` + keyName + `)$`).MatchString(value)
		if !isText || !isName && !slices.Contains(plain, f.name) {
			f.value = hidden
		}
		out = append(out, f)
	}
	return out
}

// hideArguments hides what follows a word such as key or token in arguments.
func hideArguments(args []string) []string {
	named := regexp.MustCompile(`(?i)(key|token|secret|password|authorization)`)
	assigned := regexp.MustCompile(`(?i)((?:key|token|secret|password|authorization)[\w-]*\s*[=:]\s*).+`)
	out := slices.Clone(args)
	for i, arg := range args {
		switch {
		case strings.HasPrefix(arg, "--api-key-file"), i > 0 && args[i-1] == "--api-key-file":
		case i > 0 && strings.HasPrefix(args[i-1], "-") && !strings.Contains(args[i-1], "=") && named.MatchString(args[i-1]) && !strings.HasPrefix(arg, "-"):
			out[i] = hidden
		default:
			out[i] = hideURL(assigned.ReplaceAllString(arg, "$1"+hidden))
		}
	}
	return out
}

// hideURL hides the password and the query of a URL.
func hideURL(text string) string {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" {
		return text
	}
	if u.RawQuery != "" {
		u.RawQuery = hidden
	}
	if u.User != nil {
		u.User = url.User(hidden)
	}
	return u.String()
}

// diff compares two lists of lines: a table holds how many lines each two ends share.
func diff(old, new []string) (lines []Line) {
	shared := make([][]int, len(old)+1)
	shared[len(old)] = make([]int, len(new)+1)
	for i := len(old) - 1; i >= 0; i-- {
		shared[i] = make([]int, len(new)+1)
		for j := len(new) - 1; j >= 0; j-- {
			shared[i][j] = max(shared[i+1][j], shared[i][j+1])
			if old[i] == new[j] {
				shared[i][j] = shared[i+1][j+1] + 1
			}
		}
	}
	i, j := 0, 0
	for i < len(old) || j < len(new) {
		switch {
		case i < len(old) && j < len(new) && old[i] == new[j]:
			lines = append(lines, Line{' ', old[i]})
			i, j = i+1, j+1
		case j == len(new) || i < len(old) && shared[i+1][j] >= shared[i][j+1]:
			lines = append(lines, Line{'-', old[i]})
			i++
		default:
			lines = append(lines, Line{'+', new[j]})
			j++
		}
	}
	return lines
}
