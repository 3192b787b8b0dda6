package canary

import (
	"html"
	"maps"
	"net/url"
	"slices"
	"strings"
)

// generator produces texts that contain encoded secrets, one after the other.
type generator struct {
	fragments []string
	at        int // the next fragment; grows beyond their number
}

// newGenerator returns a generator that holds each secret in every third encoding.
// Three rounds (0, 1, 2) cover all pairs of secret and encoding.
func newGenerator(round int, secrets ...string) *generator {
	g := &generator{}
	all := encodings()
	for i, name := range slices.Sorted(maps.Keys(all)) {
		for j, secret := range secrets {
			if (i+j+round)%3 == 0 {
				g.fragments = append(g.fragments, all[name](secret))
			}
		}
	}
	return g
}

// withLinks returns a generator that also produces approval links with a token. The
// token appears nowhere else, so only the link's shape shows that it is a secret.
func (g *generator) withLinks(token string) *generator {
	link := approvalLink(token)
	fragments := append(slices.Clone(g.fragments), link, url.QueryEscape(link), strings.ReplaceAll(link, "/", `\/`), "<a href='"+html.EscapeString(link)+"'>")
	return &generator{fragments: fragments}
}

// shortTokenLinks returns approval links with a token that is too short to be
// searched for by itself.
func shortTokenLinks() string {
	link := approvalLink("a1b2c3")
	return strings.Join([]string{link, url.QueryEscape(link), strings.ReplaceAll(link, "/", `\u002f`), url.QueryEscape(url.QueryEscape(link))}, " or ")
}

// next returns the next fragments: at least one, and about limit bytes.
func (g *generator) next(limit int) string {
	var text strings.Builder
	for text.Len() == 0 || text.Len()+len(g.fragments[g.at%len(g.fragments)]) < limit {
		text.WriteString("it is " + g.fragments[g.at%len(g.fragments)] + " , ")
		g.at++
	}
	return text.String()
}

// secretsIn returns the secrets in pass-through data: each text, and the parts of
// header values (the token after "Bearer", a cookie's value), which an integration
// may echo alone.
func secretsIn(value any) (secrets []string) {
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
			secrets = append(secrets, secretsIn(v)...)
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(value)) {
			secrets = append(secrets, secretsIn(value[name])...)
		}
	}
	return secrets
}
