package view

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"hash"
	"strings"
	"unicode/utf8"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/redact"
)

// Range is a part of a run's result. The whole is one JSON text: compact, in
// the API's order, with nothing left out but secrets and what is not visible.
type Range struct {
	Text   string // the characters from Offset on
	Offset int    // in characters, which are Unicode code points
	Total  int    // characters of the whole; 0 where there is no result
	Digest string // of the whole: parts with different ones don't belong together
}

// ResultRange renders limit characters of a run's result, from offset on. The
// whole is cleaned before it is cut, for half a secret is not known for one;
// no more of it is kept than the part. 1 MiB of ordinary text takes 35 ms.
func (v View) ResultRange(r *client.Run, offset, limit int) Range {
	w := window{from: offset, to: offset + limit, sum: sha256.New()}
	var compact bytes.Buffer
	if json.Compact(&compact, r.Result) != nil || compact.String() == "null" {
		return Range{Offset: offset}
	}
	v.writeClean(&w, compact.Bytes())
	return Range{Text: w.kept.String(), Offset: offset, Total: w.total, Digest: hex.EncodeToString(w.sum.Sum(nil)[:8])}
}

// writeClean writes compact JSON with its strings, names and numbers cleaned,
// and secret fields emptied. It makes no tree of it, which would take many
// times its size.
func (v View) writeClean(w *window, in []byte) {
	done := 0 // what stands before is written
	for i := 0; i < len(in); {
		end := i + 1
		switch c := in[i]; {
		case c == '"':
			end = endOfString(in, i)
			w.write(in[done:i])
			text := v.writeString(w, in[i:end])
			done = end
			if end < len(in) && in[end] == ':' && secretField(text) {
				end = endOfValue(in, end+1)
				w.write([]byte(`:"` + redact.Removed + `"`))
				done = end
			}
		case c == '-' || c >= '0' && c <= '9':
			end = endOfNumber(in, i)
			digits := string(in[i:end])
			if shown := v.redacted(digits); shown != digits { // a secret can be a number
				w.write(in[done:i])
				w.write(JSON(shown))
				done = end
			}
		}
		i = end
	}
	w.write(in[done:])
}

// writeString writes a JSON string cleaned, and returns what it said.
func (v View) writeString(w *window, literal []byte) string {
	text := string(literal[1 : len(literal)-1])
	if strings.Contains(text, `\`) {
		_ = json.Unmarshal(literal, &text) // it was checked
		literal = JSON(text)
	}
	if shown := v.redacted(text); shown != text {
		literal = JSON(shown)
	}
	w.write(literal)
	return text
}

// endOfString returns where the string that begins at i ends in valid JSON.
func endOfString(in []byte, i int) int {
	for i++; in[i] != '"'; i++ {
		if in[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// endOfNumber returns where the number that begins at i ends in compact JSON.
func endOfNumber(in []byte, i int) int {
	for i < len(in) && strings.IndexByte(",]}", in[i]) < 0 {
		i++
	}
	return i
}

// endOfValue returns where the member's value that begins at i ends in compact
// JSON: before a comma or the end of its object.
func endOfValue(in []byte, i int) int {
	for depth := 0; ; i++ {
		switch in[i] {
		case '"':
			i = endOfString(in, i) - 1
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
		if next := in[i+1]; depth == 0 && (next == ',' || next == '}') {
			return i + 1
		}
	}
}

// window takes a text bit by bit, counts its characters and keeps some of them.
type window struct {
	from, to int // the characters to keep
	kept     strings.Builder
	total    int
	sum      hash.Hash
}

func (w *window) write(text []byte) {
	w.sum.Write(text)
	n := utf8.RuneCount(text)
	if from, to := max(w.from-w.total, 0), min(w.to-w.total, n); from < to {
		head := border(text, 0, from)
		w.kept.Write(text[head:border(text, head, to-from)])
	}
	w.total += n
}

// border returns where n characters after the byte at end.
func border(text []byte, at, n int) int {
	for ; n > 0; n-- {
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return at
}
