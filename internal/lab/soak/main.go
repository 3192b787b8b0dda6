// Command soak puts the whole server under the load of many good clients for a long
// time, with faults of the API and, every other minute, hostile callers:
//
//	go run ./internal/lab/soak -for 30m
//
// It fails in three cases:
//   - The server's memory, goroutines or descriptors grow from one rest to the next.
//   - A call of a good client fails, and not by a fault of the API. In a run of less than
//     10 minutes timeouts are short, so only internal errors count.
//   - The 99th percentile of a kind of call is more than twice as long beside hostile
//     callers. Clients for whom the API has no faults measure that.
//
// The clients and the API are in this process. The server is a process of its own, so
// its memory is measured alone. So are the hostile callers, with the lowest priority:
// they would have machines of their own, and what they cost themselves must not slow down
// the clients. It is wired like the program, but forgets after seconds
// what the program keeps for hours: what outlives the test would look like growth.
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
	if ran, err := runRole(os.Args[1:]); ran {
		exit(err)
	}
	o := options{}
	flag.DurationVar(&o.length, "for", 30*time.Minute, "how long")
	flag.IntVar(&o.callers, "callers", 24, "how many clients at the same time")
	flag.BoolVar(&o.hostile, "hostile", true, "hostile callers in every other round")
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
	hostile bool
}

// phaseOf returns who calls in a round. The first has good clients alone: the API comes
// to know their keys.
func (o options) phaseOf(round int) phase {
	if o.hostile && round%2 == 1 {
		return besideHostile
	}
	return goodAlone
}

// rounds is the number of loads, each followed by a rest: one every minute, and at least
// minRests.
func (o options) rounds() int { return max(minRests, int(o.length/time.Minute)) }

// forget is how long the server keeps a client that vanished, and a run that nobody
// watches.
func (o options) forget() time.Duration { return max(min(o.length/60, maxForget), time.Second) }

// maxForget is that time in a run of 10 minutes or more.
const maxForget = 10 * time.Second

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
	fmt.Fprintln(out, "before:  ", fresh)
	m := measurement{options: o, server: s, clients: newClients(s.url, o.callers), fresh: fresh, out: out}
	for n := range o.rounds() {
		if err := m.runRound(ctx, o.phaseOf(n)); err != nil {
			return err
		}
	}
	last, err := s.end()
	if err != nil {
		return err
	}
	fmt.Fprintln(out, "ended:   ", last)
	fmt.Fprintf(out, "clients: %s\nupstream: %s\n%s", m.clients, up, &m.clients.timed)
	if err := errors.Join(m.clients.checkErrors(o.forget() < maxForget), m.clients.timed.checkSlowdown(), findGrowth(fresh, m.rests, last)); err != nil {
		return err
	}
	fmt.Fprintln(out, "level: memory, goroutines and descriptors do not grow")
	return nil
}

// measurement is a server under load, and its samples.
type measurement struct {
	options
	server  *server
	clients *clients
	fresh   sample   // before any load
	rests   []sample // after each round
	out     io.Writer
}

// runRound runs a load and the rest after it.
func (m *measurement) runRound(ctx context.Context, p phase) error {
	if p == goodAlone {
		return m.runLoad(ctx, p, func() error { return nil })
	}
	a, err := startAttackers(m.server.url)
	if err != nil {
		return err
	}
	return errors.Join(m.runLoad(ctx, p, a.stop), a.close())
}

// runLoad runs the good clients for one round, and takes a sample when all callers have
// left. stopAttacks stops the hostile ones.
func (m *measurement) runLoad(ctx context.Context, p phase, stopAttacks func() error) error {
	busy, stop := context.WithCancel(ctx)
	defer stop()
	m.clients.timed.startRound(p)
	gone := m.clients.start(busy)
	pause(ctx, m.length/time.Duration(m.rounds()))
	now, err := m.server.sample() // only printed: it varies too much to show growth
	stop()
	err = errors.Join(err, stopAttacks())
	<-gone
	if err != nil {
		return err
	}
	fmt.Fprintf(m.out, "%-8s  %s\n", p.String()+":", now)
	rest, err := m.waitForRest(ctx)
	fmt.Fprintf(m.out, "at rest:  %s\n", rest)
	m.rests = append(m.rests, rest)
	return err
}

// waitForRest waits, for a limited time, until the server has forgotten the clients.
// It returns what the server still holds then.
func (m *measurement) waitForRest(ctx context.Context) (sample, error) {
	for end := time.Now().Add(2*m.forget() + 15*time.Second); ; {
		now, err := m.server.sample()
		if err != nil || atRest(m.fresh, now) || time.Now().After(end) {
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
