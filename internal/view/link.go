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
// integration, or "" where it is not a well-formed https link (http on
// loopback), may lead to an approval or holds a secret. It is the one link of a
// run that may be shown.
func (v View) AuthorizationLink(a *client.Auth) string {
	u, err := url.Parse(a.URL)
	if err != nil || u.Hostname() == "" || u.User != nil || len(a.URL) > maxLink || u.String() != redact.Visible(u.String()) {
		return ""
	}
	// A name of another script may look like one that the person trusts; in
	// its encoded form (xn--) it does not.
	if strings.ContainsFunc(u.Host, func(r rune) bool { return r >= utf8.RuneSelf }) {
		return ""
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && loopback.Host(u.Hostname())) {
		return ""
	}
	if _, hidden := v.secrets.Text(u.String()); hidden > 0 || approves(u) {
		return ""
	}
	return u.String()
}

// approves reports whether a link may lead to an approval, however its path is
// spelled: a client resolves its dots, and some decode it before. Its query
// counts too, for a redirect may go there.
func approves(u *url.URL) bool {
	for text := u.String(); ; {
		address, query, _ := strings.Cut(strings.ToLower(text), "?")
		for _, part := range []string{address, query} {
			if strings.Contains(path.Clean("/"+strings.ReplaceAll(part, `\`, "/")), "runs/approval") {
				return true
			}
		}
		decoded := unpercent(text)
		if decoded == text {
			return false
		}
		text = decoded
	}
}

var percent = regexp.MustCompile(`%[0-9a-fA-F]{2}`)

// unpercent decodes what is percent-encoded, once.
func unpercent(s string) string {
	return percent.ReplaceAllStringFunc(s, func(escape string) string {
		n, _ := strconv.ParseUint(escape[1:], 16, 8) // as the pattern says
		return string([]byte{byte(n)})
	})
}
