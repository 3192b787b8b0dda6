package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// The marks in docs/performance.md, between which the report stands.
const (
	docsBegin = "<!-- bench:begin -->\n"
	docsEnd   = "<!-- bench:end -->"
)

// publish writes docs/performance.svg, and the tables into docs/performance.md.
func (r *report) publish(root string) error {
	page := filepath.Join(root, "docs/performance.md")
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	var b strings.Builder
	b.WriteString("\n![Ratios to mcp-go of the calls per second and of the processor time per call](performance.svg)\n\n")
	r.addSummary(&b, "###")
	b.WriteString("\n")
	updated, err := replaceBlock(string(text), b.String())
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	if err := os.WriteFile(filepath.Join(root, "docs/performance.svg"), []byte(r.plot()), 0o644); err != nil {
		return err
	}
	return os.WriteFile(page, []byte(updated), 0o644)
}

// replaceBlock returns a page with another text between the marks.
func replaceBlock(page, block string) (string, error) {
	before, rest, found := strings.Cut(page, docsBegin)
	_, after, ended := strings.Cut(rest, docsEnd)
	if !found || !ended {
		return "", fmt.Errorf("it lacks the marks %q and %q", strings.TrimSpace(docsBegin), docsEnd)
	}
	return before + docsBegin + block + docsEnd + after, nil
}
