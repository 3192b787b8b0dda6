package approval

import (
	"cmp"
	"slices"
)

// maxRemembered is how many entries a memory has that sets no limit of its own.
const maxRemembered = 10_000

// memory is a map that forgets its oldest entries. The zero value is empty.
type memory[K comparable, V any] struct {
	of    map[K]V
	order []K
	limit int // 0: maxRemembered
}

// add remembers a value, unless its key has one.
func (m *memory[K, V]) add(k K, v V) {
	if _, known := m.of[k]; known {
		return
	}
	if m.of == nil {
		m.of = map[K]V{}
	}
	m.of[k] = v
	m.order = append(m.order, k)
	if len(m.order) > cmp.Or(m.limit, maxRemembered) {
		m.remove(m.order[0])
	}
}

func (m *memory[K, V]) remove(k K) {
	delete(m.of, k)
	if i := slices.Index(m.order, k); i >= 0 {
		m.order = slices.Delete(m.order, i, i+1)
	}
}
