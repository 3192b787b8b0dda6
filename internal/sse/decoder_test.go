package sse_test

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"runs-mcp-server/internal/sse"
)

const bom = "\xEF\xBB\xBF"

// streams are the shapes of the web platform's public event stream tests (their names, where there is one, are kept)
// and the corners of the standard they leave out.
var streams = []struct {
	name, in string
	want     []string // see show
	last     string   // the last event id, where no frame shows it
	retry    string
}{
	{name: "empty stream"},
	{name: "only blank lines", in: "\n\r\r\n\n"},
	{name: "one message", in: "data: a\n\n", want: []string{`"a"`}},
	{name: "all fields", in: "id: 7\nevent: step\ndata: {}\n\n", want: []string{`#7! @step "{}"`}},
	{name: "all fields in another order", in: "data: {}\nevent: step\nid: 7\n\n", want: []string{`#7! @step "{}"`}},
	{name: "keepalive after an event", in: "id: 7\nevent: step\ndata: {}\n\nevent: keepalive\ndata: null\n\n",
		want: []string{`#7! @step "{}"`, `#7 @keepalive "null"`}},

	{name: "format-bom", in: bom + "data:1\n\n" + bom + "data:2\n\ndata:3\n\n", want: []string{`"1"`, `"3"`}},
	{name: "format-bom-2: only one is taken off", in: bom + bom + "data:1\n\ndata:2\n\n", want: []string{`"2"`}},
	{name: "bom before a comment", in: bom + ":c\ndata:1\n\n", want: []string{`"1"`}},
	{name: "bom before a blank line", in: bom + "\ndata:1\n\n", want: []string{`"1"`}},
	{name: "bom and nothing else", in: bom},
	{name: "two bytes of a bom and the end", in: bom[:2]},
	{name: "two bytes of a bom", in: bom[:2] + "data:1\n\ndata:2\n\n", want: []string{`"2"`}},
	{name: "one byte of a bom", in: bom[:1] + "data:1\n\ndata:2\n\n", want: []string{`"2"`}},
	{name: "bom after a blank line", in: "\n" + bom + "data:1\n\ndata:2\n\n", want: []string{`"2"`}},
	{name: "bom in the data", in: "data:" + bom + "1\n\n", want: []string{`"\ufeff1"`}},

	{name: "format-comments", in: "data:1\r:\x00\n:\r\ndata:2\n:" + strings.Repeat("x", 4000) + "\rdata:3\n:data:no\r:y\ndata:4\n\n",
		want: []string{`"1\n2\n3\n4"`}},
	{name: "comments alone are no record", in: ": a\n\n:\n\n"},
	{name: "comment after a space is a field", in: "data:1\n :data\n\n", want: []string{`"1"`}},
	{name: "format-data-before-final-empty-line", in: "retry:1000\ndata:test1\n\nid:test\ndata:test2\n",
		want: []string{`"test1"`}, retry: "1s"},
	{name: "cut off after the data", in: "data:1\n\ndata:2", want: []string{`"1"`}},
	{name: "cut off inside CRLF CRLF", in: "data:1\r\n\r\ndata:2\r\n", want: []string{`"1"`}},
	{name: "cut off: the id does not count", in: "id:1\n\nid:2\n", last: "1"},
	{name: "cut off: a whole retry line counts", in: "retry:5\n", retry: "5ms"},
	{name: "cut off: half a retry line does not", in: "retry:5\nretry:55", retry: "5ms"},

	{name: "format-field-data", in: "data:\n\ndata\ndata\n\ndata:test\n\n", want: []string{`""`, `"\n"`, `"test"`}},
	{name: "data alone", in: "data\n\n", want: []string{`""`}},
	{name: "data and a space", in: "data: \n\n", want: []string{`""`}},
	{name: "no data, no frame", in: "event:x\n\ndata:1\n\n", want: []string{`"1"`}},
	{name: "data ending in empty lines", in: "data:1\ndata:\ndata\n\n", want: []string{`"1\n\n"`}},
	{name: "format-field-event", in: "event:test\ndata:x\n\ndata:x\n\n", want: []string{`@test "x"`, `"x"`}},
	{name: "format-field-event-empty", in: "event:test\nevent: \ndata:data\n\n", want: []string{`"data"`}},
	{name: "the last event field wins", in: "event:a\nevent:b\ndata:x\n\nevent:b\ndata:y\n\n",
		want: []string{`@b "x"`, `@b "y"`}},
	{name: "format-field-id", in: "id:1\ndata:a\n\ndata:b\n\nid:2\ndata:c\n\n", want: []string{`#1! "a"`, `#1 "b"`, `#2! "c"`}},
	{name: "format-field-id-2: empty resets", in: "id:1\ndata:a\n\nid\ndata:b\n\ndata:c\n\n", want: []string{`#1! "a"`, `#! "b"`, `"c"`}},
	{name: "format-field-id-3: without data", in: "id:1\n\ndata:a\n\nid:\n\ndata:b\n\n", want: []string{`#1 "a"`, `"b"`}},
	{name: "id without data, at the end", in: "id:1\ndata:a\n\nid:2\n\n", want: []string{`#1! "a"`}, last: "2"},
	{name: "id twice", in: "id:1\nid:2\ndata:a\n\n", want: []string{`#2! "a"`}},
	{name: "id in UTF-8", in: "id: …\ndata:a\n\n", want: []string{`#…! "a"`}},
	{name: "format-field-id-null", in: "id:\x00\x00\ndata:a\n\nid:x\x00\ndata:b\n\nid:\x00x\ndata:c\n\nid:x\x00x\ndata:d\n\nid: \x00\ndata:e\n\n",
		want: []string{`"a"`, `"b"`, `"c"`, `"d"`, `"e"`}},
	{name: "id null leaves the old one", in: "id:1\ndata:a\n\nid:2\x00\ndata:b\n\n", want: []string{`#1! "a"`, `#1 "b"`}},
	{name: "format-field-parsing", in: "data:\x00\ndata:  2\rData:1\ndata\x00:2\ndata:1\r\x00data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n",
		want: []string{`"\x00\n 2\n1\n3\n\n4"`}},
	{name: "a space before the colon", in: "data :1\ndata:2\n\n", want: []string{`"2"`}},
	{name: "colons in the value", in: "data:a:b::\n\n", want: []string{`"a:b::"`}},
	{name: "field names are case-sensitive", in: "ID:1\nEvent:x\nRETRY:1\ndata:a\n\n", want: []string{`"a"`}},
	{name: "prefixes of field names", in: "dat:1\nd\ni:1\neven:1\nretr:1\ndatum:2\ndata:a\n\n", want: []string{`"a"`}},

	{name: "format-field-retry", in: "retry:3000\ndata:x\n\n", want: []string{`"x"`}, retry: "3s"},
	{name: "format-field-retry-bogus", in: "retry:3000\nretry:1000x\ndata:x\n\n", want: []string{`"x"`}, retry: "3s"},
	{name: "format-field-retry-empty", in: "retry\nretry:\nretry: \ndata:test\n\n", want: []string{`"test"`}},
	{name: "retry zero", in: "retry:0\n\n", retry: "0s"},
	{name: "retry with leading zeros", in: "retry: 0000000000000000000000001000\n\n", retry: "1s"},
	{name: "retry signed", in: "retry:7\nretry:+1\nretry:-1\n\n", retry: "7ms"},
	{name: "retry with spaces", in: "retry:7\nretry:  1\nretry:1 \n\n", retry: "7ms"},
	{name: "retry fraction and exponent", in: "retry:7\nretry:1.5\nretry:1e3\n\n", retry: "7ms"},
	{name: "retry in other digits", in: "retry:7\nretry:١\n\n", retry: "7ms"},
	{name: "retry greatest", in: "retry:9223372036854\n\n", retry: "2562047h47m16.854s"},
	{name: "retry over the greatest", in: "retry:9223372036855\n\n", retry: "2562047h47m16.854s"},
	{name: "retry endless", in: "retry:" + strings.Repeat("9", 500) + "\n\n", retry: "2562047h47m16.854s"},

	{name: "format-field-unknown", in: "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:comment\ndata:test\n\n",
		want: []string{`"test\n\ntest"`}},
	{name: "format-leading-space", in: "data:\ttest\rdata: \ndata:test\n\n", want: []string{`"\ttest\n\ntest"`}},
	{name: "only one space is removed", in: "data:   a \n\n", want: []string{`"  a "`}},
	{name: "space of the other fields", in: "id:  1\nevent:  x\ndata:a\n\n", want: []string{`# 1! @ x "a"`}},
	{name: "format-newlines", in: "data:test\r\ndata\ndata:test\r\n\r", want: []string{`"test\n\ntest"`}},
	{name: "LF", in: "data:1\ndata:2\n\ndata:3\n\n", want: []string{`"1\n2"`, `"3"`}},
	{name: "CR", in: "data:1\rdata:2\r\rdata:3\r\r", want: []string{`"1\n2"`, `"3"`}},
	{name: "CRLF", in: "data:1\r\ndata:2\r\n\r\ndata:3\r\n\r\n", want: []string{`"1\n2"`, `"3"`}},
	{name: "LF CR is two line ends", in: "data:1\n\rdata:2\n\r", want: []string{`"1"`, `"2"`}},
	{name: "CR CRLF", in: "data:1\r\r\ndata:2\r\r\n", want: []string{`"1"`, `"2"`}},
	{name: "CRLF LF", in: "data:1\r\n\ndata:2\r\n\n", want: []string{`"1"`, `"2"`}},
	{name: "CR LF LF at the end of the buffer", in: ":" + strings.Repeat("x", 16<<10-2) + "\r\n\ndata:1\r\n\n", want: []string{`"1"`}},
	{name: "other line separators are none", in: "data:1\v\f\u0085\u2028\u20292\n\n", want: []string{`"1\v\f\u0085\u2028\u20292"`}},
	{name: "format-null-character", in: "data:\x00\n\n\n\n", want: []string{`"\x00"`}},
	{name: "null in an event", in: "event:\x00\ndata:1\n\n", want: []string{"@\x00 \"1\""}},

	{name: "format-utf-8", in: "data:ok…é😀\n\n", want: []string{`"ok…é😀"`}},
	{name: "invalid byte", in: "data:a\xFFb\n\n", want: []string{`"a�b"`}},
	{name: "each byte that begins nothing", in: "data:\x80\xC0\xC1\xF5\xFF\n\n", want: []string{`"�����"`}},
	{name: "cut characters are one each", in: "data:\xE2\x82a\xF0\x9F\x98b\xC3c\n\n", want: []string{`"�a�b�c"`}},
	{name: "cut by the line end", in: "data:\xE2\x82\ndata:\xF0\x9F\r\r", want: []string{`"�\n�"`}},
	{name: "overlong, surrogate, too great", in: "data:\xE0\x80\x80 \xED\xA0\x80 \xF0\x80\x80\x80 \xF4\x90\x80\x80\n\n",
		want: []string{`"��� ��� ���� ����"`}},
	{name: "cut character before another", in: "data:\xE2\x82\xE2\x82\xAC\n\n", want: []string{`"�€"`}},
	{name: "a replacement character is itself", in: "data:�\n\n", want: []string{`"�"`}},
	{name: "invalid id and event", in: "id:\xFF\nevent:\xE2\x82\ndata:1\n\n", want: []string{`#�! @� "1"`}},
	{name: "invalid field name", in: "data\xFF:1\n\xFFdata:2\ndata:3\n\n", want: []string{`"3"`}},
}

