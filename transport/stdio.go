package transport

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// ServeStdio serves one client over a pair of pipes: messages are lines, and
// out gets nothing but whole messages, one line and one Write each.
//
// It ends in two phases after the end of the input, after an error of in or out,
// and after ctx is done. First all calls are told to stop waiting (Draining);
// listens end. After ctx is done, new calls are refused with an error from then
// on, while cancellations and pings still count. Calls that are not over within
// Options.Grace are cancelled (ErrShutdown after ctx, else ErrClientGone) and
// have a second to end.
//
// It returns nil when all calls have ended and their answers are written, else
// an error of in or out, or one that says what was left behind. A client that
// does not read its answers meanwhile is waited for no longer than 3 s.
//
// A Read that blocks is woken if in has SetReadDeadline that works on it (a pipe
// does, a terminal may not), else its goroutine ends with the next line.
func ServeStdio(ctx context.Context, srv *server.MCPServer, in io.Reader, out io.Writer, opts Options) error {
	opts, err := opts.checked()
	if err != nil {
		return err
	}
	calls, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	defer cancel(nil)
	lines := newLineWriter(out)
	l := &stdio{
		dispatcher: dispatcher{
			runner: runner{srv: srv, log: opts.Logger},
			peer:   newPeer(opts, func(_ context.Context, line []byte) error { return lines.send(line) }, lines.sendUntil),
			enter:  slots(opts.MaxCalls),
			calls:  new(sync.WaitGroup),
		},
		limit:  opts.LineLimit,
		out:    lines,
		lines:  make(chan inputLine),
		last:   make(chan struct{}),
		read:   make(chan struct{}),
		served: make(chan error, 1),
	}
	wanted, stop := context.WithCancel(context.Background())
	defer func() {
		stop()
		l.wake(in)
	}()
	go l.out.run()
	go l.reading(wanted, newLineReader(in, opts.LineLimit))
	go l.serve(ctx, calls, stop)

	cause := ErrClientGone
	select {
	case <-l.last: // dispatch drains, after the lines before
	case <-l.out.dead:
		l.peer.drain(cause)
	case <-ctx.Done():
		cause = ErrShutdown
		l.peer.drain(cause)
	}
	return l.finish(cause, cancel, opts.Grace)
}

// stdio is one run of ServeStdio.
type stdio struct {
	dispatcher
	limit int
	out   *lineWriter

	lines  chan inputLine
	last   chan struct{} // closed when the input has ended, maybe before all its lines are dispatched
	read   chan struct{} // closed when the reader has ended
	served chan error    // what serve returns, once
}

// inputLine is what lineReader.next returned.
type inputLine struct {
	data []byte
	err  error
}

// reading reads lines until the input ends or wanted is done.
func (l *stdio) reading(wanted context.Context, in *lineReader) {
	defer close(l.read)
	for {
		data, err := in.next()
		last := err != nil && !errors.Is(err, errTooLong)
		if last {
			close(l.last)
		}
		select {
		case l.lines <- inputLine{data, err}:
		case <-wanted.Done():
			return
		}
		if last {
			return
		}
	}
}

// serve dispatches lines as long as there is something to do, waits for the
// calls, and ends the writer.
func (l *stdio) serve(ctx, calls context.Context, stop func()) {
	err := l.dispatch(ctx, calls)
	stop()
	l.calls.Wait()
	l.peer.awaitWithdrawn()
	l.peer.subs.close()
	close(l.out.lines)
	select {
	case <-l.out.done:
	case <-l.out.dead:
	}
	select {
	case <-l.out.dead:
		err = fmt.Errorf("transport: write to the client: %w", l.out.err)
	default:
	}
	l.served <- err
}

// dispatch is the loop over the lines. After ctx is done it goes on until the
// calls have ended, but begins no new ones.
func (l *stdio) dispatch(ctx, calls context.Context) error {
	done := ctx.Done()
	var ended chan struct{} // after done: closed when the calls have ended
	for {
		select {
		case line := <-l.lines:
			l.shut = ctx.Err() != nil
			switch {
			case errors.Is(line.err, errTooLong):
				l.refuse(&refusal{id: line.data, code: mcp.INVALID_REQUEST, text: "invalid request: a line is longer than " +
					strconv.Itoa(l.limit) + " bytes, the limit for one message"}, l.out)
			case errors.Is(line.err, io.EOF):
				l.peer.drain(ErrClientGone)
				return nil
			case line.err != nil:
				l.peer.drain(ErrClientGone)
				return fmt.Errorf("transport: read from the client: %w", line.err)
			default:
				l.data(calls, line.data, l.out)
			}
		case <-l.out.dead:
			return nil
		case <-done:
			done, l.shut = nil, true
			ended = make(chan struct{})
			go func() {
				l.calls.Wait() // nobody adds to them any more
				close(ended)
			}()
		case <-ended:
			return nil
		}
	}
}

// finish lets the calls end, and cancels those that go on.
func (l *stdio) finish(cause error, cancel context.CancelCauseFunc, grace time.Duration) error {
	go l.out.failUnread(unreadTimeout)
	select {
	case err := <-l.served:
		return err
	case <-time.After(grace):
		cancel(cause)
	}
	select {
	case err := <-l.served:
		return err
	case <-time.After(lastMoment):
		return l.abandon(grace)
	}
}

// abandon gives up on what does not end: calls that don't mind their context,
// or a client that doesn't read.
func (l *stdio) abandon(grace time.Duration) error {
	what := "calls that did not end: " + strconv.Itoa(l.peer.inFlight())
	if l.out.writing.Load() != 0 {
		what = "a write the client does not read"
	}
	err := fmt.Errorf("transport: stopped after %s, leaving behind %s", grace, what)
	l.out.fail(err) // ends what waits to write
	if first := l.out.err; first != err {
		return fmt.Errorf("%w (before that: %w)", err, first)
	}
	return err
}

// wake gets the reader out of a Read that blocks, where that can be done.
func (l *stdio) wake(in io.Reader) {
	d, ok := in.(interface{ SetReadDeadline(time.Time) error })
	if !ok || d.SetReadDeadline(time.Now()) != nil {
		return
	}
	<-l.read
	_ = d.SetReadDeadline(time.Time{})
}
