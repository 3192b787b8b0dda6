// Command soak lets many clients use the whole server for a long time, with
// faults on both sides of it, and fails where its memory, goroutines or
// descriptors grow:
//
//	go run ./internal/lab/soak -for 30m
//
// The server is a process of its own, so that nothing else is measured. It is
// wired as the program wires it, but forgets in minutes what the program keeps
// for hours: kept for longer than the test lasts, that would look like growth.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == serveRole {
		signal.Ignore(os.Interrupt) // it ends with its input
		exit(serve(os.Args[2:], os.Stdin, os.Stdout))
	}
	o := options{}
	flag.DurationVar(&o.length, "for", 30*time.Minute, "how long")
	flag.IntVar(&o.callers, "callers", 24, "how many clients at the same time")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	exit(soak(ctx, o, os.Stdout))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "soak:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// options say how to soak.
type options struct {
	length  time.Duration // of the load, without the rests
	callers int
}

// rounds is after how many equal parts of the load the server comes to rest:
// one every two minutes, and as many as can be judged.
func (o options) rounds() int { return max(fewest, int(o.length/(2*time.Minute))) }

// forget is after what time the server forgets a client that left without a
// word, and a run that nobody watches.
func (o options) forget() time.Duration { return max(min(o.length/180, 10*time.Second), time.Second) }

// soak runs everything, writes what it sees to out, and returns an error if
// the server grew, failed or did not end cleanly.
func soak(ctx context.Context, o options, out io.Writer) error {
	up, err := newUpstream(ctx)
	if err != nil {
		return err
	}
	defer up.close()
	s, err := startServer(up.url, o.forget())
	if err != nil {
		return err
	}
	defer s.kill()
	fresh, err := s.sample()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "before: ", fresh)
	crowd := newCrowd(s.url, o.callers)
	var rests []sample
	for n := range o.rounds() {
		if err := load(ctx, o, s, crowd, out); err != nil {
			return err
		}
		rest, err := settle(ctx, o, s, fresh)
		if err != nil {
			return err
		}
		rests = append(rests, rest)
		fmt.Fprintf(out, "rest %2d: %s\n", n+1, rest)
	}
	last, err := s.end()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ended:  ", last)
	fmt.Fprintf(out, "clients: %s\nupstream: %s\n", crowd, up)
	if err := errors.Join(crowd.blameless(), verdict(fresh, rests, last)); err != nil {
		return err
	}
	fmt.Fprintln(out, "level: heap, goroutines and descriptors do not grow")
	return nil
}

// load lets the clients come for a part of the time, and returns when all have
// gone. Under load there is too much coming and going to tell growth from it.
func load(ctx context.Context, o options, s *server, crowd *crowd, out io.Writer) error {
	busy, stop := context.WithCancel(ctx)
	gone := crowd.start(busy)
	pause(ctx, o.length/time.Duration(o.rounds()))
	now, err := s.sample()
	stop()
	<-gone
	fmt.Fprintln(out, "load:   ", now)
	return err
}

// settle waits until what the clients left is forgotten, but not for ever, and
// returns what the server still holds then.
func settle(ctx context.Context, o options, s *server, fresh sample) (sample, error) {
	for end := time.Now().Add(2*o.forget() + 15*time.Second); ; {
		now, err := s.sample()
		if err != nil || quiet(fresh, now) || time.Now().After(end) {
			return now, err
		}
		if !pause(ctx, 500*time.Millisecond) {
			return now, ctx.Err()
		}
	}
}

// pause reports whether the time passed before the end of ctx.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
