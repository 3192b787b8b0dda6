package tools

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"runs-mcp-server/client"
)

// TestCandidates are the runs with the intent that were made about then.
func TestCandidates(t *testing.T) {
	const id = "123e4567-e89b-12d3-a456-42661417400"
	began := time.Now().Add(-10 * time.Second)
	run := func(n int, intent string, at time.Time) client.Run {
		return client.Run{RunID: client.RunID(fmt.Sprint(id, n)), Intent: intent, Status: client.Running, CreatedAt: at.Format(time.RFC3339Nano)}
	}
	other := run(7, "Find it", began)
	other.RunID = "Find it"
	timeless := run(8, "Find it", began)
	timeless.CreatedAt = "today"
	found := findCandidates([]client.Run{
		run(0, "Find it", began.Add(-59*time.Second)), run(1, " Find it\n", began.Add(5*time.Second)), run(2, "Find it", time.Now().Add(50*time.Second)),
		run(3, "find it", began), run(4, "Find it all", began), run(5, "Find it", began.Add(-61*time.Second)), run(6, "Find it", time.Now().Add(2*time.Minute)), other, timeless,
	}, "Find it ", began)
	var ids []string
	for _, c := range found {
		ids = append(ids, string(c.runID[35:]))
	}
	if got := strings.Join(ids, ""); got != "210" || found[0].runID != id+"2" {
		t.Errorf("candidates %s, the first %v", got, found[0])
	}
}

// TestCandidatesFit: however many there are and whatever the API says of
// them, the failure names three, whole.
func TestCandidatesFit(t *testing.T) {
	for _, status := range append(client.Statuses(), "", client.Status(strings.Repeat("x", 500))) {
		var found []candidate
		for range 100 {
			found = append(found, candidate{"123e4567-e89b-12d3-a456-426614174000", status, time.Now()})
		}
		err := newHandlers(Options{}).someCandidates(found, nil)
		text := Failure{Code: string(err.code), Message: err.message, NextStep: err.nextStep}.truncated().text()
		if !strings.Contains(text, "and 97 more") || strings.Count(text, "123e4567") != 3 || len(text) > maxFailure || strings.Contains(text, "xxx") {
			t.Errorf("%.20q: %d bytes: %s", status, len(text), text)
		}
		if strings.Contains(text, "our run") {
			t.Errorf("it claims a run: %s", text)
		}
	}
}

// TestNobodyWaits: then nobody looks either.
func TestNobodyWaits(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	s := newHandlers(Options{Log: slog.New(slog.DiscardHandler)}) // without an API a look would panic
	cause := error(&client.Error{Kind: client.OutcomeUnknown})
	if err := s.createFailure(ctx, client.Caller{}, client.CreateRunRequest{}, time.Now(), cause); err != cause {
		t.Errorf("got %v", err)
	}
}
