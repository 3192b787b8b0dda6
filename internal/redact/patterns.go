package redact

import (
	"regexp"
	"strings"
)

const (
	urlDelimiters = " \t\n\"'<>{}|`"
	slash         = `(?:\\*/|%(?:25)*2f|\\+u002f)`
	query         = `(?:\?|%(?:25)*3f|\\+u003f)`
	equals        = `(?:=|%(?:25)*3d|\\+u003d)`
	// header matches what stands between the name of a header and its value.
	header = `\\*["']?\s*[:=]\s*(?:\[?\s*\\*["'])?`
	word   = `[^\s"',;\\]`
	param  = `[\w.-]+=(?:\\*"[^\s"\\,;]+\\*"|` + word + `*)`
	pem    = `[a-z0-9 ]*private key(?: block)?-----`
)

// The patterns match text in lower case. Each starts with a literal, which package regexp
// searches fast.
var (
	approvalPath = regexp.MustCompile(`runs` + slash + `approval` + slash + `?` + query)
	tokenQuery   = regexp.MustCompile(`token` + equals)
	// Of these only the group is taken out.
	authorization = regexp.MustCompile(`authorization` + header + `((?:\[?[a-z][a-z0-9-]*[ \t]+)?(?:` + param + `|` + word + `+)(?:,[ \t]*` + param + `)*)`)
	cookie        = regexp.MustCompile(`cookie` + header + `(` + param + `(?:;[ \t]*(?:` + param + `|` + word + `+))*)`)
	privateKey    = regexp.MustCompile(`(-----begin ` + pem + `(?:[\w+/=\s\\:,-]*?-----end ` + pem + `|[\w+/=\s\\:,-]*))`)
)

// findPatterns returns what the patterns match in visible text.
func findPatterns(text string) (spans []span) {
	lower := lowerASCII(text)
	spans = findLinks(lower)
	for _, p := range [...]*regexp.Regexp{authorization, cookie, privateKey} {
		for _, at := range p.FindAllStringSubmatchIndex(lower, -1) {
			spans = append(spans, span{at[2], at[3]})
		}
	}
	kept := spans[:0]
	for _, s := range spans {
		found := strings.TrimRight(text[s.from:s.to], `\`) // of an escaped quote after it
		if found != "" && found != Removed {
			kept = append(kept, span{s.from, s.from + len(found)})
		}
	}
	return kept
}

// findLinks returns the approval links in text in lower case. It reads each URL once.
func findLinks(lower string) (spans []span) {
	for end := 0; ; {
		at := approvalPath.FindStringIndex(lower[end:])
		if at == nil {
			return spans
		}
		from := end + strings.LastIndexAny(lower[end:end+at[0]], urlDelimiters) + 1
		query := end + at[1]
		end = len(lower)
		if i := strings.IndexAny(lower[query:], urlDelimiters); i >= 0 {
			end = query + i
		}
		if tokenQuery.MatchString(lower[query:end]) {
			spans = append(spans, span{from, end})
		}
	}
}

// lowerASCII returns s with its ASCII letters in lower case. Unlike [strings.ToLower] it
// keeps the position of every byte.
func lowerASCII(s string) string {
	var out strings.Builder
	for done, i := 0, 0; ; i++ {
		switch {
		case i == len(s) && done == 0:
			return s
		case i == len(s):
			out.WriteString(s[done:])
			return out.String()
		case 'A' <= s[i] && s[i] <= 'Z':
			if done == 0 {
				out.Grow(len(s))
			}
			out.WriteString(s[done:i])
			out.WriteByte(s[i] | 0x20)
			done = i + 1
		}
	}
}
