package task

import (
	"testing"
	"time"

	"runs-mcp-server/client"
)

// TestStatuses: the nine statuses of the contract and one that it does not have, in
// both revisions.
func TestStatuses(t *testing.T) {
	rows := map[client.Status]struct{ extension, stateful, asking Status }{
		client.Queued:         {Working, Working, Working},
		client.Running:        {Working, Working, Working},
		client.AuthRequired:   {Working, Working, InputRequired},
		client.Paused:         {Working, Working, InputRequired},
		client.CanceledRun:    {Cancelled, Cancelled, Cancelled},
		client.NoSuccess:      {Completed, Failed, ""},
		client.PartialSuccess: {Completed, Completed, Completed},
		client.Success:        {Completed, Completed, Completed},
		client.Failed:         {Completed, Failed, ""},
		"SUSPENDED":           {Working, Working, Working},
	}
	for _, run := range append(client.Statuses(), "SUSPENDED") {
		row, ok := rows[run]
		if !ok {
			t.Errorf("no row for %s", run)
		}
		if got := Extension(run, false); got != row.extension {
			t.Errorf("Extension(%s, false) = %s, want %s", run, got, row.extension)
		}
		if got := Stateful(run, false); got != row.stateful {
			t.Errorf("Stateful(%s, false) = %s, want %s", run, got, row.stateful)
		}
		if row.asking == "" { // ended, so a question changes nothing
			if Extension(run, true) != row.extension || Stateful(run, true) != row.stateful {
				t.Errorf("a question changes %s", run)
			}
			continue
		}
		if Extension(run, true) != row.asking || Stateful(run, true) != row.asking {
			t.Errorf("%s with a question is %s and %s, want %s", run, Extension(run, true), Stateful(run, true), row.asking)
		}
	}
	if len(rows) != len(client.Statuses())+1 {
		t.Error("a row of no status")
	}
}

// TestTimes: both times are well-formed whatever the API says.
func TestTimes(t *testing.T) {
	now := time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	const nowText, early, late = "2026-08-01T12:00:00Z", "2026-08-01T10:00:00Z", "2026-08-01T11:00:00.5Z"
	for _, tt := range []struct{ createdAt, updatedAt, eventAt, created, updated string }{
		{early, late, "", early, late},
		{early, early, late, early, late},
		{early, "", "", early, early},
		{late, early, "", late, late},
		{"2026-08-01T12:00:00+02:00", "", "", early, early},
		{"", "", "", nowText, nowText},
		{"yesterday", "soon", "\n", nowText, nowText},
	} {
		created, updated := Times(tt.createdAt, tt.updatedAt, tt.eventAt, now)
		if created != tt.created || updated != tt.updated {
			t.Errorf("%+v: got %s, %s", tt, created, updated)
		}
	}
}
