package sse_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/iotest"
)

const bom = "\xEF\xBB\xBF"

// streams are the shapes of the web platform's public event stream tests ("WPT" and the name of the test, below
// eventsource/), the examples and rules of the HTML standard ("HTML" and the section), those of the Encoding standard,
// the Run API's own, and corners that all of them leave out.
var streams = []struct {
	from, name, in string
	want           []string // the frames; see show
	last           string   // the last event id in the end
	retry          string
}{
	{"", "empty stream", "", nil, "", ""},
	{"HTML 9.2.5", "only blank lines", "\n\r\r\n\n", nil, "", ""},
	{"HTML 9.2.1", "messages", "data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\ndata: This is the third message.\n\n",
		[]string{`"This is the first message."`, `"This is the second message, it\nhas two lines."`, `"This is the third message."`}, "", ""},
	{"HTML 9.2.1", "types", "event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
		[]string{`@add "73857293"`, `@remove "2153"`, `@add "113411"`}, "", ""},
	{"HTML 9.2.6", "the stock example", "data: YHOO\ndata: +2\ndata: 10\n\n", []string{`"YHOO\n+2\n10"`}, "", ""},
	{"HTML 9.2.6", "the four blocks", ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n",
		[]string{`#1! "first event"`, `#! "second event"`}, "", ""},
	{"HTML 9.2.6", "the empty data example", "data\n\ndata\ndata\n\ndata:\n", []string{`""`, `"\n"`}, "", ""},
	{"HTML 9.2.6", "the space example", "data:test\n\ndata: test\n\n", []string{`"test"`, `"test"`}, "", ""},
	{"WPT event-data", "lines and data", "data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
		[]string{`"msg\nmsg"`, `""`, `"end"`}, "", ""},
	{"Run API", "an event", "id: 7\nevent: step\ndata: {}\n\n", []string{`#7! @step "{}"`}, "7", ""},
	{"Run API", "an event in another order", "data: {}\nevent: step\nid: 7\n\n", []string{`#7! @step "{}"`}, "7", ""},
	{"Run API", "keepalive after an event", "id: 7\nevent: step\ndata: {}\n\nevent: keepalive\ndata: null\n\n",
		[]string{`#7! @step "{}"`, `#7 @keepalive "null"`}, "7", ""},

	// The byte order mark.
	{"WPT format-bom", "the first is taken off", bom + "data:1\n\n" + bom + "data:2\n\ndata:3\n\n", []string{`"1"`, `"3"`}, "", ""},
	{"WPT format-bom-2", "only one is taken off", bom + bom + "data:1\n\ndata:2\n\ndata:3\n\n", []string{`"2"`, `"3"`}, "", ""},
	{"HTML 9.2.5", "bom before a comment", bom + ":c\ndata:1\n\n", []string{`"1"`}, "", ""},
	{"HTML 9.2.5", "bom before a blank line", bom + "\ndata:1\n\n", []string{`"1"`}, "", ""},
	{"", "bom and nothing else", bom, nil, "", ""},
	{"", "two bytes of a bom and the end", bom[:2], nil, "", ""},
	{"", "two bytes of a bom", bom[:2] + "data:1\n\ndata:2\n\n", []string{`"2"`}, "", ""},
	{"", "one byte of a bom", bom[:1] + "data:1\n\ndata:2\n\n", []string{`"2"`}, "", ""},
	{"HTML 9.2.5", "bom after a blank line", "\n" + bom + "data:1\n\ndata:2\n\n", []string{`"2"`}, "", ""},
	{"HTML 9.2.5", "bom in the data", "data:" + bom + "1\n\n", []string{`"\ufeff1"`}, "", ""},
	{"", "bom in an id", bom + "id:" + bom + "1\ndata:a\n\n", []string{"#\ufeff1! \"a\""}, "\ufeff1", ""},

	// Comments.
	{"WPT format-comments", "comments between data", "data:1\r:\x00\n:\r\ndata:2\n:" + strings.Repeat("x", 4000) + "\rdata:3\n:data:no\r:y\ndata:4\n\n",
		[]string{`"1\n2\n3\n4"`}, "", ""},
	{"HTML 9.2.6", "comments alone are no record", ": a\n\n:\n\n", nil, "", ""},
	{"HTML 9.2.6", "a comment after a space is a field", "data:1\n :data\n\n", []string{`"1"`}, "", ""},
	{"HTML 9.2.7", "comments as heartbeats", ":\n\n:\n\ndata:1\n\n:\n\n", []string{`"1"`}, "", ""},

	// What is cut off.
	{"WPT format-data-before-final-empty-line", "no blank line", "retry:1000\ndata:test1\n\nid:test\ndata:test2\n", []string{`"test1"`}, "", "1s"},
	{"HTML 9.2.6", "cut off after the data", "data:1\n\ndata:2", []string{`"1"`}, "", ""},
	{"HTML 9.2.6", "cut off inside CRLF CRLF", "data:1\r\n\r\ndata:2\r\n", []string{`"1"`}, "", ""},
	{"HTML 9.2.6", "cut off: the id does not count", "id:1\n\nid:2\n", nil, "1", ""},
	{"HTML 9.2.6", "cut off: a whole retry line counts", "retry:5\n", nil, "", "5ms"},
	{"HTML 9.2.6", "cut off: half a retry line does not", "retry:5\nretry:55", nil, "", "5ms"},

	// The fields data and event.
	{"WPT format-field-data", "without a value", "data:\n\ndata\ndata\n\ndata:test\n\n", []string{`""`, `"\n"`, `"test"`}, "", ""},
	{"HTML 9.2.6", "data alone", "data\n\n", []string{`""`}, "", ""},
	{"HTML 9.2.6", "data and a space", "data: \n\n", []string{`""`}, "", ""},
	{"HTML 9.2.6", "no data, no frame", "event:x\n\ndata:1\n\n", []string{`"1"`}, "", ""},
	{"HTML 9.2.6", "data ending in empty lines", "data:1\ndata:\ndata\n\n", []string{`"1\n\n"`}, "", ""},
	{"WPT format-field-event", "for one event", "event:test\ndata:x\n\ndata:x\n\n", []string{`@test "x"`, `"x"`}, "", ""},
	{"WPT format-field-event-empty", "is none", "event: \ndata:data\n\n", []string{`"data"`}, "", ""},
	{"HTML 9.2.6", "an empty event undoes one", "event:test\nevent\ndata:data\n\n", []string{`"data"`}, "", ""},
	{"HTML 9.2.6", "the last event field wins", "event:a\nevent:b\ndata:x\n\nevent:b\ndata:y\n\n", []string{`@b "x"`, `@b "y"`}, "", ""},
	{"HTML 9.2.6", "an event without data is forgotten", "event:a\nid:1\n\ndata:x\n\n", []string{`#1 "x"`}, "1", ""},

	// The field id.
	{"WPT format-field-id", "in UTF-8", "id: …\nretry: 200\ndata: hello\n\n", []string{`#…! "hello"`}, "…", "200ms"},
	{"WPT format-field-id-2", "stays", "id: …\ndata: hello\n\ndata: …\n\ndata: …\n\n", []string{`#…! "hello"`, `#… "…"`, `#… "…"`}, "…", ""},
	{"WPT format-field-id-3", "persists", "id: 1\ndata: 1\n\ndata: 2\n\n", []string{`#1! "1"`, `#1 "2"`}, "1", ""},
	{"WPT format-field-id-3", "changes and persists", "id: 1\ndata: 1\n\nid: 2\ndata: 2\n\ndata: 3\n\n", []string{`#1! "1"`, `#2! "2"`, `#2 "3"`}, "2", ""},
	{"WPT format-field-id-3", "resets", "id: 1\ndata: 1\n\nid:\ndata: 2\n\ndata: 3\n\n", []string{`#1! "1"`, `#! "2"`, `"3"`}, "", ""},
	{"HTML 9.2.6", "id without data", "id:1\n\ndata:a\n\nid:\n\ndata:b\n\n", []string{`#1 "a"`, `"b"`}, "", ""},
	{"HTML 9.2.6", "id without data, at the end", "id:1\ndata:a\n\nid:2\n\n", []string{`#1! "a"`}, "2", ""},
	{"HTML 9.2.6", "id twice", "id:1\nid:2\ndata:a\n\n", []string{`#2! "a"`}, "2", ""},
	{"HTML 9.2.6", "ids repeat, jump and go back", "id:5\ndata:a\n\nid:5\ndata:b\n\nid:90\ndata:c\n\nid:1\ndata:d\n\n",
		[]string{`#5! "a"`, `#5! "b"`, `#90! "c"`, `#1! "d"`}, "1", ""},
	{"WPT format-field-id-null", "null anywhere", "id:\x00\x00\ndata:a\n\nid:x\x00\ndata:b\n\nid:\x00x\ndata:c\n\nid:x\x00x\ndata:d\n\nid: \x00\ndata:e\n\n",
		[]string{`"a"`, `"b"`, `"c"`, `"d"`, `"e"`}, "", ""},
	{"HTML 9.2.6", "id null leaves the old one", "id:1\ndata:a\n\nid:2\x00\ndata:b\n\n", []string{`#1! "a"`, `#1 "b"`}, "1", ""},
	{"HTML 9.2.6", "id null leaves the one of its record", "id:1\nid:2\x00\ndata:a\n\n", []string{`#1! "a"`}, "1", ""},

	// Names and values.
	{"WPT format-field-parsing", "names that are none",
		"data:\x00\ndata:  2\rData:1\ndata\x00:2\ndata:1\r\x00data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n", []string{`"\x00\n 2\n1\n3\n\n4"`}, "", ""},
	{"HTML 9.2.6", "a space before the colon", "data :1\ndata:2\n\n", []string{`"2"`}, "", ""},
	{"HTML 9.2.6", "colons in the value", "data:a:b::\n\n", []string{`"a:b::"`}, "", ""},
	{"HTML 9.2.6", "names are case-sensitive", "ID:1\nEvent:x\nRETRY:1\ndata:a\n\n", []string{`"a"`}, "", ""},
	{"HTML 9.2.6", "beginnings of names", "dat:1\nd\ni:1\neven:1\nretr:1\ndatum:2\ndata:a\n\n", []string{`"a"`}, "", ""},
	{"WPT format-field-unknown", "unknown names", "data:test\n data\ndata\nfoobar:xxx\njustsometext\n:comment\ndata:test\n\n", []string{`"test\n\ntest"`}, "", ""},
	{"WPT format-leading-space", "a tab is no space", "data:\ttest\rdata: \ndata:test\n\n", []string{`"\ttest\n\ntest"`}, "", ""},
	{"HTML 9.2.6", "only one space is removed", "data:   a \n\n", []string{`"  a "`}, "", ""},
	{"HTML 9.2.6", "the space of the other fields", "id:  1\nevent:  x\ndata:a\n\n", []string{`# 1! @ x "a"`}, " 1", ""},

	// The field retry.
	{"WPT format-field-retry", "in milliseconds", "retry:3000\ndata:x\n\n", []string{`"x"`}, "", "3s"},
	{"WPT format-field-retry-bogus", "digits alone", "retry:3000\nretry:1000x\ndata:x\n\n", []string{`"x"`}, "", "3s"},
	{"WPT format-field-retry-empty", "empty", "retry\nretry:\nretry: \ndata:test\n\n", []string{`"test"`}, "", ""},
	{"HTML 9.2.6", "retry zero", "retry:0\n\n", nil, "", "0s"},
	{"HTML 9.2.6", "the last retry wins", "retry:5\n\nretry:7\nretry:6\n\n", nil, "", "6ms"},
	{"HTML 9.2.6", "retry with leading zeros", "retry: 0000000000000000000000001000\n\n", nil, "", "1s"},
	{"HTML 9.2.6", "retry signed", "retry:7\nretry:+5\nretry:-1\n\n", nil, "", "7ms"},
	{"HTML 9.2.6", "retry with spaces", "retry:7\nretry:  1\nretry:1 \n\n", nil, "", "7ms"},
	{"HTML 9.2.6", "retry fraction, exponent, hex", "retry:7\nretry:1.5\nretry:1e3\nretry:0x1\n\n", nil, "", "7ms"},
	{"HTML 9.2.6", "retry in other digits", "retry:7\nretry:١\n\n", nil, "", "7ms"},
	{"HTML 9.2.6", "retry next to the digits", "retry:7\nretry:/\nretry::\n\n", nil, "", "7ms"},
	{"HTML 9.2.6", "retry greatest", "retry:9223372036854\n\n", nil, "", "2562047h47m16.854s"},
	{"HTML 9.2.6", "retry over the greatest", "retry:9223372036855\n\n", nil, "", "2562047h47m16.854s"},
	{"HTML 9.2.6", "retry of 2^63", "retry:9223372036854775808\n\n", nil, "", "2562047h47m16.854s"},
	{"HTML 9.2.6", "retry of 2^64 and one more", "retry:18446744073709551617\n\n", nil, "", "2562047h47m16.854s"},
	{"HTML 9.2.6", "retry endless", "retry:" + strings.Repeat("9", 500) + "\n\n", nil, "", "2562047h47m16.854s"},

	// Line ends.
	{"WPT format-newlines", "mixed", "data:test\r\ndata\ndata:test\r\n\r", []string{`"test\n\ntest"`}, "", ""},
	{"HTML 9.2.5", "LF", "data:1\ndata:2\n\ndata:3\n\n", []string{`"1\n2"`, `"3"`}, "", ""},
	{"HTML 9.2.5", "CR", "data:1\rdata:2\r\rdata:3\r\r", []string{`"1\n2"`, `"3"`}, "", ""},
	{"HTML 9.2.5", "CRLF", "data:1\r\ndata:2\r\n\r\ndata:3\r\n\r\n", []string{`"1\n2"`, `"3"`}, "", ""},
	{"HTML 9.2.5", "LF CR is two line ends", "data:1\n\rdata:2\n\r", []string{`"1"`, `"2"`}, "", ""},
	{"HTML 9.2.5", "CR CRLF", "data:1\r\r\ndata:2\r\r\n", []string{`"1"`, `"2"`}, "", ""},
	{"HTML 9.2.5", "CRLF LF", "data:1\r\n\ndata:2\r\n\n", []string{`"1"`, `"2"`}, "", ""},
	{"HTML 9.2.5", "CRLF LF at the end of the buffer", ":" + strings.Repeat("x", 16<<10-2) + "\r\n\ndata:1\r\n\n", []string{`"1"`}, "", ""},
	{"HTML 9.2.5", "other line separators are none", "data:1\v\f\u0085\u2028\u20292\n\n", []string{`"1\v\f\u0085\u2028\u20292"`}, "", ""},

	// Characters.
	{"WPT format-null-character", "null in the data", "data:\x00\n\n\n\n", []string{`"\x00"`}, "", ""},
	{"", "null in an event", "event:\x00\ndata:1\n\n", []string{"@\x00 \"1\""}, "", ""},
	{"WPT format-utf-8", "UTF-8", "data:ok…\n\n", []string{`"ok…"`}, "", ""},
	{"HTML 9.2.5", "characters of 2, 3 and 4 bytes", "data:é…😀\n\n", []string{`"é…😀"`}, "", ""},
	{"Encoding 8.1.1", "invalid byte", "data:a\xFFb\n\n", []string{`"a�b"`}, "", ""},
	{"Encoding 8.1.1", "each byte that begins nothing", "data:\x80\xC0\xC1\xF5\xFF\n\n", []string{`"�����"`}, "", ""},
	{"Encoding 8.1.1", "cut characters are one each", "data:\xE2\x82a\xF0\x9F\x98b\xC3c\n\n", []string{`"�a�b�c"`}, "", ""},
	{"Encoding 8.1.1", "cut by the line end", "data:\xE2\x82\ndata:\xF0\x9F\r\r", []string{`"�\n�"`}, "", ""},
	{"Encoding 8.1.1", "overlong, surrogate, too great", "data:\xE0\x80\x80 \xED\xA0\x80 \xF0\x80\x80\x80 \xF4\x90\x80\x80\n\n",
		[]string{`"��� ��� ���� ����"`}, "", ""},
	{"Encoding 8.1.1", "cut character before another", "data:\xE2\x82\xE2\x82\xAC\n\n", []string{`"�€"`}, "", ""},
	{"Encoding 8.1.1", "a replacement character is itself", "data:�\n\n", []string{`"�"`}, "", ""},
	{"Encoding 8.1.1", "invalid id and event", "id:\xFF\nevent:\xE2\x82\ndata:1\n\n", []string{`#�! @� "1"`}, "�", ""},
	{"Encoding 8.1.1", "invalid field name", "data\xFF:1\n\xFFdata:2\ndata:3\n\n", []string{`"3"`}, "", ""},
}

// TestStreams decodes each of them in chunks of 1, 2 and 3 bytes and whole, and holds the oracle of the other tests
// against what is written here, too.
func TestStreams(t *testing.T) {
	for _, tt := range streams {
		t.Run(strings.TrimPrefix(tt.from+": "+tt.name, ": "), func(t *testing.T) {
			want := outcome{tt.want, tt.last, tt.retry}
			for _, size := range []int{1, 2, 3, len(tt.in)} {
				check(t, fmt.Sprintf("in chunks of %d", size), decode(t, inChunks(tt.in, size), noLimit), want)
			}
			check(t, "last bytes with EOF", decode(t, iotest.DataErrReader(strings.NewReader(tt.in)), noLimit), want)
			check(t, "reads of nothing", decode(t, &sparse{r: inChunks(tt.in, 1)}, noLimit), want)
			check(t, "oracle", oracle([]byte(tt.in), noLimit), want)
		})
	}
}
