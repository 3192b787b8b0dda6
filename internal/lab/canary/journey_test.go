package canary

import (
	"context"
	"fmt"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// journey is what one client does: all there is to do.
type journey struct {
	*outlet
	t   *testing.T
	api *leakyAPI

	// One whose person can be asked, one whose cannot. Over stdio they are
	// processes of their own, and what one was given the other does not know.
	asking, plain *sdk.ClientSession
	updated       chan struct{} // takes a resource's update; has room for one
}

func (j *journey) all() {
	j.updated = make(chan struct{}, 1)
	j.plain = j.connect(j.t, nil)
	j.asking = j.connect(j.t, &sdk.ClientOptions{
		Capabilities: &sdk.ClientCapabilities{Elicitation: &sdk.ElicitationCapabilities{Form: &sdk.FormElicitationCapabilities{}, URL: &sdk.URLElicitationCapabilities{}}},
		ElicitationHandler: func(_ context.Context, r *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			if r.Params.URL != "" {
				j.api.authorize(r.Params.URL)
				return &sdk.ElicitResult{Action: "accept"}, nil
			}
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"decision": "approve"}}, nil
		},
		ResourceUpdatedHandler: func(context.Context, *sdk.ResourceUpdatedNotificationRequest) {
			select {
			case j.updated <- struct{}{}:
			default:
			}
		},
	})
	ended := j.wholeRun()
	j.reads(ended)
	j.subscribes()
	j.decides()
	j.create(j.plain, "auth needed", 20)
	j.create(j.asking, "auth needed", 20)
	j.fails() // last: it leaves the API alone for a while
	for _, page := range []string{"/healthz", "/readyz", "/metrics"} {
		j.get(j.t, page)
	}
}

// call calls a tool, whatever comes of it.
func (j *journey) call(s *sdk.ClientSession, tool string, args map[string]any) {
	j.t.Helper()
	testbed.Raw(j.t, s, tool, args)
}

// create creates a run; the intent's first word is its kind.
func (j *journey) create(s *sdk.ClientSession, intent string, wait int) tools.RunResult {
	j.t.Helper()
	return testbed.Call[tools.RunResult](j.t, s, "create_run", j.creation(intent, wait))
}

