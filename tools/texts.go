package tools

import (
	"fmt"
	"strings"

	"runs-mcp-server/internal/view"
)

// maxQuoted is how many of the run's names a text quotes.
const maxQuoted = 5

// quoteNames lists names that are the run's words. They stand in quotes that they
// cannot end.
func quoteNames(v view.View, names []string) string {
	return joinFirst(names, maxQuoted, func(name string) string { return view.Quote(v.Line(name, 64)) })
}

// joinFirst lists the texts of the first items, and counts the other items.
func joinFirst[T any](items []T, most int, textOf func(T) string) string {
	var texts []string
	for _, item := range items[:min(len(items), most)] {
		texts = append(texts, textOf(item))
	}
	list := strings.Join(texts, ", ")
	if n := len(items) - most; n > 0 {
		list += fmt.Sprintf(" and %d more", n)
	}
	return list
}

// cutText cuts a text that is longer than limit bytes, and marks the cut.
func cutText(text string, limit int) string {
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
