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

// Range is a part of a run's result. The whole result is one JSON text: compact, in the
// API's order, without secrets and invisible characters. Characters are Unicode code
// points.
type Range struct {
	Text   string // the characters from Offset on
	Offset int    // in characters
	Total  int    // characters of the whole; 0 if there is no result
	Digest string // of the whole: parts with different digests do not belong together
}

// ResultRange renders limit characters of a run's result, from offset on. It cleans the
// whole result, because half a secret cannot be found, and keeps only the part. 1 MiB
// of ordinary text takes 35 ms.
func (v View) ResultRange(r *client.Run, offset, limit int) Range {
	w := window{from: offset, to: offset + limit, sum: sha256.New()}
	if from, end := rawjson.Token(r.Result, 0); string(r.Result[from:end]) == "null" || from == end {
		return Range{Offset: offset}
	}
	v.writeClean(&w, r.Result)
	return Range{Text: w.kept.String(), Offset: offset, Total: w.total, Digest: hex.EncodeToString(w.sum.Sum(nil)[:8])}
}

// writeClean writes JSON without the white space between its tokens and without the
// secrets in its strings, names, numbers and credential fields.
func (v View) writeClean(w *window, in []byte) {
	done, last := 0, 0 // in[:done] is written; in[:last] is read
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
			if shown := v.redacted(digits); shown != digits { // a secret may be a number
				w.write(in[done:from])
				w.write(JSON(shown))
				done = end
			}
		}
		last = end
	}
	w.write(in[done:last])
}

// afterColon returns where the value of the field begins whose name ends at i, 0 if the
// string that ends at i is no name.
func afterColon(in []byte, i int) int {
	if from, end := rawjson.Token(in, i); from < end && in[from] == ':' {
		from, _ = rawjson.Token(in, end)
		return from
	}
	return 0
}

// writeString writes a JSON string without secrets, and returns its original text.
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

// maxPiece is how much of a long string is written at a time, in bytes.
const maxPiece = 64 << 10

// window receives a text in pieces, counts its characters and keeps a range of them.
type window struct {
	from, to int // the range, in characters
	kept     strings.Builder
	total    int // characters so far
	sum      hash.Hash
}

// write receives the next piece, which is whole characters.
func (w *window) write(text []byte) {
	w.sum.Write(text)
	n := utf8.RuneCount(text)
	if from, to := max(w.from-w.total, 0), min(w.to-w.total, n); from < to {
		head := skipRunes(text, 0, from)
		w.kept.Write(text[head:skipRunes(text, head, to-from)])
	}
	w.total += n
}

// skipRunes returns the position n characters after at.
func skipRunes(text []byte, at, n int) int {
	for ; n > 0; n-- {
		_, size := utf8.DecodeRune(text[at:])
		at += size
	}
	return at
}
