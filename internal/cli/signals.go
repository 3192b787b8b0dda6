package cli

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// signalCause is the cause of the program's context after a signal told it to
// stop.
type signalCause struct{ os.Signal }

// Error returns the name of the signal.
func (c signalCause) Error() string { return c.String() }

// NotifyContext returns a context that is done when SIGINT, SIGTERM or SIGHUP
// tells the program to stop. A second signal ends the program at once. A signal
// that was ignored when the program started stays ignored: SIGHUP under nohup,
// SIGINT in the background of a script. SIGPIPE becomes an error of the write.
func NotifyContext() (ctx context.Context, stop func()) {
	signal.Ignore(syscall.SIGPIPE)
	var signals []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signals = append(signals, s)
		}
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	if len(signals) == 0 { // Notify would take that as all signals
		return ctx, func() { cancel(nil) }
	}
	received := make(chan os.Signal, 1)
	signal.Notify(received, signals...)
	go func() {
		select {
		case s := <-received:
			cancel(signalCause{s})
		case <-ctx.Done():
			return
		}
		if s, ok := (<-received).(syscall.Signal); ok {
			os.Exit(128 + int(s))
		}
	}()
	return ctx, func() {
		signal.Stop(received)
		cancel(nil)
	}
}

// receivedSignal returns the signal that ended the program's context, nil if none
// did.
func receivedSignal(ctx context.Context) os.Signal {
	cause, _ := errors.AsType[signalCause](context.Cause(ctx))
	return cause.Signal
}
