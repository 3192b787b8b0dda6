// Package stdio serves one MCP client over a pair of pipes.
//
// [Serve] starts three goroutines: the reader cuts the input into lines, the
// dispatch loop hands them to a session.Dispatcher, and the writer writes what
// comes of them, so that a client that does not read
// holds up nobody for longer than they want to wait.
package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/jsonrpc"
	"runs-mcp-server/transport/session"
)

// unreadTimeout is how long the client may leave a line unread at the end. It is
// below the 4 s after which clients kill the process.
const unreadTimeout = 3 * time.Second

// Serve serves one client: messages are lines, and out gets nothing but whole
// messages, one line and one Write each.
//
// It ends in two phases after the end of the input, after an error of in or out,
// and after ctx is done. First all calls are told to stop waiting (Draining),
// and listens end. After ctx is done, new calls are refused with an error, while
// cancellations and pings still count. Calls that are not over within
// Options.Grace are cancelled (ErrShutdown after ctx, else ErrClientGone) and
// have a second to end.
//
// It returns nil when all calls have ended and their answers are written, else
// an error of in or out, or one that says what was left behind. It waits for a
// client that does not read its answers no longer than 3 s.
//
// A blocked Read is woken if in has a SetReadDeadline that works on it (a pipe
// does, a terminal may not). Else its goroutine ends with the next line.
func Serve(ctx context.Context, srv *server.MCPServer, in io.Reader, out io.Writer, options session.Options) error {
	options, err := options.WithDefaults()
	if err != nil {
		return err
	}
	calls, cancelCalls := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancelCalls(nil)
	p := newPipe(srv, out, options)
	wanted, stopReading := context.WithCancel(context.Background())
	defer func() {
		stopReading()
		p.wakeReader(in)
	}()
	go p.out.writeLines()
	go p.readLines(wanted, jsonrpc.NewLineReader(in, options.LineLimit))
	go p.serve(ctx, calls, stopReading)

	cause := session.ErrClientGone
	select {
	case <-p.inputEnded: // dispatchLines drains, after the lines before
	case <-p.out.failed:
		p.dispatcher.Connection.Drain(cause)
	case <-ctx.Done():
		cause = session.ErrShutdown
		p.dispatcher.Connection.Drain(cause)
	}
	return p.finish(cause, cancelCalls, options.Grace)
}

// pipe is one run of Serve.
type pipe struct {
	dispatcher session.Dispatcher
	lineLimit  int
	out        *lineWriter

	lines      chan inputLine
	inputEnded chan struct{} // closed when the input has ended, maybe before all its lines are dispatched
	readerDone chan struct{} // closed when the reader has ended
	served     chan error    // what serve returns, once
}

// inputLine is what jsonrpc.LineReader.NextLine returned.
type inputLine struct {
	data []byte
	err  error
}

func newPipe(srv *server.MCPServer, out io.Writer, options session.Options) *pipe {
	writer := newLineWriter(out)
	return &pipe{
		dispatcher: session.Dispatcher{
			Server: srv,
			Log:    options.Logger,
			Connection: session.NewConnection(session.Config{
				ElicitationTimeout: options.ElicitationTimeout,
				Watch:              options.Watch,
				Tasks:              options.Tasks,
				WatchTask:          options.WatchTask(),
				Skills:             options.Skills,
				SendUpdate:         func(_ context.Context, line []byte) error { return writer.WriteNotification(line) },
				Send:               writer.writeLine,
				Counts:             options.Counts,
				Observe:            options.Observe,
			}),
			Admit: session.AdmitUpTo(options.MaxCalls),
			Calls: new(sync.WaitGroup),
		},
		lineLimit:  options.LineLimit,
		out:        writer,
		lines:      make(chan inputLine),
		inputEnded: make(chan struct{}),
		readerDone: make(chan struct{}),
		served:     make(chan error, 1),
	}
}