func (j *journey) creation(intent string, wait int) map[string]any {
	var items []any
	for _, kind := range []string{"aws", "role", "okta"} {
		item := passThrough(j.api.canaries, "caller", kind)
		item["customerIntegrationId"] = "call-" + kind
		items = append(items, item)
	}
	return map[string]any{"intent": intent, "context": "x", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": wait, "passThrough": items}
}

// wholeRun does a run from its beginning to its end, waiting on every way.
func (j *journey) wholeRun() (runID client.RunID) {
	run := j.create(j.asking, "step by step", 20)
	if !j.human {
		j.call(j.asking, "approve", map[string]any{"runId": run.RunID, "decision": "approve", "approvalId": j.waiting(run.RunID)})
	}
	for after := int64(0); !run.Finished || after < run.LastEventID; {
		after = run.LastEventID
		run = testbed.Call[tools.RunResult](j.t, j.asking, "get_run", map[string]any{"runId": run.RunID, "afterEventId": after, "waitSeconds": 20, "limit": 200, "includeToolCalls": true})
	}
	if run.Status != "SUCCESS" {
		j.t.Errorf("the run ended with %s", run.Status)
	}
	return run.RunID
}

// waiting returns the approval that a run waits for, once it is known.
func (j *journey) waiting(runID client.RunID) (approvalID string) {
	for {
		got := testbed.Call[tools.RunResult](j.t, j.asking, "get_run", map[string]any{"runId": runID, "waitSeconds": 20})
		if len(got.PendingApprovals) > 0 {
			return got.PendingApprovals[0].ApprovalID
		}
	}
}

// reads reads all there is without changing anything.
func (j *journey) reads(runID client.RunID) {
	ctx := j.t.Context()
	must := func(what string, err error) {
		j.t.Helper()
		if err != nil {
			j.t.Errorf("%s: %v", what, err)
		}
	}
	done := j.create(j.asking, "done already", 0).RunID
	for _, uri := range []string{string("run://" + done), string("run://" + done + "/events"), string("run://" + done + "/plan"), string("run://" + done + "/result"), string("run://" + done + "/result?offset=50&limit=500"),
		string("run://" + runID), string("run://" + runID + "/events?afterEventId=3&limit=500"), string("run://" + runID + "/plan"), string("run://" + runID + "/result")} {
		_, err := j.asking.ReadResource(ctx, &sdk.ReadResourceParams{URI: uri})
		must(uri, err)
	}
	j.call(j.asking, "get_run", map[string]any{"runId": runID})
	j.call(j.asking, "get_run", map[string]any{"runId": done, "afterEventId": 0, "limit": 200, "includeContext": true, "includeToolCalls": true})
	j.call(j.asking, "list_runs", map[string]any{})
	j.call(j.asking, "list_runs", map[string]any{"includeEvents": true})
	_, err := j.asking.ListTools(ctx, nil)
	must("tools", err)
	_, err = j.asking.ListResources(ctx, nil)
	must("resources", err)
	_, err = j.asking.ListResourceTemplates(ctx, nil)
	must("templates", err)
	_, err = j.asking.ReadResource(ctx, &sdk.ReadResourceParams{URI: "integrations://active"})
	must("integrations", err)
	_, err = j.asking.ListPrompts(ctx, nil)
	must("prompts", err)
	_, err = j.asking.GetPrompt(ctx, &sdk.GetPromptParams{Name: "diagnose_run", Arguments: map[string]string{"runId": string(runID)}})
	must("a prompt", err)
	_, err = j.asking.Complete(ctx, &sdk.CompleteParams{
		Ref: &sdk.CompleteReference{Type: "ref/resource", URI: "run://{runId}"}, Argument: sdk.CompleteParamsArgument{Name: "runId", Value: string(done[:2])}})
	must("completion", err)
}

// subscribes is told of changes, and reads what changed before anything else
// has shown it.
func (j *journey) subscribes() {
	strange := j.create(j.asking, "strange to say", 1).RunID
	j.call(j.asking, "approve", map[string]any{"runId": strange, "decision": "approve"})
	for _, uri := range []string{string("run://" + j.create(j.plain, "quiet until asked", 0).RunID + "/events"), string("run://" + strange)} {
		if err := j.asking.Subscribe(j.t.Context(), &sdk.SubscribeParams{URI: uri}); err != nil {
			j.t.Fatal(err)
		}
		select {
		case <-j.updated:
		case <-time.After(time.Minute):
			j.t.Fatal("nothing tells of the run")
		}
		if _, err := j.asking.ReadResource(j.t.Context(), &sdk.ReadResourceParams{URI: uri}); err != nil {
			j.t.Error(err)
		}
		if err := j.asking.Unsubscribe(j.t.Context(), &sdk.UnsubscribeParams{URI: uri}); err != nil {
			j.t.Error(err)
		}
	}
}

// decides has everything decided that can wait for it, also where the API
// refuses the token.
func (j *journey) decides() {
	for _, intent := range []string{"quiet until asked", "start when allowed", "refuse-401", "refuse-409", "refuse-429", "refuse-503"} {
		run := j.create(j.plain, intent, 0)
		args := map[string]any{"runId": run.RunID, "decision": "approve"}
		if !j.human {
			args["approvalId"] = j.waiting(run.RunID)
		}
		j.call(j.plain, "approve", args) // under --approvals=human it cannot ask
		j.call(j.asking, "approve", args)
		j.call(j.plain, "abort_run", map[string]any{"runId": run.RunID})
	}
	// Asked while a call waits: refused with what goes into its summary.
	j.create(j.asking, "refuse-401", 1)
}

// fails has everything fail with every kind of status.
func (j *journey) fails() {
	for _, status := range []string{"400", "401", "403", "404", "409", "418", "429", "503"} {
		id := "00000000-0000-4000-8000-000000000" + status
		j.call(j.asking, "create_run", j.creation("fail-"+status, 0))
		for range 3 { // each time it says something else
			j.call(j.asking, "get_run", map[string]any{"runId": id})
			j.call(j.asking, "list_runs", map[string]any{"customerIntegrationIds": []string{status}})
			_, _ = j.asking.ReadResource(j.t.Context(), &sdk.ReadResourceParams{URI: "run://" + id})
		}
		j.call(j.asking, "abort_run", map[string]any{"runId": id})
		_ = j.asking.Subscribe(j.t.Context(), &sdk.SubscribeParams{URI: "run://" + id})
	}
	wrong := j.creation("step with bad arguments", 0)
	item := wrong["passThrough"].([]any)[0].(map[string]any)
	item["values"] = item["headers"]
	j.call(j.asking, "create_run", wrong)
	wrong["passThrough"] = fmt.Sprint(item)
	j.call(j.asking, "create_run", wrong)
}
