package main

import (
	"cmp"
	"math"
	"slices"
	"strings"
	"testing"
	"unicode"
)

// The defaults of the Rust crate bm25, with which Codex searches tools.
const (
	bm25K1 = 1.2
	bm25B  = 0.75
)

// index is a BM25 word search over documents. Words are lower-case, split at
// underscores and stemmed; the most common ones are left out.
type index struct {
	names   []string
	words   []map[string]int // how often each word is in each document
	lengths []int
	average float64
	holding map[string]int // how many documents hold a word
}

func newIndex() *index { return &index{holding: map[string]int{}} }

// addDocument adds a document.
func (x *index) addDocument(name, text string) {
	words, counts := wordsOf(text), map[string]int{}
	for _, w := range words {
		if counts[w]++; counts[w] == 1 {
			x.holding[w]++
		}
	}
	x.names, x.words, x.lengths = append(x.names, name), append(x.words, counts), append(x.lengths, len(words))
	x.average += (float64(len(words)) - x.average) / float64(len(x.names))
}

// hit is a document and its score.
type hit struct {
	name  string
	score float64
}

// search returns the documents that match, the best first.
func (x *index) search(query string) []hit {
	hits := make([]hit, len(x.names))
	for i, name := range x.names {
		hits[i].name = name
		for _, w := range wordsOf(query) {
			n, count := float64(x.holding[w]), float64(x.words[i][w])
			idf := math.Log(1 + (float64(len(x.names))-n+0.5)/(n+0.5))
			hits[i].score += idf * count * (bm25K1 + 1) / (count + bm25K1*(1-bm25B+bm25B*float64(x.lengths[i])/x.average))
		}
	}
	slices.SortStableFunc(hits, func(a, b hit) int { return cmp.Compare(b.score, a.score) })
	return hits
}

// stopWords are the most common English words. Searches leave them out.
var stopWords = strings.Fields(`a about after all am an and any are as at be been but by can could did do does for from had has have
	he her his how i if in into is it its just me my no not now of off on or our out over she should so some than that the their them then
	there they this to under until up us was we were what when where which who why will with would you your`)

// wordsOf returns the words of a text that a search uses.
func wordsOf(text string) []string {
	var words []string
	text = strings.NewReplacer("'s", "", "n't", "").Replace(strings.ToLower(text))
	for _, w := range strings.FieldsFunc(text, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }) {
		if !slices.Contains(stopWords, w) {
			words = append(words, stem(w))
		}
	}
	return words
}

// stem removes the endings of plurals and verbs.
func stem(w string) string {
	if long, ok := strings.CutSuffix(w, "ies"); ok && len(long) > 1 {
		return long + "y"
	}
	if strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss") && !strings.HasSuffix(w, "us") && len(w) > 3 {
		w = w[:len(w)-1]
	}
	for _, ending := range []string{"ing", "ed"} {
		root, ok := strings.CutSuffix(w, ending)
		if !ok || len(root) < 3 || !strings.ContainsAny(root, "aeiouy") {
			continue
		}
		n := len(root)
		if last := root[n-1]; last == root[n-2] && last != 's' && (last != 'l' || n > 5) {
			root = root[:n-1] // running, cancelled; not called, passed
		}
		return strings.TrimSuffix(root, "e")
	}
	if len(w) > 3 {
		w = strings.TrimSuffix(w, "e")
	}
	return w
}

func TestStem(t *testing.T) {
	for _, forms := range []string{
		"run runs running", "stop stops stopped stopping", "create creates created creating", "query queries", "cancel cancelled", "invoice invoices",
		"approve approved approves", "list lists listing", "call calls called", "process processes",
	} {
		words := strings.Fields(forms)
		for _, w := range words[1:] {
			if got := stem(w); got != stem(words[0]) {
				t.Errorf("%s: got %q, want %q", w, got, stem(words[0]))
			}
		}
	}
	if got := wordsOf("Don't stop_the RUN: it's the user's e-mail, (v2)"); !slices.Equal(got, []string{"stop", "run", "user", "e", "mail", "v2"}) {
		t.Errorf("got %q", got)
	}
}

func TestBM25(t *testing.T) {
	x := newIndex()
	x.addDocument("short", "stop run")
	x.addDocument("long", "stop run and a lot of other words that are not asked for by anybody here today")
	x.addDocument("twice", "stop stop run run")
	x.addDocument("other", "list of files")
	// By hand: 4 documents, 3 hold "run": idf = ln(1 + 1.5/3.5) = 0.3567.
	// Their lengths are 2, 9, 4 and 2 words, 4.25 on average.
	// short: 0.3567 * 2.2 / (1 + 1.2*(0.25+0.75*2/4.25)) = 0.4553
	for i, want := range []hit{{"twice", 0.4987}, {"short", 0.4553}, {"long", 0.2448}, {"other", 0}} {
		if got := x.search("Runs")[i]; got.name != want.name || math.Abs(got.score-want.score) > 0.0001 {
			t.Errorf("place %d: got %v, want %v", i+1, got, want)
		}
	}
	if got := x.search("which files does it list")[0]; got.name != "other" {
		t.Errorf("got %v", got)
	}
}
