package redact

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
)

// token returns a random-looking text of n bytes, always the same for i.
func token(i, n int) string {
	var b strings.Builder
	for part := 0; b.Len() < n; part++ {
		sum := sha256.Sum256(fmt.Append(nil, i, "/", part))
		b.WriteString(base64.RawURLEncoding.EncodeToString(sum[:30]))
	}
	return b.String()[:n]
}

func tokens(count, size int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = token(i, size)
	}
	return all
}

// oneLetter returns tokens of one letter, each longer than the one before.
func oneLetter(count int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = strings.Repeat("a", minSecret+i)
	}
	return all
}

// sharedPrefix returns tokens that differ only near their end.
func sharedPrefix(count, size int) []string {
	all := make([]string, count)
	for i := range all {
		all[i] = strings.Repeat("a", size-8) + fmt.Sprintf("%04d", i) + "aaaa"
	}
	return all
}

const prose = "The agent opened the invoice of ACME & Co., found 3 items (total: 1,204.50 EUR) and asked for approval.\n"

// fill repeats a text up to n bytes.
func fill(text string, n int) string {
	return strings.Repeat(text, n/len(text)+1)[:n]
}

func texts() map[string]string {
	json := `{\"name\":\"send_mail\",\"url\":\"https:\/\/x.test\/a%20b\",\"id\":\"` + token(1, 40) + `\"},`
	return map[string]string{
		"prose":   fill(prose, 200<<10),
		"json":    fill(json, 200<<10),
		"base64":  fill(token(7, 4000), 200<<10),
		"a":       fill("a", 200<<10),
		"a and b": fill(strings.Repeat("a", 120)+"b", 200<<10),
		"escapes": fill("%2561\\u0061", 200<<10),
		"percent": fill("%25"+strings.Repeat("25", 100), 200<<10),
		"YWFh":    fill("YWFh", 200<<10),
		"han":     fill("漢字かな交じり文", 200<<10),
		"header":  fill("authorization cookie approval runs/approval private key a=b; ", 200<<10),
		"slashes": fill("runs/approval?", 200<<10),
	}
}

func BenchmarkNew(b *testing.B) {
	for _, bm := range []struct {
		name    string
		secrets []string
	}{
		{"none", nil}, {"1 key and 4 tokens", tokens(5, 43)}, {"1 key and 10 tokens", tokens(11, 43)}, {"700 of one letter", oneLetter(700)},
		{"1400 with a prefix", sharedPrefix(1400, 180)}, {"2000 random", tokens(2000, 128)},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				New(bm.secrets...)
			}
		})
	}
}

func BenchmarkText(b *testing.B) {
	five := tokens(5, 43)
	large := fill(prose, 200<<10)
	json := texts()["json"]
	for _, bm := range []struct {
		name    string
		secrets []string
		text    string
	}{
		{"no secrets, 2 KB", nil, large[:2000]},
		{"5 secrets, 2 KB", five, large[:2000]},
		{"5 secrets, 2 KB of JSON", five, json[:2000]},
		{"5 secrets, 200 KB", five, large},
		{"5 secrets, 200 KB of JSON", five, json},
		{"700 of one letter, 200 KB", oneLetter(700), large},
		{"2000 random, 200 KB", tokens(2000, 128), large},
		{"2000 random, 200 KB of JSON", tokens(2000, 128), json},
	} {
		set := New(bm.secrets...)
		b.Run(bm.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.text)))
			for b.Loop() {
				set.Text(bm.text)
			}
		})
		b.Run(bm.name+", for a model", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(bm.text)))
			for b.Loop() {
				set.ForModel(bm.text)
			}
		})
	}
}

// BenchmarkWorst builds a Set and redacts one text, both of the worst kind.
func BenchmarkWorst(b *testing.B) {
	for name, secrets := range crowds() {
		for what, text := range texts() {
			b.Run(name+", "+what, func(b *testing.B) {
				for b.Loop() {
					New(secrets...).ForModel(text)
				}
			})
		}
	}
}

// crowds are the largest Sets, of several kinds.
func crowds() map[string][]string {
	return map[string][]string{
		"one letter": oneLetter(700), "one letter, overfull": oneLetter(1400),
		"prefix": sharedPrefix(1400, 180), "random": tokens(2000, 128),
	}
}
