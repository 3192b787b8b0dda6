package sse

import (
	"bytes"
	"io"
)

const (
	// readSize is the size of the read buffer in bytes, of which a server that watches thousands of runs has as many.
	// A buffer of 16 KiB decodes no faster (BenchmarkDecoder, and 10 MB over a connection: within noise), and net/http
	// reads 4 KiB at a time below.
	readSize = 4 << 10

	// maxEmptyReads is how many reads in a row may bring neither bytes nor an error; bufio gives up at the same number.
	maxEmptyReads = 100

	byteOrderMark = "\uFEFF"
)

// lines cuts a byte stream into parts of lines. It holds nothing but its read buffer, so a line of any length costs
// it nothing; putting parts together is up to the caller.
type lines struct {
	r   io.Reader
	err error // what ended the stream; returned once the buffer is used up, and from then on

	buf      []byte
	pos, end int // buf[pos:end] is read but not yet given out
	lf       int // index of the first LF at or after pos, end if there is none; stale while less than pos

	started bool // the place where a byte order mark may stand is behind us
	afterCR bool // the last line ended in CR: a LF that comes next belongs to it
}

// next returns the next part of the current line without its line end, valid until the following call; ended says that
// the line ends with it. A part may be empty, ended or not. A CR ends its line at once, without waiting to see whether
// a LF follows: a server that ends lines in CR would else have its last record held back until its next one.
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
	// The LF is looked for once and remembered, or a stream of CR lines would search the whole buffer for each of them.
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

// fill sees to it that there are bytes to give out, and takes the byte order mark off the stream's first ones. Only
// there does it read on while it has bytes: one or two bytes of a mark don't say yet whether they are one.
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

// halfMark says that all there is, nothing included, may be the beginning of a byte order mark.
func (l *lines) halfMark() bool {
	return l.end < len(byteOrderMark) && string(l.buf[:l.end]) == byteOrderMark[:l.end]
}

// read reads once, behind the bytes not given out yet. Bytes that came with an error come first, the error after them.
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
