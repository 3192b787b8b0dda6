// Package ssecontract runs the public contract suite for clients of event
// streams, launchdarkly/sse-contract-tests, on our decoder. The suite drives a
// service over HTTP; the tests here are that service, with a client around the
// decoder that does what the suite asks of one and our own reader of runs
// leaves out on purpose (redirects, methods, bodies). See docs/sse.md.
//
// The suite's program is built from its own repository. It listens on every
// address, so it runs where there is loopback alone:
//
//	unshare --net --map-root-user sh -c 'ip link set lo up &&
//	  go test ./internal/lab/ssecontract -run TestSuite -v -args -suite /path/to/sse-contract-tests'
package ssecontract

import (
	"context"
	"flag"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

var suite = flag.String("suite", "", "the contract suite's program; without it TestSuite is skipped")

// TestSuite passes when every test of the suite does, and none is skipped.
func TestSuite(t *testing.T) {
	if *suite == "" {
		t.Skip("no -suite: the contract suite is not part of this repository")
	}
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 {
			t.Fatalf("the suite listens on every address, and %s is up: see the head of this file", i.Name)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, *suite, "-url", serve(t), "-host", "127.0.0.1", "-debug").CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
	ran, failed, skipped := tally(string(out))
	t.Logf("%d of %d pass, %d skipped", ran-failed-skipped, ran, skipped)
	if ran == 0 || failed+skipped > 0 {
		t.Error("every test must run and pass")
	}
}

// tally counts the suite's tests, groups left out, by what it prints.
func tally(out string) (ran, failed, skipped int) {
	last := ""
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		switch name, started := strings.CutPrefix(line, "["); {
		case started && strings.HasPrefix(name, strings.TrimSuffix(last, "]")+"/"):
			last = name // the one before was its group
		case started:
			last = name
			ran++
		case strings.HasPrefix(line, "FAILED: "):
			failed++
		case strings.HasPrefix(line, "SKIPPED: "):
			skipped++
		}
	}
	return ran, failed, skipped
}
