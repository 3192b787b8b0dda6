package sse_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// FuzzDecoder holds the decoder against the oracle: any bytes, in any pieces, under any limit.
func FuzzDecoder(f *testing.F) {
	for i, s := range streams {
		f.Add([]byte(s.in), uint64(i), uint16(0))
		f.Add([]byte(s.in), uint64(i)+7, uint16(i%24+1))
	}
	f.Add([]byte("id:1\nevent:a\ndata:xxxxxxxxxxxxxxxx\nid:2\n\ndata:y\n\n"), uint64(0), uint16(20))
	f.Add([]byte("data:\xE2\x82\r\r\ndata:"+strings.Repeat("x", 300)+"\r\n\r\nid:3\rdata\r\r"), uint64(1), uint16(64))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64, limit uint16) {
		compare(t, in, seed, int(limit))
	})
}

// TestDecoderAgainstOracle does the same with streams made of what has a meaning to the decoder, which plain bytes
// seldom hit together.
func TestDecoderAgainstOracle(t *testing.T) {
	field := rapid.SampledFrom([]string{"data", "data", "data", "event", "id", "id", "retry", "unknown", "Data", ""})
	colon := rapid.SampledFrom([]string{":", ": ", ":  ", " :", ""})
	value := rapid.SampledFrom([]string{"", "a", "b", "7", "20", "-1", "99999999999999999999", "x\x00", "long enough for a limit", "é", "😀",
		bom, "\xEF", "\xEF\xBB", "\xE2\x82", "\xF0\x9F\x98", "\x80", "\xFF\xFF"})
	ends := rapid.SampledFrom([]string{"\n", "\r", "\r\n", "\n\n", "\r\r", "\r\n\r\n", "\n\r", "\n\n\n", ""})
	line := rapid.Custom(func(t *rapid.T) string {
		return field.Draw(t, "field") + colon.Draw(t, "colon") + value.Draw(t, "value") + ends.Draw(t, "ends")
	})
	rapid.Check(t, func(t *rapid.T) {
		start := rapid.SampledFrom([]string{"", "", bom, bom[:2], bom + bom, "\n"}).Draw(t, "start")
		in := start + strings.Join(rapid.SliceOfN(line, 0, 30).Draw(t, "lines"), "")
		limit := rapid.OneOf(rapid.Just(0), rapid.IntRange(1, 60)).Draw(t, "limit")
		compare(t, []byte(in), rapid.Uint64().Draw(t, "seed"), limit)
	})
}

// compare takes a limit of 0 as none.
func compare(t rapid.TB, in []byte, seed uint64, limit int) {
	if limit == 0 {
		limit = noLimit
	}
	want := fmt.Sprintf("%q", oracle(in, limit))
	got := fmt.Sprintf("%q", decode(t, inRandomChunks(in, seed), limit))
	if got != want {
		t.Fatalf("input %q, seed %d, limit %d\n got %s\nwant %s", in, seed, limit, got, want)
	}
}
