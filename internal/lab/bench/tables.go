package main

import (
	"fmt"
	"strings"
)

// markdown returns the tables of a report: a summary of each transport, the starts,
// the watched runs, and all figures of the loads.
func (r *report) markdown() string {
	var b strings.Builder
	r.addSummary(&b)
	r.addStarts(&b)
	r.addWatched(&b)
	r.addAll(&b)
	return b.String()
}

func (r *report) addSummary(b *strings.Builder) {
	fmt.Fprintf(b, "%s, commit %s. %s. Medians of %d rounds with slices of %s; mcp-go %s, go-sdk %s. A ratio (×) is to mcp-go in the same round.\n",
		r.Date, r.Commit, r.Machine, r.Rounds, r.Slice, r.Versions[baseline], r.Versions[goSDK])
	cells := r.cellsByLoad()
	transport := ""
	for _, l := range r.loads() {
		if l.Transport != transport {
			transport = l.Transport
			fmt.Fprintf(b, "\n## %s\n\n"+
				"| load | callers | calls/s of mcp-go | of runs-mcp-server | of go-sdk | of the API | processor µs per call of mcp-go | of runs-mcp-server | of go-sdk | p50 of runs-mcp-server | p99 |\n"+
				"|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n", transport)
		}
		of := cells[l]
		fmt.Fprintf(b, "| %s | %d | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n", l.Operation, l.Callers,
			of[baseline].showCalls(), of[ours].showCalls(), of[goSDK].showCalls(), of[rest].showCalls(),
			of[baseline].showProcessor(), of[ours].showProcessor(), of[goSDK].showProcessor(), of[ours].showP50(), of[ours].showP99())
	}
}

func (r *report) addStarts(b *strings.Builder) {
	b.WriteString("\n## Start\n\n| server | start to the answer of initialize, over stdio | resident memory then |\n|---|--:|--:|\n")
	for _, s := range r.Starts {
		fmt.Fprintf(b, "| %s | %.1f ms | %.1f MiB |\n", s.Server, s.Milliseconds, s.ResidentMiB)
	}
	fmt.Fprintf(b, "\nThe binary of runs-mcp-server has %.1f MB.\n", float64(r.Program)/1e6)
}

func (r *report) addWatched(b *strings.Builder) {
	b.WriteString("\n## Watched runs\n\n| watched runs | from an event at the API to its notification, p50 | p99 | resident memory per run | in all |\n|--:|--:|--:|--:|--:|\n")
	for _, w := range r.Watched {
		each := "–"
		if w.Runs > 1 {
			each = fmt.Sprintf("%.1f KiB", w.EachKiB)
		}
		fmt.Fprintf(b, "| %d | %.2f ms | %.2f ms | %s | %.0f MiB |\n", w.Runs, w.P50/1000, w.P99/1000, each, w.TotalMiB)
	}
}

func (r *report) addAll(b *strings.Builder) {
	cells := r.cellsByLoad()
	b.WriteString("\n## All figures\n\n| transport, load | callers | server | calls/s | p50 | p99 | processor µs per call | answer |\n|---|--:|---|--:|--:|--:|--:|--:|\n")
	for _, l := range r.loads() {
		for _, server := range allServers() {
			c := cells[l][server]
			fmt.Fprintf(b, "| %s, %s | %d | %s | %s | %s | %s | %s | %s |\n", l.Transport, l.Operation, l.Callers, server,
				c.showCalls(), c.showP50(), c.showP99(), c.showProcessor(),
				c.show("%.1f kB", c.Median.AnswerBytes/1000, c.Ratio.AnswerBytes))
		}
	}
}

// show returns a value with its ratio.
func (c cell) show(format string, value, ratio float64) string {
	text := fmt.Sprintf(format, value)
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

func (c cell) showP50() string { return c.showTime(c.Median.P50, c.Ratio.P50) }

func (c cell) showP99() string { return c.showTime(c.Median.P99, c.Ratio.P99) }

// showTime returns microseconds, from 1,000 on as milliseconds.
func (c cell) showTime(value, ratio float64) string {
	if value >= 1000 {
		return c.show("%.1f ms", value/1000, ratio)
	}
	return c.show("%.0f µs", value, ratio)
}
