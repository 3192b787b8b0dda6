// Package bounded has a map of a fixed size.
package bounded

import "container/list"

// Map is a map that forgets its oldest entries. It is not safe for concurrent
// use.
type Map[K comparable, V any] struct {
	limit int
	of    map[K]*list.Element
	order list.List // of entry[K, V], the oldest first
}

type entry[K comparable, V any] struct {
	key   K
	value V
}

// New returns a Map of at most so many entries.
func New[K comparable, V any](limit int) *Map[K, V] {
	return &Map[K, V]{limit: limit, of: map[K]*list.Element{}}
}

// Add puts a value, unless its key has one. Beyond the limit the oldest entry goes.
func (m *Map[K, V]) Add(key K, value V) {
	if m.of[key] != nil {
		return
	}
	m.of[key] = m.order.PushBack(entry[K, V]{key, value})
	if len(m.of) > m.limit {
		m.Remove(m.order.Front().Value.(entry[K, V]).key)
	}
}

// Get returns the value of a key, and whether there is one.
func (m *Map[K, V]) Get(key K) (value V, ok bool) {
	if e := m.of[key]; e != nil {
		return e.Value.(entry[K, V]).value, true
	}
	return value, false
}

// Has reports whether there is a value of a key.
func (m *Map[K, V]) Has(key K) bool { return m.of[key] != nil }

// Remove removes a key.
func (m *Map[K, V]) Remove(key K) {
	if e := m.of[key]; e != nil {
		m.order.Remove(e)
		delete(m.of, key)
	}
}

// Len returns how many entries there are.
func (m *Map[K, V]) Len() int { return len(m.of) }
