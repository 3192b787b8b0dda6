package tools_test

import (
	"context"
	"strings"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"

	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/tools"
)

// TestAuthorization: the link goes to the person where the client can send
// them to one, and through the result where it cannot and the operator allows.
func TestAuthorization(t *testing.T) {
	t.Parallel()
	noURL := &sdk.ClientCapabilities{Elicitation: &sdk.ElicitationCapabilities{Form: &sdk.FormElicitationCapabilities{}}}
	tests := []struct {
		name      string
		change    func(*tools.Options)
		answer    answer
		can       *sdk.ClientCapabilities
		questions int
		link      bool
		status    string
		says      string
	}{
		{"goes to the link", human, does("accept"), nil, 1, false, "SUCCESS", ""},
		{"declines", human, does("decline"), nil, 1, true, "AUTH_REQUIRED", "Do not ask again by yourself"},
		{"the client cancels", human, does("cancel"), nil, 1, true, "AUTH_REQUIRED", ""},
		{"no links in the client", human, nil, noURL, 0, true, "AUTH_REQUIRED", ""},
		{"not asked while waiting", nil, nil, nil, 0, true, "AUTH_REQUIRED", ""},
		{"links off", func(o *tools.Options) { o.AuthLinks = false }, nil, noURL, 0, false, "AUTH_REQUIRED", ""},
		{"agents decide", func(o *tools.Options) { o.AskAuthorization = true }, does("accept"), nil, 1, false, "SUCCESS", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			eachAskingRevision(t, func(t *testing.T, version string) {
				bed := testbed.New(t, tt.change, nil)
				who := &person{answers: []answer{tt.answer}}
				o := who.options()
				if tt.can != nil {
					o.Capabilities = tt.can
				}
				text, failed := testbed.Raw(t, bed.ConnectWith(version, o), "create_run", map[string]any{
					"intent": "x", "context": "sandbox: step_ms=1 steps=1 auth=required auth_ms=1500", "waitSeconds": 30})
				if failed || !strings.Contains(text, `"status":"`+tt.status+`"`) || !strings.Contains(text, tt.says) {
					t.Fatalf("got %s", text)
				}
				if got := strings.Contains(text, "https://"); got != tt.link || strings.Contains(text, `"authorization":{`) != (tt.status == "AUTH_REQUIRED") {
					t.Errorf("a link in the result: %t, want %t: %s", got, tt.link, text)
				}
				questions := who.questions()
				if len(questions) != tt.questions {
					t.Fatalf("%d questions, want %d", len(questions), tt.questions)
				}
				if tt.questions > 0 && (questions[0].Mode != "url" || !strings.HasPrefix(questions[0].URL, "https://") || strings.Contains(questions[0].Message, "://")) {
					t.Errorf("asked %+v", questions[0])
				}
			})
		})
	}
}

// TestAskedByTheNextStep: a call that did not wait says how the person is asked,
// though the cursor it tells is beyond the need; one whose person went to the
// link does not send them there again by itself.
func TestAskedByTheNextStep(t *testing.T) {
	t.Parallel()
	eachAskingRevision(t, func(t *testing.T, version string) {
		bed := testbed.New(t, human, nil)
		who := &person{answers: []answer{does("accept")}}
		s := bed.ConnectWith(version, who.options())
		got := testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{"intent": "x", "context": "sandbox: step_ms=1 steps=1 auth=required auth_ms=60000"})
		args := map[string]any{"runId": got.RunID}
		for got.Status != "AUTH_REQUIRED" {
			got = testbed.Call[tools.RunResult](t, s, "get_run", args)
		}
		if !strings.Contains(got.NextStep, "call get_run with runId and waitSeconds 45") || got.Authorization.URL != "" {
			t.Errorf("got %q, %+v", got.NextStep, got.Authorization)
		}
		args["waitSeconds"] = 1
		got = testbed.Call[tools.RunResult](t, s, "get_run", args)
		if len(who.questions()) != 1 || got.WaitEnded != "time_up" || !strings.HasPrefix(got.NextStep, "The user was sent to the link") {
			t.Errorf("%d questions; %s, %q", len(who.questions()), got.WaitEnded, got.NextStep)
		}
	})
}

// TestNoLinkToGoTo: nobody is sent to a link that cannot be shown, and nobody
// is told that they will be.
func TestNoLinkToGoTo(t *testing.T) {
	for name, auth := range map[string]string{
		"not https": `,"auth":{"status":"required","url":"http://auth.test/","integrationName":"Jira"}`,
		"not told":  "",
	} {
		bed := testbed.New(t, human, scripted("AUTH_REQUIRED", `[{"id":1,"event":"authentication","runStatus":"AUTH_REQUIRED"`+auth+`}]`))
		who := &person{}
		got := testbed.Call[tools.RunResult](t, bed.ConnectWith(testbed.Newest, who.options()), "get_run", map[string]any{"runId": unknownRun, "waitSeconds": 1})
		if len(who.questions()) != 0 || !strings.Contains(got.NextStep, "in the vendor's console") {
			t.Errorf("%s: %d questions, %q", name, len(who.questions()), got.NextStep)
		}
	}
}

// TestDialogIsTakenAway when the person has finished with the link, and no sooner.
func TestDialogIsTakenAway(t *testing.T) {
	t.Parallel()
	bed := testbed.New(t, human, nil)
	who := &person{answers: []answer{does("accept"), does("accept")}}
	finished := make(chan string, 2)
	o := who.options()
	o.ElicitationCompleteHandler = func(_ context.Context, r *sdk.ElicitationCompleteNotificationRequest) {
		finished <- r.Params.ElicitationID
	}
	s := bed.ConnectWith("2025-11-25", o)
	testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
		"intent": "x", "context": "sandbox: step_ms=1 steps=1 auth=required auth_ms=60000", "waitSeconds": 1})
	testbed.Call[tools.RunResult](t, s, "create_run", map[string]any{
		"intent": "x", "context": "sandbox: step_ms=1 steps=1 auth=required auth_ms=500", "waitSeconds": 30})
	select {
	case id := <-finished:
		if id == "" || id != who.questions()[1].ElicitationID {
			t.Errorf("finished %q, asked %+v", id, who.questions())
		}
	case <-time.After(30 * time.Second):
		t.Errorf("nothing finished, asked %+v", who.questions())
	}
}
