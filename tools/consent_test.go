package tools_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// script is an API with one run whose stored events and plan a test sets.
type script struct {
	mu     sync.Mutex // guards all below
	status string
	events string
	plan   string   // "": 404
	took   []string // the tokens that were sent
	mute   bool     // there is a stream, and it says nothing
}

func (s *script) set(change func(*script)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change(s)
}

func (s *script) sent() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.took
}

// ServeHTTP has no stream, or a mute one: what waits is read.
func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case strings.HasSuffix(r.URL.Path, "/sse") && s.mute:
		w.Header().Set("Content-Type", "text/event-stream")
		w.(http.Flusher).Flush()
		s.mu.Unlock()
		<-r.Context().Done()
		s.mu.Lock()
	case strings.HasSuffix(r.URL.Path, "/sse"):
		w.WriteHeader(http.StatusNoContent)
	case strings.HasSuffix(r.URL.Path, "/approval"):
		s.took = append(s.took, r.URL.Query().Get("token"))
		w.WriteHeader(http.StatusCreated)
	case strings.HasPrefix(r.URL.Path, "/v1/execution-plans/") && s.plan != "":
		fmt.Fprint(w, s.plan)
	case isRead(r):
		fmt.Fprintf(w, `{"runId":%q,"status":%q,"intent":"x","executionPlanId":"p","events":[%s]}`, unknownRun, s.status, s.events)
	default:
		http.NotFound(w, r)
	}
}

func (s *script) bed(t *testing.T) *testbed.Bed {
	return testbed.New(t, human, func(http.Handler) http.Handler { return s })
}

// bothLinks are those of the one approval of a script.
const bothLinks = `[{"action":"approve","url":"https://x/v1/runs/approval?token=the-approve-token"},{"action":"deny","url":"https://x/v1/runs/approval?token=the-deny-token"}]`

func stepWaits(calls, more string) string {
	return `{"id":1,"event":"step","runStatus":"PAUSED"` + more + `,"step":{"approval":"PENDING","reason":"r","toolCalls":` + calls + `,"approvalActions":` + bothLinks + `}}`
}

func runWaits(links string) string {
	return `{"id":1,"event":"run_approval","runStatus":"PAUSED","approvalActions":` + links + `}`
}

