package canary

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"
)

// canarySet holds the secrets of a test by the location that each is put in.
type canarySet struct {
	mu     sync.Mutex // guards values
	values map[string]string
}

// canaryFor returns the secret of a location, always the same. It contains characters
// that JSON, URLs and headers encode differently, and three tildes: a tilde as the
// third of three bytes differs between the two base64 alphabets.
func (c *canarySet) canaryFor(location string) string {
	sum := sha256.Sum256([]byte(location))
	value := base64.StdEncoding.EncodeToString(sum[:12]) + "/+~~~" + base64.StdEncoding.EncodeToString(sum[12:27]) + "="
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.values == nil {
		c.values = map[string]string{}
	}
	c.values[location] = value
	return value
}

// locations returns the locations of all canaries, sorted.
func (c *canarySet) locations() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Sorted(maps.Keys(c.values))
}

// encodings returns the encodings, by name, in which a careless or hostile API may
// send a secret. A secret must not leave in any of them.
func encodings() map[string]func(string) string {
	each := func(format string, every int) func(string) string {
		return func(s string) string {
			var out strings.Builder
			for i, c := range []byte(s) {
				if i%every == 0 {
					fmt.Fprintf(&out, format, c)
				} else {
					out.WriteByte(c)
				}
			}
			return out.String()
		}
	}
	all := map[string]func(string) string{
		"plain": func(s string) string { return s },
		"query": url.QueryEscape, "path": url.PathEscape,
		"query twice": func(s string) string { return url.QueryEscape(url.QueryEscape(s)) },
		"percent":     each("%%%02X", 1), "percent in lower case": each("%%%02x", 1), "percent here and there": each("%%%02x", 3), "percent twice": each("%%25%02x", 1),
		"hex":             func(s string) string { return hex.EncodeToString([]byte(s)) },
		"hex in capitals": func(s string) string { return strings.ToUpper(hex.EncodeToString([]byte(s))) },
		"JSON escapes":    each(`\u%04x`, 1),
		"escaped slashes": func(s string) string { return strings.ReplaceAll(s, "/", `\/`) },
		"JSON in JSON":    each(`\\u%04x`, 2),
		"zero-width":      func(s string) string { return s[:9] + "\u200b" + s[9:20] + "\u2060" + s[20:] },
		"base64 in a URL": func(s string) string { return url.QueryEscape(base64.StdEncoding.EncodeToString([]byte("k=" + s))) },
	}
	for shift := range 3 {
		around := func(s string) []byte { return []byte(strings.Repeat("x", shift) + s + "yz") }
		all[fmt.Sprint("base64 ", shift)] = func(s string) string { return base64.StdEncoding.EncodeToString(around(s)) }
		all[fmt.Sprint("base64 for URLs ", shift)] = func(s string) string { return base64.RawURLEncoding.EncodeToString(around(s)) }
	}
	return all
}

// approvalLink returns the approval link with a token.
func approvalLink(token string) string {
	return "https://api.test/v1/runs/approval?token=" + url.QueryEscape(token)
}
