package view

import "strings"

// What stands where something was taken out.
const (
	removed     = "[removed]"
	linkRemoved = "[approval link removed]"
)

// holes are the parts that are taken out of a text. Every rule looks at the
// text as it came and cuts for itself: what one of them knows, and a run may
// have taught it, must not hide from another what that one goes by.
type holes struct {
	text  string
	ends  []int        // by where a part begins: the end of the longest one; nil while there is none
	links map[int]bool // where approval links begin
}

// cut takes a part out; mark is removed or linkRemoved.
func (h *holes) cut(from, to int, mark string) {
	if h.ends == nil {
		h.ends = make([]int, len(h.text))
	}
	h.ends[from] = max(h.ends[from], to)
	if mark == linkRemoved {
		if h.links == nil {
			h.links = map[int]bool{}
		}
		h.links[from] = true
	}
}

// String returns the text with a mark for each hole; parts that overlap are one.
func (h *holes) String() string {
	if h.ends == nil {
		return h.text
	}
	var out strings.Builder
	shown := 0 // where text goes on that is not written yet
	for i := 0; i < len(h.text); i++ {
		if h.ends[i] == 0 {
			continue
		}
		out.WriteString(h.text[shown:i])
		mark := removed
		for to := h.ends[i]; i < to; i++ {
			to = max(to, h.ends[i])
			if h.links[i] {
				mark = linkRemoved
			}
			shown = to
		}
		out.WriteString(mark)
		i--
	}
	out.WriteString(h.text[shown:])
	return out.String()
}
