package redact

import (
	"regexp"
)

// decoded is a text without its escapes.
type decoded struct {
	text string
	// from has the position in the original of each byte, and of the end.
	from []int32
	// open is the length of an unfinished escape at the end of text.
	open int
}

// openEscape matches unfinished escapes at the end, also one inside another.
var openEscape = regexp.MustCompile(`(?:%[[:xdigit:]]?|\\(?:u[[:xdigit:]]{0,3})?)+$`)

// decode decodes percent-encoding and \u escapes, also one inside another, and drops all
// other backslashes ([fold] makes n and a line break the same). Escapes do not overlap:
// each is decoded as soon as it is complete.
func decode(text string) decoded {
	out := make([]byte, 0, len(text))
	from := make([]int32, 0, len(text)+1)
	for i := range len(text) {
		out, from = append(out, text[i]), append(from, int32(i))
		for hexDigits[out[len(out)-1]] != noValue { // an escape ends with a hex digit
			width, plain := lastEscape(out)
			if width == 0 {
				break
			}
			out = append(out[:len(out)-width], plain...)
			from = from[:len(from)-width+1]
			for len(from) < len(out) {
				from = append(from, from[len(from)-1])
			}
		}
	}
	d := decoded{}
	for _, c := range openEscape.Find(out[max(0, len(out)-16):]) {
		if c != '\\' {
			d.open++
		}
	}
	out, d.from = dropBackslashes(out, from, len(text))
	d.text = string(out)
	return d
}

// lastEscape returns the length of the complete escape at the end of out, 0 for none, and
// what it stands for.
func lastEscape(out []byte) (width int, plain string) {
	n := len(out)
	if n >= 3 && out[n-3] == '%' {
		if v, ok := hexNumber(out[n-2:]); ok {
			return 3, string([]byte{byte(v)})
		}
	}
	if n >= 6 && out[n-6] == '\\' && out[n-5] == 'u' {
		if v, ok := hexNumber(out[n-4:]); ok {
			return 6, string(v)
		}
	}
	return 0, ""
}

// hexNumber returns the number that hex digits stand for.
func hexNumber(digits []byte) (n rune, ok bool) {
	for _, c := range digits {
		if hexDigits[c] == noValue {
			return 0, false
		}
		n = n<<4 | rune(hexDigits[c])
	}
	return n, true
}

// dropBackslashes removes the backslashes. Their position counts for the byte that
// follows them. end is the length of the original.
func dropBackslashes(out []byte, from []int32, end int) ([]byte, []int32) {
	n, start := 0, int32(-1)
	for i, c := range out {
		if start < 0 {
			start = from[i]
		}
		if c != '\\' {
			out[n], from[n] = c, start
			n, start = n+1, -1
		}
	}
	if start < 0 {
		start = int32(end)
	}
	return out[:n], append(from[:n], start)
}

var (
	hexDigits   = valuesOf("0123456789abcdef", "0123456789ABCDEF")
	base64Chars = valuesOf("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
)

// noValue is the value of a character that is not in an alphabet.
const noValue = 0xFF

// valuesOf returns the value of each character: its place in one of the alphabets.
func valuesOf(alphabets ...string) (values [256]byte) {
	for i := range values {
		values[i] = noValue
	}
	for _, alphabet := range alphabets {
		for i := range len(alphabet) {
			values[alphabet[i]] = byte(i)
		}
	}
	return values
}
