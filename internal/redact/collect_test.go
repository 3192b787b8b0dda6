package redact

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCollector(t *testing.T) {
	var c Collector
	if c.Add() || c.Add("short") || len(c.Secrets()) != 0 {
		t.Errorf("nothing was added, but %q is kept", c.Secrets())
	}
	if !c.Add("secret-one", "secret-two", "secret-one") || c.Add("secret-two", "tiny") {
		t.Error("it does not tell what is new")
	}
	before := c.Secrets()
	c.Add("secret-three")
	if want := []string{"secret-one", "secret-two"}; !slices.Equal(before, want) || !slices.Equal(c.Secrets(), append(want, "secret-three")) {
		t.Errorf("kept %q, then %q", before, c.Secrets())
	}
}

// TestCollectorKnowsTooMany: a Set of the collected secrets is overfull if a Set of
// all would be, and little more than that is collected.
func TestCollectorKnowsTooMany(t *testing.T) {
	number := func(i int) string { return fmt.Sprintf("secret-%06d", i) }
	for name, tt := range map[string]struct {
		secrets  []string
		overfull bool
	}{
		"as many as fit":    {numbered(maxSecrets, number), false},
		"one more":          {numbered(maxSecrets+1, number), true},
		"far more":          {numbered(5*maxSecrets, number), true},
		"short ones, then":  {append(numbered(5*maxSecrets, func(i int) string { return fmt.Sprint(i) }), number(1)), false},
		"as large as fits":  {[]string{strings.Repeat("x", maxSecretBytes)}, false},
		"larger":            {[]string{strings.Repeat("x", maxSecretBytes), number(1), number(2)}, true},
		"far too large one": {[]string{strings.Repeat("x", 9*maxSecretBytes)}, true},
	} {
		var c Collector
		c.Add(tt.secrets...)
		if got := New(c.Secrets()...); got.Overfull() != tt.overfull || New(tt.secrets...).Overfull() != tt.overfull {
			t.Errorf("%s: overfull %t", name, got.Overfull())
		}
		if n := len(c.Secrets()); n > maxSecrets+1 {
			t.Errorf("%s: %d are kept", name, n)
		}
	}
}

func numbered(n int, text func(int) string) (all []string) {
	for i := range n {
		all = append(all, text(i))
	}
	return all
}
