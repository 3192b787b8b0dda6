// Command soak lets many clients use the whole server for a long time, with
// faults on both sides of it, and fails where its memory, goroutines or
// descriptors grow:
//
//	go run ./internal/soak -for 30m
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
	length  time.Duration
	callers int
}

// interval is the time between two samples: a minute, or what gives thirty.
func (o options) interval() time.Duration {
	return max(min(o.length/30, time.Minute), 100*time.Millisecond)
}

// forget is after what time the server forgets a client that left without a
// word, and a run that nobody watches.
func (o options) forget() time.Duration { return max(o.interval(), 2*time.Second) }

// soak runs everything, writes what it sees to out, and returns an error if
// the server grew or did not come to rest.
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
	fmt.Fprintln(out, "before:   ", fresh)
	crowd := newCrowd(s.url, o.callers)
	samples, err := watch(ctx, o, s, crowd, out)
	if err != nil {
		return err
	}
	// What is left of clients that went away without a word goes too.
	pause(ctx, 2*o.forget()+5*time.Second)
	rest, err := s.sample()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "at rest:  ", rest)
	last, err := s.end()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "at the end:", last)
	fmt.Fprintf(out, "clients: %s\nupstream: %s\n", crowd, up)
	if err := errors.Join(crowd.blameless(), verdict(fresh, samples, rest, last)); err != nil {
		return err
	}
	fmt.Fprintln(out, "level: heap, goroutines and descriptors do not grow")
	return nil
}

// watch lets the clients do what they do, and takes samples.
func watch(ctx context.Context, o options, s *server, crowd *crowd, out io.Writer) (samples []sample, err error) {
	busy, stop := context.WithTimeout(ctx, o.length)
	defer stop()
	gone := crowd.start(busy)
	defer func() { <-gone }()
	for pause(busy, o.interval()) {
		now, err := s.sample()
		if err != nil {
			stop()
			return nil, err
		}
		samples = append(samples, now)
		fmt.Fprintf(out, "%10s: %s\n", (time.Duration(len(samples)) * o.interval()).Round(time.Second/10), now)
	}
	return samples, ctx.Err()
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
