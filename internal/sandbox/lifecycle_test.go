package sandbox_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/internal/sandbox"
)

// TestLifecycle decides every approval as the case says and compares the whole
// story a stream tells, and the stored events with it.
func TestLifecycle(t *testing.T) {
	tests := []struct {
		name, line, strategy, decision, want, status string
	}{
		{"success", "steps=2", "", "",
			"status QUEUED; start RUNNING; step RUNNING NOT_REQUIRED; step RUNNING NOT_REQUIRED; end SUCCESS", "SUCCESS"},
		{"failed", "steps=1 outcome=FAILED", "NONE", "",
			"status QUEUED; start RUNNING; step RUNNING NOT_REQUIRED; end FAILED", "FAILED"},
		{"partial", "steps=1 outcome=PARTIAL_SUCCESS", "", "",
			"status QUEUED; start RUNNING; step RUNNING NOT_REQUIRED; end PARTIAL_SUCCESS", "PARTIAL_SUCCESS"},
		{"none", "steps=1 outcome=NO_SUCCESS", "", "",
			"status QUEUED; start RUNNING; step RUNNING NOT_REQUIRED; end NO_SUCCESS", "NO_SUCCESS"},
		{"authorised", "steps=1 auth=required auth_ms=1", "", "",
			"status QUEUED; start RUNNING; authentication AUTH_REQUIRED required; authentication RUNNING success; step RUNNING NOT_REQUIRED; end SUCCESS", "SUCCESS"},
		{"not authorised", "auth=denied auth_ms=1", "", "",
			"status QUEUED; start RUNNING; authentication AUTH_REQUIRED required; authentication FAILED denied; end FAILED", "FAILED"},
		{"plan approved", "steps=1", "ON_START", "approve",
			"status QUEUED; start RUNNING; run_approval PAUSED; run_action RUNNING approve; step RUNNING NOT_REQUIRED; end SUCCESS", "SUCCESS"},
		{"plan denied", "steps=1", "ON_START", "deny",
			"status QUEUED; start RUNNING; run_approval PAUSED; run_action PAUSED deny; end CANCELED", "CANCELED"},
		{"steps approved", "steps=2", "ON_TOOL_CALL", "approve",
			"status QUEUED; start RUNNING; step PAUSED PENDING; run_action RUNNING approve; step RUNNING APPROVED; " +
				"step PAUSED PENDING; run_action RUNNING approve; step RUNNING APPROVED; end SUCCESS", "SUCCESS"},
		{"step denied", "steps=2", "ON_TOOL_CALL", "deny",
			"status QUEUED; start RUNNING; step PAUSED PENDING; run_action PAUSED deny; step PAUSED DENIED; end CANCELED", "CANCELED"},
		{"unknown", "steps=1 unknown=1", "", "",
			"status QUEUED; start RUNNING; insight REVIEWING; insight RUNNING; step RUNNING NOT_REQUIRED; end SUCCESS", "SUCCESS"},
	}
	f := start(t, sandbox.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			asked := body(tt.line)
			if tt.strategy != "" {
				asked["approvalStrategy"] = tt.strategy
			}
			id := f.createID(asked)
			s := f.stream(id, "")
			var all []frame
			for fr, ok, _ := s.next(); ok; fr, ok, _ = s.next() {
				all = append(all, fr)
				if step, _ := fr.data["step"].(object); fr.event == "run_approval" || step["approval"] == "PENDING" {
					if got := f.decide(link(t, fr.data, tt.decision)); got != http.StatusCreated {
						t.Fatalf("decide: %d", got)
					}
				}
			}
			if got := tell(all); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			run := f.read(id)
			if run["status"] != tt.status {
				t.Errorf("status %v, want %s", run["status"], tt.status)
			}
			sameAsStored(t, all, run)
		})
	}
}

// sameAsStored checks that a stream said what the run keeps, ids included.
func sameAsStored(t *testing.T, all []frame, run object) {
	t.Helper()
	stored := run["events"].([]any)
	if len(stored) != len(all) {
		t.Fatalf("%d events stored, %d streamed", len(stored), len(all))
	}
	for i, item := range stored {
		item := item.(object)
		if fmt.Sprint(item["id"]) != all[i].id || item["event"] != all[i].event {
			t.Errorf("event %d: stored as %v %v, streamed as %s %s", i, item["id"], item["event"], all[i].id, all[i].event)
		}
		delete(item, "id")
		delete(item, "event")
		if !reflect.DeepEqual(item, all[i].data) {
			t.Errorf("event %d: stored as %v, streamed as %v", i, item, all[i].data)
		}
	}
}

func TestSameInputSameStory(t *testing.T) {
	f := start(t, sandbox.Options{})
	story := func() string {
		var told strings.Builder
		for _, fr := range f.all(f.createID(body("outcome=PARTIAL_SUCCESS"))) {
			delete(fr.data, "runId")
			delete(fr.data, "timestamp")
			fmt.Fprintln(&told, fr.id, fr.event, fr.data)
		}
		return told.String()
	}
	first := story()
	if second := story(); first != second {
		t.Errorf("first\n%s\nsecond\n%s", first, second)
	}
	if !strings.Contains(first, "Look up overdue invoices in Salesforce") || !strings.Contains(first, "salesforce.search_records") {
		t.Errorf("the plan does not speak of the intent:\n%s", first)
	}
}

