package client

import (
	"encoding/json"
	"testing"
)

func TestParseRunID(t *testing.T) {
	for _, tt := range []struct {
		text string
		want RunID
		ok   bool
	}{
		{"123e4567-e89b-12d3-a456-426614174000", "123e4567-e89b-12d3-a456-426614174000", true},
		{"123E4567-E89B-12D3-A456-42661417400F", "123e4567-e89b-12d3-a456-42661417400f", true},
		{"", "", false},
		{"RUN-17", "RUN-17", false},
		{"123e4567e89b12d3a456426614174000", "123e4567e89b12d3a456426614174000", false},
		{"{123e4567-e89b-12d3-a456-42661417400}", "{123e4567-e89b-12d3-a456-42661417400}", false},
	} {
		id, ok := ParseRunID(tt.text)
		if id != tt.want || ok != tt.ok || id.Valid() != tt.ok {
			t.Errorf("%q: got %q, %t, valid %t", tt.text, id, ok, id.Valid())
		}
		var decoded RunID
		if text, _ := json.Marshal(tt.text); json.Unmarshal(text, &decoded) != nil || decoded != tt.want {
			t.Errorf("%q: decoded as %q", tt.text, decoded)
		}
	}
}
