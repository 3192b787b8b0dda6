package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
)

// load is what callers do.
type load struct {
	Transport string `json:"transport"`
	Operation string `json:"operation"`
	Callers   int    `json:"callers"`
}

func (l load) String() string {
	return fmt.Sprintf("%s, %s, %d callers", l.Transport, l.Operation, l.Callers)
}

// sample is one slice: a load on one server.
type sample struct {
	load
	Server  string        `json:"server"`
	Round   int           `json:"round"`
	Figures figures       `json:"figures"`
	Length  time.Duration `json:"lengthNanoseconds"`
	Calls   int           `json:"calls"`            // with a right answer
	Failed  int           `json:"failed,omitempty"` // others
	Failure string        `json:"failure,omitempty"`
}

// figures are what a slice measures.
type figures struct {
	CallsPerSecond float64 `json:"callsPerSecond"`
	P50            float64 `json:"p50Microseconds"`
	P99            float64 `json:"p99Microseconds"`
	ProcessorTime  float64 `json:"processorMicrosecondsPerCall"` // of the server's processes
	AnswerBytes    float64 `json:"answerBytes"`                  // without HTTP headers
}

// measure runs all rounds. It tells its progress in lines, and writes the report after
// each round: an error in a later round does not lose it.
func measure(ctx context.Context, o options, progress io.Writer) (*report, error) {
	begin := time.Now()
	folder, err := os.MkdirTemp("", "bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(folder)
	program, err := buildProgram(ctx, o.root, folder)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(program)
	if err != nil {
		return nil, err
	}
	b, reasons, err := installBridges(ctx, o)
	if err != nil {
		return nil, err
	}
	r := newReport(o, b)
	r.Program, r.Reasons = info.Size(), reasons
	for _, missing := range reasons {
		fmt.Fprintf(progress, "not measured: %s, %s: %s\n", missing.Server, cmp.Or(missing.Transport, "at all"), missing.Text)
	}
	if r.Parts, err = binaryParts(program); err != nil {
		return nil, err
	}
	if r.Starts, err = measureStarts(ctx, program, b, o.starts); err != nil {
		return nil, err
	}
	if b != nil {
		if r.Jobs, err = measureJobs(ctx, o.root, program, o.jobSeconds); err != nil {
			return nil, err
		}
	}
	fmt.Fprintf(progress, "starts and jobs: %.0f s\n", time.Since(begin).Seconds())
	if r.Watched, err = measureWatched(ctx, program, o.watched); err != nil {
		return nil, err
	}
	for round := range o.rounds {
		start := time.Now()
		samples, err := measureRound(ctx, o, program, b, round, progress)
		if err != nil {
			return nil, err
		}
		r.Samples, r.Rounds = append(r.Samples, samples...), round+1
		if err := r.write(o.out); err != nil {
			return nil, err
		}
		fmt.Fprintf(progress, "round %d of %d: %.0f s\n", round+1, o.rounds, time.Since(start).Seconds())
	}
	return r, nil
}

// measureRound measures each load on each server.
func measureRound(ctx context.Context, o options, program string, b *bridges, round int, progress io.Writer) ([]sample, error) {
	running, err := startServers(ctx, program, b)
	if err != nil {
		return nil, err
	}
	defer running.stop()
	own, err := newOwnRuns(ctx, running.api.url, o.most)
	if err != nil {
		return nil, err
	}
	operations, err := newOperations(ctx, running.api.url)
	if err != nil {
		return nil, err
	}
	operations = slices.Insert(operations, 2, own) // after the same with one run
	if err := running.warmUp(&operations[0]); err != nil {
		return nil, err
	}
	var samples []sample
	for turn, l := range selectLoads(operations, o) {
		targets := running.targets[l.Transport]
		op := operations[slices.IndexFunc(operations, func(op operation) bool { return op.name == l.Operation })]
		for i := range targets {
			t := targets[(i+turn+round)%len(targets)]
			s, err := measureTarget(ctx, t, l, &op, o.slice)
			if err != nil {
				return nil, fmt.Errorf("%s, %s: %w", t.name, l, err)
			}
			s.Round = round
			if s.Failure != "" {
				fmt.Fprintf(progress, "%s, %s: %d right and %d wrong answers: %s\n", t.name, l, s.Calls, s.Failed, s.Failure)
			}
			samples = append(samples, s)
		}
	}
	return samples, nil
}

// measureTarget measures a load on one server. A bridge that fails gets a sample without
// figures.
func measureTarget(ctx context.Context, t *target, l load, op *operation, length time.Duration) (sample, error) {
	if t.broken != nil {
		return sample{load: l, Server: t.name, Failure: t.broken.Error()}, nil
	}
	s, err := measureSlice(ctx, t, l, op, length)
	if err == nil || !t.isBridge || ctx.Err() != nil {
		return s, err
	}
	return sample{load: l, Server: t.name, Failure: err.Error()}, nil
}

// selectLoads returns the loads whose name holds all texts of -only.
func selectLoads(operations []operation, o options) (loads []load) {
	callers := map[string][]int{httpStateless: {1, 16, maxCallers}, httpStateful: {1, 16, maxCallers}, stdio: {1, 16}}
	for _, op := range operations {
		for _, transport := range transports() {
			for _, n := range callers[transport] {
				l := load{transport, op.name, n}
				unwanted := slices.ContainsFunc(o.only, func(text string) bool { return !strings.Contains(l.String(), text) })
				if !unwanted && n <= o.most {
					loads = append(loads, l)
				}
			}
		}
	}
	return loads
}

// measureSlice opens the callers, warms up for a fifth of the length, and measures.
func measureSlice(ctx context.Context, t *target, l load, op *operation, length time.Duration) (sample, error) {
	callers, err := openCallers(t, l, op)
	defer closeCallers(callers)
	if err != nil {
		return sample{}, err
	}
	if _, err := runCallers(ctx, callers, length/5); err != nil {
		return sample{}, err
	}
	runtime.GC() // of this process, so that no slice pays for another one
	before, err := t.process.processorTime()
	if err != nil {
		return sample{}, err
	}
	counts, err := runCallers(ctx, callers, length)
	if err != nil {
		return sample{}, err
	}
	after, err := t.process.processorTime()
	if err != nil {
		return sample{}, err
	}
	return newSample(t.name, l, counts, after-before), nil
}

// openCallers opens the callers of a load. After an error it returns those it opened.
func openCallers(t *target, l load, op *operation) ([]caller, error) {
	var callers []caller
	for i := range l.Callers {
		c, err := t.open(l.Transport, op, i)
		if err != nil {
			return callers, err
		}
		callers = append(callers, c)
	}
	return callers, nil
}

func closeCallers(callers []caller) {
	for _, c := range callers {
		c.close()
	}
}

// counts is what callers did.
type counts struct {
	latencies []time.Duration // one per right answer
	bytes     int             // of the right answers
	failed    int             // wrong answers
	failure   error           // why, of one of them
	length    time.Duration   // until the last answer
}

// runCallers lets all callers call for a time, and waits for their last answers.
func runCallers(ctx context.Context, callers []caller, length time.Duration) (counts, error) {
	var group sync.WaitGroup
	each, errs := make([]counts, len(callers)), make([]error, len(callers))
	start := time.Now()
	for i, c := range callers {
		group.Go(func() { each[i], errs[i] = runCaller(ctx, c, start.Add(length)) })
	}
	group.Wait()
	all := counts{length: time.Since(start)}
	for i := range each {
		if errs[i] != nil {
			return all, errs[i]
		}
		all.latencies = append(all.latencies, each[i].latencies...)
		all.bytes += each[i].bytes
		all.failed += each[i].failed
		all.failure = cmp.Or(all.failure, each[i].failure)
	}
	if len(all.latencies) == 0 {
		return all, all.failure
	}
	return all, nil
}

// runCaller calls at least once. It counts wrong answers, and ends with another error.
func runCaller(ctx context.Context, c caller, end time.Time) (done counts, err error) {
	for begin := time.Now(); ; {
		n, err := c.call()
		now := time.Now()
		if _, wrong := errors.AsType[wrongAnswer](err); wrong {
			done.failed, done.failure = done.failed+1, err
		} else if err != nil {
			return done, err
		} else {
			done.latencies, done.bytes = append(done.latencies, now.Sub(begin)), done.bytes+n
		}
		if now.After(end) || ctx.Err() != nil {
			return done, ctx.Err()
		}
		begin = now
	}
}

func newSample(server string, l load, c counts, processor time.Duration) sample {
	latencies := sortedDurations(c.latencies)
	calls := len(latencies)
	s := sample{load: l, Server: server, Length: c.length, Calls: calls, Failed: c.failed, Figures: figures{
		CallsPerSecond: float64(calls) / c.length.Seconds(),
		P50:            microseconds(latencies[calls/2]),
		P99:            microseconds(latencies[calls*99/100]),
		ProcessorTime:  microseconds(processor) / float64(calls),
		AnswerBytes:    float64(c.bytes) / float64(calls),
	}}
	if c.failure != nil {
		s.Failure = c.failure.Error()
	}
	return s
}

func sortedDurations(d []time.Duration) []time.Duration { return slices.Sorted(slices.Values(d)) }

func microseconds(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
