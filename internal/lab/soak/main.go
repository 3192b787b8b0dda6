// Command soak puts the whole server under the load of many clients for a long
// time, with faults on both sides. It fails if the server's memory, goroutines or
// descriptors grow:
//
//	go run ./internal/lab/soak -for 30m
//
// The server is a process of its own, so nothing else is measured. It is wired like
// the program, but forgets after seconds what the program keeps for hours: what
// outlives the test would look like growth.
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
		signal.Ignore(os.Interrupt) // the process ends when its input does
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

// options are the flags.
type options struct {
	length  time.Duration // of the load, without the times at rest
	callers int
}

// rounds is the number of loads, each followed by a rest: one every two minutes, and
// at least minRests.
func (o options) rounds() int { return max(minRests, int(o.length/(2*time.Minute))) }

// forget is how long the server keeps a client that vanished, and a run that nobody
// watches.
func (o options) forget() time.Duration { return max(min(o.length/180, 10*time.Second), time.Second) }

// soak runs everything and writes the samples to out. It returns an error if the
// server grew, failed or did not end cleanly.
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
	clients := newClients(s.url, o.callers)
	var rests []sample
	for n := range o.rounds() {
		if err := runLoad(ctx, o, s, clients, out); err != nil {
			return err
		}
		rest, err := waitForRest(ctx, o, s, fresh)
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
	fmt.Fprintf(out, "clients: %s\nupstream: %s\n", clients, up)
	if err := errors.Join(clients.checkErrors(), findGrowth(fresh, rests, last)); err != nil {
		return err
	}
	fmt.Fprintln(out, "level: heap, goroutines and descriptors do not grow")
	return nil
}

// runLoad runs the clients for one round, and returns when all have left. The sample
// under load is only printed: it varies too much to show growth.
func runLoad(ctx context.Context, o options, s *server, clients *clients, out io.Writer) error {
	busy, stop := context.WithCancel(ctx)
	gone := clients.start(busy)
	pause(ctx, o.length/time.Duration(o.rounds()))
	now, err := s.sample()
	stop()
	<-gone
	fmt.Fprintln(out, "load:   ", now)
	return err
}

// waitForRest waits, for a limited time, until the server has forgotten the clients.
// It returns what the server still holds then.
func waitForRest(ctx context.Context, o options, s *server, fresh sample) (sample, error) {
	for end := time.Now().Add(2*o.forget() + 15*time.Second); ; {
		now, err := s.sample()
		if err != nil || atRest(fresh, now) || time.Now().After(end) {
			return now, err
		}
		if !pause(ctx, 500*time.Millisecond) {
			return now, ctx.Err()
		}
	}
}

// pause waits for d. It reports false if ctx ended before.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}
