package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
)

const (
	maxDepth  = 16   // levels of a value that are shown
	maxString = 4096 // bytes of one string inside a value
	maxName   = 128  // bytes of a field's name
)

// Value returns a JSON value fit to show, or nil when raw holds none: every
// string and name as Text gives it, secret fields emptied, and about limit
// bytes at most, cut between values with a mark that says how much is gone.
func (v *View) Value(raw json.RawMessage, limit int) any {
	value, _ := v.Fit(raw, limit)
	return value
}

// Fit returns what Value does, and whether that is the whole value.
func (v *View) Fit(raw json.RawMessage, limit int) (value any, whole bool) {
	d := json.NewDecoder(bytes.NewReader(raw))
	d.UseNumber()
	if len(raw) == 0 || d.Decode(&value) != nil {
		return nil, true
	}
	c := cutter{view: v, left: limit}
	value = c.value(value, 0)
	return value, !c.cut
}

// cutter spends a budget of bytes on a value.
type cutter struct {
	view *View
	left int
	cut  bool // something was left out
}

func (c *cutter) value(value any, depth int) any {
	switch value := value.(type) {
	case string:
		limit := min(maxString, max(c.left, 0))
		c.cut = c.cut || len(value) > limit
		s := c.view.Text(value, limit)
		c.left -= len(s) + 3
		return s
	case []any:
		return c.array(value, depth)
	case map[string]any:
		return c.object(value, depth)
	case json.Number:
		// A number of a thousand digits is a text in disguise, and one beyond
		// what a float64 holds fails the clients that decode into one.
		s := c.view.Text(value.String(), 64)
		c.left -= len(s) + 1
		if _, err := value.Float64(); s != value.String() || err != nil {
			return s
		}
		return value
	default:
		c.left -= 5
		return value
	}
}

func (c *cutter) array(items []any, depth int) any {
	c.left -= 2
	if depth == maxDepth {
		c.cut = true
		return fmt.Sprintf("[%d items left out: too deep]", len(items))
	}
	out := make([]any, 0, min(len(items), max(c.left, 1)))
	for i, item := range items {
		if c.left <= 0 {
			c.cut = true
			return append(out, fmt.Sprintf("[%d more items left out]", len(items)-i))
		}
		out = append(out, c.value(item, depth+1))
	}
	return out
}

func (c *cutter) object(fields map[string]any, depth int) any {
	c.left -= 2
	if depth == maxDepth {
		c.cut = true
		return fmt.Sprintf("[%d fields left out: too deep]", len(fields))
	}
	out := make(map[string]any, min(len(fields), max(c.left, 1)))
	named, _ := fields["name"].(string) // a header may be listed as name and value
	for i, name := range slices.Sorted(maps.Keys(fields)) {
		if c.left <= 0 {
			c.cut = true
			out[unused(out, "[left out]")] = strconv.Itoa(len(fields)-i) + " more fields"
			return out
		}
		shown := unused(out, c.view.Text(name, maxName))
		c.left -= len(shown) + 4
		if secretKey(name) || name == "value" && secretKey(named) {
			out[shown] = removed
			continue
		}
		out[shown] = c.value(fields[name], depth+1)
	}
	return out
}

// unused returns a field's name as it can be shown. Names that differ in what
// is not shown look alike: one field must not take the place of another.
func unused(shown map[string]any, name string) string {
	for {
		if _, taken := shown[name]; !taken {
			return name
		}
		name += " [again]"
	}
}
