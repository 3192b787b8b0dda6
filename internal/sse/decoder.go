// Package sse decodes the bytes of an event stream (text/event-stream) into frames. It follows the WHATWG HTML
// standard, sections 9.2.5 "Parsing an event stream" and 9.2.6 "Interpreting an event stream". The caller connects,
// reconnects and interprets the frames.
//
// The server is not trusted. Whatever it sends, a [Decoder] holds at most a small multiple of its limit, does linear
// work and starts no goroutine.
package sse

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"slices"
	"time"
	"unicode/utf8"
)

// Frame is one dispatched record of the stream (9.2.6, "dispatch the event").
type Frame struct {
	// ID is the stream's last event id when the record was dispatched. An earlier record may have set it.
	ID string
	// HasID says that this record itself set the id. An empty id field sets it to "".
	HasID bool
	// Event is the record's type, "" if it has none. The standard then calls it "message".
	Event string
	// Data is the record's data lines joined by LF. It is valid UTF-8, never nil, and belongs to the caller.
	Data []byte
}

// TooLargeError reports a record of more bytes than the decoder's limit. The decoder goes on: see [Decoder.Next].
// ID, HasID and Event are as in [Frame], as far as the lines before the limit set them.
type TooLargeError struct {
	Limit int // in bytes
	ID    string
	HasID bool
	Event string
}

// Error names the limit, and nothing that the server sent: an id may be as long as the limit and hold anything.
func (e *TooLargeError) Error() string {
	return fmt.Sprintf("sse: record of more than %d bytes", e.Limit)
}

// Decoder reads frames from an event stream. It is not safe for concurrent use.
type Decoder struct {
	lines lines
	limit int

	line     []byte // the earlier parts of the current line
	inLine   bool   // the current line has at least one byte
	dropLine bool   // the current line is a comment, or over the limit

	size     int  // bytes of the current record so far, without line ends and comments; at most limit
	tooLarge bool // the current record is over the limit, which was reported

	// The standard's buffers. Each data line adds a LF to data, so empty data means no data line.
	data, event, id []byte
	hasID           bool // the current record set id

	lastID    string // the standard's last event ID string: id at the last blank line
	lastEvent string // the type of the last frame; equal types in a row share it

	retry    time.Duration
	hasRetry bool
}

// NewDecoder returns a decoder that reads from r. The limit is the greatest size of one record in bytes as sent: all
// its lines without line ends and comments. It panics if limit is not positive. The decoder reads ahead and never
// closes r.
func NewDecoder(r io.Reader, limit int) *Decoder {
	if limit <= 0 {
		panic(fmt.Sprintf("sse: record limit of %d bytes, want a positive one", limit))
	}
	return &Decoder{lines: lines{r: r, buf: make([]byte, readSize)}, limit: limit}
}

// Next returns the next frame as soon as its blank line is read.
//
// At the stream's end it returns [io.EOF], also if a record is cut off there: the standard discards such a record.
// Errors of the reader are returned as they are. After any of them every call returns the same error.
//
// A record over the limit yields one [*TooLargeError]. The following call skips the rest of that record in bounded
// memory and returns the record after it. Its id and retry fields still count, unless their line alone is over the
// limit.
func (d *Decoder) Next() (Frame, error) {
	for {
		part, ended, err := d.lines.next()
		if err != nil {
			return Frame{}, err
		}
		tooLarge := d.countPart(part)
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

// LastEventID returns the standard's last event ID string, to be sent as Last-Event-ID when reconnecting. It is the
// latest id of a complete record, with or without a frame.
func (d *Decoder) LastEventID() string { return d.lastID }

// Retry returns the reconnection time of the last valid retry field, and whether there was one. It is at most the
// greatest whole millisecond of a [time.Duration], 292 years.
func (d *Decoder) Retry() (time.Duration, bool) { return d.retry, d.hasRetry }

// countPart counts the next part of the current line against the limit, before any of it is kept. Comments do not
// count: servers send them all the time to keep a connection open.
func (d *Decoder) countPart(part []byte) error {
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
	d.line = nil // a quiet stream would keep it for long
}

// interpret processes one field (9.2.6, "process the field"). It may split the line before decoding it as UTF-8,
// because no ASCII byte is part of another character.
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

// dispatch ends the current record (9.2.6, "dispatch the event") and returns its frame, if it has data. The frame
// takes over the data buffer.
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
	if string(event) != d.lastEvent {
		d.lastEvent = string(event)
	}
	f.Event = d.lastEvent
	return f, true
}

// appendUTF8 appends src to dst by the standard's "UTF-8 decode": each maximal beginning of an incomplete character
// becomes one U+FFFD. [bytes.ToValidUTF8] makes one of a whole run, a range loop one of each byte.
func appendUTF8(dst, src []byte) []byte {
	if utf8.Valid(src) {
		return append(dst, src...)
	}
	for len(src) > 0 {
		r, n := utf8.DecodeRune(src)
		if r == utf8.RuneError && n == 1 {
			// FullRune is false for the beginnings that more bytes could complete.
			for n < len(src) && !utf8.FullRune(src[:n+1]) {
				n++
			}
		}
		dst = utf8.AppendRune(dst, r)
		src = src[n:]
	}
	return dst
}

// parseRetry parses the milliseconds of a retry field: ASCII digits only. An empty value is invalid, as in the public
// test suite (format-field-retry-empty).
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
