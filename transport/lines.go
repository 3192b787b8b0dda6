package transport

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
)

// errTooLong is a line above the limit.
var errTooLong = errors.New("line too long")

// byteOrderMark is what some programs begin UTF-8 text with. It means nothing.
var byteOrderMark = []byte("\xef\xbb\xbf")

// lineReader cuts input into lines of at most limit bytes.
type lineReader struct {
	in    *bufio.Reader
	limit int
	begun bool // a line was read, so no byte order mark can follow
}

// newLineReader reads lines from in.
func newLineReader(in io.Reader, limit int) *lineReader {
	return &lineReader{in: bufio.NewReaderSize(in, 64<<10), limit: limit}
}

// next is the next line that isn't blank, without its end; the caller keeps it.
// A line above the limit is read to its end, holding little more than the limit,
// and reported as errTooLong, with the id of its message instead of it, if there
// is one; the next call goes on after it. A last line needs no line end.
func (r *lineReader) next() ([]byte, error) {
	for {
		line, err := r.line()
		if err != nil || len(bytes.TrimSpace(line)) > 0 {
			return line, err
		}
	}
}

// line is the next line, blank or not.
func (r *lineReader) line() ([]byte, error) {
	var line, tail []byte
	long := false
	for {
		part, err := r.in.ReadSlice('\n')
		if long {
			tail = lastBytes(append(tail, lastBytes(part, tailSize)...), tailSize)
		} else {
			line = append(line, part...)
			tail = lastBytes(line, tailSize)
			// A line that fits may still have a mark before it, and "\r\n" after it.
			long = len(line) > len(byteOrderMark)+r.limit+2
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (len(line) == 0 && !long || !errors.Is(err, io.EOF)):
			return nil, err
		}
		if !r.begun {
			line = bytes.TrimPrefix(line, byteOrderMark)
			r.begun = true
		}
		line = bytes.TrimSuffix(bytes.TrimSuffix(line, []byte("\n")), []byte("\r"))
		if long || len(line) > r.limit {
			return findID(line, tail), errTooLong
		}
		return line, nil
	}
}

// lineWriter writes lines in a goroutine of its own, so that a client that does
// not read holds up nobody for longer than they want to wait.
type lineWriter struct {
	out   io.Writer
	lines chan []byte

	dead chan struct{} // closed when nothing will be written any more
	once sync.Once
	err  error         // why; set before dead is closed
	done chan struct{} // closed when the goroutine has ended

	made    time.Time
	writing atomic.Int64 // 1 + the nanoseconds from made to the begin of the Write under way; 0: none is
}

// newLineWriter makes a writer whose run must be started.
func newLineWriter(out io.Writer) *lineWriter {
	return &lineWriter{
		out:   out,
		made:  time.Now(),
		lines: make(chan []byte),
		dead:  make(chan struct{}),
		done:  make(chan struct{}),
	}
}

// run writes what comes until lines is closed or the writer has failed.
func (w *lineWriter) run() {
	defer close(w.done)
	for {
		select {
		case line, more := <-w.lines:
			if !more {
				return
			}
			w.writing.Store(int64(time.Since(w.made)) + 1)
			_, err := w.out.Write(append(line, '\n'))
			w.writing.Store(0)
			if err != nil {
				w.fail(err)
				return
			}
		case <-w.dead:
			return
		}
	}
}

// fail ends the writing; the first reason stays.
func (w *lineWriter) fail(err error) {
	w.once.Do(func() {
		w.err = err
		close(w.dead)
	})
}

// failUnread fails the writer when the client leaves a line unread for long, from
// now on. It returns when the writer has ended.
func (w *lineWriter) failUnread(long time.Duration) {
	called := time.Since(w.made)
	looks := time.NewTicker(long / 20)
	defer looks.Stop()
	for {
		select {
		case <-looks.C:
		case <-w.done:
			return
		case <-w.dead:
			return
		}
		began := time.Duration(w.writing.Load())
		if began != 0 && time.Since(w.made)-max(began-1, called) >= long {
			w.fail(fmt.Errorf("the client did not read for %s", long))
		}
	}
}

// send implements sink: it returns when the line is next to be written.
func (w *lineWriter) send(line []byte) error { return w.sendUntil(context.Background(), line) }

// sendUntil is send, and gives up when ctx is done.
func (w *lineWriter) sendUntil(ctx context.Context, line []byte) error {
	select {
	case w.lines <- line:
		return nil
	case <-w.dead:
		return w.err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ask implements sink.
func (w *lineWriter) ask(line []byte) error { return w.send(line) }

// answer implements sink.
func (w *lineWriter) answer(a answer) error {
	if a.line == nil {
		return nil
	}
	return w.send(a.line)
}
