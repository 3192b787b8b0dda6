package view

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"runs-mcp-server/internal/redact"
)

const (
	maxDepth = 16  // levels of a value that are shown
	maxName  = 128 // bytes of a field's name
	// minShare is what a field must be left, in bytes, to be shown at all: less
	// would be a mark of what is left out, and little else.
	minShare = 40
)

// Value returns a JSON value fit to show, or nil when raw holds none: every
// string and name as Text gives it, credentials emptied, and about limit
// bytes at most. Where that is too little, long strings end early and arrays
// and objects have fewer items, with marks that say how much is gone; what is
// small in an object is shown before what is large.
func (v View) Value(raw json.RawMessage, limit int) any {
	value, _ := v.Fit(raw, limit)
	return value
}

// Fit returns what Value does, and whether that is the whole value.
func (v View) Fit(raw json.RawMessage, limit int) (value any, whole bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if len(raw) == 0 || d.Decode(&value) != nil {
		return nil, true
	}
	c := cutter{view: v}
	if weight(value, limit) <= limit {
		limit = math.MaxInt32 // it fits as it is
	}
	value, _ = c.value(value, 0, limit)
	return value, !c.cut
}

// cutter cuts a value to a budget of bytes. Its methods return what is shown
// and about how many bytes that takes.
type cutter struct {
	view View
	cut  bool // something was left out
}

func (c *cutter) value(value any, depth, limit int) (shown any, took int) {
	switch value := value.(type) {
	case string:
		s, whole := c.view.text(value, max(limit-markSize, 0))
		c.cut = c.cut || !whole
		return s, len(s) + 3
	case []any:
		return c.array(value, depth, limit)
	case map[string]any:
		return c.object(value, depth, limit)
	case json.Number:
		// A number of a thousand digits is a text in disguise, and one beyond
		// what a float64 holds fails the clients that decode into one.
		s := c.view.Text(value.String(), 64)
		if _, err := value.Float64(); s != value.String() || err != nil {
			return s, len(s) + 3
		}
		return value, len(s) + 1
	default:
		return value, 5
	}
}

func (c *cutter) array(items []any, depth, limit int) (shown any, took int) {
	took = 2
	if depth == maxDepth {
		c.cut = true
		return fmt.Sprintf("[%d items left out: too deep]", len(items)), took
	}
	out := make([]any, 0, min(len(items), max(limit, 1)))
	for i, item := range items {
		if took >= limit {
			c.cut = true
			return append(out, fmt.Sprintf("[%d more items left out]", len(items)-i)), took
		}
		shown, n := c.value(item, depth+1, limit-took)
		out, took = append(out, shown), took+n
	}
	return out, took
}

func (c *cutter) object(fields map[string]any, depth, limit int) (shown any, took int) {
	took = 2
	if depth == maxDepth {
		c.cut = true
		return fmt.Sprintf("[%d fields left out: too deep]", len(fields)), took
	}
	out := make(map[string]any, min(len(fields), max(limit, 1)))
	names := slices.Sorted(maps.Keys(fields))
	names = names[:min(len(names), max(limit, 1))] // more would not fit
	labels := c.labels(names)
	for i, name := range smallestFirst(names, fields, limit) {
		share := (limit - took) / (len(fields) - i)
		if share < minShare && took+weight(fields[name], limit+markSize) > limit+markSize {
			c.cut = true
			out["[left out]"] = strconv.Itoa(len(fields)-i) + " more fields"
			return out, took
		}
		label := labels[name]
		took += len(label) + 4
		if secretField(name) {
			out[label] = redact.Removed
			continue
		}
		shown, n := c.value(fields[name], depth+1, share-len(label)-4)
		out[label], took = shown, took+n
	}
	if n := len(fields) - len(names); n > 0 {
		c.cut = true
		out["[left out]"] = strconv.Itoa(n) + " more fields"
	}
	return out, took
}

// secretField reports whether a name is that of a header with credentials. Such
// a field is shown empty.
func secretField(name string) bool {
	switch strings.ToLower(redact.Visible(name)) {
	case "authorization", "proxy-authorization", "cookie", "set-cookie":
		return true
	}
	return false
}

// labels returns the names under which fields are shown, which differ wherever
// the names do: one field must not take the place of another that looks alike.
func (c *cutter) labels(names []string) map[string]string {
	labels, taken := make(map[string]string, len(names)), make(map[string]bool, len(names)+1)
	taken["[left out]"] = true
	for _, name := range names {
		label := c.view.Text(name, maxName)
		for taken[label] {
			label += " [again]"
		}
		labels[name], taken[label] = label, true
	}
	return labels
}

// smallestFirst returns the names of fields by what those weigh up to the
// limit: what small ones leave over is for the large ones.
func smallestFirst(names []string, fields map[string]any, limit int) []string {
	names = slices.Clone(names)
	weights := make(map[string]int, len(names))
	for _, name := range names {
		weights[name] = weight(fields[name], limit)
	}
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(weights[a], weights[b]) })
	return names
}

// weight returns about how many bytes a value takes, most+1 where it takes more
// than most: so it is the same in whatever order a map is gone through.
func weight(value any, most int) int {
	n := 2
	switch value := value.(type) {
	case string:
		n += len(value)
	case json.Number:
		n += len(value)
	case []any:
		for _, item := range value {
			if n > most {
				break
			}
			n += 1 + weight(item, most-n)
		}
	case map[string]any:
		for name, field := range value {
			if n > most {
				break
			}
			n += len(name) + 4 + weight(field, most-n)
		}
	}
	return min(n, most+1)
}
