// Package bounded provides a map with a limit.
package bounded

import "container/list"

// Map is a map that forgets its oldest entries. An entry that is removed and added
// again is the newest. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	limit    int
	elements map[K]*list.Element
	order    list.List // of entry[K, V], the oldest first
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New returns a Map of at most so many entries.
func New[K comparable, V any](limit int) *Map[K, V] {
	return &Map[K, V]{limit: limit, elements: map[K]*list.Element{}}
}

// Add adds a value, unless its key has one. Beyond the limit it removes the oldest
// entry.
func (m *Map[K, V]) Add(key K, value V) {
	if m.elements[key] != nil {
		return
	}
	m.elements[key] = m.order.PushBack(entry[K, V]{key, value})
	if len(m.elements) > m.limit {
		m.Remove(m.order.Front().Value.(entry[K, V]).key)
	}
}

// Get returns the value of a key, and whether it has one.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	if e := m.elements[key]; e != nil {
		return e.Value.(entry[K, V]).value, true
	}
	return value, false
}

// Has reports whether a key has a value.
func (m *Map[K, V]) Has(key K) bool { return m.elements[key] != nil }

// Remove removes a key.
func (m *Map[K, V]) Remove(key K) {
	if e := m.elements[key]; e != nil {
		m.order.Remove(e)
		delete(m.elements, key)
	}
}

// Len returns how many entries there are.
func (m *Map[K, V]) Len() int { return len(m.elements) }
