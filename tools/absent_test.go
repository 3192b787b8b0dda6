package tools_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// TestAbsentToolsAreNotNamed holds that no text names a tool that the operator leaves
// out: neither instructions, descriptions and prompts nor what a call answers.
func TestAbsentToolsAreNotNamed(t *testing.T) {
	for _, absent := range tools.Names() {
		for _, approvals := range []tools.Approvals{tools.ApprovalsHuman, tools.ApprovalsAgent} {
			t.Run(absent+" "+string(approvals), func(t *testing.T) {
				t.Parallel() // they wait, most of the time
				var options tools.Options
				bed := testbed.New(t, func(o *tools.Options) {
					o.ExcludeTools, o.Approvals = []string{absent}, approvals
					options = *o
				}, nil)
				named := regexp.MustCompile(`\b` + absent + `\b`)
				if absent == "approve" { // which is a word, too
					named = regexp.MustCompile(`(?i)\bcall approve\b|\bapprove with\b`)
				}
				check := func(where, text string) {
					if at := named.FindString(text); at != "" {
						t.Errorf("%s says %q: %s", where, at, text)
					}
				}
				check("instructions", tools.Instructions(options))
				s := bed.Connect(testbed.Newest, nil)
				list, err := s.ListTools(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				var listed []string
				for _, tool := range list.Tools {
					listed = append(listed, tool.Name)
				}
				for _, name := range tools.Names() { // others may need the absent one
					if want := options.Offers(name); slices.Contains(listed, name) != want {
						t.Fatalf("tools/list has %v; is %s offered: want %t", listed, name, want)
					}
				}
				check("tools/list", string(compact(t, list.Tools)))
				prompts, err := s.ListPrompts(t.Context(), nil)
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range prompts.Prompts {
					got, err := s.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: p.Name, Arguments: map[string]string{"intent": "x", "runId": unknownRun}})
					if err != nil { // it takes but one of the two
						key := map[bool]string{true: "intent", false: "runId"}[p.Name == "run_and_watch"]
						got, err = s.GetPrompt(t.Context(), &sdk.GetPromptParams{Name: p.Name, Arguments: map[string]string{key: map[string]string{"intent": "x", "runId": unknownRun}[key]}})
					}
					if err != nil {
						t.Fatal(err)
					}
					check(p.Name, string(compact(t, got)))
				}
				for where, answer := range answers(t, bed, s, list.Tools) {
					check(where, answer)
				}
			})
		}
	}
}

// answers calls every offered tool on runs in every state and on none.
func answers(t *testing.T, bed *testbed.Bed, s *sdk.ClientSession, offered []*sdk.Tool) map[string]string {
	t.Helper()
	runs := map[string]string{"unknown": unknownRun}
	for state, request := range map[string]client.CreateRunRequest{
		"ended":     {Context: "sandbox: steps=5 step_ms=0"},
		"failed":    {Context: "sandbox: outcome=FAILED step_ms=0"},
		"waits":     {Context: "sandbox: step_ms=0", ApprovalStrategy: client.ApproveToolCall},
		"authorise": {Context: "sandbox: step_ms=0 auth=required auth_ms=60000"},
		"running":   {Context: "sandbox: step_ms=60000"},
		"large":     {Context: "sandbox: step_ms=0 result_kb=50"},
	} {
		request.Intent, request.UserID, request.Integrations = "x", "u", []string{"*"}
		run, err := bed.API.CreateRun(t.Context(), bed.Caller, request)
		if err != nil {
			t.Fatal(err)
		}
		runs[state] = string(run.RunID)
	}
	calls := []struct {
		tool, args string
		quick      bool // of an unknown run, too; of those that watch the run one is enough, for they look again
	}{
		{"get_run", `{"runId":"ID"}`, true},
		{"get_run", `{"runId":"ID","waitSeconds":1}`, false},
		{"get_run", `{"runId":"ID","limit":1,"afterEventId":0}`, true},
		{"get_run", `{"runId":"ID","limit":1,"includeToolCalls":true}`, true},
		{"get_run", `{"runId":"ID","includeEvents":false,"eventTypes":["x"]}`, true},
		{"approve", `{"runId":"ID","decision":"approve"}`, true},
		{"approve", `{"runId":"ID","decision":"deny","approvalId":"x"}`, false},
		{"abort_run", `{"runId":"ID"}`, true},
	}
	out := map[string]string{}
	ask := func(tool, args, where string) {
		if !slices.ContainsFunc(offered, func(o *sdk.Tool) bool { return o.Name == tool }) {
			return
		}
		var arguments map[string]any
		if err := json.Unmarshal([]byte(args), &arguments); err != nil {
			t.Fatal(err)
		}
		out[where], _ = testbed.Raw(t, s, tool, arguments)
	}
	for _, tool := range offered {
		for state, runID := range runs {
			args := string(compact(t, testbed.RequiredArguments(tool, runID)))
			ask(tool.Name, args, tool.Name+" "+args+" of one that is "+state)
		}
	}
	for _, c := range calls {
		for state, runID := range runs {
			if state == "unknown" && !c.quick {
				continue
			}
			ask(c.tool, strings.ReplaceAll(c.args, "ID", runID), c.tool+" "+c.args+" of one that is "+state)
		}
	}
	for _, c := range []struct{ tool, args string }{
		{"create_run", `{"intent":"x","context":"sandbox: step_ms=0"}`},
		{"create_run", `{"intent":"x","context":"sandbox: step_ms=0","approvalStrategy":"ON_START","waitSeconds":1}`},
		{"create_run", `{"intent":"x","userId":"other"}`},
		{"list_runs", `{}`}, {"list_runs", `{"pageSize":1,"includeEvents":true}`}, {"list_runs", `{"page":1000}`}, {"list_runs", `{"status":"NO_SUCCESS"}`},
	} {
		ask(c.tool, c.args, c.tool+" "+c.args)
	}
	return out
}
