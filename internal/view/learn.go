package view

import (
	"encoding/json"
	"html"
	"maps"
	"net/url"
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
	l := lesson{secrets: v.secrets, left: maxTaught}
	l.parse(raw, place{})
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

// place is where in a document something stands.
type place struct {
	actions bool // under an approvalActions key
	said    bool // in what a run or a caller said, whatever stands in there
}

// source is that of the tokens in a place.
func (p place) source() source {
	if p.actions && !p.said {
		return tokens
	}
	return found
}

// under returns the place of what a field holds.
func (p place) under(name string) place {
	switch strings.ToLower(name) {
	case actionsKey:
		p.actions = true
	case "intent", "context", "text", "reason", "toolcalls", "toolparameters", "toolresult", "result", "plan", "integrationname":
		p.said = true
	}
	return p
}

func (l *lesson) parse(raw []byte, at place) {
	var value any
	if json.Unmarshal(raw, &value) == nil {
		l.value(value, at)
	}
}

// value learns from a value.
func (l *lesson) value(value any, at place) {
	switch value := value.(type) {
	case string:
		if text := strings.TrimSpace(value); text != "" && (text[0] == '{' || text[0] == '[') && tokenAt(text) >= 0 {
			l.parse([]byte(text), at)
		}
		l.text(value, at)
	case []any:
		for _, e := range value {
			l.value(e, at)
		}
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(value)) {
			l.text(k, at)
			if token, ok := value[k].(string); ok && at.actions && strings.EqualFold(k, "token") {
				l.learn(token, at) // a link's token beside it, or in its place
			}
			l.value(value[k], at.under(k))
		}
	}
}

func (l *lesson) learn(token string, at place) {
	if l.left > 0 {
		l.left--
		l.secrets.add(token, at.source())
	}
}

// linkEnds are the characters that no link holds.
const linkEnds = " \t\r\n\"'<>`{}|"

// text learns from the links in a text, which it cuts to where a token may
// stand: a value may be one word of many megabytes.
func (l *lesson) text(s string, place place) {
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
		l.link(s[from:to], place)
		s = s[to:]
	}
}

var tokenParam = regexp.MustCompile(`(?i)token(?:=|%(?:25)*3d)([^\s&#"'<>]+)`)

// link learns the tokens of a word, as they stand and as often decoded as the
// word can be, if it is an approval link or known to be one.
func (l *lesson) link(word string, at place) {
	forms := append([]string{word}, slices.Collect(decodings(word))...)
	if !at.actions && !slices.ContainsFunc(forms, hasLink) {
		return
	}
	for _, form := range forms {
		if html.UnescapeString(form) != form {
			continue // its token would end at the first entity
		}
		for _, m := range tokenParam.FindAllStringSubmatch(form, l.left) {
			token := strings.TrimRight(m[1], ".,;:!?)]")
			l.learn(token, at)
			if plain, err := url.QueryUnescape(token); err == nil && plain != token {
				l.secrets.add(plain, at.source()) // whole, where the decoded form would end at an odd character
			}
		}
		if l.left <= 0 {
			return
		}
	}
}
