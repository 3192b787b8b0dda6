package main

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestProcessTree holds that the figures of a process include its descendants.
func TestProcessTree(t *testing.T) {
	command := exec.CommandContext(t.Context(), "sh", "-c", "sh -c 'echo started; read line; :' & read line; wait")
	in, err := command.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	p := &process{command: command}
	if !bufio.NewScanner(out).Scan() {
		t.Fatal("the inner shell did not start")
	}
	tree, err := processTree(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree) != 2 || tree[0] != command.Process.Pid {
		t.Errorf("tree %v of %d, want it and one child", tree, command.Process.Pid)
	}
	own, err := processClock(command.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if both, err := p.processorTime(); err != nil || both <= own {
		t.Errorf("processor time of both %v, of one %v: %v", both, own, err)
	}
	in.Close()
	if err := command.Wait(); err != nil {
		t.Error(err)
	}
}

// TestParseMemory holds which lines are read.
func TestParseMemory(t *testing.T) {
	got, err := parseMemory("00400000-7fff ---p 00000000 00:00 0 [rollup]\nRss:                2048 kB\nPss:                1024 kB\nPss_Anon:            512 kB\n")
	if want := (memory{2048, 1024}); err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if _, err := parseMemory("Rss: 1 kB\n"); err == nil {
		t.Error("no error without Pss")
	}
}

// TestMedian holds the median of odd and even numbers of values.
func TestMedian(t *testing.T) {
	for want, values := range map[float64][]float64{2: {3, 1, 2}, 2.5: {4, 1, 2, 3}, 7: {7}} {
		if got := median(values); got != want {
			t.Errorf("median of %v: %v, want %v", values, got, want)
		}
	}
}

// TestFailedBridge holds that a bridge that failed in one round has the figures of the
// others, and one that failed in all rounds has a reason.
func TestFailedBridge(t *testing.T) {
	l := load{stdio, "get_run", 1}
	r := &report{}
	for round, calls := range []float64{100, 10} {
		r.Samples = append(r.Samples, sample{load: l, Server: baseline, Round: round, Calls: 1, Figures: figures{CallsPerSecond: calls}})
	}
	r.Samples = append(r.Samples,
		sample{load: l, Server: bridge, Round: 0, Failure: "it ended"},
		sample{load: l, Server: bridge, Round: 1, Calls: 1, Figures: figures{CallsPerSecond: 5}},
		sample{load: l, Server: generated, Round: 0, Failed: 1, Failure: "it never answered"},
	)
	r.addCells()
	if c := r.cellsByLoad()[l][bridge]; c.Median.CallsPerSecond != 5 || c.Ratio.CallsPerSecond != 0.5 {
		t.Errorf("%+v, want 5 calls and a ratio of 0.5", c)
	}
	var b strings.Builder
	r.Reasons = []reason{{generated, httpStateful, "it cannot"}}
	r.addLoads(&b, stdio, "calls per second", cell.showCalls)
	r.addReasons(&b, stdio)
	for _, want := range []string{"| get_run | 1 | 55 | 5 (0.50×) | – |", "it ended", "it never answered"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the tables lack %q:\n%s", want, b.String())
		}
	}
	if err := r.failed(); err != nil {
		t.Errorf("a bridge's failure fails the run: %v", err)
	}
}

// TestPackagesSize holds that a package counts once, with all that it depends on, from
// where node finds it.
func TestPackagesSize(t *testing.T) {
	modules := t.TempDir() + "/node_modules"
	for folder, needs := range map[string]string{
		"/@a/main": `"b":"1","c":"1","missing":"1"`, "/b": `"c":"1"`, "/c": "", "/b/node_modules/c": `"d":"1"`, "/d": "", "/other": "",
	} {
		text := `{"dependencies":{` + needs + `}}`
		text += strings.Repeat(" ", 100-len(text))
		if err := os.MkdirAll(modules+folder, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(modules+folder, "package.json"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := packagesSize(modules, "@a/main")
	if want := int64(500); err != nil || got != want { // all but other
		t.Errorf("%d bytes, %v, want %d", got, err, want)
	}
}

// TestOwnerOf holds which module or part of the standard library a symbol is of.
func TestOwnerOf(t *testing.T) {
	modules := []string{"runs-mcp-server", "example.com/a", "example.com/a/v2"}
	for symbol, want := range map[string]string{
		"example.com/a.F":                         "example.com/a",
		"example.com/a/v2/sub.(*T).M":             "example.com/a/v2",
		"example.com/ab.F":                        "the other standard library",
		"runs-mcp-server/tools.(*Set).add":        "runs-mcp-server",
		"crypto/tls.(*Conn).Read":                 "crypto (standard library)",
		"vendor/golang.org/x/net/http2/hpack.New": "net and net/http (standard library)",
		"runtime.gcStart":                         "the runtime",
	} {
		if got := ownerOf(symbol, modules); got != want {
			t.Errorf("%s: %s, want %s", symbol, got, want)
		}
	}
}

// TestReplaceBlock holds that only the text between the marks changes.
func TestReplaceBlock(t *testing.T) {
	got, err := replaceBlock("before\n"+docsBegin+"old\n"+docsEnd+"after\n", "new\n")
	if want := "before\n" + docsBegin + "new\n" + docsEnd + "after\n"; err != nil || got != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
	if _, err := replaceBlock("no marks", "new"); err == nil {
		t.Error("no error without marks")
	}
}

// TestForCaller holds that callers read runs of their own, where an operation has them.
func TestForCaller(t *testing.T) {
	own := operation{name: "own", runs: []string{"a", "b"}}
	for number, id := range []string{"a", "b", "a"} {
		got := own.forCaller(number)
		if got.tool != "get_run" || got.args != `{"runId":"`+id+`"}` || string(got.expected) != id {
			t.Errorf("caller %d: %+v, want run %s", number, got, id)
		}
	}
	if shared := (&operation{tool: "list_runs"}); shared.forCaller(1) != shared {
		t.Error("an operation without runs is another one for a caller")
	}
}

// TestGrouped holds the commas in numbers.
func TestGrouped(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567"} {
		if got := grouped(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}

// TestRatioX holds the scale of the plot: logarithmic, and longer bars end with it.
func TestRatioX(t *testing.T) {
	p := panel{x: 100, lowest: -2}
	for ratio, want := range map[float64]float64{0.25: 100, 1: 100 + 2*octave, 2: 100 + 3*octave, 1000: 100 + panelWidth, 0.001: 100} {
		if got := p.ratioX(ratio); got != want {
			t.Errorf("%v at %v, want %v", ratio, got, want)
		}
	}
}