// readLines reads lines until the input ends or wanted is done.
func (p *pipe) readLines(wanted context.Context, in *jsonrpc.LineReader) {
	defer close(p.readerDone)
	for {
		data, err := in.NextLine()
		isLast := err != nil && !errors.Is(err, jsonrpc.ErrTooLong)
		if isLast {
			close(p.inputEnded)
		}
		select {
		case p.lines <- inputLine{data, err}:
		case <-wanted.Done():
			return
		}
		if isLast {
			return
		}
	}
}

// serve dispatches lines as long as there is something to do, waits for the
// calls, and ends the writer.
func (p *pipe) serve(ctx, calls context.Context, stopReading func()) {
	err := p.dispatchLines(ctx, calls)
	stopReading()
	p.dispatcher.Calls.Wait()
	p.dispatcher.Connection.AwaitQuestions()
	p.dispatcher.Connection.CloseSubscriptions()
	if failure := p.out.close(); failure != nil {
		err = fmt.Errorf("transport: write to the client: %w", failure)
	}
	p.served <- err
}

// dispatchLines is the loop over the lines. After ctx is done it goes on until
// the calls have ended, but starts no new ones.
func (p *pipe) dispatchLines(ctx, calls context.Context) error {
	done := ctx.Done()
	var callsEnded chan struct{} // made when ctx is done
	for {
		select {
		case line := <-p.lines:
			p.dispatcher.Stopping = ctx.Err() != nil
			if line.err != nil && !errors.Is(line.err, jsonrpc.ErrTooLong) {
				return p.endOfInput(line.err)
			}
			p.dispatchLine(calls, line)
		case <-p.out.failed:
			return nil
		case <-done:
			done, p.dispatcher.Stopping = nil, true
			callsEnded = make(chan struct{})
			go func() {
				p.dispatcher.Calls.Wait() // no call is added any more
				close(callsEnded)
			}()
		case <-callsEnded:
			return nil
		}
	}
}

// dispatchLine dispatches a line, or refuses one that is too long.
func (p *pipe) dispatchLine(calls context.Context, line inputLine) {
	if line.err == nil {
		p.dispatcher.Dispatch(calls, line.data, p.out)
		return
	}
	text := "a line is longer than " + strconv.Itoa(p.lineLimit) + " bytes, the limit for one message"
	p.dispatcher.Refuse(jsonrpc.InvalidRequest(line.data, text), p.out)
}

// endOfInput drains the client and returns the error of the reader, nil if the
// input just ended.
func (p *pipe) endOfInput(err error) error {
	p.dispatcher.Connection.Drain(session.ErrClientGone)
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("transport: read from the client: %w", err)
}

// finish lets the calls end, and cancels those that go on.
func (p *pipe) finish(cause error, cancelCalls context.CancelCauseFunc, grace time.Duration) error {
	go p.out.failIfUnread(unreadTimeout)
	select {
	case err := <-p.served:
		return err
	case <-time.After(grace):
		cancelCalls(cause)
	}
	select {
	case err := <-p.served:
		return err
	case <-time.After(session.CancelTimeout):
		return p.abandon(grace)
	}
}

// abandon gives up on what does not end: calls that ignore their context, or a
// client that does not read.
func (p *pipe) abandon(grace time.Duration) error {
	left := "calls that did not end: " + strconv.Itoa(p.dispatcher.Connection.CallsInFlight())
	if p.out.isWriting() {
		left = "a write the client does not read"
	}
	err := fmt.Errorf("transport: stopped after %s, leaving behind %s", grace, left)
	if first := p.out.fail(err); first != err { // ends those that wait to write
		return fmt.Errorf("%w (before that: %w)", err, first)
	}
	return err
}

// wakeReader ends a Read that blocks, where that can be done.
func (p *pipe) wakeReader(in io.Reader) {
	d, ok := in.(interface{ SetReadDeadline(time.Time) error })
	if !ok || d.SetReadDeadline(time.Now()) != nil {
		return
	}
	<-p.readerDone
	_ = d.SetReadDeadline(time.Time{})
}

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