// TestConsentIsToContent: while the person thinks, something changes. An answer to
// what would no longer happen is not sent, and they are asked anew; what changes
// nothing of it does not count.
func TestConsentIsToContent(t *testing.T) {
	t.Parallel()
	const call = `[{"toolCallId":"1","toolName":"pay","toolParameters":{"to":"x","amount":1}}]`
	steps := func(description string) string {
		return `{"planType":"json","plan":{"title":"t","steps":[{"id":"1","description":"` + description + `"}]}}`
	}
	step := func(calls string) func(*script) {
		return func(s *script) { s.events = stepWaits(calls, "") }
	}
	plan := func(plan string) func(*script) {
		return func(s *script) { s.plan = plan }
	}
	whole := func(s *script) { s.events, s.plan = runWaits(bothLinks), steps("a") }
	const sent, asked, refused = "sent", "asked anew", "no longer waits"
	for name, tt := range map[string]struct {
		before, after func(*script)
		want          string
	}{
		"nothing":          {step(call), func(*script) {}, sent},
		"id":               {step(call), step(strings.ReplaceAll(call, `"1"`, `"2"`)), asked},
		"name":             {step(call), step(strings.ReplaceAll(call, `pay`, `pay_all`)), asked},
		"value":            {step(call), step(strings.ReplaceAll(call, `"x"`, `"y"`)), asked},
		"field":            {step(call), step(strings.ReplaceAll(call, `"to"`, `"cc"`)), asked},
		"number":           {step(call), step(strings.ReplaceAll(call, `:1}`, `:2}`)), asked},
		"1.0":              {step(call), step(strings.ReplaceAll(call, `:1}`, `:1.0}`)), asked},
		"1e0":              {step(call), step(strings.ReplaceAll(call, `:1}`, `:1e0}`)), asked},
		"duplicate":        {step(call), step(strings.ReplaceAll(call, `:1}`, `:1,"amount":1}`)), asked},
		"invisible":        {step(call), step(strings.ReplaceAll(call, `"x"`, `"x\u200b"`)), asked},
		"what is cut":      {step(strings.ReplaceAll(call, `"x"`, `"`+strings.Repeat("x", 9000)+`1"`)), step(strings.ReplaceAll(call, `"x"`, `"`+strings.Repeat("x", 9000)+`2"`)), asked},
		"one call more":    {step(call), step(call[:len(call)-1] + `,{"toolCallId":"2","toolName":"log"}]`), asked},
		"the 11th call":    {step(tenAnd("log")), step(tenAnd("drop")), asked},
		"one call less":    {step(tenAnd("log")), step(tenAnd("")), asked},
		"calls told later": {step(`[]`), step(call), asked},
		"order of fields":  {step(call), step(`[{"toolParameters":{"amount":1, "to":"x"},"toolName":"pay","toolCallId":"1"}]`), sent},
		"spelling":         {step(call), step(strings.ReplaceAll(call, `"x"`, `"\u0078"`)), sent},
		"result":           {step(call), step(strings.ReplaceAll(call, `,"toolParameters"`, `,"toolResult":{"paid":true},"toolParameters"`)), sent},
		"time":             {step(call), func(s *script) { s.events = stepWaits(call, `,"timestamp":"2026-01-01T00:00:00Z"`) }, sent},
		"reason":           {step(call), func(s *script) { s.events = strings.ReplaceAll(s.events, `"r"`, `"because"`) }, sent},
		"another event":    {step(call), func(s *script) { s.events += `,{"id":2,"event":"status","runStatus":"PAUSED"}` }, sent},
		"links":            {step(call), func(s *script) { s.events = strings.ReplaceAll(s.events, "the-deny", "another") }, refused},
		"decided": {step(call), func(s *script) {
			s.status, s.events = "RUNNING", s.events+`,{"id":2,"event":"run_action","runStatus":"RUNNING"}`
		}, refused},
		"ended": {step(call), func(s *script) { s.status = "CANCELED" }, refused},

		"the whole run":          {whole, func(*script) {}, sent},
		"step of the plan":       {whole, plan(steps("b")), asked},
		"title":                  {whole, plan(strings.ReplaceAll(steps("a"), `"t"`, `"u"`)), asked},
		"no plan":                {whole, plan(""), asked},
		"a plan told later":      {func(s *script) { s.events = runWaits(bothLinks) }, plan(steps("a")), asked},
		"a text for steps":       {whole, plan(`{"planType":"text","plan":"a"}`), asked},
		"around the plan":        {whole, plan(`{"updatedAt":"now",` + steps("a")[1:]), sent},
		"order in the plan":      {whole, plan(`{"plan":{"steps":[{"description":"a","id":"1"}],"title":"t"}}`), sent},
		"a plan beside a step's": {step(call), plan(steps("a")), sent},
		"scope":                  {whole, func(s *script) { s.events = stepWaits(call, "") }, asked},
	} {
		t.Run(name, func(t *testing.T) {
			eachAskingRevision(t, func(t *testing.T, version string) {
				api := &script{status: "PAUSED"}
				api.set(tt.before)
				who := &person{answers: []answer{first(func() { api.set(tt.after) }, chooses("approve")), does("decline")}}
				text, failed := testbed.Raw(t, api.bed(t).ConnectWith(version, who.options()), "approve", map[string]any{"runId": unknownRun})
				got := sent
				switch questions := who.questions(); {
				case failed && len(questions) == 1 && (strings.Contains(text, "no longer waits") || strings.Contains(text, "nothing waits") || strings.Contains(text, "names no approval")):
					got = refused
				case len(questions) == 2 && strings.HasPrefix(questions[1].Message, "Changed: it asks"):
					got = asked
				case len(questions) == 2 && version == testbed.Newest: // the call goes on with what waits instead
					got = refused
				case failed || len(questions) != 1:
					got = fmt.Sprintf("%d questions and %s", len(questions), text)
				}
				if took := strings.Join(api.sent(), ","); got != tt.want || (took == "the-approve-token") != (tt.want == sent) || tt.want != sent && took != "" {
					t.Errorf("%s, the API took %q; want %s", got, took, tt.want)
				}
			})
		})
	}
}

// tenAnd returns ten tool calls and one of another name, unless that is empty.
func tenAnd(name string) string {
	calls := strings.Repeat(`{"toolName":"list"},`, 10)
	if name == "" {
		return "[" + strings.TrimSuffix(calls, ",") + "]"
	}
	return "[" + calls + `{"toolName":"` + name + `"}]`
}

// TestEleventhToolCall is mentioned, though it is not listed.
func TestEleventhToolCall(t *testing.T) {
	api := &script{status: "PAUSED", events: stepWaits(tenAnd("drop_database"), "")}
	who := &person{}
	testbed.Raw(t, api.bed(t).ConnectWith(testbed.Newest, who.options()), "approve", map[string]any{"runId": unknownRun})
	if q := who.questions()[0].Message; !strings.HasPrefix(q, "A run asks for 11 tool calls, 0 bytes of parameters. Not all is shown.\n") || !strings.Contains(q, "\nand 1 more tool call not listed here\n") {
		t.Errorf("asked:\n%s", q)
	}
}

