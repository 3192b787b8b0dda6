package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// markdown returns the tables of a report: the summary, and all figures of the loads.
func (r *report) markdown() string {
	var b strings.Builder
	r.addSummary(&b, "##")
	r.addAll(&b)
	return b.String()
}

// addSummary adds what docs/performance.md shows. The titles start with the mark.
func (r *report) addSummary(b *strings.Builder, mark string) {
	r.addHead(b)
	for _, transport := range transports() {
		fmt.Fprintf(b, "\n%s Calls over %s\n", mark, transport)
		r.addLoads(b, transport, "calls per second", cell.showCalls)
		r.addLoads(b, transport, "processor µs per call", cell.showProcessor)
		r.addReasons(b, transport)
	}
	fmt.Fprintf(b, "\n%s Latency of runs-mcp-server and what it adds to the API\n", mark)
	r.addLatency(b)
	fmt.Fprintf(b, "\n%s Start, memory and size\n", mark)
	r.addStarts(b)
	r.addParts(b)
	fmt.Fprintf(b, "\n%s Watched runs\n", mark)
	r.addWatched(b)
	fmt.Fprintf(b, "\n%s What a model reads and writes in a job\n", mark)
	r.addJobs(b)
}

func (r *report) addHead(b *strings.Builder) {
	if r.Quick {
		b.WriteString("**From a quick run (`-quick`) on a busy machine: the figures show only large differences.**\n\n")
	}
	fmt.Fprintf(b, "%s, commit %s. %s", r.Date, r.Commit, r.Machine)
	if r.Node != "" {
		fmt.Fprintf(b, ", Node.js %s", r.Node)
	}
	var versions []string
	for _, server := range allServers() {
		if v := r.Versions[server]; v != "" {
			versions = append(versions, fmt.Sprintf("%s %s", server, v))
		}
	}
	fmt.Fprintf(b, ". Medians of %d rounds with slices of %s. %s. A ratio (×) is to mcp-go in the same round.\n", r.Rounds, r.Slice, strings.Join(versions, ", "))
	r.addReasons(b, "")
}

// addReasons adds why servers have no figures on a transport.
func (r *report) addReasons(b *strings.Builder, transport string) {
	var texts []string
	for _, reason := range r.allReasons() {
		if reason.Transport == transport {
			texts = append(texts, fmt.Sprintf("%s: %s", reason.Server, reason.Text))
		}
	}
	if len(texts) > 0 {
		fmt.Fprintf(b, "\nNo figures (–): %s.\n", strings.Join(texts, "; "))
	}
}

// allReasons returns the reasons that were known, and the failures of the bridges.
func (r *report) allReasons() []reason {
	all := slices.Clone(r.Reasons)
	for _, s := range r.Samples {
		if s.Failure == "" {
			continue
		}
		found := reason{s.Server, s.Transport, fmt.Sprintf("%s, %d callers: %.150s", s.Operation, s.Callers, s.Failure)}
		same := func(known reason) bool { return known.Server == found.Server && known.Transport == found.Transport }
		if !slices.ContainsFunc(all, same) {
			all = append(all, found)
		}
	}
	return all
}

// addLoads adds one figure of all loads of a transport: a row for each load.
func (r *report) addLoads(b *strings.Builder, transport, what string, show func(cell) string) {
	cells := r.cellsByLoad()
	servers := r.servers()
	if what != "calls per second" { // the API's would be the sandbox's own time
		servers = slices.DeleteFunc(servers, func(server string) bool { return server == rest })
	}
	fmt.Fprintf(b, "\n| %s | callers | %s |\n|---|--:|%s\n", what, strings.Join(servers, " | "), strings.Repeat("--:|", len(servers)))
	for _, l := range r.loads() {
		if l.Transport != transport {
			continue
		}
		fmt.Fprintf(b, "| %s | %d |", l.Operation, l.Callers)
		for _, server := range servers {
			fmt.Fprintf(b, " %s |", showCell(cells[l], server, show))
		}
		b.WriteString("\n")
	}
}

// servers returns the servers that a report has figures of, or a reason for none.
func (r *report) servers() []string {
	return slices.DeleteFunc(allServers(), func(server string) bool {
		return !slices.ContainsFunc(r.Cells, func(c cell) bool { return c.Server == server }) &&
			!slices.ContainsFunc(r.Reasons, func(known reason) bool { return known.Server == server })
	})
}

// showCell shows a figure of a server, or – if it has none.
func showCell(of map[string]cell, server string, show func(cell) string) string {
	c, ok := of[server]
	if !ok {
		return "–"
	}
	return show(c)
}

