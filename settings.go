package main

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"runs-mcp-server/transport"
)

var (
	// unexpanded finds a variable that a shell or a client was to replace:
	// ${NAME}, ${input:name}, ${env:NAME}, {env:NAME}, $NAME, $env:NAME.
	unexpanded = regexp.MustCompile(`\$\{[^}]*\}|\{(?:env|file|input):[^}]*\}|\$(?:env:)?[A-Za-z_]\w*`)
	// unexpandedWhole is one of cmd.exe; an address may hold %41 and the like.
	unexpandedWhole = regexp.MustCompile(`^%\w+%$`)
	// unexpandedKey is a key that is a variable as a whole: a dollar sign may be
	// a part of one.
	unexpandedKey = regexp.MustCompile(`^(?:%\w+%|\$(?:env:)?[A-Za-z_]\w*|\$?\{.*\})$`)
)

// settingFault says what is wrong with the form of any setting, "" for nothing.
// It goes on after the setting's name, and quotes nothing that may be a secret.
func settingFault(value string) string {
	if unexpanded.MatchString(value) || unexpandedWhole.MatchString(value) {
		return "holds a variable, such as ${NAME} or %NAME%, that nothing replaced with its value"
	}
	if inQuotes(value) {
		return "is in quotes, which were kept as a part of it (as cmd.exe does with '): leave them out"
	}
	return ""
}

// inQuotes reports whether a value has quotes around it, or one at an end and no
// other: an item of a list in quotes, which is cut at its commas.
func inQuotes(value string) bool {
	isQuote := func(r rune) bool { return strings.ContainsRune("'\"`‘’“”„", r) }
	first, _ := utf8.DecodeRuneInString(value)
	last, _ := utf8.DecodeLastRuneInString(value)
	count := strings.Count(strings.Map(func(r rune) rune {
		if isQuote(r) {
			return '\''
		}
		return -1
	}, value), "'")
	return isQuote(first) && isQuote(last) || count == 1 && (isQuote(first) || isQuote(last))
}

var (
	// placeholderKey matches the letters and digits of a key that says what
	// belongs in its place.
	placeholderKey = regexp.MustCompile(`^(?:(?:insert|enter|paste|put|add|use|replace|replacewith|the)?(?:your|my)?(?:real|own|actual)?(?:tr|toolregistry|toolregistryai)?(?:api|access)?(?:key|token|secret)?(?:here)?` +
		`|[a-z]{0,5}x{3,}|dummy(?:key)?|changeme|changethis|replaceme|replacethis|placeholder|example(?:key)?|todo|tbd|null|nil|none|undefined)$`)
	keyAssigned = regexp.MustCompile(`^(?i:(?:export|set|setx)\s+|\$env:)?(?:[A-Z_][A-Z0-9_]*|\w*(?i:key|token|secret))\s*=\s*[^=\s]`)
	keyHeader   = regexp.MustCompile(`^(?i:x-api-key:|authorization:|bearer\s)`)
)

// keyFault says what is wrong with an API key, "" for nothing. It never quotes
// the key.
func keyFault(key string) string {
	letters := strings.Map(func(r rune) rune {
		if r = unicode.ToLower(r); r < 'a' || r > 'z' {
			if r < '0' || r > '9' {
				return -1
			}
		}
		return r
	}, key)
	switch {
	case keyAssigned.MatchString(key):
		return "holds a name and a value: give the value alone, without NAME="
	case keyHeader.MatchString(key):
		return "holds the name of a header or a scheme: give the key alone"
	case unexpandedKey.MatchString(key), strings.Contains(key, "${"):
		return "is the name of a variable: nothing replaced it with the key"
	case strings.Contains(key, "://"):
		return "is the address of a secret and not the secret: nothing replaced it with the key"
	case inQuotes(key):
		return "is in quotes, which are no part of a key: leave them out"
	case placeholderKey.MatchString(letters), strings.HasPrefix(key, "<") && strings.HasSuffix(key, ">"), strings.HasSuffix(key, "..."), strings.HasSuffix(key, "…"):
		return "is a placeholder: put your toolregistry.ai API key in its place"
	case strings.ContainsFunc(key, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) || r == utf8.RuneError }):
		// No header can carry such a key; found out at the first call, it would
		// look like a fault of the network.
		return "holds whitespace or characters that are not printable: give the key alone, in one line of plain text"
	}
	return ""
}

// trimKey returns a key without the blanks and the byte-order mark around it.
// Windows PowerShell writes files in UTF-16.
func trimKey(text string) string {
	if data := []byte(text); len(data) >= 2 && data[0] == 0xff && data[1] == 0xfe {
		units := make([]uint16, 0, len(data)/2)
		for i := 2; i+1 < len(data); i += 2 {
			units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
		}
		text = string(utf16.Decode(units))
	}
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' })
}

// doubledPath is the end of an address that the paths of the API begin with.
var doubledPath = regexp.MustCompile(`(?:^|/)v1(?:/(?:runs|integrations|execution-plans)(?:/.*)?)?/*$`)

// checkURL returns what is wrong with an API address that names a path of the
// API, which would then be in each request twice.
func checkURL(address string) error {
	if u, err := url.Parse(address); err == nil && doubledPath.MatchString(u.Path) {
		u.Path = doubledPath.ReplaceAllString(u.Path, "")
		return misuse("--api-url (TR_API_URL): the address ends where the API's own paths begin, which are added to it: leave out /v1 and what follows, as in %s", u.Redacted())
	}
	return nil
}

// checkIntegrations returns what is wrong with --integrations.
func checkIntegrations(ids []string) error {
	if slices.Contains(ids, "*") && slices.ContainsFunc(ids, func(id string) bool { return id != "*" }) {
		return misuse("--integrations: * means all active integrations: give it alone, or ids alone")
	}
	return nil
}

// checkHint returns what is wrong with --decide-hint.
func checkHint(hint string) error {
	if len(hint) > maxHint || strings.ContainsFunc(hint, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return misuse("--decide-hint is one line of at most %d bytes", maxHint)
	}
	return nil
}

// maxHint bounds a hint, in bytes: it stands in results beside much else.
const maxHint = 200

// checkAllowed returns what is wrong with --allowed-hosts and --allowed-origins.
func checkAllowed(hosts, origins []string) error {
	for _, host := range hosts {
		if strings.Contains(host, "://") {
			return misuse("--allowed-hosts takes hosts as they stand in a Host header, without a scheme: mcp.example.com or mcp.example.com:8443, not %q", host)
		}
	}
	if err := transport.CheckAllowed(hosts, nil); err != nil {
		return misuse("--allowed-hosts takes names or addresses, with or without a port, such as mcp.example.com or mcp.example.com:8443 or [::1]: %w", err)
	}
	if err := transport.CheckAllowed(nil, origins); err != nil {
		return misuse("--allowed-origins takes a scheme and a host, such as https://app.example.com: %w", err)
	}
	return nil
}

// listenError is why --listen failed: misuse, unless the address is a good one
// that cannot be had.
func listenError(err error) error {
	_, bad := errors.AsType[*net.AddrError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	_, tried := errors.AsType[*net.OpError](err)
	if bad || unknown || !tried {
		return misuse("--listen takes HOST:PORT, such as 127.0.0.1:8080: %w", err)
	}
	return fmt.Errorf("--listen: %w", err)
}

// dropEmpty returns a list without its empty items.
func dropEmpty(list []string) []string {
	return slices.DeleteFunc(list, func(item string) bool { return item == "" })
}
