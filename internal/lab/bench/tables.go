package main

import (
	"fmt"
	"strings"
)

// markdown returns a summary that compares calls and processor time, the figures of the
// start, and a table of all figures of the loads.
func (r *report) markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, commit %s. %s. Medians of %d rounds with slices of %s; mcp-go %s, go-sdk %s. A ratio (×) is to mcp-go in the same round.\n",
		r.Date, r.Commit, r.Machine, r.Rounds, r.Slice, r.Versions[baseline], r.Versions[goSDK])
	b.WriteString("\n## Summary\n\n" +
		"| transport, load | callers | calls/s of mcp-go | runs-mcp-server | go-sdk | API | processor µs per call of mcp-go | runs-mcp-server | go-sdk |\n" +
		"|---|--:|--:|--:|--:|--:|--:|--:|--:|\n")
	cells := r.cellsByLoad()
	for _, l := range r.loads() {
		of := cells[l]
		fmt.Fprintf(&b, "| %s, %s | %d | %.0f | %s | %s | %s | %.0f | %s | %s |\n", l.Transport, l.Operation, l.Callers,
			of[baseline].Median.CallsPerSecond, of[ours].showCalls(), of[goSDK].showCalls(), of[rest].showCalls(),
			of[baseline].Median.ProcessorTime, of[ours].showProcessor(), of[goSDK].showProcessor())
	}
	b.WriteString("\n## Start\n\n| server | start to the answer of initialize, over stdio | resident memory then |\n|---|--:|--:|\n")
	for _, s := range r.Starts {
		fmt.Fprintf(&b, "| %s | %.1f ms | %.1f MiB |\n", s.Server, s.Milliseconds, s.ResidentMiB)
	}
	fmt.Fprintf(&b, "\nThe binary of runs-mcp-server has %.1f MB.\n", float64(r.Program)/1e6)
	b.WriteString("\n## All figures\n\n| transport, load | callers | server | calls/s | p50 | p99 | processor µs per call | answer |\n|---|--:|---|--:|--:|--:|--:|--:|\n")
	for _, l := range r.loads() {
		for _, server := range allServers() {
			c := cells[l][server]
			fmt.Fprintf(&b, "| %s, %s | %d | %s | %s | %s | %s | %s | %s |\n", l.Transport, l.Operation, l.Callers, server,
				c.showCalls(), c.showTime(c.Median.P50, c.Ratio.P50), c.showTime(c.Median.P99, c.Ratio.P99), c.showProcessor(),
				c.show("%.1f kB", c.Median.AnswerBytes/1000, c.Ratio.AnswerBytes))
		}
	}
	return b.String()
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

// showTime returns microseconds, from 1,000 on as milliseconds.
func (c cell) showTime(value, ratio float64) string {
	if value >= 1000 {
		return c.show("%.1f ms", value/1000, ratio)
	}
	return c.show("%.0f µs", value, ratio)
}
