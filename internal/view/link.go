package view

import (
	"net/url"
	"path"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/loopback"
	"runs-mcp-server/internal/redact"
)

// maxLink bounds the link to authorise, in bytes.
const maxLink = 2048

// AuthorizationLink returns the link with which a person authorises an
// integration. It returns "" if that is not a well-formed https link (http on
// loopback), may lead to an approval, or holds a secret. No other link of a run is
// shown.
func (v View) AuthorizationLink(a *client.Auth) string {
	u, err := url.Parse(a.URL)
	if err != nil || u.Hostname() == "" || u.User != nil || len(a.URL) > maxLink || u.String() != redact.Visible(u.String()) {
		return ""
	}
	// A host name with letters of another script may look like one that the person
	// trusts. Its encoded form (xn--) does not.
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return ""
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback.Host(u.Hostname())) {
		return ""
	}
	if _, hidden := v.secrets.Text(u.String()); hidden > 0 || mayApprove(u) {
		return ""
	}
	return u.String()
}

// mayApprove reports whether a link may lead to an approval, whatever the spelling of
// its path: clients resolve dots, and some decode the path first. The query counts as
// well, because it may name the target of a redirect.
func mayApprove(u *url.URL) bool {
	for text := u.String(); ; {
		address, query, _ := strings.Cut(strings.ToLower(text), "?")
		for _, part := range []string{address, query} {
			if strings.Contains(path.Clean("/"+strings.ReplaceAll(part, `\`, "/")), "runs/approval") {
				return true
			}
		}
		decoded := decodePercent(text)
		if decoded == text {
			return false
		}
		text = decoded
	}
}

var percent = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

// decodePercent decodes percent-encoding once.
func decodePercent(s string) string {
	return percent.ReplaceAllStringFunc(s, func(escape string) string {
		n, _ := strconv.ParseUint(escape[1:], 16, 8) // as the pattern says
		return string([]byte{byte(n)})
	})
}
