// Package e2e tests the whole program as its clients see it: who may call and what
// each caller sees, questions, subscriptions, large answers, and official clients.
package e2e

import (
	"flag"
	"testing"

	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// TestMain lets the tests start the program as a process; see [program.Main]. It runs four
// parallel tests at a time on any machine: they wait more than they work.
func TestMain(m *testing.M) {
	if err := flag.Set("test.parallel", "4"); err != nil {
		panic(err)
	}
	program.Main(m)
}

// startSandbox starts a sandbox, which ends with the test. It accepts the keys, or the
// default key if there are none.
func startSandbox(t *testing.T, keys ...string) *sandbox.Server {
	t.Helper()
	box, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	return box
}
