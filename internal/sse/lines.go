package sse

import (
	"bytes"
	"io"
)

const (
	// readSize is the size of the read buffer in bytes. A server that watches thousands of runs has as many buffers.
	readSize = 1 << 10

	// maxEmptyReads is how many reads in a row may bring neither bytes nor an error, as in bufio.
	maxEmptyReads = 100

	byteOrderMark = "\uFEFF"
)

// lines cuts a byte stream into parts of lines. It holds its read buffer only; the caller joins the parts.
type lines struct {
	r   io.Reader
	err error // what ended the stream; returned when the buffer is used up

	buf      []byte
	pos, end int // buf[pos:end] was read but not yet returned
	lf       int // index of the first LF at or after pos, end if there is none; stale while less than pos

	started bool // the byte order mark was skipped, or there is none
	afterCR bool // the last line ended in CR: a LF that comes next belongs to it
}

// next returns the next part of the current line without its line end, valid until the following call. ended says that
// the line ends with it. A part may be empty. A CR ends its line at once, whether a LF follows or not: otherwise the
// last record of a server that ends lines in CR would wait for the next one.
func (l *lines) next() (part []byte, ended bool, err error) {
	if err := l.fill(); err != nil {
		return nil, false, err
	}
	if l.afterCR {
		l.afterCR = false
		if l.buf[l.pos] == '\n' {
			l.pos++
		}
	}
	// The LF is remembered, or a stream of CR lines would search the whole buffer for each line.
	if l.lf < l.pos {
		l.lf = l.end
		if i := bytes.IndexByte(l.buf[l.pos:l.end], '\n'); i >= 0 {
			l.lf = l.pos + i
		}
	}
	part = l.buf[l.pos:l.lf]
	if i := bytes.IndexByte(part, '\r'); i >= 0 {
		l.afterCR = true
		l.pos += i + 1
		return part[:i], true, nil
	}
	ended = l.lf < l.end
	l.pos = min(l.lf+1, l.end)
	return part, ended, nil
}

// fill makes sure that there are bytes to return, and skips the byte order mark. At the beginning it reads on even if
// it has bytes, while they may be the beginning of a mark.
func (l *lines) fill() error {
	for l.pos == l.end || !l.started {
		if !l.started && !l.halfMark() {
			l.started = true
			if bytes.HasPrefix(l.buf[:l.end], []byte(byteOrderMark)) {
				l.pos = len(byteOrderMark)
			}
			continue
		}
		if err := l.read(); err != nil {
			return err
		}
	}
	return nil
}

// halfMark reports whether all bytes so far, or none, are the beginning of a byte order mark.
func (l *lines) halfMark() bool {
	return l.end < len(byteOrderMark) && string(l.buf[:l.end]) == byteOrderMark[:l.end]
}

// read reads once, behind the bytes that were not returned yet. An error is returned after the bytes that came with
// it.
func (l *lines) read() error {
	if l.err != nil {
		return l.err
	}
	if l.pos == l.end {
		l.pos, l.end = 0, 0
	}
	l.lf = -1
	for range maxEmptyReads {
		n, err := l.r.Read(l.buf[l.end:])
		l.end += n
		l.err = err
		if n > 0 {
			return nil
		}
		if err != nil {
			return err
		}
	}
	l.err = io.ErrNoProgress
	return l.err
}