// addLatency adds the latency of our server, and the difference of its p50 to the API's.
func (r *report) addLatency(b *strings.Builder) {
	b.WriteString("\n| load | callers | p50 | p99 | p50 more than the API's |\n|---|--:|--:|--:|--:|\n")
	cells := r.cellsByLoad()
	for _, l := range r.loads() {
		own, api := cells[l][ours], cells[l][rest]
		fmt.Fprintf(b, "| %s, %s | %d | %s | %s | %s |\n", l.Transport, l.Operation, l.Callers, own.showP50(), own.showP99(), showTime(own.Median.P50-api.Median.P50))
	}
}

func (r *report) addStarts(b *strings.Builder) {
	b.WriteString("\n| server | start to the answer of initialize, over stdio | resident memory then (RSS) | shared pages by share (PSS) | size on disk |\n|---|--:|--:|--:|--:|\n")
	for _, s := range r.Starts {
		size := "–"
		switch {
		case s.Server == ours:
			size = fmt.Sprintf("%.1f MB", float64(r.Program)/1e6)
		case s.Installed > 0:
			size = fmt.Sprintf("%.1f MB and Node.js, %.0f MB", float64(s.Installed)/1e6, float64(r.NodeSize)/1e6)
		}
		fmt.Fprintf(b, "| %s | %.1f ms | %.1f MiB | %.1f MiB | %s |\n", s.Server, s.Milliseconds, s.ResidentMiB, s.ProportionalMiB, size)
	}
	b.WriteString("\nmcp-go and go-sdk are parts of one program here, so they have no size of their own.\n")
}

func (r *report) addParts(b *strings.Builder) {
	b.WriteString("\n| part of the binary of runs-mcp-server | MB |\n|---|--:|\n")
	for _, p := range r.Parts {
		fmt.Fprintf(b, "| %s | %.2f |\n", p.Name, float64(p.Bytes)/1e6)
	}
}

func (r *report) addWatched(b *strings.Builder) {
	b.WriteString("\n| watched runs | from an event at the API to its notification, p50 | p99 | resident memory per run | in all |\n|--:|--:|--:|--:|--:|\n")
	for _, w := range r.Watched {
		each := "–"
		if w.Runs > 1 {
			each = fmt.Sprintf("%.1f KiB", w.EachKiB)
		}
		fmt.Fprintf(b, "| %s | %.2f ms | %.2f ms | %s | %.0f MiB |\n", grouped(w.Runs), w.P50/1000, w.P99/1000, each, w.TotalMiB)
	}
}

func (r *report) addJobs(b *strings.Builder) {
	if len(r.Jobs) == 0 {
		b.WriteString("\nNot measured: see above.\n")
		return
	}
	b.WriteString("\n| job | server | calls | bytes | tokens |\n|---|---|--:|--:|--:|\n")
	for _, j := range r.Jobs {
		fmt.Fprintf(b, "| %s | %s | %d | %s | %s |\n", j.Job, j.Server, j.Calls, grouped(j.Bytes), grouped(j.Tokens))
	}
}

// grouped returns a number with commas between its thousands.
func grouped(n int) string {
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

func (r *report) addAll(b *strings.Builder) {
	cells := r.cellsByLoad()
	b.WriteString("\n## All figures\n\n| transport, load | callers | server | calls/s | p50 | p99 | processor µs per call | answer |\n|---|--:|---|--:|--:|--:|--:|--:|\n")
	for _, l := range r.loads() {
		for _, server := range r.servers() {
			c, ok := cells[l][server]
			if !ok {
				continue // the summary says why
			}
			fmt.Fprintf(b, "| %s, %s | %d | %s | %s | %s | %s | %s | %s |\n", l.Transport, l.Operation, l.Callers, server,
				c.showCalls(), c.showP50(), c.showP99(), c.showProcessor(),
				c.show("%.1f kB", c.Median.AnswerBytes/1000, c.Ratio.AnswerBytes))
		}
	}
}

// show returns a value with its ratio.
func (c cell) show(format string, value, ratio float64) string {
	return c.withRatio(fmt.Sprintf(format, value), ratio)
}

func (c cell) withRatio(text string, ratio float64) string {
	if c.Server == baseline {
		return text
	}
	return fmt.Sprintf("%s (%.2f×)", text, ratio)
}

func (c cell) showCalls() string {
	return c.show("%.0f", c.Median.CallsPerSecond, c.Ratio.CallsPerSecond)
}

func (c cell) showProcessor() string {
	return c.show("%.0f", c.Median.ProcessorTime, c.Ratio.ProcessorTime)
}

func (c cell) showP50() string { return c.withRatio(showTime(c.Median.P50), c.Ratio.P50) }

func (c cell) showP99() string { return c.withRatio(showTime(c.Median.P99), c.Ratio.P99) }

// showTime returns microseconds, from 1,000 on as milliseconds.
func showTime(value float64) string {
	if math.Abs(value) >= 1000 {
		return fmt.Sprintf("%.1f ms", value/1000)
	}
	return fmt.Sprintf("%.0f µs", value)
}
