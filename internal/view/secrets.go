package view

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
)

const (
	// minSecret is the shortest secret that is looked for, in bytes.
	minSecret = 4
	// minLearned is the shortest secret that is learned from outside, in bytes.
	minLearned = 8
	// maxLearned bounds the learned secrets; the oldest go first.
	maxLearned = 4096

	removed     = "[removed]"
	linkRemoved = "[approval link removed]"
)

// secretSet finds known secrets in text. The zero value is empty.
type secretSet struct {
	mu sync.RWMutex // guards all below
	// forms holds every form of every secret under its first bytes.
	forms   map[[minSecret]byte][]string
	known   map[string]bool
	learned []string // in the order they came
}

// add makes a secret known. Learned ones make room for newer ones.
func (s *secretSet) add(secret string, keep bool) {
	if len(secret) < minSecret {
		return
	}
	s.mu.RLock()
	known := s.known[secret]
	s.mu.RUnlock()
	if known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.known[secret] {
		return
	}
	if s.known == nil {
		s.known, s.forms = map[string]bool{}, map[[minSecret]byte][]string{}
	}
	s.known[secret] = true
	for _, f := range formsOf(secret) {
		k := [minSecret]byte([]byte(f))
		s.forms[k] = append(s.forms[k], f)
	}
	if keep {
		return
	}
	s.learned = append(s.learned, secret)
	if len(s.learned) > maxLearned {
		s.forget(s.learned[0])
		s.learned = slices.Delete(s.learned, 0, 1)
	}
}

func (s *secretSet) forget(secret string) {
	delete(s.known, secret)
	for _, f := range formsOf(secret) {
		k := [minSecret]byte([]byte(f))
		s.forms[k] = slices.DeleteFunc(s.forms[k], func(x string) bool { return x == f })
		if len(s.forms[k]) == 0 {
			delete(s.forms, k)
		}
	}
}

// formsOf returns the texts a secret may appear as: itself, the inside of its
// JSON, URL and hex forms, the part of its base64 forms that does not depend
// on what stands around it, and each long line of one with several lines.
func formsOf(secret string) []string {
	quoted, _ := json.Marshal(secret)
	forms := []string{
		secret, string(quoted[1 : len(quoted)-1]),
		url.QueryEscape(secret), url.PathEscape(secret),
		hex.EncodeToString([]byte(secret)), strings.ToUpper(hex.EncodeToString([]byte(secret))),
	}
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		// The first and last characters share bits with their neighbours.
		from, to := (shift*8+5)/6, len(padded)*8/6
		for _, enc := range []*base64.Encoding{base64.RawStdEncoding, base64.RawURLEncoding} {
			if e := enc.EncodeToString(padded); from < to {
				forms = append(forms, e[from:to])
			}
		}
	}
	if strings.Contains(secret, "\n") {
		for line := range strings.Lines(secret) {
			if line = strings.TrimSpace(line); len(line) >= 16 {
				forms = append(forms, line)
			}
		}
	}
	forms = slices.DeleteFunc(forms, func(f string) bool { return len(f) < minSecret })
	slices.Sort(forms)
	return slices.Compact(forms)
}

// replace takes every form of every known secret out of text.
func (s *secretSet) replace(text string) string {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if len(s.forms) == 0 {
		return text
	}
	var out strings.Builder
	from := 0
	for i := 0; i+minSecret <= len(text); {
		n := s.match(text[i:])
		if n == 0 {
			i++
			continue
		}
		out.WriteString(text[from:i])
		out.WriteString(removed)
		i += n
		from = i
	}
	if from == 0 {
		return text
	}
	out.WriteString(text[from:])
	return out.String()
}

// match returns the length of the longest known form that text begins with.
func (s *secretSet) match(text string) int {
	longest := 0
	for _, f := range s.forms[[minSecret]byte([]byte(text[:minSecret]))] {
		if len(f) > longest && strings.HasPrefix(text, f) {
			longest = len(f)
		}
	}
	return longest
}

