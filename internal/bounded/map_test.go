package bounded_test

import (
	"slices"
	"testing"

	"pgregory.net/rapid"

	"runs-mcp-server/internal/bounded"
)

// item is an entry as the model of TestMap has it.
type item struct{ key, value, bytes int }

// TestMap is a map that forgets its oldest entries, whatever is done with it.
func TestMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limits := bounded.Limits{Entries: rapid.IntRange(1, 5).Draw(t, "entries"), Bytes: rapid.IntRange(1, 50).Draw(t, "bytes")}
		m := bounded.New[int, int](limits)
		var items []item // the oldest first
		find := func(key int) int {
			return slices.IndexFunc(items, func(i item) bool { return i.key == key })
		}
		sum := func() (bytes int) {
			for _, i := range items {
				bytes += i.bytes
			}
			return bytes
		}
		push := func(i item) {
			items = append(items, i)
			for len(items) > 1 && (len(items) > limits.Entries || sum() > limits.Bytes) {
				items = items[1:]
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				i := item{rapid.IntRange(0, 9).Draw(t, "key"), rapid.Int().Draw(t, "value"), rapid.IntRange(0, 60).Draw(t, "size")}
				m.Add(i.key, i.value, i.bytes)
				if find(i.key) < 0 {
					push(i)
				}
			},
			"remove": func(t *rapid.T) {
				key := rapid.IntRange(0, 9).Draw(t, "key")
				m.Remove(key)
				items = slices.DeleteFunc(items, func(i item) bool { return i.key == key })
			},
			"resize": func(t *rapid.T) {
				key, bytes := rapid.IntRange(0, 9).Draw(t, "key"), rapid.IntRange(0, 60).Draw(t, "size")
				m.Resize(key, bytes)
				if at := find(key); at >= 0 {
					resized := item{key, items[at].value, bytes}
					items = slices.Delete(items, at, at+1)
					push(resized)
				}
			},
			"": func(t *rapid.T) {
				if m.Len() != len(items) || m.Bytes() != sum() {
					t.Fatalf("%d entries of %d bytes, want %d of %d", m.Len(), m.Bytes(), len(items), sum())
				}
				for key := range 10 {
					var want int
					at := find(key)
					if at >= 0 {
						want = items[at].value
					}
					if got, ok := m.Get(key); ok != (at >= 0) || got != want || m.Has(key) != ok {
						t.Fatalf("%d: %d, %t; want %d, %t", key, got, ok, want, at >= 0)
					}
				}
			},
		})
	})
}
