// Package sse turns the bytes of an event stream (text/event-stream) into frames, to the letter of the WHATWG HTML
// standard, sections 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream". Connecting, reconnecting
// and what a frame means are the caller's.
//
// The server is not trusted: whatever it sends, in whatever pieces, a [Decoder] holds at most a small multiple of its
// limit, does linear work and starts no goroutine.
package sse

import (
	"bytes"
	"fmt"
	"io"
	"iter"
	"math"
	"slices"
	"time"
	"unicode/utf8"
)

// keepLine is the capacity in bytes above which the buffer for lines cut by a read is let go after use, so that
// one large record does not stay in memory for as long as a quiet stream lasts.
const keepLine = 2 * readSize

// Frame is one dispatched record of the stream (9.2.6, "dispatch the event").
type Frame struct {
	// ID is the stream's last event id when the record was dispatched. The standard keeps it over records, so it may
	// stem from an earlier one.
	ID string
	// HasID says that this record itself set the id; a keepalive does not. An empty id field sets it, to "".
	HasID bool
	// Event is the record's type, "" when it names none: the standard then calls it "message".
	Event string
	// Data is the record's data lines joined by LF, valid UTF-8 and never nil. It belongs to the caller.
	Data []byte
}

// TooLargeError reports a record of more bytes than the decoder's limit. The decoder goes on: see [Decoder.Next].
// ID, HasID and Event mean what they mean in [Frame], as set by the lines before the one that went over the limit.
type TooLargeError struct {
	Limit int // in bytes
	ID    string
	HasID bool
	Event string
}

// Error names the limit and nothing the server sent: an id may be as long as the limit, and holds what it likes.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("sse: record of more than %d bytes", e.Limit)
}

// Decoder reads frames from an event stream. It is not safe for concurrent use.
type Decoder struct {
	lines lines
	limit int

	line     []byte // the current line as far as it was read, when it came in more than one part
	inLine   bool   // the current line has at least one byte
	dropLine bool   // the current line is a comment or over the limit: not kept

	size     int  // bytes of the current record so far, line ends and comments not counted; at most limit
	tooLarge bool // the current record went over the limit and was reported

	// The standard's buffers. Each data line adds a LF of its own to data, so empty data means no data line at all.
	data, event, id []byte
	hasID           bool // the current record set id

	lastID    string // the standard's last event ID string: id as of the last blank line
	lastEvent string // the type of the last frame that had one, to be handed out again instead of a copy

	retry    time.Duration
	hasRetry bool
}

// NewDecoder returns a decoder that reads from r. The limit is the greatest size of one record in bytes as sent: all
// its lines without line ends, field names and unknown fields included, comments not. It panics if limit is not
// positive. The decoder reads ahead, never closes r and holds no resources but memory.
func NewDecoder(r io.Reader, limit int) *Decoder {
	if limit <= 0 {
		panic(fmt.Sprintf("sse: record limit of %d bytes, want a positive one", limit))
	}
	return &Decoder{lines: lines{r: r, buf: make([]byte, readSize)}, limit: limit}
}

// Next returns the next frame as soon as its blank line is read.
//
// At the stream's end it returns [io.EOF], also when a record is cut off there: the standard discards such a record,
// and a reader that can tell a broken connection from a closed one says so by its own error. Errors of the reader are
// returned as they are. After any of them every call returns the same error.
//
// A record over the limit yields one [*TooLargeError], at the byte too many. The following call skips the rest of that
// record in bounded memory and returns the record after it. What the standard has outlive a record still counts: id and
// retry fields, before and after the byte too many, unless their line alone is over the limit.
func (d *Decoder) Next() (Frame, error) {
	for {
		part, ended, err := d.lines.next()
		if err != nil {
			return Frame{}, err
		}
		tooLarge := d.admit(part)
		switch {
		case !ended:
			if !d.dropLine {
				d.line = append(d.line, part...)
			}
		case d.inLine:
			d.endLine(part)
		default:
			if f, ok := d.dispatch(); ok {
				return f, nil
			}
		}
		if tooLarge != nil {
			return Frame{}, tooLarge
		}
	}
}

// Frames returns an iterator over [Decoder.Next] in the caller's goroutine. It ends without a word at [io.EOF],
// goes on after a [*TooLargeError], and ends after yielding any other error. Breaking out of the loop loses nothing:
// Next or another Frames goes on behind the last frame.
func (d *Decoder) Frames() iter.Seq2[Frame, error] {
	return func(yield func(Frame, error) bool) {
		for {
			f, err := d.Next()
			if err == io.EOF || !yield(f, err) {
				return
			}
			if _, goesOn := err.(*TooLargeError); err != nil && !goesOn {
				return
			}
		}
	}
}

