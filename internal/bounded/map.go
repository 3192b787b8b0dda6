// Package bounded provides a map with a limit.
package bounded

import "container/list"

// Map is a map that forgets its oldest entries. An entry that is removed and added
// again, or resized, is the newest. It is not safe for concurrent use.
type Map[K comparable, V any] struct {
	limits   Limits
	elements map[K]*list.Element
	order    list.List // of entry[K, V], the oldest first
	bytes    int       // of all entries
}

// Limits bound a [Map].
type Limits struct {
	Entries int
	// Bytes bounds the sum of the sizes that Add is given. The newest entry stays in
	// any case.
	Bytes int
}

// EntryBytes is what an entry of a map by two strings takes at most, beside their text
// and its value.
const EntryBytes = 224

type entry[K comparable, V any] struct {
	key   K
	value V
	bytes int
}

// New returns an empty Map.
func New[K comparable, V any](limits Limits) *Map[K, V] {
	return &Map[K, V]{limits: limits, elements: map[K]*list.Element{}}
}

// Add adds a value of a size in bytes, unless its key has one. Beyond the limits it
// removes the oldest entries.
func (m *Map[K, V]) Add(key K, value V, bytes int) {
	if m.elements[key] != nil {
		return
	}
	m.elements[key] = m.order.PushBack(entry[K, V]{key, value, bytes})
	m.bytes += bytes
	m.removeOldest()
}

// Resize sets the size of an entry that has changed.
func (m *Map[K, V]) Resize(key K, bytes int) {
	if value, ok := m.Get(key); ok {
		m.Remove(key)
		m.Add(key, value, bytes)
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
		m.bytes -= m.order.Remove(e).(entry[K, V]).bytes
		delete(m.elements, key)
	}
}

// removeOldest removes entries until the limits hold.
func (m *Map[K, V]) removeOldest() {
	for len(m.elements) > 1 && (len(m.elements) > m.limits.Entries || m.bytes > m.limits.Bytes) {
		m.Remove(m.order.Front().Value.(entry[K, V]).key)
	}
}

// Len returns how many entries there are.
func (m *Map[K, V]) Len() int { return len(m.elements) }

// Bytes returns the size of all entries.
func (m *Map[K, V]) Bytes() int { return m.bytes }
