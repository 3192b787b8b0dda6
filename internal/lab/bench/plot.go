package main

import (
	"fmt"
	"html"
	"strings"
)

// Sizes of the plot in pixels.
const (
	plotWidth  = 980
	labelWidth = 220
	panelWidth = 330
	panelGap   = 50
	barHeight  = 9
	rowHeight  = 2*barHeight + 8
	maxRatio   = 3.0 // longer bars end there; their number tells the value
)

// plotted returns the servers with a bar, and the colours of the bars. The baseline is a
// line. The API without a server would need another scale.
func plotted() []struct{ server, colour string } {
	return []struct{ server, colour string }{{ours, "#2563eb"}, {goSDK, "#9ca3af"}}
}

// plot returns an SVG with a bar for each load: the ratios of calls per second and of
// processor time per call.
func (r *report) plot() string {
	p := &plot{y: 24}
	p.text(10, p.y, "start", "bold", "Ratio to the least code with mcp-go, which is the line at 1")
	x := 540.0
	for _, s := range plotted() {
		p.bar(x, p.y-barHeight, 24, s.colour)
		p.text(x+30, p.y, "start", "normal", s.server)
		x += 190
	}
	transport := ""
	cells := r.cellsByLoad()
	for _, l := range r.loads() {
		if l.Transport != transport {
			transport = l.Transport
			p.startTransport(transport)
		}
		p.addRow(l, cells[l])
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%.0f" font-family="sans-serif" font-size="12">`+"\n"+
		`<rect width="100%%" height="100%%" fill="white"/>`+"\n%s</svg>\n", plotWidth, p.y+16, p.body.String())
}

// plot is an SVG that grows downwards.
type plot struct {
	body strings.Builder
	y    float64 // where the next row begins
}

// startTransport adds the titles of a transport's panels.
func (p *plot) startTransport(transport string) {
	p.y += 36
	p.text(10, p.y, "start", "bold", transport)
	p.text(labelWidth, p.y, "start", "normal", "calls per second (more is better)")
	p.text(labelWidth+panelWidth+panelGap, p.y, "start", "normal", "processor time per call (less is better)")
	p.y += 10
}

// addRow adds the bars of a load to both panels.
func (p *plot) addRow(l load, servers map[string]cell) {
	callers := "callers"
	if l.Callers == 1 {
		callers = "caller"
	}
	p.text(labelWidth-8, p.y+rowHeight/2+2, "end", "normal", fmt.Sprintf("%s · %d %s", l.Operation, l.Callers, callers))
	for i, s := range plotted() {
		y := p.y + 3 + float64(i)*(barHeight+1)
		p.addRatio(labelWidth, y, servers[s.server].Ratio.CallsPerSecond, s.colour)
		p.addRatio(labelWidth+panelWidth+panelGap, y, servers[s.server].Ratio.ProcessorTime, s.colour)
	}
	for _, x := range []float64{labelWidth, labelWidth + panelWidth + panelGap} {
		one := x + panelWidth/maxRatio
		fmt.Fprintf(&p.body, `<line x1="%.1f" y1="%.1f" x2="%.1f" y2="%.1f" stroke="#111827"/>`+"\n", one, p.y, one, p.y+rowHeight)
	}
	p.y += rowHeight
}

// addRatio adds a bar with its number.
func (p *plot) addRatio(x, y, ratio float64, colour string) {
	width := min(ratio, maxRatio) / maxRatio * panelWidth
	p.bar(x, y, width, colour)
	fmt.Fprintf(&p.body, `<text x="%.1f" y="%.1f" font-size="9" fill="#374151">%.2f</text>`+"\n", x+width+4, y+barHeight-1, ratio)
}

func (p *plot) bar(x, y, width float64, colour string) {
	fmt.Fprintf(&p.body, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"/>`+"\n", x, y, width, barHeight, colour)
}

func (p *plot) text(x, y float64, anchor, weight, text string) {
	fmt.Fprintf(&p.body, `<text x="%.1f" y="%.1f" text-anchor="%s" font-weight="%s" fill="#111827">%s</text>`+"\n", x, y, anchor, weight, html.EscapeString(text))
}
