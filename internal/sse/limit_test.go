package sse_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"strings"
	"testing"

	"runs-mcp-server/internal/sse"
)

func TestTooLarge(t *testing.T) {
	long := strings.Repeat("x", 100)
	const after = "id: 9\ndata: ok\n\n"
	tests := []struct {
		name, in string
		want     []string // see show; the limit is 20 bytes
	}{
		{"exactly the limit", "data:" + long[:15] + "\n\n" + after, []string{`"xxxxxxxxxxxxxxx"`, `#9! "ok"`}},
		{"one more", "data:" + long[:16] + "\n\n" + after, []string{`too large, last id ""`, `#9! "ok"`}},
		{"line ends don't count", "data:" + long[:10] + "\r\ndata:\r\n\r\n", []string{`"xxxxxxxxxx\n"`}},
		{"id before", "id: 1\ndata:" + long + "\n\ndata: a\n\n" + after, []string{`#1! too large, last id ""`, `#1 "a"`, `#9! "ok"`}},
		{"id after", "data:" + long + "\nid: 1\n\ndata: a\n\n", []string{`too large, last id ""`, `#1 "a"`}},
		{"id before and after", "id:1\ndata:" + long + "\nid:2\n\ndata: a\n\n", []string{`#1! too large, last id ""`, `#2 "a"`}},
		{"id as the line too many", "data:" + long[:12] + "\nid: 12\n\ndata: a\n\n", []string{`too large, last id ""`, `#12 "a"`}},
		{"id too large itself", "id:0\n\nid:" + long + "\ndata:\n\ndata: a\n\n", []string{`#0 too large, last id "0"`, `#0 "a"`}},
		{"id null after", "id:1\ndata:" + long + "\nid:\x00\n\ndata: a\n\n", []string{`#1! too large, last id ""`, `#1 "a"`}},
		{"event before", "event: step\ndata:" + long + "\n\n" + after, []string{`@step too large, last id ""`, `#9! "ok"`}},
		{"event before does not stay", "event: step\ndata:" + long + "\n\ndata: a\n\n", []string{`@step too large, last id ""`, `"a"`}},
		{"event after is not kept", "data:" + long + "\nevent: x\ndata: y\n\ndata: a\n\n", []string{`too large, last id ""`, `"a"`}},
		{"event too large itself", "event: " + long + "\ndata: y\n\n" + after, []string{`too large, last id ""`, `#9! "ok"`}},
		{"unknown field", "data: y\n" + long + "\n\n" + after, []string{`too large, last id ""`, `#9! "ok"`}},
		{"many short lines", strings.Repeat("data\n", 6) + "\n" + after, []string{`too large, last id ""`, `#9! "ok"`}},
		{"without data at all", strings.Repeat("id:1\n", 6) + "\ndata: a\n\n", []string{`#1! too large, last id ""`, `#1 "a"`}},
		{"reported once", strings.Repeat("data:"+long+"\n", 9) + "\n" + after, []string{`too large, last id ""`, `#9! "ok"`}},
		{"two in a row", strings.Repeat("data:"+long+"\n\n", 2) + after, []string{`too large, last id ""`, `too large, last id ""`, `#9! "ok"`}},
		{"sizes don't add up over records", strings.Repeat("data: 0123456789\n\n", 3), []string{`"0123456789"`, `"0123456789"`, `"0123456789"`}},
		{"unfinished", "id: 1\n\nid:2\ndata: " + long, []string{`#2! too large, last id "1"`}},
		{"unfinished, skipping", "id:2\ndata: " + long + "\ndata: a\nid: 3\n", []string{`#2! too large, last id ""`}},
		{"comments cost nothing", strings.Repeat(":"+long+"\n", 9) + "data: a\n:" + long + "\n\n", []string{`"a"`}},
		{"comment while skipping", "data:" + long + "\n:" + long + "\n\n" + after, []string{`too large, last id ""`, `#9! "ok"`}},
		{"byte order mark costs nothing", bom + "data:" + long[:15] + "\n\n", []string{`"xxxxxxxxxxxxxxx"`}},
		{"bytes count as sent", "data:\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\n\n", []string{`"` + strings.Repeat("�", 8) + `"`}},
		{"retry while skipping", "data:" + long + "\nretry: 10\n\n" + after, []string{`too large, last id ""`, `#9! "ok"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			want := oracle([]byte(tt.in), 20)
			check(t, "oracle", outcome{tt.want, want.lastID, want.retry}, want)
			for _, size := range []int{1, 2, 3, 7, len(tt.in)} {
				check(t, fmt.Sprintf("in chunks of %d", size), decode(t, inChunks(tt.in, size), 20), want)
			}
		})
	}
}

func TestTooLargeError(t *testing.T) {
	_, err := sse.NewDecoder(strings.NewReader("id: secret\nevent: step\ndata: more"), 30).Next()
	var tooLarge *sse.TooLargeError
	if !errors.As(fmt.Errorf("stream: %w", err), &tooLarge) {
		t.Fatalf("got %v, want a TooLargeError", err)
	}
	if want := (sse.TooLargeError{Limit: 30, ID: "secret", HasID: true, Event: "step"}); *tooLarge != want {
		t.Errorf("got %+v, want %+v", *tooLarge, want)
	}
	if got, want := err.Error(), "sse: record of more than 30 bytes"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// The error comes at the byte too many, not at the end of an endless line.
func TestTooLargeDoesNotWait(t *testing.T) {
	// The second one is shorter than a byte order mark, for which the decoder does wait.
	for _, in := range []string{"data: 12345", "xx"} {
		r := &steps{t: t}
		r.allow(in)
		_, err := sse.NewDecoder(r, len(in)-1).Next()
		if _, ok := err.(*sse.TooLargeError); !ok {
			t.Errorf("%q: got %v, want a TooLargeError", in, err)
		}
	}
}

// Lines and records larger than the read buffer, in reads of every kind.
func TestLargeRecords(t *testing.T) {
	for _, size := range []int{4<<10 - 7, 4<<10 - 6, 4<<10 - 5, 4 << 10, 33 << 10, 200 << 10} {
		in := "data:a\r\ndata:" + strings.Repeat("é\xFF", size/3) + "\r\nid:1\r\n\r\ndata:b\r\n\r\n"
		want := oracle([]byte(in), noLimit)
		for _, chunk := range []int{1, 1000, 4<<10 - 1, 4 << 10, len(in)} {
			check(t, fmt.Sprintf("%d in chunks of %d", size, chunk), decode(t, inChunks(in, chunk), math.MaxInt), want)
		}
	}
}

// endless streams are a start and then the same for ever: one line of 256 MiB, or short lines of 1 MiB in all.
var endless = []struct {
	name, start, unit string
	length            int64
	tooLarge          int
}{
	{"comment line", ":", "x", 32 << 20, 0},
	{"data line", "data: ", "x", 32 << 20, 1},
	{"invalid data line", "data: ", "\xFF", 32 << 20, 1},
	{"id line", "id: ", "x", 32 << 20, 1},
	{"event line", "event: ", "x", 32 << 20, 1},
	{"retry line", "retry: ", "9", 32 << 20, 1},
	{"unknown line", "", "x", 32 << 20, 1},
	{"comments", "", ": keep\n", 1 << 20, 0},
	{"empty comments in CR", "", ":\r", 1 << 20, 0},
	{"blank lines", "", "\r\n", 1 << 20, 0},
	{"data lines", "", "data: some\n", 1 << 20, 1},
	{"empty data lines", "", "data\r", 1 << 20, 1},
	{"id lines", "", "id: 1\nid: 12\n", 1 << 20, 1},
	{"event lines", "", "event: a\nevent: bc\n", 1 << 20, 1},
	{"retry lines", "", "retry: 10\n", 1 << 20, 1},
	{"unknown lines", "", "some: thing\n", 1 << 20, 1},
	{"events without data", "", "event: a\n\nevent: b\n\n", 1 << 20, 0},
}

// An endless stream of anything is read in bounded memory, and what comes after it is read as ever.
func TestEndlessMemory(t *testing.T) {
	const limit = 64 << 10
	for _, tt := range endless {
		t.Run(tt.name, func(t *testing.T) {
			block := bytes.Repeat([]byte(tt.unit), 32<<10/len(tt.unit))
			rest := io.LimitReader(&repeat{block: block}, tt.length/int64(len(block))*int64(len(block)))
			r := io.MultiReader(strings.NewReader(tt.start), rest, strings.NewReader("\n\nevent: last\ndata: ok\n\n"))
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			var f sse.Frame
			var err error
			tooLarge := 0
			for f, err = range frames(sse.NewDecoder(r, limit)) {
				if err != nil {
					tooLarge++
				}
			}
			runtime.ReadMemStats(&after)
			if err != nil || f.Event != "last" || string(f.Data) != "ok" || tooLarge != tt.tooLarge {
				t.Errorf("ended with %s, %v after %d errors, want the last record after %d", showFrame(f), err, tooLarge, tt.tooLarge)
			}
			// All that was ever allocated, not only what is held: growing the buffers doubles them a few times.
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(8*limit); got > most {
				t.Errorf("allocated %d bytes, want at most %d", got, most)
			}
		})
	}
}

// repeat gives out its block for ever.
type repeat struct {
	block []byte
	at    int
}

func (r *repeat) Read(p []byte) (int, error) {
	n := copy(p, r.block[r.at:])
	r.at = (r.at + n) % len(r.block)
	return n, nil
}

// After one large record a quiet stream holds little, and so it does inside one that is too large.
func TestLetsGoOfLargeBuffers(t *testing.T) {
	const size = 8 << 20
	for _, limit := range []int{size, 2 * size} {
		large := io.MultiReader(strings.NewReader("data: "), io.LimitReader(&repeat{block: bytes.Repeat([]byte("x"), 4<<10)}, size))
		d := sse.NewDecoder(io.MultiReader(large, strings.NewReader("\n\ndata: ok\n\n")), limit)
		if f, err := d.Next(); len(f.Data) != size && err == nil {
			t.Fatalf("limit %d: got %d bytes", limit, len(f.Data))
		}
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		if m.HeapAlloc > size {
			t.Errorf("limit %d: %d bytes in use, want less than the large record's %d", limit, m.HeapAlloc, size)
		}
		if f, err := d.Next(); err != nil || string(f.Data) != "ok" {
			t.Fatalf("limit %d: got %s, %v", limit, showFrame(f), err)
		}
	}
}

// A thousand quiet streams hold little each, whatever went through them.
func TestQuietStreamsHoldLittle(t *testing.T) {
	const streams, most = 300, 10 << 10
	in := "id: 1\nevent: step\ndata: " + strings.Repeat("x", 60<<10) + "\n\n" + strings.Repeat("data: short\n\n", 1000)
	decoders := make([]*sse.Decoder, streams)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for i := range decoders {
		decoders[i] = sse.NewDecoder(strings.NewReader(in), 1<<20)
		for range 500 {
			if _, err := decoders[i].Next(); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if each := (int64(after.HeapAlloc) - int64(before.HeapAlloc)) / streams; each > most {
		t.Errorf("%d bytes each, want at most %d", each, most)
	}
	runtime.KeepAlive(decoders)
}
