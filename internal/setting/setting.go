// Package setting finds what is wrong with a value that a person configured: a
// variable that nothing replaced, quotes that were kept, a placeholder for a key.
package setting

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

var (
	// unexpanded matches a variable that a shell or an MCP client should have
	// replaced: ${NAME}, ${input:name}, ${env:NAME}, {env:NAME}, $NAME, $env:NAME.
	unexpanded = regexp.MustCompile(`\$\{[^}]*\}|\{(?:env|file|input):[^}]*\}|\$(?:env:)?[A-Za-z_]\w*`)
	// unexpandedWhole matches a variable of cmd.exe. It must be the whole value,
	// because an address may hold %41.
	unexpandedWhole = regexp.MustCompile(`^%\w+%$`)
	// unexpandedKey matches a key that is a variable as a whole, because a key may
	// hold a dollar sign.
	unexpandedKey = regexp.MustCompile(`^(?:%\w+%|\$(?:env:)?[A-Za-z_]\w*|\$?\{.*\})$`)
)

// Problem returns what is wrong with the form of a value, "" if nothing is. The
// text continues after the name of the setting. It never quotes the value, which
// may be a secret.
func Problem(value string) string {
	if unexpanded.MatchString(value) || unexpandedWhole.MatchString(value) {
		return "holds a variable, such as ${NAME} or %NAME%, that nothing replaced with its value"
	}
	if inQuotes(value) {
		return "is in quotes, which were kept as a part of it (as cmd.exe does with '): leave them out"
	}
	return ""
}

// inQuotes reports whether a value has quotes around it, or its only quote at one
// end: a quoted list is cut at its commas, and its first item keeps one quote.
func inQuotes(value string) bool {
	isQuote := func(r rune) bool { return strings.ContainsRune("'\"`‘’“”„", r) }
	first, _ := utf8.DecodeRuneInString(value)
	last, _ := utf8.DecodeLastRuneInString(value)
	quotes := 0
	for _, r := range value {
		if isQuote(r) {
			quotes++
		}
	}
	return isQuote(first) && isQuote(last) || quotes == 1 && (isQuote(first) || isQuote(last))
}

var (
	// placeholderKey matches the letters and digits of a placeholder such as
	// "your-api-key-here".
	placeholderKey = regexp.MustCompile(`^(?:(?:insert|enter|paste|put|add|use|replace|replacewith|the)?(?:your|my)?(?:real|own|actual)?(?:tr|toolregistry|toolregistryai)?(?:api|access)?(?:key|token|secret)?(?:here)?` +
		`|[a-z]{0,5}x{3,}|dummy(?:key)?|changeme|changethis|replaceme|replacethis|placeholder|example(?:key)?|todo|tbd|null|nil|none|undefined)$`)
	keyAssigned = regexp.MustCompile(`^(?i:(?:export|set|setx)\s+|\$env:)?(?:[A-Z_][A-Z0-9_]*|\w*(?i:key|token|secret))\s*=\s*[^=\s]`)
	keyHeader   = regexp.MustCompile(`^(?i:x-api-key:|authorization:|bearer\s)`)
)

// KeyProblem returns what is wrong with an API key, "" if nothing is. The text
// continues after the words "the API key" and never quotes the key.
func KeyProblem(key string) string {
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
		// No header can carry such a key. Without this check the first call would
		// fail with an error that looks like a network error.
		return "holds whitespace or characters that are not printable: give the key alone, in one line of plain text"
	}
	return ""
}

// TrimKey returns a key without the white space and the byte-order mark around
// it. It also reads UTF-16, which Windows PowerShell writes to files.
func TrimKey(text string) string {
	if data := []byte(text); len(data) >= 2 && data[0] == 0xff && data[1] == 0xfe {
		var units []uint16
		for i := 2; i+1 < len(data); i += 2 {
			units = append(units, uint16(data[i])|uint16(data[i+1])<<8)
		}
		text = string(utf16.Decode(units))
	}
	return strings.TrimFunc(text, func(r rune) bool { return unicode.IsSpace(r) || r == '\ufeff' })
}
