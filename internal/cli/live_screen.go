package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"runs-mcp-server/client"
)

// liveScreen prints lines and, on a terminal, a last line that shows how the run stands.
// It is safe for concurrent use.
type liveScreen struct {
	*screen
	now func() time.Time

	mu      sync.Mutex // guards all below
	status  client.Status
	steps   int
	since   time.Time // when the run began
	held    bool      // a question is on the screen: no last line
	drawn   bool      // the last line is on the screen
	midLine bool      // what was printed last did not end its line
}

// newLiveScreen returns a live screen.
func newLiveScreen(s *screen, now func() time.Time) *liveScreen {
	return &liveScreen{screen: s, now: now, since: now()}
}

// redrawEvery is how often the last line is drawn anew: its time goes on, and the width of
// the screen may have changed.
const redrawEvery = 500 * time.Millisecond

// start draws the last line again and again until stop is called, which removes it.
func (l *liveScreen) start() (stop func()) {
	if l.terminal == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(redrawEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
				l.mu.Lock()
				l.draw()
				l.mu.Unlock()
			case <-ctx.Done():
				return
			}
		}
	}()
	return func() {
		cancel()
		<-done
		l.mu.Lock()
		defer l.mu.Unlock()
		l.clear()
		l.held = true
	}
}

// Write prints p above the last line.
func (l *liveScreen) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	n, err := l.out.Write(p)
	l.midLine = len(p) > 0 && p[len(p)-1] != '\n'
	l.draw()
	return n, err
}

// hold keeps the last line off the screen until release.
func (l *liveScreen) hold() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.clear()
	l.held = true
}

// release lets the last line be drawn again. The person has ended their line by Enter.
func (l *liveScreen) release() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held, l.midLine = false, false
}

// noteEvent notes what the last line shows of an event.
func (l *liveScreen) noteEvent(e client.Event, began time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.status = cmp.Or(e.RunStatus, l.status)
	if e.Step != nil && e.Step.Approval != "PENDING" {
		l.steps++
	}
	if !began.IsZero() && began.Before(l.since) {
		l.since = began
	}
}

// printLine prints an event: when it was, and what it is, broken at the width of a
// terminal.
func (l *liveScreen) printLine(when string, status client.Status, text string) {
	if l.terminal == nil {
		fmt.Fprintf(l, "%s  %s\n", when, printable(text))
		return
	}
	indent := strings.Repeat(" ", len(when)+2)
	lines := wrapText(printable(text), l.columns()-len(indent)-1)
	var b strings.Builder
	for i, line := range lines {
		if i == 0 {
			b.WriteString(l.styled(dim, when) + "  ")
		} else {
			b.WriteString(indent)
		}
		how := style("")
		if client.Status(text) == status || strings.HasPrefix(text, "ended: ") || strings.HasPrefix(text, "waits for a person") {
			how = statusStyle(status)
		}
		b.WriteString(l.styled(how, line) + "\n")
	}
	_, _ = io.WriteString(l, b.String())
}

// draw draws the last line; l.mu is held. It leaves room for the ^C of a person.
func (l *liveScreen) draw() {
	if l.terminal == nil || l.held || l.midLine {
		return
	}
	l.clear()
	_, _ = io.WriteString(l.out, l.styled(dim, l.lastLine(l.columns()-3)))
	l.drawn = true
}

// lastLine returns how the run stands, in so many columns. What matters comes first: what
// has no room is left out.
func (l *liveScreen) lastLine(columns int) string {
	parts := []string{elapsed(l.now().Sub(l.since))}
	switch l.status {
	case "":
		parts = append(parts, "connecting")
	case client.Paused:
		parts = append(parts, "PAUSED, waits for a decision")
	case client.AuthRequired:
		parts = append(parts, "waits for an authorisation")
	default:
		parts = append(parts, printable(string(l.status)))
	}
	switch {
	case l.steps == 1:
		parts = append(parts, "1 step")
	case l.steps > 1:
		parts = append(parts, fmt.Sprintf("%d steps", l.steps))
	}
	line := ""
	for _, part := range append(parts, "Ctrl-C stops watching") {
		longer := strings.TrimPrefix(line+" | "+part, " | ")
		if len(longer) > columns {
			break
		}
		line = longer
	}
	return line
}

// clear removes the last line; l.mu is held.
func (l *liveScreen) clear() {
	if l.drawn {
		_, _ = io.WriteString(l.out, "\r\x1b[K")
		l.drawn = false
	}
}
