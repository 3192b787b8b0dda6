package sse_test

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"runs-mcp-server/internal/sse"
)

func check(t *testing.T, how string, got, want outcome) {
	t.Helper()
	if !slices.Equal(got.steps, want.steps) {
		t.Errorf("%s:\n got %q\nwant %q", how, got.steps, want.steps)
	}
	if got.lastID != want.lastID || got.retry != want.retry {
		t.Errorf("%s: last id %q, retry %q; want %q, %q", how, got.lastID, got.retry, want.lastID, want.retry)
	}
}

// sparse answers every other read with no bytes and no error.
type sparse struct {
	r    io.Reader
	turn bool
}

func (s *sparse) Read(p []byte) (int, error) {
	if s.turn = !s.turn; s.turn {
		return 0, nil
	}
	return s.r.Read(p)
}

// A record must not wait for bytes the server may send only with its next one.
func TestDispatchesWithoutReadingOn(t *testing.T) {
	for _, end := range []string{"\n\n", "\r\r", "\r\n\r", "\n\r"} {
		t.Run(fmt.Sprintf("%q", end), func(t *testing.T) {
			r := &steps{t: t}
			d := sse.NewDecoder(r, noLimit)
			// The line feeds of CRLF pairs come a record late.
			for i, part := range []string{"data: 0" + end, "\ndata: 1" + end, "data: 2" + end} {
				r.allow(part)
				f, err := d.Next()
				if want := fmt.Sprintf("%q", fmt.Sprint(i)); err != nil || showFrame(f) != want {
					t.Fatalf("got %s, %v, want %s", showFrame(f), err, want)
				}
			}
		})
	}
}

// steps gives out what it was allowed to, and fails the test when more is asked for.
type steps struct {
	t    *testing.T
	rest string
}

func (s *steps) allow(part string) { s.rest += part }

func (s *steps) Read(p []byte) (int, error) {
	if s.rest == "" {
		s.t.Fatal("the decoder reads on with a whole record in hand")
	}
	n := copy(p, s.rest[:1])
	s.rest = s.rest[n:]
	return n, nil
}

func TestReaderErrors(t *testing.T) {
	broken := errors.New("connection reset")
	tests := []struct {
		name string
		r    io.Reader
		want error
	}{
		{"after a record", io.MultiReader(strings.NewReader("data: 1\n\ndata: 2\n"), iotest.ErrReader(broken)), broken},
		{"with the record's last bytes", &final{"data: 1\n\n", broken}, broken},
		{"cut off as the reader says", &final{"data: 1\n\ndata", io.ErrUnexpectedEOF}, io.ErrUnexpectedEOF},
		{"nothing for too long", &stalled{before: "data: 1\n\n", after: "data: 2\n\n"}, io.ErrNoProgress},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := sse.NewDecoder(tt.r, noLimit)
			if f, err := d.Next(); err != nil || string(f.Data) != "1" {
				t.Fatalf("got %s, %v, want the record before the error", showFrame(f), err)
			}
			for range 3 {
				if _, err := d.Next(); err != tt.want {
					t.Fatalf("got %v, want %v", err, tt.want)
				}
			}
		})
	}
	if _, err := sse.NewDecoder(&final{bom[:2], broken}, 1).Next(); err != broken {
		t.Errorf("inside a byte order mark: got %v, want %v", err, broken)
	}
}

// final gives its bytes and its error in one read, and no bytes in later ones.
type final struct {
	s   string
	err error
}

func (f *final) Read(p []byte) (int, error) {
	n := copy(p, f.s)
	f.s = f.s[n:]
	return n, f.err
}

// The most reads of nothing that are borne in a row.
func TestBearsReadsOfNothing(t *testing.T) {
	d := sse.NewDecoder(&stalled{before: "data: 1\n\n", after: "data: 2\n\n", reads: 2}, noLimit)
	if f, err := d.Next(); err != nil || string(f.Data) != "2" {
		t.Errorf("after 99 reads of nothing: got %s, %v", showFrame(f), err)
	}
}

// stalled reads nothing for 100 times, one more than the decoder bears, between two records.
type stalled struct {
	before, after string
	reads         int
}

func (s *stalled) Read(p []byte) (int, error) {
	s.reads++
	switch {
	case s.reads == 1:
		return copy(p, s.before), nil
	case s.reads <= 101:
		return 0, nil
	}
	return copy(p, s.after), nil
}

// What was handed out is the caller's: nothing later changes it, and changing it changes nothing.
func TestDataBelongsToCaller(t *testing.T) {
	in := "id: 1\nevent: a\ndata: one\ndata: two\n\nid: 2\nevent: b\ndata: six\ndata: ten\n\ndata: last\n\n"
	d := sse.NewDecoder(strings.NewReader(in), noLimit)
	first, _ := d.Next()
	second, _ := d.Next()
	if got := showFrame(first); got != `#1! @a "one\ntwo"` {
		t.Errorf("first frame became %s", got)
	}
	for _, data := range [][]byte{first.Data[:cap(first.Data)], second.Data[:cap(second.Data)]} {
		for i := range data {
			data[i] = 'x'
		}
	}
	if last, _ := d.Next(); showFrame(last) != `#2 "last"` {
		t.Errorf("last frame is %s", showFrame(last))
	}
}

func TestNewDecoderRefusesLimit(t *testing.T) {
	for _, limit := range []int{0, -1} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("limit %d accepted", limit)
				}
			}()
			sse.NewDecoder(strings.NewReader(""), limit)
		}()
	}
}

// frames yields what Next returns, until the end or an error that ends the stream.
func frames(d *sse.Decoder) iter.Seq2[sse.Frame, error] {
	return func(yield func(sse.Frame, error) bool) {
		for {
			f, err := d.Next()
			if err == io.EOF || !yield(f, err) {
				return
			}
			if _, goesOn := err.(*sse.TooLargeError); err != nil && !goesOn {
				return
			}
		}
	}
}

func ExampleDecoder() {
	stream := strings.NewReader("id: 41\nevent: step\ndata: {\"runStatus\":\"RUNNING\"}\n\nevent: keepalive\ndata: null\n\n")
	d := sse.NewDecoder(stream, 1<<20)
	for {
		frame, err := d.Next()
		if err != nil {
			break
		}
		fmt.Printf("%s %t %s %s\n", frame.ID, frame.HasID, frame.Event, frame.Data)
	}
	// Output:
	// 41 true step {"runStatus":"RUNNING"}
	// 41 false keepalive null
}
