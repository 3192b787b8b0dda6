// Command bench measures this server beside what people would use instead, in one run:
//
//	cd internal/lab/bench
//	go run . -bridges -docs         about 20 minutes; writes bench.md, bench.json and bench.svg, and docs/performance.md
//	go run . -quick                 about two minutes; shows only large differences
//	go run . -only get_run,stdio    only loads whose name holds each of these texts
//	go test -bench .                one load after the other, without interleaving
//
// The servers are processes of their own. All of them forward to one sandbox process
// over loopback:
//
//   - runs-mcp-server: the program, built from this repository
//   - mcp-go: the least code that serves the same three tools with mcp-go's own
//     transports. A tool forwards one request to the API and returns the JSON as a text
//   - go-sdk: the same with the official Go SDK
//   - @ivotoby/openapi-mcp-server and openapi-mcp-generator: generic bridges, which make
//     a tool of each operation of an OpenAPI document. Both run on Node.js, and the second
//     one generates a program. .ci/bridges/install installs them in pinned versions
//   - API: no server. The callers send the REST request to the sandbox
//
// Without npm and node the bridges are left out, which the report says. With -bridges
// that is an error. What a bridge cannot do has no figures but a reason.
//
// The loads are get_run of a run with 1, 8 and 500 events, list_runs of 10 runs and
// create_run. All callers read the same run, which our server then reads once for those that
// wait at the same time. One load of 8 events has a run for each caller instead. Callers send one request after the other: 1, 16 or 256 callers over HTTP,
// in 2026-07-28 without a session and in 2025-11-25 with a session per caller, and 1 or
// 16 callers over stdio, which share one session of 2025-11-25.
//
// A round starts new processes and measures each load on each server for a short slice.
// The servers follow each other directly, and the first one changes. A ratio compares a
// server with mcp-go in the same load and round, so a change of the machine's speed
// matters little. The report shows medians over the rounds.
//
// Before the rounds it measures
//
//   - starts: from the start of a process to its answer of initialize over stdio, and the
//     memory then
//   - what our binary consists of
//   - whole jobs: what a model reads and writes to create a run and follow it to its end;
//     see .ci/compare/jobs.mjs
//   - how long our server takes from an event at the API to its notification, and the
//     memory of each watched run, with 1 to 10,000 watched runs. The events come one
//     after the other. The API and the client are in the measuring process
//
// A slice counts calls, their latency at the caller (p50 and p99), and the processor
// time of the server's processes per call, user and system. Each answer is checked: it
// holds the id of the run and is no error. Wrong answers count as no calls, and the command
// fails after it has written the report, unless they are a bridge's. Our server gives up a
// read after 4.5 seconds, so 256 callers of large runs get wrong answers on a busy machine.
//
// The callers and the sandbox share the processor with the server. With 2 cores, calls
// per second depend on all three, and the processor time on the server alone.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	root   string // the folder of the repository
	out    string // the report's files without their extensions
	rounds int
	slice  time.Duration
	only   []string // texts that a load's name must hold
	most   int      // the most callers

	watched    []int // numbers of runs that are watched at the same time
	starts     int   // how often each server is started
	jobSeconds int   // how long a run of a job takes
	bridges    bridgesWanted
	quick      bool
	docs       bool // write docs/performance.md and its plot
}

// run runs the measurement, or serves if the first argument names a role.
func run(ctx context.Context, args []string) error {
	if len(args) > 0 && roles()[args[0]] != nil {
		return roles()[args[0]](ctx, args[1:])
	}
	o, err := parseFlags(args)
	if err != nil {
		return err
	}
	r, err := measure(ctx, o, os.Stderr)
	if err != nil {
		return err
	}
	if o.docs {
		if err := r.publish(o.root); err != nil {
			return err
		}
	}
	return r.failed()
}

func parseFlags(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("bench", flag.ExitOnError)
	flags.StringVar(&o.root, "root", "../../..", "the folder of the repository")
	flags.StringVar(&o.out, "out", "bench", "the report's files without their extensions")
	flags.IntVar(&o.rounds, "rounds", 5, "how many rounds")
	flags.DurationVar(&o.slice, "slice", 500*time.Millisecond, "how long a load runs on one server in a round")
	flags.BoolVar(&o.quick, "quick", false, "two rounds of slices of 100 ms, without 256 callers")
	only := flags.String("only", "", "texts that a load's name must hold, separated by commas")
	needBridges := flags.Bool("bridges", false, "fail if the generic OpenAPI bridges cannot be measured, instead of going without")
	flags.BoolVar(&o.docs, "docs", false, "write the tables and the plot of docs/performance.md also")
	_ = flags.Parse(args) // exits on an error
	o.most, o.watched, o.starts, o.jobSeconds = maxCallers, []int{1, 100, 1000, 10_000}, 20, 30
	if o.quick {
		o.rounds, o.slice, o.most, o.watched, o.starts, o.jobSeconds = 2, 100*time.Millisecond, 16, []int{1, 100}, 3, 6
	}
	if *needBridges {
		o.bridges = bridgesNeeded
	}
	if *only != "" {
		o.only = strings.Split(*only, ",")
	}
	if o.rounds < 1 || o.slice <= 0 || flags.NArg() > 0 {
		return o, fmt.Errorf("want no arguments, at least one round, and a slice above 0")
	}
	return o, nil
}
