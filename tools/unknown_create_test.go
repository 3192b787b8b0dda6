package tools

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/feed"
)

// TestCandidates are the runs with the intent that were made about then, but the one that
// was there before.
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
		run(9, "Find it", began),
	}, "Find it ", began, id+"9")
	var ids []string
	for _, c := range found {
		ids = append(ids, string(c.runID[35:]))
	}
	if got := strings.Join(ids, ""); got != "210" || found[0].runID != id+"2" {
		t.Errorf("candidates %s, the first %v", got, found[0])
	}
}

// TestReadRunIsNoCandidate: a lost create made no run that its call had read before, with
// the same intent and just as new.
func TestReadRunIsNoCandidate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const read, made = "123e4567-e89b-12d3-a456-426614174001", "123e4567-e89b-12d3-a456-426614174002"
		runOf := func(id string) string {
			return fmt.Sprintf(`{"runId":%q,"status":"RUNNING","intent":"x","createdAt":%q}`, id, time.Now().Format(time.RFC3339))
		}
		s, c := bubble(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch {
			case r.Method == http.MethodPost:
				panic(http.ErrAbortHandler)
			case strings.HasSuffix(r.URL.Path, "/runs"):
				fmt.Fprintf(w, `{"runs":[%s,%s],"total":2}`, runOf(read), runOf(made))
			default:
				fmt.Fprint(w, runOf(read))
			}
		}), &slowPerson{})
		if _, err := s.readRun(t.Context(), c, read, feed.State{}); err != nil {
			t.Fatal(err)
		}
		_, err := s.createRun(t.Context(), c, createRunArgs{Intent: "x", UserID: "u"}, nil)
		if text := s.describe(err).text(); !strings.Contains(text, made) || strings.Contains(text, read) {
			t.Errorf("got %s", text)
		}
	})
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
	if err := s.createFailure(ctx, &call{}, client.CreateRunRequest{}, time.Now(), cause); err != cause {
		t.Errorf("got %v", err)
	}
}
