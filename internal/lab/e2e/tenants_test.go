package e2e

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"runs-mcp-server/internal/lab/program"
)

// unknownRun is the id of a run that nobody created.
const unknownRun = "123e4567-e89b-12d3-a456-426614174000"

// TestTenantsKeptApart holds that a caller's requests about another caller's runs and
// sessions are answered like requests about unknown ones, over 10,000 random steps.
func TestTenantsKeptApart(t *testing.T) {
	t.Parallel()
	box := startSandbox(t, "key-of-tenant-a", "key-of-tenant-b")
	url := program.ServeHTTP(t, io.Discard, nil, "--api-url", box.URL(), "--approvals=agent")
	tenants := []*program.Tenant{program.NewTenant(t, url, "key-of-tenant-a"), program.NewTenant(t, url, "key-of-tenant-b")}
	for _, c := range tenants {
		c.CreateRun(t, "")
		c.CreateRun(t, "steps=1")
	}
	unknown := map[string]string{} // status and body of the answer, by message
	for _, message := range append(messagesAbout(unknownRun), approveMessages(unknownRun)...) {
		status, body, _ := tenants[0].Send(t, tenants[0].Session, message, nil)
		unknown[message] = fmt.Sprint(status, body)
	}
	rapid.Check(t, func(t *rapid.T) {
		for range 25 {
			i := rapid.IntRange(0, 1).Draw(t, "caller")
			me, other := tenants[i], tenants[1-i]
			foreign := rapid.SampledFrom(other.Runs).Draw(t, "foreign run")
			switch rapid.SampledFrom([]string{"run", "run", "run", "session", "list", "cancel"}).Draw(t, "step") {
			case "run":
				message := rapid.SampledFrom(messagesAbout(foreign)).Draw(t, "message")
				requireLikeUnknownRun(t, me, foreign, message, unknown)
			case "session":
				requireLikeUnknownSession(t, me, other, messagesAbout(foreign)[0])
			case "list":
				requireOwnRunsOnly(t, me, other, foreign)
			case "cancel":
				me.Send(t, me.Session, `{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}`, nil)
			}
		}
	})
	for i, c := range tenants {
		foreign := tenants[1-i].Runs[0]
		for _, message := range approveMessages(foreign) {
			requireLikeUnknownRun(t, c, foreign, message, unknown)
		}
		if status, body, _ := c.Send(t, c.Session, program.ToolCall("get_run", map[string]any{"runId": c.Runs[0]}), nil); status != 200 || !strings.Contains(body, "SUCCESS") {
			t.Errorf("own run: %d %s", status, body)
		}
	}
}

// messagesAbout returns one message of each kind about a run, but for approve.
func messagesAbout(runID string) []string {
	return []string{
		program.ToolCall("get_run", map[string]any{"runId": runID}),
		program.ToolCall("get_run", map[string]any{"runId": runID, "afterEventId": 0, "includeToolCalls": true}),
		program.ToolCall("abort_run", map[string]any{"runId": runID}),
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `/events"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"run://` + runID + `"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"run://` + runID + `/events"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `/plan"}}`,
		`{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"run://` + runID + `/result?offset=1"}}`,
	}
}

// approveMessages returns calls of approve. They are not among [messagesAbout], because
// approve looks for an unknown run for some time before it fails.
func approveMessages(runID string) []string {
	return []string{
		program.ToolCall("approve", map[string]any{"runId": runID, "decision": "approve"}),
		program.ToolCall("approve", map[string]any{"runId": runID, "decision": "deny", "token": "some-token-0123456789"}),
	}
}

// requireLikeUnknownRun fails the test unless a message about another caller's run is
// answered like the same message about an unknown run, to the byte.
func requireLikeUnknownRun(t program.Fataler, me *program.Tenant, foreign, message string, unknown map[string]string) {
	status, body, _ := me.Send(t, me.Session, message, nil)
	got := strings.ReplaceAll(fmt.Sprint(status, body), foreign, unknownRun)
	want, ok := unknown[strings.ReplaceAll(message, foreign, unknownRun)]
	if !ok || got != want {
		t.Fatal(message, "\ngot", got, "\nfor an unknown run", want)
	}
}

// requireLikeUnknownSession fails the test unless a message in another caller's session
// is answered like one in an unknown session.
func requireLikeUnknownSession(t program.Fataler, me, other *program.Tenant, message string) {
	status, foreign, _ := me.Send(t, other.Session, message, nil)
	_, unknown, _ := me.Send(t, "NOSUCHSESSION", message, nil)
	if status != http.StatusNotFound || foreign != unknown {
		t.Fatal("another caller's session:", status, foreign, "\nan unknown session:", unknown)
	}
}

// requireOwnRunsOnly fails the test if a list that a caller gets holds another's run.
func requireOwnRunsOnly(t program.Fataler, me, other *program.Tenant, foreign string) {
	_, runs, _ := me.Send(t, me.Session, program.ToolCall("list_runs", map[string]any{"pageSize": 100}), nil)
	_, resources, _ := me.Send(t, me.Session, `{"jsonrpc":"2.0","id":1,"method":"resources/list"}`, nil)
	_, completed, _ := me.Send(t, me.Session, `{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"diagnose_run"},"argument":{"name":"runId","value":""}}}`, nil)
	all := runs + resources + completed
	if strings.Contains(all, foreign) || strings.Contains(all, other.Key) || !strings.Contains(runs, me.Runs[0]) || !strings.Contains(completed, me.Runs[0]) {
		t.Fatal("listed", runs, resources, completed)
	}
}
