package view

import (
	"iter"
	"slices"
)

const (
	// longKey and shortKey are how many bytes a form is filed under.
	longKey, shortKey = 8, minSecret
	// maxPlaces is how many places of a form are tried for a rare key.
	maxPlaces = 32
	// maxShared is how many forms one key may hold when tokens are added that
	// a run can make up: with many under one key every search would be slow.
	// The parts of real tokens are random; they never come near.
	maxShared = 8
)

// form is a text that a secret may appear as.
type form struct {
	text, secret string
	at           int // where in text its key stands
}

// index files forms under a few bytes of theirs that few others share, so that
// a search looks once per byte of text however many forms begin alike: all
// tokens of one kind do.
type index struct {
	long, short map[uint64][]form
}

// shelf returns the map for a form and the size of its keys.
func (x *index) shelf(text string) (map[uint64][]form, int) {
	if x.long == nil {
		x.long, x.short = map[uint64][]form{}, map[uint64][]form{}
	}
	if len(text) >= longKey {
		return x.long, longKey
	}
	return x.short, shortKey
}

// places yields where the key of a form may stand, the end first: tokens of
// one kind begin alike and end in what is random.
func places(length, key int) iter.Seq[int] {
	return func(yield func(int) bool) {
		last := length - key
		for at := last; at >= 0 && yield(at); at -= max(1, last/maxPlaces) {
		}
	}
}

// add files a form under its rarest key, or, when it may be dropped, not at
// all if even that is crowded.
func (x *index) add(f form, droppable bool) {
	shelf, size := x.shelf(f.text)
	fewest := -1
	for at := range places(len(f.text), size) {
		n := len(shelf[keyOf(f.text[at:at+size])])
		if fewest < 0 || n < fewest {
			f.at, fewest = at, n
		}
		if n == 0 {
			break
		}
	}
	if droppable && fewest >= maxShared {
		return
	}
	k := keyOf(f.text[f.at : f.at+size])
	shelf[k] = append(shelf[k], f)
}

// remove takes out the form of one secret, not the same text of another.
func (x *index) remove(f form) {
	shelf, size := x.shelf(f.text)
	for at := range places(len(f.text), size) {
		k := keyOf(f.text[at : at+size])
		held := slices.DeleteFunc(shelf[k], func(h form) bool { return h.text == f.text && h.secret == f.secret })
		if len(held) == 0 {
			delete(shelf, k)
		} else {
			shelf[k] = held
		}
	}
}

// search calls hit with every form in text and its bounds until it returns
// false. Up to slack bytes may differ at a form's beginning, as long as
// [longKey] bytes are left that do not.
func (x *index) search(text string, slack int, hit func(f form, from, to int) bool) {
	searchShelf(x.long, longKey, text, slack, hit)
	searchShelf(x.short, shortKey, text, 0, hit)
}

func searchShelf(shelf map[uint64][]form, size int, text string, slack int, hit func(f form, from, to int) bool) {
	if len(shelf) == 0 || len(text) < size {
		return
	}
	k := keyOf(text[:size])
	for i := 0; ; i++ {
		for _, f := range shelf[k] {
			from := i - f.at
			skip := max(0, min(slack, len(f.text)-longKey))
			to := from + len(f.text)
			if from+skip >= 0 && to <= len(text) && text[from+skip:to] == f.text[skip:] && !hit(f, max(from, 0), to) {
				return
			}
		}
		if i+size == len(text) {
			return
		}
		k = k>>8 | uint64(text[i+size])<<(8*(size-1))
	}
}

// keyOf packs up to 8 bytes, the first in the lowest bits.
func keyOf(s string) uint64 {
	k := uint64(0)
	for i := range len(s) {
		k |= uint64(s[i]) << (8 * i)
	}
	return k
}
