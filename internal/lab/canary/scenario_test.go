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

// scenario uses every feature of a server as one client.
type scenario struct {
	*recordedServer
	t   *testing.T
	api *fakeAPI

	// A session with elicitation and one without. Over stdio each has its own
	// server, so neither server knows the secrets that the other one was given.
	askable, unaskable *sdk.ClientSession
	updated            chan struct{} // receives a value when a resource is updated; buffers one
}

// run runs all steps of the scenario.
func (s *scenario) run() {
	s.updated = make(chan struct{}, 1)
	s.unaskable = s.connect(s.t, nil)
	s.askable = s.connect(s.t, &sdk.ClientOptions{
		Capabilities: &sdk.ClientCapabilities{Elicitation: &sdk.ElicitationCapabilities{Form: &sdk.FormElicitationCapabilities{}, URL: &sdk.URLElicitationCapabilities{}}},
		ElicitationHandler: func(_ context.Context, r *sdk.ElicitRequest) (*sdk.ElicitResult, error) {
			if r.Params.URL != "" {
				s.api.authorize(r.Params.URL)
				return &sdk.ElicitResult{Action: "accept"}, nil
			}
			return &sdk.ElicitResult{Action: "accept", Content: map[string]any{"decision": "approve"}}, nil
		},
		ResourceUpdatedHandler: func(context.Context, *sdk.ResourceUpdatedNotificationRequest) {
			select {
			case s.updated <- struct{}{}:
			default:
			}
		},
	})
	ended := s.completeRun()
	s.readAll(ended)
	s.subscribe()
	s.decide()
	s.create(s.unaskable, "auth needed", 20)
	s.create(s.askable, "auth needed", 20)
	s.failEverything() // last: after many failures the client sends no requests for a while
	for _, page := range []string{"/healthz", "/readyz", "/metrics"} {
		s.get(s.t, page)
	}
}

// call calls a tool; the call may fail.
func (s *scenario) call(session *sdk.ClientSession, tool string, args map[string]any) {
	s.t.Helper()
	testbed.Raw(s.t, session, tool, args)
}

// create creates a run. The intent's first word is the kind of the run.
func (s *scenario) create(session *sdk.ClientSession, intent string, wait int) tools.RunResult {
	s.t.Helper()
	return testbed.Call[tools.RunResult](s.t, session, "create_run", s.createArguments(intent, wait))
}

// createArguments returns arguments of create_run with a canary in every field of the
// pass-through data.
func (s *scenario) createArguments(intent string, wait int) map[string]any {
	var items []any
	for _, kind := range []string{"aws", "role", "okta"} {
		item := passThroughData(s.api.canarySet, "caller", kind)
		item["customerIntegrationId"] = "call-" + kind
		items = append(items, item)
	}
	return map[string]any{"intent": intent, "context": "x", "approvalStrategy": "ON_TOOL_CALL", "waitSeconds": wait, "passThrough": items}
}

// completeRun follows a run from its creation to its end.
func (s *scenario) completeRun() (runID client.RunID) {
	run := s.create(s.askable, "step by step", 20)
	if !s.human {
		s.call(s.askable, "approve", map[string]any{"runId": run.RunID, "decision": "approve", "approvalId": s.waitForApproval(run.RunID)})
	}
	for after := int64(0); !run.Finished || after < run.LastEventID; {
		after = run.LastEventID
		run = testbed.Call[tools.RunResult](s.t, s.askable, "get_run", map[string]any{"runId": run.RunID, "afterEventId": after, "waitSeconds": 20, "limit": 200, "includeToolCalls": true})
	}
	if run.Status != "SUCCESS" {
		s.t.Errorf("the run ended with %s", run.Status)
	}
	return run.RunID
}

// waitForApproval waits until a run needs an approval and returns its id.
func (s *scenario) waitForApproval(runID client.RunID) (approvalID string) {
	for {
		got := testbed.Call[tools.RunResult](s.t, s.askable, "get_run", map[string]any{"runId": runID, "waitSeconds": 20})
		if len(got.PendingApprovals) > 0 {
			return got.PendingApprovals[0].ApprovalID
		}
	}
}

