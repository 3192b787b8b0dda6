package canary

import (
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// voice says secrets in disguise, one after the other.
type voice struct {
	phrases []string
	at      int
}

// voiceOf returns a voice for which every disguise is for every third secret, and
// every secret has every third disguise: three turns say all.
func voiceOf(turn int, secrets ...string) *voice {
	v := &voice{}
	forms := disguises()
	for i, name := range slices.Sorted(maps.Keys(forms)) {
		for j, secret := range secrets {
			if (i+j+turn)%3 == 0 {
				v.phrases = append(v.phrases, forms[name](secret))
			}
		}
	}
	return v
}

// withLinks returns a voice that also says links of a token, which nobody knows
// but by them.
func (v *voice) withLinks(token string) *voice {
	link := approvalLink(token)
	said := append(slices.Clone(v.phrases), link, url.QueryEscape(link), strings.ReplaceAll(link, "/", `\/`), "<a href='"+html.EscapeString(link)+"'>")
	return &voice{phrases: said}
}

// briefLinks are links of a token that is too short to be known for one.
func briefLinks() string {
	link := approvalLink("a1b2c3")
	return strings.Join([]string{link, url.QueryEscape(link), strings.ReplaceAll(link, "/", `\u002f`), url.QueryEscape(url.QueryEscape(link))}, " or ")
}

// say returns the next phrases, about limit bytes of them.
func (v *voice) say(limit int) string {
	text := ""
	for text == "" || len(text)+len(v.phrases[v.at%len(v.phrases)]) < limit {
		text += "it is " + v.phrases[v.at%len(v.phrases)] + " , "
		v.at++
	}
	return text
}

// passedThrough returns the secrets in pass-through data: the values, and the
// parts of those that are headers, which an integration may echo alone.
func passedThrough(value any) (secrets []string) {
	switch value := value.(type) {
	case string:
		secrets = append(secrets, value)
		if strings.Contains(value, "\n") {
			break // a private key
		}
		for _, part := range strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ';' }) {
			if _, after, ok := strings.Cut(part, "="); ok && len(after) > window {
				part = after
			}
			if part != value && len(part) > window {
				secrets = append(secrets, part)
			}
		}
	case []any:
		for _, v := range value {
			secrets = append(secrets, passedThrough(v)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			secrets = append(secrets, passedThrough(value[name])...)
		}
	}
	return secrets
}