// LastEventID returns the standard's last event ID string, to be sent as Last-Event-ID when reconnecting: the latest id
// of a record that was complete, whether or not it made a frame. The id of a record cut off or still being skipped
// does not count yet.
func (d *Decoder) LastEventID() string { return d.lastID }

// Retry returns the reconnection time the server last set by a valid retry field, and whether it set one.
// A value beyond [time.Duration] is held at its greatest whole millisecond, 292 years.
func (d *Decoder) Retry() (time.Duration, bool) { return d.retry, d.hasRetry }

// admit counts the next part of the current line against the limit, before anything of it is kept. A comment is known
// by its first byte and costs nothing, however long: servers send them for ever to keep a connection open.
func (d *Decoder) admit(part []byte) error {
	if !d.inLine && len(part) > 0 {
		d.inLine = true
		d.dropLine = part[0] == ':'
	}
	if d.dropLine {
		return nil
	}
	if len(part) > d.limit-len(d.line) {
		d.dropLine = true
		d.line = nil
	}
	if d.tooLarge {
		return nil
	}
	if len(part) <= d.limit-d.size {
		d.size += len(part)
		return nil
	}
	err := &TooLargeError{Limit: d.limit, ID: string(d.id), HasID: d.hasID, Event: string(d.event)}
	d.tooLarge = true
	d.data = nil
	return err
}

// endLine interprets the current line, of which part is the last part.
func (d *Decoder) endLine(part []byte) {
	if !d.dropLine {
		line := part
		if len(d.line) > 0 {
			d.line = append(d.line, part...)
			line = d.line
		}
		d.interpret(line)
	}
	d.inLine, d.dropLine = false, false
	d.line = d.line[:0]
	if cap(d.line) > keepLine {
		d.line = nil
	}
}

// interpret processes one field (9.2.6, "process the field"). The line is split before it is decoded as UTF-8, which
// comes to the same: colon, space and line ends are ASCII, and no ASCII byte is ever part of another character.
func (d *Decoder) interpret(line []byte) {
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "data":
		if !d.tooLarge {
			d.data = slices.Grow(d.data, len(value)+1)
			d.data = append(appendUTF8(d.data, value), '\n')
		}
	case "event":
		d.event = appendUTF8(d.event[:0], value)
	case "id":
		if bytes.IndexByte(value, 0) < 0 {
			d.id = appendUTF8(d.id[:0], value)
			d.hasID = true
		}
	case "retry":
		if retry, ok := parseRetry(value); ok {
			d.retry, d.hasRetry = retry, true
		}
	}
}

// dispatch ends the current record (9.2.6, "dispatch the event") and returns its frame, if it makes one. The data
// buffer is handed over, not copied: the next record starts a new one.
func (d *Decoder) dispatch() (Frame, bool) {
	if string(d.id) != d.lastID {
		d.lastID = string(d.id)
	}
	f := Frame{ID: d.lastID, HasID: d.hasID}
	data, event := d.data, d.event
	d.data, d.event, d.hasID, d.size, d.tooLarge = nil, d.event[:0], false, 0, false
	if len(data) == 0 {
		return Frame{}, false
	}
	f.Data = data[:len(data)-1]
	if len(event) > 0 {
		if string(event) != d.lastEvent {
			d.lastEvent = string(event)
		}
		f.Event = d.lastEvent
	}
	return f, true
}

// appendUTF8 appends src to dst as the standard's "UTF-8 decode" reads it: one U+FFFD for each maximal beginning of
// a character that is not completed. [bytes.ToValidUTF8] would make one of a whole run, a range loop one of each byte.
func appendUTF8(dst, src []byte) []byte {
	if utf8.Valid(src) {
		return append(dst, src...)
	}
	for len(src) > 0 {
		r, n := utf8.DecodeRune(src)
		if r == utf8.RuneError && n == 1 {
			// FullRune is false exactly for the beginnings that more bytes could complete.
			for n < len(src) && !utf8.FullRune(src[:n+1]) {
				n++
			}
		}
		dst = utf8.AppendRune(dst, r)
		src = src[n:]
	}
	return dst
}

// parseRetry reads a retry field's value in milliseconds: ASCII digits and nothing else. An empty value is none, as
// the public test suite has it (format-field-retry-empty).
func parseRetry(value []byte) (time.Duration, bool) {
	const most = math.MaxInt64 / int64(time.Millisecond)
	var ms int64
	for _, c := range value {
		if c < '0' || c > '9' {
			return 0, false
		}
		ms = min(ms*10+int64(c-'0'), most)
	}
	return time.Duration(ms) * time.Millisecond, len(value) > 0
}
