package main

import (
	"fmt"
	"html"
	"math"
	"slices"
	"strings"
)

// Sizes of the plot in pixels.
const (
	plotWidth  = 1030
	labelWidth = 260
	panelWidth = 350
	panelGap   = 40
	barHeight  = 8
	barGap     = 2
	rowGap     = 8
	octaves    = 7 // of the scale; longer bars end with it
	octave     = panelWidth / octaves
)

// plotStyle has the colours, of light and of dark pages.
const plotStyle = `<style>
text { fill: #1f2937 } .small { font-size: 9px } .page { fill: #ffffff } .one { stroke: #1f2937 } .grid { stroke: #e5e7eb }
.s0 { fill: #2563eb } .s1 { fill: #9ca3af } .s2 { fill: #d97706 } .s3 { fill: #a21caf }
@media (prefers-color-scheme: dark) {
text { fill: #e5e7eb } .page { fill: #0d1117 } .one { stroke: #e5e7eb } .grid { stroke: #30363d }
.s0 { fill: #60a5fa } .s1 { fill: #8b949e } .s2 { fill: #fbbf24 } .s3 { fill: #e879f9 } }
</style>
`

// plotted returns the servers with a bar. The baseline is a line. The API without a
// server is left out: it says nothing about a server.
func plotted() []string { return []string{ours, goSDK, bridge, generated} }

// panel is one of the two columns of bars.
type panel struct {
	title  string
	x      float64 // where it begins
	lowest int     // its scale begins at this power of 2
	of     func(figures) float64
}

func panels() []panel {
	return []panel{
		{"calls per second (right is better)", labelWidth, -4, func(f figures) float64 { return f.CallsPerSecond }},
		{"processor time per call (left is better)", labelWidth + panelWidth + panelGap, -3, func(f figures) float64 { return f.ProcessorTime }},
	}
}

// plot returns an SVG with a bar for each load of 1 and 16 callers and each server: the
// ratios of calls per second and of processor time per call, on a logarithmic scale.
func (r *report) plot() string {
	p := &plot{y: 24}
	title := "Ratio to the least code with mcp-go, which is the line at 1"
	if r.Quick {
		title += " (quick run)"
	}
	p.text(10, p.y, "start", "bold", title)
	p.y += 20
	for i, server := range plotted() {
		x := 10 + float64(i)*230
		p.bar(x, p.y-barHeight, 24, i)
		p.text(x+30, p.y, "start", "normal", server)
	}
	transport := ""
	cells := r.cellsByLoad()
	for _, l := range r.loads() {
		if l.Callers > 16 {
			continue // as with 16, since the processor is busy
		}
		if l.Transport != transport {
			transport = l.Transport
			p.startTransport(transport)
		}
		p.addRow(l, cells[l], r.plottedOn(transport))
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %.0f" width="%d" font-family="sans-serif" font-size="12">`+"\n%s"+
		`<rect class="page" width="100%%" height="100%%"/>`+"\n%s</svg>\n", plotWidth, p.y+16, plotWidth, plotStyle, p.body.String())
}

// plot is an SVG that grows downwards.
type plot struct {
	body strings.Builder
	y    float64 // where the next row begins
}

// plottedOn returns the indices of the servers that have a bar on a transport.
func (r *report) plottedOn(transport string) (indices []int) {
	for i, server := range plotted() {
		if slices.ContainsFunc(r.Cells, func(c cell) bool { return c.Server == server && c.Transport == transport }) {
			indices = append(indices, i)
		}
	}
	return indices
}

// startTransport adds the titles and the scales of a transport's panels.
func (p *plot) startTransport(transport string) {
	p.y += 34
	p.text(10, p.y, "start", "bold", transport)
	for _, panel := range panels() {
		p.text(panel.x, p.y, "start", "normal", panel.title)
		for power := panel.lowest + 1; power < panel.lowest+octaves; power++ {
			label := fmt.Sprint(math.Exp2(float64(power)))
			if power < 0 {
				label = fmt.Sprintf("1/%.0f", math.Exp2(float64(-power)))
			}
			p.small(panel.ratioX(math.Exp2(float64(power))), p.y+14, "middle", label)
		}
	}
	p.y += 20
}

// ratioX returns where a ratio stands on the logarithmic scale of a panel.
func (p panel) ratioX(ratio float64) float64 {
	return p.x + octave*min(max(math.Log2(ratio)-float64(p.lowest), 0), octaves)
}

// addRow adds the bars of a load to both panels. A server without figures has a –.
func (p *plot) addRow(l load, servers map[string]cell, bars []int) {
	callers := "callers"
	if l.Callers == 1 {
		callers = "caller"
	}
	height := float64(len(bars)*(barHeight+barGap) + rowGap)
	p.text(labelWidth-12, p.y+height/2+4, "end", "normal", fmt.Sprintf("%s · %d %s", l.Operation, l.Callers, callers))
	for _, panel := range panels() {
		for power := panel.lowest + 1; power < panel.lowest+octaves; power++ {
			p.line(panel.ratioX(math.Exp2(float64(power))), height, "grid")
		}
		for i, bar := range bars {
			y := p.y + rowGap/2 + float64(i)*(barHeight+barGap)
			if c, ok := servers[plotted()[bar]]; ok {
				p.addRatio(panel, y, panel.of(c.Ratio), bar)
			} else {
				p.small(panel.ratioX(1)+4, y+barHeight, "start", "–")
			}
		}
		p.line(panel.ratioX(1), height, "one")
	}
	p.y += height
}

// addRatio adds a bar from 1 to a ratio, with its number.
func (p *plot) addRatio(in panel, y, ratio float64, server int) {
	one, end := in.ratioX(1), in.ratioX(ratio)
	p.bar(min(one, end), y, math.Abs(end-one), server)
	if end < one {
		p.small(end-3, y+barHeight, "end", fmt.Sprintf("%.2f", ratio))
	} else {
		p.small(end+3, y+barHeight, "start", fmt.Sprintf("%.2f", ratio))
	}
}

func (p *plot) bar(x, y, width float64, server int) {
	fmt.Fprintf(&p.body, `<rect class="s%d" x="%.1f" y="%.1f" width="%.1f" height="%d"/>`+"\n", server, x, y, width, barHeight)
}

// line adds a line from the top of the row that begins.
func (p *plot) line(x, height float64, class string) {
	fmt.Fprintf(&p.body, `<line class="%s" x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f"/>`+"\n", class, x, p.y, x, p.y+height)
}

func (p *plot) text(x, y float64, anchor, weight, text string) {
	fmt.Fprintf(&p.body, `<text x="%.1f" y="%.1f" text-anchor="%s" font-weight="%s">%s</text>`+"\n", x, y, anchor, weight, html.EscapeString(text))
}

func (p *plot) small(x, y float64, anchor, text string) {
	fmt.Fprintf(&p.body, `<text class="small" x="%.1f" y="%.1f" text-anchor="%s">%s</text>`+"\n", x, y, anchor, html.EscapeString(text))
}
