package view

import "testing"

// TestWeight: the weight of a value is about its size when shown, and counts no
// further than the limit.
func TestWeight(t *testing.T) {
	for _, tt := range []struct {
		raw          string
		most, weight int
	}{
		{`[]`, 100, 2},
		{`{}`, 100, 2},
		{`true`, 100, 2},
		{`-12`, 100, 5},
		{`"abc"`, 100, 5},
		{`"\u00e4"`, 100, 4},
		{`[1]`, 100, 6},
		{`[1,2]`, 100, 10},
		{`[[],[]]`, 100, 8},
		{`{"a":1}`, 100, 10},
		{`"abc"`, 5, 5},
		{`"abc"`, 4, 5},
		{`[1,2,3,4,5]`, 7, 8},
		{`"0123456789012"`, 1, 2},
	} {
		if got := weight([]byte(tt.raw), tt.most); got != tt.weight {
			t.Errorf("weight(%s, %d) = %d, want %d", tt.raw, tt.most, got, tt.weight)
		}
	}
}
