// Package stdio serves one MCP client over a pair of pipes.
//
// [Serve] starts three goroutines: the reader cuts the input into lines, the
// dispatch loop hands them to a session.Dispatcher, and the writer writes what
// comes of them (lines.go has both ends), so that a client that does not read
// holds up nobody for longer than they want to wait.
package stdio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
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
	go p.readLines(wanted, newLineReader(in, options.LineLimit))
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

// inputLine is what lineReader.nextLine returned.
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
				SendUpdate:         func(_ context.Context, line []byte) error { return writer.WriteNotification(line) },
				Send:               writer.writeLine,
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
func (p *pipe) readLines(wanted context.Context, in *lineReader) {
	defer close(p.readerDone)
	for {
		data, err := in.nextLine()
		isLast := err != nil && !errors.Is(err, errTooLong)
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
			if line.err != nil && !errors.Is(line.err, errTooLong) {
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
