package stdio

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"runs-mcp-server/transport/jsonrpc"
	"runs-mcp-server/transport/session"
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

// lineWriter writes lines in a goroutine of its own. It is the session.Sink of a
// pipe.
type lineWriter struct {
	out   io.Writer
	lines chan []byte
	done  chan struct{} // closed when the goroutine has ended

	failed   chan struct{} // closed when nothing will be written any more
	failOnce sync.Once
	err      error // why; set before failed is closed

	start        time.Time
	writingSince atomic.Int64 // 1 + the nanoseconds from start to the beginning of the Write under way; 0: none is
}

// newLineWriter returns a writer whose writeLines must be started.
func newLineWriter(out io.Writer) *lineWriter {
	return &lineWriter{
		out:    out,
		lines:  make(chan []byte),
		done:   make(chan struct{}),
		failed: make(chan struct{}),
		start:  time.Now(),
	}
}

// writeLines writes what comes until the writer is closed or has failed.
func (w *lineWriter) writeLines() {
	defer close(w.done)
	for {
		select {
		case line, more := <-w.lines:
			if !more {
				return
			}
			w.writingSince.Store(int64(time.Since(w.start)) + 1)
			_, err := w.out.Write(append(line, '\n'))
			w.writingSince.Store(0)
			if err != nil {
				w.fail(err)
				return
			}
		case <-w.failed:
			return
		}
	}
}

// WriteNotification implements session.Sink.
func (w *lineWriter) WriteNotification(line []byte) error {
	return w.writeLine(context.Background(), line)
}

// WriteRequest implements session.Sink.
func (w *lineWriter) WriteRequest(line []byte) error {
	return w.writeLine(context.Background(), line)
}

// WriteAnswer implements session.Sink.
func (w *lineWriter) WriteAnswer(a session.Answer) error {
	if a.Line == nil {
		return nil
	}
	return w.writeLine(context.Background(), a.Line)
}

// writeLine returns when the line is the next to be written, or ctx is done.
func (w *lineWriter) writeLine(ctx context.Context, line []byte) error {
	select {
	case w.lines <- line:
		return nil
	case <-w.failed:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// close ends the goroutine when all lines are written, and returns why they were
// not. Nothing may be written any more.
func (w *lineWriter) close() error {
	close(w.lines)
	select {
	case <-w.done:
	case <-w.failed:
	}
	select {
	case <-w.failed:
		return w.err
	default:
		return nil
	}
}

// fail ends the writing. It returns the first error it was called with.
func (w *lineWriter) fail(err error) (first error) {
	w.failOnce.Do(func() {
		w.err = err
		close(w.failed)
	})
	return w.err
}

// isWriting reports whether a Write is under way.
func (w *lineWriter) isWriting() bool { return w.writingSince.Load() != 0 }

// failIfUnread fails the writer when the client leaves a line unread for longer
// than timeout from now on. It returns when the writer has ended.
func (w *lineWriter) failIfUnread(timeout time.Duration) {
	called := time.Since(w.start)
	ticker := time.NewTicker(timeout / 20)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-w.done:
			return
		case <-w.failed:
			return
		}
		since := time.Duration(w.writingSince.Load())
		if since != 0 && time.Since(w.start)-max(since-1, called) >= timeout {
			w.fail(fmt.Errorf("the client did not read for %s", timeout))
		}
	}
}
