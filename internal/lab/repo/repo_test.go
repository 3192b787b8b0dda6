// Package repo checks the repository itself: which package imports which, that
// nothing is shared between callers unless a reason is given, and that the docs
// say what the code does.
package repo

import (
	"fmt"
	"os"
	"testing"
)

// TestMain runs the checks in the root of the repository.
func TestMain(m *testing.M) {
	if err := os.Chdir("../../.."); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
