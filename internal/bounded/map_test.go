package bounded_test

import (
	"testing"

	"pgregory.net/rapid"

	"runs-mcp-server/internal/bounded"
)

// TestMap is a map that forgets its oldest entries, whatever is done with it.
func TestMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 5).Draw(t, "limit")
		m := bounded.New[int, int](limit)
		var order []int
		values := map[int]int{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				key, value := rapid.IntRange(0, 9).Draw(t, "key"), rapid.Int().Draw(t, "value")
				m.Add(key, value)
				if _, known := values[key]; known {
					return
				}
				values[key], order = value, append(order, key)
				if len(order) > limit {
					delete(values, order[0])
					order = order[1:]
				}
			},
			"remove": func(t *rapid.T) {
				key := rapid.IntRange(0, 9).Draw(t, "key")
				m.Remove(key)
				delete(values, key)
				for i, k := range order {
					if k == key {
						order = append(order[:i:i], order[i+1:]...)
						break
					}
				}
			},
			"": func(t *rapid.T) {
				if m.Len() != len(values) {
					t.Fatalf("%d entries, want %d", m.Len(), len(values))
				}
				for key := range 10 {
					want, known := values[key]
					if got, ok := m.Get(key); ok != known || got != want || m.Has(key) != known {
						t.Fatalf("%d: %d, %t; want %d, %t", key, got, ok, want, known)
					}
				}
			},
		})
	})
}
