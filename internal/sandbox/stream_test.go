package sandbox_test

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"runs-mcp-server/internal/sandbox"
)

// ids are the ids of a stream, "-" for none.
func ids(all []frame) string {
	var said []string
	for _, fr := range all {
		said = append(said, map[bool]string{true: "-", false: fr.id}[fr.id == ""])
	}
	return strings.Join(said, " ")
}

// TestStreamOfFinishedRun reads a finished run of three steps, that is six
// events, by each option that changes what a stream says.
func TestStreamOfFinishedRun(t *testing.T) {
	tests := []struct {
		line, after, want string
		cut               bool
	}{
		{"", "", "1 2 3 4 5 6", false},
		{"", "4", "5 6", false},
		{"", "6", "", false},
		{"", "no number", "1 2 3 4 5 6", false},
		{"id_gap=2", "", "1 2 4 5 7 8", false},
		{"id_gap=2", "4", "5 7 8", false},
		{"ids=none", "4", "- - - - - -", false},
		{"ids=per-connection", "4", "1 2 3 4 5 6", false},
		{"drop=2", "", "1 3 5 6", false},
		{"drop=1", "", "6", false},
		{"drop=2 ids=per-connection", "", "1 2 3 4", false},
		{"cut=4", "", "1 2 3 4", true},
		{"cut=4", "4", "5 6", false},
		{"replay=none", "", "", false},
	}
	f := start(t, sandbox.Options{})
	for _, tt := range tests {
		t.Run(tt.line+" after "+tt.after, func(t *testing.T) {
			id := f.finished("steps=3 " + tt.line)
			all, broken := f.stream(id, tt.after).rest()
			if got := ids(all); got != tt.want || broken != tt.cut {
				t.Errorf("ids %q, cut %v; want %q, %v", got, broken, tt.want, tt.cut)
			}
			if got := len(f.read(id)["events"].([]any)); got != 6 {
				t.Errorf("%d events stored, want all 6", got)
			}
		})
	}
}

// finished creates a run and reads it until it has ended: its own stream may be
// cut, or told to stay silent.
func (f *fixture) finished(line string) string {
	f.Helper()
	id := f.createID(body(line))
	for status := ""; status == "" || status == "QUEUED" || status == "RUNNING"; status, _ = f.read(id)["status"].(string) {
	}
	return id
}

