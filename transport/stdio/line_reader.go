package stdio

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"runs-mcp-server/transport/jsonrpc"
)

// errTooLong is a line above the limit.
var errTooLong = errors.New("line too long")

// lineReader cuts input into lines of at most limit bytes.
type lineReader struct {
	in      *bufio.Reader
	limit   int
	started bool // a line was read, so no byte order mark can follow
}

func newLineReader(in io.Reader, limit int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// nextLine returns the next line that isn't blank, without its end; the caller
// keeps it. The last line needs no line end.
//
// A line above the limit is read to its end in little more memory than the
// limit. Its error is errTooLong, and the bytes are the id of its message
// instead, if there is one. The next call goes on after it.
func (r *lineReader) nextLine() ([]byte, error) {
	for {
		line, err := r.readLine()
		if err != nil || len(bytes.TrimSpace(line)) > 0 {
			return line, err
		}
	}
}

// readLine returns the next line, blank or not.
func (r *lineReader) readLine() ([]byte, error) {
	line, tail, err := r.readToEnd()
	if err != nil {
		return nil, err
	}
	if !r.started {
		line = bytes.TrimPrefix(line, []byte(jsonrpc.ByteOrderMark))
		r.started = true
	}
	line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
	if len(line) > r.limit {
		return jsonrpc.FindID(line, tail), errTooLong
	}
	return line, nil
}

// readToEnd reads up to and with the next line end. Of a line that is too long
// it returns the beginning, longer than the limit, and the end.
func (r *lineReader) readToEnd() (line, tail []byte, err error) {
	// A line that fits may have a byte order mark before it and "\r\n" after it.
	mostBytes := len(jsonrpc.ByteOrderMark) + r.limit + len("\r\n")
	for {
		part, err := r.in.ReadSlice('\n')
		if len(line) > mostBytes {
			tail = lastBytes(append(tail, lastBytes(part)...))
		} else {
			line = append(line, part...)
			tail = lastBytes(line)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(line) > 0:
			return line, tail, nil
		}
		return line, tail, err
	}
}

// lastBytes returns what [jsonrpc.FindID] looks at of the end of a message.
func lastBytes(b []byte) []byte { return b[max(0, len(b)-jsonrpc.TailSize):] }
