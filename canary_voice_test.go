package main

import (
	"encoding/base64"
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
// every secret has every third disguise: three turns say all. Links would teach
// what the view has to know already; see withLinks.
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

// withLinks lets a voice say links of tokens, too.
func (v *voice) withLinks(tokens ...string) *voice {
	for _, token := range tokens {
		link := approvalLink(token)
		v.phrases = append(v.phrases, link, url.QueryEscape(link), strings.ReplaceAll(link, "/", `\/`), "<a href='"+html.EscapeString(link)+"'>", base64.StdEncoding.EncodeToString([]byte(link)))
	}
	return v
}

// briefLinks are links of a token that is too short to be known for one.
func briefLinks() string {
	link := approvalLink("a1b2c3")
	forms := disguises()
	return strings.Join([]string{link, url.QueryEscape(link), forms["HTML"](link), forms["JSON escapes"](link), forms["percent twice"](link)}, " or ")
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
