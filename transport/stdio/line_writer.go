package stdio

import (
	"context"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"runs-mcp-server/transport/session"
)

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
