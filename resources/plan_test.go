package resources_test

import (
	"fmt"
	"strings"
	"testing"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/resources"
	"runs-mcp-server/tools"
)

// TestPlan reads the plan of a run, whatever create answered.
func TestPlan(t *testing.T) {
	for _, version := range []string{testbed.Oldest, testbed.Newest} {
		s := testbed.New(t, nil, nil).Connect(version, nil)
		for context, check := range map[string]func(resources.RunPlan) bool{
			"steps=3 plan=placeholder": func(p resources.RunPlan) bool {
				return p.Summary == "The whole plan: 3 steps." && p.Plan.Title != "" && len(p.Plan.Steps) == 3 && p.Plan.Steps[2].DependsOnSteps[0] == "2" && !p.More
			},
			"steps=3 plan=text": func(p resources.RunPlan) bool {
				return strings.HasPrefix(p.Summary, "The plan is a text.") && strings.HasPrefix(p.Plan.Description, "1. ") && len(p.Plan.Steps) == 0
			},
			"steps=10000 plan=json": func(p resources.RunPlan) bool {
				return p.Summary == "Steps 1 to 50 of 10000." && len(p.Plan.Steps) == 50 && p.More && strings.HasSuffix(p.Next, "/plan?offset=50&limit=50")
			},
		} {
			run := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "Find invoices", "context": "sandbox: step_ms=60000 " + context})
			got := read[resources.RunPlan](t, s, string("run://"+string(run.RunID)+"/plan"))
			if got.RunID != run.RunID || got.Status != "QUEUED" || got.ExecutionPlanID == "" || got.Plan == nil || !check(got) {
				t.Errorf("%s %s: got %+v %+v", version, context, got, got.Plan)
			}
		}
	}
}

// TestWhereThePlanIs: the run itself tells it, or its own address, or nobody.
func TestWhereThePlanIs(t *testing.T) {
	const (
		steps = `{"planType":"json","plan":{"title":"T","steps":[{"id":"1","description":"Look"}]}}`
		text  = `{"planType":"text","plan":"Will be available shortly"}`
		none  = `{"planType":"json","plan":null}`
	)
	run := func(status, fields string) string {
		return fmt.Sprintf(`{"runId":%q,"status":%q%s}`, someRun, status, fields)
	}
	const id = `,"executionPlanId":"p/1"`
	for name, tt := range map[string]struct{ run, plan, want string }{
		"stored":                      {run("RUNNING", id+`,"plan":`+steps), text, "The whole plan: 1 steps."},
		"stored, without an id":       {run("RUNNING", `,"plan":`+steps), "HTTP 500", "The whole plan: 1 steps."},
		"stored placeholder":          {run("RUNNING", id+`,"plan":`+text), steps, "The whole plan: 1 steps."},
		"placeholders alone":          {run("RUNNING", id+`,"plan":`+text), none, "The plan is a text. Soon after"},
		"placeholder, and no other":   {run("SUCCESS", id+`,"plan":`+text), "HTTP 503", "The plan is a text."},
		"at its address":              {run("RUNNING", id), steps, "The whole plan: 1 steps."},
		"no id":                       {run("QUEUED", ""), steps, "The plan is not there yet, or the Run API does not tell it: the run is QUEUED. Read this again later."},
		"not there yet":               {run("QUEUED", id), "HTTP 404", "The plan is not there yet, or the Run API does not tell it: the run is QUEUED. Read this again later."},
		"an empty plan":               {run("QUEUED", id), none, "The plan is not there yet"},
		"rubbish":                     {run("QUEUED", id), "<html>", "The plan is not there yet"},
		"no such method":              {run("QUEUED", id), "HTTP 405", "The plan is not there yet"},
		"not implemented":             {run("FAILED", id), "HTTP 501", "The Run API does not tell the plan of this run."},
		"the API fails":               {run("RUNNING", id), "HTTP 503", "error: upstream_unavailable"},
		"the key is refused meantime": {run("RUNNING", id), "HTTP 401", "error: unauthorized"},
	} {
		s := testbed.New(t, nil, answering(map[string]string{"/v1/runs/" + someRun: tt.run, "/v1/execution-plans/p/1": tt.plan})).Connect(testbed.Newest, nil)
		if code, fails := strings.CutPrefix(tt.want, "error: "); fails {
			if _, err := s.ReadResource(t.Context(), &sdk.ReadResourceParams{URI: "run://" + someRun + "/plan"}); err == nil || !strings.Contains(err.Error(), code) {
				t.Errorf("%s: got %v", name, err)
			}
			continue
		}
		got := read[resources.RunPlan](t, s, "run://"+someRun+"/plan")
		if !strings.HasPrefix(got.Summary, tt.want) || (got.Plan == nil) != strings.Contains(tt.want, "not") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

// TestLargePlan is read in parts that keep within the budget, each step once.
func TestLargePlan(t *testing.T) {
	step := fmt.Sprintf(`{"id":"1","description":%q,"dependsOnSteps":[%s"x"]}`, strings.Repeat("d", 5000), strings.Repeat(`"`+strings.Repeat("y", 200)+`",`, 100))
	plan := `{"plan":{"title":"T","steps":[` + strings.Repeat(step+",", 29) + step + `]}}`
	s := testbed.New(t, nil, answering(map[string]string{"/v1/runs/" + someRun: `{"runId":"` + someRun + `","status":"RUNNING","plan":` + plan + `}`})).Connect(testbed.Newest, nil)
	steps, parts := 0, 0
	for uri := "run://" + someRun + "/plan?limit=500"; uri != ""; parts++ {
		part := read[resources.RunPlan](t, s, uri)
		if n := len(view.JSON(part)); n > 60<<10 || len(part.Plan.Steps) == 0 || part.More != (part.Next != "") {
			t.Fatalf("%s: %d bytes, %d steps, %+v", uri, n, len(part.Plan.Steps), part)
		}
		steps += len(part.Plan.Steps)
		uri = part.Next
	}
	if steps != 30 || parts < 10 {
		t.Errorf("%d steps in %d parts", steps, parts)
	}
	if part := read[resources.RunPlan](t, s, "run://"+someRun+"/plan?offset=1000"); part.More || len(part.Plan.Steps) > 0 || part.Summary != "The plan ends before offset 1000: it has 30 steps." {
		t.Errorf("got %+v", part)
	}
}
