package view

import (
	"crypto/sha256"
	"encoding/hex"
	"hash"
	"strings"
	"unicode/utf8"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/rawjson"
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
	if from, end := rawjson.Token(r.Result, 0); string(r.Result[from:end]) == "null" || from == end {
		return Range{Offset: offset}
	}
	v.writeClean(&w, r.Result)
	return Range{Text: w.kept.String(), Offset: offset, Total: w.total, Digest: hex.EncodeToString(w.sum.Sum(nil)[:8])}
}

// writeClean writes JSON without the white space between its tokens, with its
// strings, names and numbers cleaned, and secret fields emptied.
func (v View) writeClean(w *window, in []byte) {
	done, last := 0, 0 // what stands before is written; where the last token ends
	for from, end := rawjson.Token(in, 0); from < end; from, end = rawjson.Token(in, end) {
		if from > last {
			w.write(in[done:last])
			done = from
		}
		switch c := in[from]; {
		case c == '"':
			w.write(in[done:from])
			text := v.writeString(w, in[from:end])
			if value := afterColon(in, end); value > 0 && secretField(text) {
				w.write([]byte(`:"` + redact.Removed + `"`))
				end = rawjson.End(in, value)
			}
			done = end
		case c == '-' || c >= '0' && c <= '9':
			digits := string(in[from:end])
			if shown := v.redacted(digits); shown != digits { // a secret can be a number
				w.write(in[done:from])
				w.write(JSON(shown))
				done = end
			}
		}
		last = end
	}
	w.write(in[done:last])
}

// afterColon returns where the value of a member begins whose name ends at i, 0
// where it is no name.
func afterColon(in []byte, i int) int {
	if from, end := rawjson.Token(in, i); from < end && in[from] == ':' {
		from, _ = rawjson.Token(in, end)
		return from
	}
	return 0
}

// writeString writes a JSON string cleaned, and returns what it said.
func (v View) writeString(w *window, literal []byte) string {
	text, _ := rawjson.String(literal)
	shown := v.redacted(text)
	if shown == string(literal[1:len(literal)-1]) {
		w.write(literal)
		return text
	}
	w.write([]byte{'"'})
	for len(shown) > 0 {
		end := runeStart(shown, min(len(shown), maxPiece))
		piece := JSON(shown[:end])
		w.write(piece[1 : len(piece)-1])
		shown = shown[end:]
	}
	w.write([]byte{'"'})
	return text
}

// maxPiece is how much of a long string is written as JSON at a time.
const maxPiece = 64 << 10

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
