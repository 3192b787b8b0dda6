// Package e2e tests the whole program as its clients see it: who may call and what
// each caller sees, questions, subscriptions, large answers, and official clients.
package e2e

import (
	"testing"

	"runs-mcp-server/internal/lab/program"
)

// TestMain lets the tests start the program as a process; see [program.Main].
func TestMain(m *testing.M) { program.Main(m) }