func TestLiveStreamWithoutReplay(t *testing.T) {
	f := start(t, sandbox.Options{})
	id := f.createID(with(body("steps=1 replay=none"), object{"approvalStrategy": "ON_START"}))
	for f.read(id)["status"] != "PAUSED" {
	}
	s := f.stream(id, "")
	events := f.read(id)["events"].([]any)
	if status := f.decide(link(t, events[2].(object), "approve")); status != http.StatusCreated {
		t.Fatalf("decide: %d", status)
	}
	all, _ := s.rest()
	if got, want := tell(all), "run_action RUNNING approve; step RUNNING NOT_REQUIRED; end SUCCESS"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestFinishedRunOptions(t *testing.T) {
	f := start(t, sandbox.Options{})
	for _, status := range []int{404, 204} {
		id := f.finished("finished=" + strconv.Itoa(status))
		if got, _ := f.call(f.free, "GET", "/v1/runs/"+id+"/sse", nil); got != status {
			t.Errorf("stream of a finished run: %d, want %d", got, status)
		}
	}
	for _, status := range []int{409, 404, 200} {
		id := f.finished("abort=" + strconv.Itoa(status))
		if got, _ := f.call(f.free, "DELETE", "/v1/runs/"+id, nil); got != status {
			t.Errorf("abort of a finished run: %d, want %d", got, status)
		}
	}
	if got := f.server.Sandbox().Stats(); got.Aborts != 0 || got.Creates != 5 {
		t.Errorf("%+v", got)
	}
}

func TestStepWithoutToolCallsIsItsText(t *testing.T) {
	f := start(t, sandbox.Options{})
	id := f.createID(with(body("steps=1 links=stream-only"), object{"approvalStrategy": "ON_TOOL_CALL"}))
	response := f.open(f.checked, "GET", "/v1/runs/"+id+"/sse", nil, "")
	step := newFrames(f, response.Body).until("step").data["step"].(object)
	if len(step) != 1 || step["text"] == "" {
		t.Errorf("step %v, want its text alone", step)
	}
	// That reader has not spent the links: the first who gets tool calls has them.
	first := f.stream(id, "").until("step")
	if link(t, first.data, "approve") == "" {
		t.Error("no link on the first stream")
	}
	if again := f.stream(id, "").until("step").data["step"].(object); again["approvalActions"] != nil {
		t.Errorf("links said twice: %v", again)
	}
	for _, item := range f.read(id)["events"].([]any) {
		if step, ok := item.(object)["step"].(object); ok && step["approvalActions"] != nil {
			t.Errorf("links stored: %v", step)
		}
	}
}

func TestBareEvents(t *testing.T) {
	f := start(t, sandbox.Options{})
	for _, item := range f.read(f.finished("events=bare"))["events"].([]any) {
		item := item.(object)
		if item["id"] != nil || item["event"] != nil || item["runStatus"] == nil {
			t.Errorf("event %v, want the payload alone", item)
		}
	}
}

func TestResultOptions(t *testing.T) {
	f := start(t, sandbox.Options{})
	plain := f.read(f.finished("text=all is well"))["result"].(object)
	if plain["sandbox"] != true || plain["text"] != "all is well" {
		t.Errorf("result %v", plain)
	}
	large := f.read(f.finished("result_kb=64"))["result"].(object)
	if n := len(large["padding"].(string)); n != 64<<10 {
		t.Errorf("padding of %d bytes", n)
	}
}

func TestLeak(t *testing.T) {
	f := start(t, sandbox.Options{})
	id := f.createID(with(body("steps=1 leak=1"), object{"approvalStrategy": "ON_TOOL_CALL"}))
	s := f.stream(id, "")
	data := s.until("step").data
	token := link(t, data, "approve")
	step := data["step"].(object)
	parameters := step["toolCalls"].([]any)[0].(object)["toolParameters"].(object)
	f.decide(token)
	s.until("end")
	result := f.read(id)["result"].(object)
	for where, text := range map[string]any{"text": step["text"], "debug": data["debug"], "parameters": parameters["note"], "result": result["text"]} {
		if !strings.Contains(text.(string), "Authorization: Bearer "+token) || !strings.Contains(text.(string), "https://approvals.sandbox.invalid/") {
			t.Errorf("%s does not leak: %v", where, text)
		}
	}
}

func TestManySteps(t *testing.T) {
	f := start(t, sandbox.Options{})
	all := f.all(f.createID(body("steps=10000")))
	if len(all) != 10_003 || all[10_002].id != "10003" {
		t.Errorf("%d events", len(all))
	}
}

func TestClosingEndsRunsAndStreams(t *testing.T) {
	f := start(t, sandbox.Options{})
	id := f.createID(body("queue_ms=60000"))
	held := f.stream(f.createID(body("end=hold")), "")
	held.until("end")
	waiting := f.stream(id, "")
	waiting.until("status")
	if got := f.server.Sandbox().Stats(); got.OpenStreams != 2 || got.StreamsOpened != 2 {
		t.Errorf("%+v", got)
	}
	f.server.Sandbox().Close()
	for _, s := range []*frames{held, waiting} {
		if rest, _ := s.rest(); len(rest) != 0 {
			t.Errorf("events after Close: %v", rest)
		}
	}
	if status, _ := f.call(f.free, "POST", "/v1/runs", body("")); status != http.StatusServiceUnavailable {
		t.Errorf("create after Close: %d", status)
	}
	if got := f.server.Sandbox().Stats(); got.OpenStreams != 0 {
		t.Errorf("%+v", got)
	}
}