// readAll uses every feature that only reads.
func (s *scenario) readAll(runID client.RunID) {
	ctx := s.t.Context()
	must := func(what string, err error) {
		s.t.Helper()
		if err != nil {
			s.t.Errorf("%s: %v", what, err)
		}
	}
	done := s.create(s.askable, "done already", 0).RunID
	doneURI, endedURI := "run://"+string(done), "run://"+string(runID)
	for _, uri := range []string{
		doneURI, doneURI + "/events", doneURI + "/plan", doneURI + "/result", doneURI + "/result?offset=50&limit=500",
		endedURI, endedURI + "/events?afterEventId=3&limit=500", endedURI + "/plan", endedURI + "/result",
	} {
		_, err := s.askable.ReadResource(ctx, &sdk.ReadResourceParams{URI: uri})
		must(uri, err)
	}
	s.call(s.askable, "get_run", map[string]any{"runId": runID})
	s.call(s.askable, "get_run", map[string]any{"runId": done, "afterEventId": 0, "limit": 200, "includeContext": true, "includeToolCalls": true})
	s.call(s.askable, "list_runs", map[string]any{})
	s.call(s.askable, "list_runs", map[string]any{"includeEvents": true})
	_, err := s.askable.ListTools(ctx, nil)
	must("tools", err)
	_, err = s.askable.ListResources(ctx, nil)
	must("resources", err)
	_, err = s.askable.ListResourceTemplates(ctx, nil)
	must("templates", err)
	_, err = s.askable.ReadResource(ctx, &sdk.ReadResourceParams{URI: "integrations://active"})
	must("integrations", err)
	_, err = s.askable.ListPrompts(ctx, nil)
	must("prompts", err)
	_, err = s.askable.GetPrompt(ctx, &sdk.GetPromptParams{Name: "diagnose_run", Arguments: map[string]string{"runId": string(runID)}})
	must("a prompt", err)
	_, err = s.askable.Complete(ctx, &sdk.CompleteParams{
		Ref: &sdk.CompleteReference{Type: "ref/resource", URI: "run://{runId}"}, Argument: sdk.CompleteParamsArgument{Name: "runId", Value: string(done[:2])}})
	must("completion", err)
}

// subscribe subscribes to resources. It reads each resource for the first time after
// the notification, so the notification's way is the first to see the secrets.
func (s *scenario) subscribe() {
	strange := s.create(s.askable, "strange to say", 1).RunID
	s.call(s.askable, "approve", map[string]any{"runId": strange, "decision": "approve"})
	quiet := s.create(s.unaskable, "quiet until asked", 0).RunID
	for _, uri := range []string{"run://" + string(quiet) + "/events", "run://" + string(strange)} {
		if err := s.askable.Subscribe(s.t.Context(), &sdk.SubscribeParams{URI: uri}); err != nil {
			s.t.Fatal(err)
		}
		select {
		case <-s.updated:
		case <-time.After(time.Minute):
			s.t.Fatal("no update of the run arrived")
		}
		if _, err := s.askable.ReadResource(s.t.Context(), &sdk.ReadResourceParams{URI: uri}); err != nil {
			s.t.Error(err)
		}
		if err := s.askable.Unsubscribe(s.t.Context(), &sdk.UnsubscribeParams{URI: uri}); err != nil {
			s.t.Error(err)
		}
	}
}

// decide decides every kind of approval, also where the API refuses the token.
func (s *scenario) decide() {
	for _, intent := range []string{"quiet until asked", "start when allowed", "refuse-401", "refuse-409", "refuse-429", "refuse-503"} {
		run := s.create(s.unaskable, intent, 0)
		args := map[string]any{"runId": run.RunID, "decision": "approve"}
		if !s.human {
			args["approvalId"] = s.waitForApproval(run.RunID)
		}
		s.call(s.unaskable, "approve", args) // under --approvals=human nobody can be asked here
		s.call(s.askable, "approve", args)
		s.call(s.unaskable, "abort_run", map[string]any{"runId": run.RunID})
	}
	// The question is asked while create_run waits; the refusal goes into its summary.
	s.create(s.askable, "refuse-401", 1)
}

// failEverything has every request fail with every status.
func (s *scenario) failEverything() {
	for _, status := range []string{"400", "401", "403", "404", "409", "418", "429", "503"} {
		id := "00000000-0000-4000-8000-000000000" + status
		s.call(s.askable, "create_run", s.createArguments("fail-"+status, 0))
		for range 3 { // the API sends other fragments each time
			s.call(s.askable, "get_run", map[string]any{"runId": id})
			s.call(s.askable, "list_runs", map[string]any{"customerIntegrationIds": []string{status}})
			_, _ = s.askable.ReadResource(s.t.Context(), &sdk.ReadResourceParams{URI: "run://" + id})
		}
		s.call(s.askable, "abort_run", map[string]any{"runId": id})
		_ = s.askable.Subscribe(s.t.Context(), &sdk.SubscribeParams{URI: "run://" + id})
	}
	wrong := s.createArguments("step with bad arguments", 0)
	item := wrong["passThrough"].([]any)[0].(map[string]any)
	item["values"] = item["headers"]
	s.call(s.askable, "create_run", wrong)
	wrong["passThrough"] = fmt.Sprint(item)
	s.call(s.askable, "create_run", wrong)
}
