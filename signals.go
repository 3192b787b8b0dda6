package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// toldToEnd is the cause of the program's context once a signal told it to end.
type toldToEnd struct{ os.Signal }

// Error names the signal.
func (t toldToEnd) Error() string { return t.String() }

// untilSignal returns a context that is done when SIGINT, SIGTERM or SIGHUP
// tells the program to end; its cause is a [toldToEnd]. A signal that was ignored
// when the program started stays ignored: SIGHUP under nohup, SIGINT in a
// script's background. A second signal ends the program at once.
func untilSignal() (ctx context.Context, stop func()) {
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
	told := make(chan os.Signal, 1)
	signal.Notify(told, signals...)
	go func() {
		select {
		case s := <-told:
			cancel(toldToEnd{s})
		case <-ctx.Done():
			return
		}
		// Who tells twice does not want to wait: calls under way may be cut off.
		if s, ok := (<-told).(syscall.Signal); ok {
			os.Exit(128 + int(s))
		}
	}()
	return ctx, func() {
		signal.Stop(told)
		cancel(nil)
	}
}

// endSignal returns the signal that ended the program's context, nil for none.
func endSignal(ctx context.Context) os.Signal {
	told, _ := errors.AsType[toldToEnd](context.Cause(ctx))
	return told.Signal
}
