package view

import (
	"regexp"
	"slices"
	"strings"
)

// pattern knows secrets by their surroundings, for those nobody told us.
type pattern struct {
	// needs are sets of lower-case texts. Of each set one must be there before
	// the expression is tried: it is slow, and most texts hold none.
	needs [][]string
	find  *regexp.Regexp // its one group is the secret
}

// urlText is what a URL is made of, percent signs and escaped slashes included.
const urlText = `[^\s"'<>` + "`" + `{}|]*`

var (
	approvalLink = regexp.MustCompile(`(?i)` + urlText + `runs(?:\\*/|%(?:25)*2f)approval` + urlText)
	patterns     = [...]pattern{
		{[][]string{{"=", "3d"}, {"token", "key", "secret", "sig"}}, regexp.MustCompile(`(?i)\b(?:token|api[-_]?key|x-api-key|access_token|client_secret|signature|sig)(?:=|%(?:25)*3d)([^\s&"'<>]+)`)},
		{[][]string{{"authorization", "x-api-key"}}, regexp.MustCompile(`(?i)\b(?:(?:proxy-)?authorization|x-api-key)\\*["']?\s*[:=]\s*\\*["']?((?:[a-z][a-z0-9-]*[ \t]+)?[^\s"',;\\]+)`)},
		{[][]string{{"cookie"}}, regexp.MustCompile(`(?i)\b(?:set-)?cookie\\*["']?\s*[:=]\s*\\*["']?([\w.-]+=[^\s"',;\\]*(?:; *[\w.-]+=[^\s"',;\\]*)*)`)},
		{[][]string{{"bearer"}}, regexp.MustCompile(`(?i)\bbearer\s+([a-z0-9._~+/=-]{16,})`)},
		{[][]string{{"private key"}}, regexp.MustCompile(`(?s)(-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))`)},
	}
)

// scrub takes the secrets out of visible text.
func (v *View) scrub(s string) string {
	h := &holes{text: s}
	v.secrets.find(h, v.hides)
	v.findEncoded(h)
	if hasLink(s) {
		for _, at := range approvalLink.FindAllStringIndex(s, -1) {
			h.cut(at[0], at[1], linkRemoved)
		}
	}
	lower := strings.ToLower(s)
	for _, p := range patterns {
		if p.mayBeIn(lower) {
			for _, at := range p.find.FindAllStringSubmatchIndex(s, -1) {
				h.cut(at[2], at[3], removed)
			}
		}
	}
	return h.String()
}

func (p *pattern) mayBeIn(lower string) bool {
	for _, set := range p.needs {
		if !slices.ContainsFunc(set, func(need string) bool { return strings.Contains(lower, need) }) {
			return false
		}
	}
	return true
}

// hasLink reports whether approvalLink is in s, at a fraction of its price.
func hasLink(s string) bool {
	lower := strings.ToLower(s)
	for from := 0; ; {
		i := strings.Index(lower[from:], "approval")
		if i < 0 {
			return false
		}
		from += i
		if head, ok := cutSlash(lower[:from]); ok && strings.HasSuffix(head, "runs") {
			return true
		}
		from += len("approval")
	}
}

// cutSlash removes a slash from the end of s, however it is escaped.
func cutSlash(s string) (string, bool) {
	if head, ok := strings.CutSuffix(s, "/"); ok {
		return strings.TrimRight(head, `\`), true
	}
	head, ok := strings.CutSuffix(s, "2f")
	for again := ok; again; {
		head, again = strings.CutSuffix(head, "25")
	}
	if !ok {
		return s, false
	}
	return strings.CutSuffix(head, "%")
}

// secretKey reports whether a field of this name holds a secret.
func secretKey(name string) bool {
	name = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(visible(name)))
	switch name {
	case "authorization", "proxyauthorization", "xapikey", "apikey", "token", "accesstoken", "refreshtoken", "idtoken",
		"authtoken", "sessiontoken", "bearertoken", "password", "passwd", "passphrase", "secret", "clientsecret", "secretkey",
		"secretaccesskey", "privatekey", "cookie", "setcookie", "credentials", "passthrough", actionsKey:
		return true
	}
	return false
}