// pattern knows secrets by their surroundings, for those nobody told us.
type pattern struct {
	// needs are lower-case texts of which one must be there before the
	// expression is tried: it is slow, and most texts hold none.
	needs   []string
	find    *regexp.Regexp
	replace string
}

// urlText is what a URL is made of, percent signs and escaped slashes included.
const urlText = `[^\s"'<>` + "`" + `{}|]*`

var (
	approvalLink = regexp.MustCompile(`(?i)` + urlText + `runs(?:\\*/|%(?:25)*2f)approval` + urlText)
	patterns     = [...]pattern{
		{[]string{"approval"}, approvalLink, linkRemoved},
		{[]string{"=", "3d"}, regexp.MustCompile(`(?i)\b(token|api[-_]?key|x-api-key|access_token|client_secret|signature|sig)(=|%(?:25)*3d)[^\s&"'<>]+`), "${1}${2}" + removed},
		{[]string{"authorization", "x-api-key"}, regexp.MustCompile(`(?i)\b((?:proxy-)?authorization|x-api-key)(\\*["']?\s*[:=]\s*\\*["']?)(?:(?:bearer|basic|token)\s+)?[^\s"',;\\]+`), "${1}${2}" + removed},
		{[]string{"bearer"}, regexp.MustCompile(`(?i)\bbearer\s+[a-z0-9._~+/=-]{16,}`), "Bearer " + removed},
		{[]string{"private key"}, regexp.MustCompile(`(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)`), removed},
	}
)

func (v *View) scrub(s string) string {
	s = v.secrets.replace(s)
	lower := strings.ToLower(s)
	for _, p := range patterns {
		if slices.ContainsFunc(p.needs, func(need string) bool { return strings.Contains(lower, need) }) {
			s = p.find.ReplaceAllString(s, p.replace)
		}
	}
	return s
}

// secretKey reports whether a field of this name holds a secret.
func secretKey(name string) bool {
	name = strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == ' ' || r == '.' {
			return -1
		}
		return r
	}, strings.ToLower(name))
	switch name {
	case "authorization", "proxyauthorization", "xapikey", "apikey", "token", "accesstoken", "refreshtoken", "idtoken",
		"authtoken", "sessiontoken", "bearertoken", "password", "passwd", "passphrase", "secret", "clientsecret", "secretkey",
		"secretaccesskey", "privatekey", "cookie", "setcookie", "credentials", "passthrough", "approvalactions":
		return true
	}
	return false
}

// learnLinks remembers the tokens of every approval link in raw JSON, under
// whatever key it stands.
func (v *View) learnLinks(raw []byte) {
	// Percent-encoding, escaped slashes and nesting in strings all keep these
	// letters, so most events are passed over without being parsed.
	if !bytes.Contains(bytes.ToLower(raw), []byte("approval")) {
		return
	}
	var value any
	if json.Unmarshal(raw, &value) == nil {
		v.learnFrom(value)
	}
}

func (v *View) learnFrom(value any) {
	switch value := value.(type) {
	case string:
		for _, link := range approvalLink.FindAllString(value, -1) {
			v.learnLink(link)
		}
	case []any:
		for _, e := range value {
			v.learnFrom(e)
		}
	case map[string]any:
		for k, e := range value {
			v.learnFrom(k)
			v.learnFrom(e)
		}
	}
}

var tokenParam = regexp.MustCompile(`(?i)token(?:=|%(?:25)*3d)([^\s&#"'<>]+)`)

func (v *View) learnLink(link string) {
	for _, m := range tokenParam.FindAllStringSubmatch(link, -1) {
		token := m[1]
		v.Learn(token)
		// A token in an encoded link is encoded as often as the link is.
		for range 3 {
			plain, err := url.QueryUnescape(token)
			if err != nil || plain == token {
				break
			}
			token = plain
			v.Learn(token)
		}
	}
}
