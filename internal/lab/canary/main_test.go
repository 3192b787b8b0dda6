// Package canary puts secrets wherever they may be, lets the API repeat them in every disguise, and looks for them in every byte that leaves.
package canary

import (
	"testing"

	"runs-mcp-server/internal/lab/program"
)

// TestMain runs the program where a test starts it under its own name.
func TestMain(m *testing.M) { program.Main(m) }
