package ssecontract

import (
	"bufio"
	"bytes"
	"io"
)

// commentReader hands a stream on in parts of lines, and reports the comments
// in it, which the decoder drops. The decoder never reads on with a whole
// record in hand, so what it made of the lines before was reported by then.
type commentReader struct {
	r       *bufio.Reader
	report  func(text string)
	started bool   // the byte order mark, if any, is behind us
	inLine  bool   // the current line has at least one byte
	comment []byte // the current line as far as it was read, nil when it is no comment
}

func newCommentReader(r io.Reader, report func(text string)) *commentReader {
	return &commentReader{r: bufio.NewReader(r), report: report}
}

func (c *commentReader) Read(p []byte) (int, error) {
	head, err := c.r.Peek(1)
	if err != nil {
		return 0, err
	}
	if !c.started {
		c.started = true
		if head[0] == 0xEF {
			if mark, _ := c.r.Peek(3); bytes.Equal(mark, []byte("\uFEFF")) {
				return io.ReadFull(c.r, p[:3])
			}
		}
	}
	part, _ := c.r.Peek(min(len(p), c.r.Buffered()))
	end := bytes.IndexAny(part, "\r\n")
	if end >= 0 {
		part = part[:end+1]
	}
	c.see(part, end >= 0)
	n := copy(p, part)
	_, err = c.r.Discard(n)
	return n, err
}

// see takes the next part of a line; ended says that its last byte ends it.
func (c *commentReader) see(part []byte, ended bool) {
	if !c.inLine && part[0] == ':' {
		c.comment = []byte{}
	}
	if c.comment != nil {
		c.comment = append(c.comment, part...)
	}
	c.inLine = !ended
	if ended && c.comment != nil {
		c.report(string(c.comment[1 : len(c.comment)-1]))
		c.comment = nil
	}
}
