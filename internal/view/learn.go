package view

import (
	"encoding/json"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"

	"runs-mcp-server/client"
)

const (
	// maxTaught is how many tokens one document may teach. A run asks for one
	// decision at a time; with more, it could push out what others taught.
	maxTaught = 64
	// actionsKey is the field whose links are approval links whatever their
	// path, in lower case.
	actionsKey = "approvalactions"
)

var _ client.Learner = (*View)(nil)

// LearnEvent remembers the tokens of an event's approval links: it implements
// [client.Learner], for what is shown before the event is.
func (v *View) LearnEvent(e client.Event) {
	v.learnActions(e)
	v.learnLinks(e.Raw)
}

// learnActions remembers the tokens of approval links that the API gave, the
// newest of them if they are many.
func (v *View) learnActions(events ...client.Event) {
	left := maxTaught
	for _, e := range slices.Backward(events) {
		links := e.ApprovalActions
		if e.Step != nil {
			links = slices.Concat(links, e.Step.ApprovalActions)
		}
		for _, link := range links {
			if left == 0 {
				return
			}
			v.Learn(link.Token())
			left--
		}
	}
}

// learnLinks remembers the tokens of the links that stand anywhere in raw
// JSON: of approval links, and of every link under an approvalActions key.
func (v *View) learnLinks(raw []byte) {
	if tokenAt(raw) < 0 {
		return
	}
	l := lesson{secrets: &v.secrets, left: maxTaught}
	l.parse(raw, false)
}

// tokenAt returns where a token parameter may begin, -1 where there is none:
// a "token" that an equals sign follows in whatever encoding, or a letter that
// is escaped, which no encoder does by itself. It is so narrow because every
// event passes here, and parsing costs far more than all the rest.
func tokenAt[T string | []byte](s T) int {
	const word = "token"
	for i := range len(s) {
		switch s[i] {
		case 'k', 'K':
			from := i - 2
			if from < 0 || from+len(word) >= len(s) || !strings.EqualFold(string(s[from:from+len(word)]), word) {
				continue
			}
			if strings.IndexByte(`=%\&`, s[from+len(word)]) >= 0 {
				return from
			}
		case '%':
			if i+1 < len(s) && '4' <= s[i+1] && s[i+1] <= '7' {
				return i
			}
		case '\\':
			if i+4 < len(s) && string(s[i+1:i+4]) == "u00" && '4' <= s[i+4] && s[i+4] <= '7' {
				return i
			}
		}
	}
	return -1
}

// lesson is what one document teaches.
type lesson struct {
	secrets *secretSet
	left    int // how many tokens it may still teach
}

func (l *lesson) parse(raw []byte, actions bool) {
	var value any
	if json.Unmarshal(raw, &value) == nil {
		l.value(value, actions)
	}
}

// value learns from a value; actions says whether it stands under an
// approvalActions key.
func (l *lesson) value(value any, actions bool) {
	switch value := value.(type) {
	case string:
		if text := strings.TrimSpace(value); text != "" && (text[0] == '{' || text[0] == '[') && tokenAt(text) >= 0 {
			l.parse([]byte(text), actions)
		}
		l.text(value, actions)
	case []any:
		for _, e := range value {
			l.value(e, actions)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(value)) {
			l.text(k, actions)
			l.value(value[k], actions || strings.ToLower(k) == actionsKey)
		}
	}
}

// linkEnds are the characters that no link holds.
const linkEnds = " \t\r\n\"'<>`{}|"

// text learns from the links in a text, which it cuts to where a token may
// stand: a value may be one word of many megabytes.
func (l *lesson) text(s string, actions bool) {
	for l.left > 0 {
		at := tokenAt(s)
		if at < 0 {
			return
		}
		from := max(0, at-2<<10)
		from += strings.LastIndexAny(s[from:at], linkEnds) + 1
		to := min(len(s), at+maxLearned)
		if i := strings.IndexAny(s[at+1:to], linkEnds); i >= 0 {
			to = at + 1 + i
		}
		l.link(s[from:to], actions)
		s = s[to:]
	}
}

var tokenParam = regexp.MustCompile(`(?i)token(?:=|%(?:25)*3d)([^\s&#"'<>]+)`)

// link learns the tokens of a word, as they stand and as often decoded as the
// word can be, if it is an approval link or known to be one.
func (l *lesson) link(word string, isLink bool) {
	forms := append([]string{word}, slices.Collect(decodings(word))...)
	if !isLink && !slices.ContainsFunc(forms, hasLink) {
		return
	}
	for _, form := range forms {
		if html.UnescapeString(form) != form {
			continue // its token would end at the first entity
		}
		for _, m := range tokenParam.FindAllStringSubmatch(form, l.left) {
			l.left--
			l.secrets.add(strings.TrimRight(m[1], ".,;:!?)]"), found)
		}
		if l.left <= 0 {
			return
		}
	}
}
