// Package canary puts a secret into every field that may hold one, has an API repeat
// the secrets in every encoding, and searches every byte that leaves the server for
// them.
package canary

import (
	"testing"

	"runs-mcp-server/internal/lab/program"
)

// TestMain lets the tests start the program as a process; see [program.Main].
func TestMain(m *testing.M) { program.Main(m) }
