// Package e2e tests the whole program over HTTP: who may call, what each caller sees, what they are asked.
package e2e

import (
	"testing"

	"runs-mcp-server/internal/lab/program"
)

// TestMain runs the program where a test starts it under its own name.
func TestMain(m *testing.M) { program.Main(m) }
