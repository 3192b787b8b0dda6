package main

import (
	"context"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var needBridges = flag.Bool("bridges", false, "measure the generic OpenAPI bridges also; needs npm and node")

// bridgesOfTest says whether tests and benchmarks measure the bridges.
func bridgesOfTest() bridgesWanted {
	if *needBridges {
		return bridgesNeeded
	}
	return noBridges
}

// TestMain runs the tests, or a role in a process that a test started.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && roles()[os.Args[1]] != nil {
		main()
		return
	}
	os.Exit(m.Run())
}

// TestRun measures every load of 1 and 16 callers once, in the shortest slices: each server gives right
// answers, and the report holds each of them. It does not look at times.
func TestRun(t *testing.T) {
	o := options{root: "../../..", out: filepath.Join(t.TempDir(), "bench"), rounds: 1, slice: time.Millisecond, most: 16,
		watched: []int{3}, starts: 1, jobSeconds: 1, bridges: bridgesOfTest()}
	r, err := measure(t.Context(), o, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.failed(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(o.out + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var written report
	if err := json.Unmarshal(data, &written); err != nil {
		t.Fatal(err)
	}
	want := 4 * len(written.loads())
	if o.bridges == bridgesNeeded {
		want += 24 + 12 // of one over HTTP and stdio, and of one over stdio
		if len(written.Jobs) != 9 {
			t.Errorf("jobs: %+v", written.Jobs)
		}
	}
	if len(written.loads()) == 0 || len(written.Cells) != want {
		t.Errorf("%d cells, want %d", len(written.Cells), want)
	}
	if len(written.Parts) == 0 || len(written.Starts) == 0 || written.Starts[0].ProportionalMiB <= 0 {
		t.Errorf("parts %v, starts %v", written.Parts, written.Starts)
	}
	if len(written.Watched) != 1 || written.Watched[0].P50 <= 0 || written.Watched[0].EachKiB == 0 {
		t.Errorf("watched runs: %+v", written.Watched)
	}
	for _, c := range written.Cells {
		if c.Median.CallsPerSecond <= 0 || c.Median.ProcessorTime <= 0 || c.Ratio.P50 <= 0 {
			t.Errorf("%s, %s: %+v", c.Server, c.load, c)
		}
	}
}

// TestSelectLoads holds which loads -only selects.
func TestSelectLoads(t *testing.T) {
	operations := []operation{{name: "get_run"}, {name: "create_run"}}
	if got := selectLoads(operations, options{most: maxCallers}); len(got) != 16 {
		t.Errorf("%d loads, want 16", len(got))
	}
	got := selectLoads(operations, options{most: maxCallers, only: []string{"create_run", "stdio"}})
	if want := []load{{stdio, "create_run", 1}, {stdio, "create_run", 16}}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// TestCheckAnswer holds which answers are right.
func TestCheckAnswer(t *testing.T) {
	op := operation{expected: []byte("run-1")}
	for answer, right := range map[string]bool{
		`{"id":1,"result":{"content":[{"type":"text","text":"{\"runId\":\"run-1\"}"}]}}`: true,
		`{"id":1,"result":{"content":[{"type":"text","text":"run-2"}]}}`:                 false,
		`{"id":1,"result":{"content":[],"text":"run-1","isError":true}}`:                 false,
		`{"id":1,"error":{"code":-32603,"message":"run-1"}}`:                             false,
	} {
		if err := op.checkAnswer([]byte(answer)); (err == nil) != right {
			t.Errorf("%s: %v", answer, err)
		}
	}
}

// TestRatios holds that a ratio is the median of the rounds' ratios, not the ratio of
// the medians.
func TestRatios(t *testing.T) {
	r, l := &report{}, load{httpStateless, "get_run", 1}
	for round, calls := range []map[string]float64{{baseline: 100, ours: 50}, {baseline: 10, ours: 20}, {baseline: 40, ours: 40}} {
		for _, server := range allServers() {
			r.Samples = append(r.Samples, sample{load: l, Server: server, Round: round, Calls: 1, Figures: figures{CallsPerSecond: calls[server]}})
		}
	}
	r.addCells()
	c := r.cellsByLoad()[l][ours]
	if c.Median.CallsPerSecond != 40 || c.Ratio.CallsPerSecond != 1 {
		t.Errorf("median %v, ratio %v, want 40 and 1", c.Median.CallsPerSecond, c.Ratio.CallsPerSecond)
	}
}

// BenchmarkCalls sends calls one after the other to each server, for each operation and
// transport. It reports the processor time of the server per call beside the time.
func BenchmarkCalls(b *testing.B) {
	program, err := buildProgram(b.Context(), "../../..", b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	installed, _, err := installBridges(b.Context(), options{root: "../../..", bridges: bridgesOfTest()})
	if err != nil {
		b.Fatal(err)
	}
	running, err := startServers(context.Background(), program, installed)
	if err != nil {
		b.Fatal(err)
	}
	defer running.stop()
	operations, err := newOperations(b.Context(), running.api.url)
	if err != nil {
		b.Fatal(err)
	}
	if err := running.warmUp(&operations[0]); err != nil {
		b.Fatal(err)
	}
	for i := range operations {
		op := &operations[i]
		for _, transport := range transports() {
			for _, t := range running.targets[transport] {
				name := strings.NewReplacer(" ", "_", ",", "").Replace(op.name + "/" + transport + "/" + t.name)
				b.Run(name, func(b *testing.B) { benchmarkCalls(b, t, transport, op) })
			}
		}
	}
}

func benchmarkCalls(b *testing.B, t *target, transport string, op *operation) {
	c, err := t.open(transport, op, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer c.close()
	before, err := t.process.processorTime()
	if err != nil {
		b.Fatal(err)
	}
	calls := 0
	for b.Loop() {
		if _, err := c.call(); err != nil {
			b.Fatal(err)
		}
		calls++
	}
	after, err := t.process.processorTime()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(microseconds(after-before)/float64(calls), "processor-µs/call")
}