func TestParallelApprovals(t *testing.T) {
	f := start(t, sandbox.Options{})
	id := f.createID(with(body("approvals=parallel:3"), object{"approvalStrategy": "ON_TOOL_CALL"}))
	s := f.stream(id, "")
	var pending []frame
	for range 3 {
		pending = append(pending, s.until("step"))
	}
	if got := f.read(id)["status"]; got != "PAUSED" {
		t.Fatalf("status %v while all wait", got)
	}
	for i := 2; i >= 0; i-- {
		f.decide(link(t, pending[i].data, "approve"))
		want := map[bool]string{true: "RUNNING", false: "PAUSED"}[i == 0]
		if got := s.until("run_action"); got.data["runStatus"] != want || got.data["toolCallId"] != fmt.Sprintf("call_%d", i+1) {
			t.Errorf("decision %d: %v, want %s", i, got.data, want)
		}
		if step := s.until("step").data["step"].(object); step["approval"] != "APPROVED" {
			t.Errorf("after decision %d: %v", i, step)
		}
	}
	if got := s.until("end"); got.data["runStatus"] != "SUCCESS" {
		t.Errorf("ended %v", got.data)
	}
	if got := f.server.Sandbox().Decisions(id); len(got) != 3 {
		t.Errorf("decisions %v", got)
	}
}

// TestTokensAreOneTime lets a hundred callers fight over the two links.
func TestTokensAreOneTime(t *testing.T) {
	f := start(t, sandbox.Options{Keys: []string{sandbox.DefaultKey, "other"}})
	id := f.createID(with(body("steps=1"), object{"approvalStrategy": "ON_START"}))
	data := f.stream(id, "").until("run_approval").data
	tokens := []string{link(t, data, "approve"), link(t, data, "deny")}

	f.key = "other"
	if got := f.decide(tokens[0]); got != http.StatusBadRequest {
		t.Fatalf("another key's token: %d", got)
	}
	f.key = sandbox.DefaultKey
	var won sync.Map
	var group sync.WaitGroup
	for i := range 100 {
		group.Go(func() {
			if f.decide(tokens[i%2]) == http.StatusCreated {
				won.Store(i, true)
			}
		})
	}
	group.Wait()
	winners := 0
	won.Range(func(any, any) bool { winners++; return true })
	stats := f.server.Sandbox().Stats()
	if winners != 1 || stats.Approvals+stats.Denials != 1 || stats.ApprovalCalls != 101 {
		t.Errorf("%d winners, %+v", winners, stats)
	}
	if status, answer := f.call(f.checked, "GET", "/v1/runs/approval?token="+tokens[0], nil); status != 400 || answer.(object)["message"] != "token already used or unknown" {
		t.Errorf("used token: %d %v", status, answer)
	}
}

// TestAbortAgainstApproval: whoever comes first, the run ends once and the
// other is refused.
func TestAbortAgainstApproval(t *testing.T) {
	f := start(t, sandbox.Options{})
	for range 20 {
		id := f.createID(with(body("steps=1"), object{"approvalStrategy": "ON_START"}))
		token := link(t, f.stream(id, "").until("run_approval").data, "deny")
		var aborted, denied int
		var group sync.WaitGroup
		group.Go(func() { aborted, _ = f.call(f.checked, "DELETE", "/v1/runs/"+id, nil) })
		group.Go(func() { denied = f.decide(token) })
		group.Wait()
		if (aborted == 200) == (denied == 201) {
			t.Errorf("abort %d, denial %d: want exactly one of them", aborted, denied)
		}
		if all := f.all(id); strings.Count(tell(all), "end ") != 1 || f.read(id)["status"] != "CANCELED" {
			t.Errorf("story %s", tell(all))
		}
	}
}

func TestAbort(t *testing.T) {
	f := start(t, sandbox.Options{})
	for name, line := range map[string]string{
		"QUEUED": "queue_ms=60000", "RUNNING": "step_ms=60000 queue_ms=0",
		"AUTH_REQUIRED": "auth=required auth_ms=60000", "PAUSED": "",
	} {
		t.Run(name, func(t *testing.T) {
			asked := with(body(""), object{"approvalStrategy": "ON_START"})
			asked["context"] = "sandbox: queue_ms=0 step_ms=0"
			if name != "PAUSED" {
				asked["context"], asked["approvalStrategy"] = "sandbox: "+line, "NONE"
			}
			id := f.createID(asked)
			s := f.stream(id, "")
			for fr, _, _ := s.next(); fr.data["runStatus"] != name; fr, _, _ = s.next() {
			}
			if status, _ := f.call(f.checked, "DELETE", "/v1/runs/"+id, nil); status != http.StatusOK {
				t.Fatalf("abort: %d", status)
			}
			if end := s.until("end"); end.data["runStatus"] != "CANCELED" {
				t.Errorf("end: %v", end.data)
			}
			if status, _ := f.call(f.checked, "DELETE", "/v1/runs/"+id, nil); status != http.StatusConflict {
				t.Errorf("second abort: %d", status)
			}
		})
	}
}