// TestDecidedByAnotherReplica: the stream lags, and still says that the run waits.
// Nobody is asked what was decided, neither first nor by an open question's answer.
func TestDecidedByAnotherReplica(t *testing.T) {
	t.Parallel()
	eachAskingRevision(t, func(t *testing.T, version string) {
		api := &script{status: "PAUSED", events: stepWaits(`[{"toolName":"pay"}]`, ""), mute: true}
		bed := api.bed(t)
		seen := testbed.Call[tools.RunResult](t, bed.Connect(version, nil), "get_run", map[string]any{"runId": unknownRun, "waitSeconds": 1})
		if len(seen.PendingApprovals) != 1 {
			t.Fatalf("nothing waits: %+v", seen)
		}
		api.set(func(s *script) {
			s.status, s.events = "RUNNING", s.events+`,{"id":2,"event":"run_action","runStatus":"RUNNING"}`
		})
		who := &person{}
		s := bed.ConnectWith(version, who.options())
		got := testbed.Call[tools.RunResult](t, s, "get_run", map[string]any{"runId": unknownRun, "waitSeconds": 1})
		f := testbed.Fail(t, s, "approve", map[string]any{"runId": unknownRun})
		if len(who.questions()) != 0 || got.Status != "RUNNING" || got.WaitEnded != "time_up" || len(got.PendingApprovals) != 0 || f.Code != "conflict" {
			t.Errorf("%d questions, got %+v, then %+v", len(who.questions()), got, f)
		}
	})
}

// TestReplicasAgree on what a person decides: one replica asks, and another one,
// which saw nothing of it, sends the answer. A plan that only the first remembers
// is shown and stays out of it.
func TestReplicasAgree(t *testing.T) {
	for name, api := range replicaScripts() {
		t.Run(name, func(t *testing.T) {
			creator, other := replicasOf(t, name, api)
			args := map[string]any{"runId": unknownRun}
			round := asked(t, byHand(creator), "approve", args)
			question := round.InputRequests["decision"].(*sdk.ElicitParams).Message
			if strings.Contains(question, `1. "kept"`) != strings.HasPrefix(name, "a kept") {
				t.Errorf("asked:\n%s", question)
			}
			if result := answered(t, byHand(other), "approve", args, round.RequestState); result.NeedsInput() || result.IsError || strings.Join(api.sent(), ",") != "the-approve-token" {
				t.Errorf("the API took %v: %+v", api.sent(), result)
			}
		})
	}
}

// TestReplicasAgreeOnTasks: the same where a task asks. Both replicas ask under one key.
func TestReplicasAgreeOnTasks(t *testing.T) {
	for name, api := range replicaScripts() {
		t.Run(name, func(t *testing.T) {
			creator, other := replicasOf(t, name, api)
			w := other.ConnectWire(testbed.Newest, withTasks)
			key, question := only(t, getTask(t, creator.ConnectWire(testbed.Newest, withTasks), unknownRun, "input_required"))
			if strings.Contains(question.Params.Message, `1. "kept"`) != strings.HasPrefix(name, "a kept") {
				t.Errorf("asked:\n%s", question.Params.Message)
			}
			if again, _ := only(t, getTask(t, w, unknownRun, "input_required")); again != key {
				t.Errorf("asked under %s, then under %s", key, again)
			}
			updateTask(w, unknownRun, key, "accept", "approve")
			if strings.Join(api.sent(), ",") != "the-approve-token" {
				t.Errorf("the API took %v", api.sent())
			}
		})
	}
}

// replicaScripts are APIs with a run that waits.
func replicaScripts() map[string]*script {
	return map[string]*script{
		"a step":           {events: stepWaits(`[{"toolName":"pay"}]`, "")},
		"a whole run":      {events: runWaits(bothLinks), plan: `{"plan":{"steps":[{"id":"1","description":"told"}]}}`},
		"a plan unknown":   {events: runWaits(bothLinks)},
		"a kept plan":      {events: runWaits(bothLinks)},
		"a kept plan, too": {events: runWaits(bothLinks), plan: `{"plan":"soon"}`},
	}
}

// replicasOf returns two servers with one API. If the name of the test says so, the
// first one remembers a plan, as the answer to create told it.
func replicasOf(t *testing.T, name string, api *script) (creator, other *testbed.Bed) {
	api.status = "PAUSED"
	replica := func(plan bool) *testbed.Bed {
		return testbed.New(t, func(o *tools.Options) {
			asTasks(o)
			if plan {
				o.Decider.RememberPlan(client.Caller{Key: sandbox.DefaultKey}, unknownRun, &client.Plan{Steps: []client.PlanStep{{Description: "kept"}}})
			}
		}, func(http.Handler) http.Handler { return api })
	}
	return replica(strings.HasPrefix(name, "a kept")), replica(false)
}
