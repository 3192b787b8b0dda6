package tools

import (
	"fmt"
	"testing"
)

// TestShortenedListLeadsOn: the page that is named for the next runs passes none
// over and brings new ones, whatever page was asked for.
func TestShortenedListLeadsOn(t *testing.T) {
	for _, size := range []int{2, 7, 10, 11, 100} {
		for _, page := range []int{1, 2, 3, 9} {
			for kept := 1; kept < size; kept++ {
				l := RunList{Page: page, PageSize: size, Runs: make([]ListedRun, size)}
				l.shorten(kept, size)
				var nextSize, nextPage int
				shown := (page-1)*size + kept
				if shown/kept+1 > maxListPage {
					continue
				}
				if _, err := fmt.Sscanf(l.NextStep, "For the next ones, the same arguments, but pageSize %d and page %d.", &nextSize, &nextPage); err != nil {
					t.Fatal(l.NextStep, err)
				}
				if from := (nextPage - 1) * nextSize; from > shown || from+nextSize <= shown || !l.More || l.RunsLeftOut != size-kept {
					t.Errorf("page %d of %d, %d shown: the next begins at %d of %d", page, size, kept, from, shown)
				}
			}
		}
	}
}