func TestStreams(t *testing.T) {
	for _, tt := range streams {
		t.Run(tt.name, func(t *testing.T) {
			reference := oracle([]byte(tt.in), noLimit)
			want := outcome{tt.want, cmp.Or(tt.last, reference.lastID), tt.retry}
			check(t, "oracle", reference, want)
			for _, size := range []int{1, 2, 3, len(tt.in)} {
				check(t, fmt.Sprintf("in chunks of %d", size), decode(t, inChunks(tt.in, size), noLimit), want)
			}
			check(t, "last bytes with EOF", decode(t, iotest.DataErrReader(strings.NewReader(tt.in)), noLimit), want)
			check(t, "reads of nothing", decode(t, &sparse{r: inChunks(tt.in, 1)}, noLimit), want)
		})
	}
}

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
			n := 0
			for _, err := range d.Frames() {
				if n++; err != tt.want || n > 1 {
					t.Fatalf("Frames: %v as number %d, want %v once", err, n, tt.want)
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

// stalled reads nothing for 100 times, the most the decoder bears, between two records.
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

func TestFramesGoesOnAfterBreak(t *testing.T) {
	d := sse.NewDecoder(strings.NewReader("data: 1\n\ndata: 2\n\ndata: 3\n\n"), noLimit)
	var got []string
	for range 4 {
		for f, err := range d.Frames() {
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, string(f.Data))
			break
		}
	}
	if !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("got %q", got)
	}
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

func ExampleDecoder_Frames() {
	stream := strings.NewReader("id: 41\nevent: step\ndata: {\"runStatus\":\"RUNNING\"}\n\nevent: keepalive\ndata: null\n\n")
	for frame, err := range sse.NewDecoder(stream, 1<<20).Frames() {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Printf("%s %t %s %s\n", frame.ID, frame.HasID, frame.Event, frame.Data)
	}
	// Output:
	// 41 true step {"runStatus":"RUNNING"}
	// 41 false keepalive null
}
