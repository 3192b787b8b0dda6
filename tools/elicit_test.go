package tools

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/redact"
)

// slowPerson is a session whose person takes their time.
type slowPerson struct {
	server.SessionWithElicitation
	takes    time.Duration
	decision string // "": none
	asked    int
	messages []string // that they were asked
	notes    chan mcp.JSONRPCNotification
}

func (p *slowPerson) SessionID() string                                   { return "slow" }
func (p *slowPerson) NotificationChannel() chan<- mcp.JSONRPCNotification { return p.notes }
func (p *slowPerson) GetClientInfo() mcp.Implementation                   { return mcp.Implementation{} }
func (p *slowPerson) SetClientInfo(mcp.Implementation)                    {}
func (p *slowPerson) SetClientCapabilities(mcp.ClientCapabilities)        {}
func (p *slowPerson) GetClientCapabilities() mcp.ClientCapabilities {
	return mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapability{}}
}

func (p *slowPerson) RequestElicitation(_ context.Context, r mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.messages = append(p.messages, r.Params.Message)
	time.Sleep(p.takes)
	p.asked++
	answer := canceled()
	if p.decision != "" {
		answer.Action, answer.Content = mcp.ElicitationResponseActionAccept, map[string]any{"decision": p.decision}
	}
	return answer, nil
}

// TestProgressWhileAsked: clients give up on a call that is silent for a minute.
func TestProgressWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		who := &slowPerson{takes: 5*time.Minute - time.Second, notes: make(chan mcp.JSONRPCNotification, 100)}
		ctx := server.NewMCPServer("test", "1").WithContext(t.Context(), who)
		req := mcp.CallToolRequest{Params: mcp.CallToolParams{Meta: &mcp.Meta{ProgressToken: "p"}}}
		s := &set{Options{Secrets: redact.New()}}
		c, err := s.arrive(ctx, "approve", req)
		if err != nil {
			t.Fatal(err)
		}
		c.elicit(ctx, mcp.ElicitationParams{})
		if n := len(who.notes); n != 19 { // one each 15 s
			t.Errorf("%d heartbeats in %v", n, who.takes)
		}
	})
}

// TestDecided: nothing but an accepted form with one of the two choices decides.
func TestDecided(t *testing.T) {
	const accept, decline, cancel = mcp.ElicitationResponseActionAccept, mcp.ElicitationResponseActionDecline, mcp.ElicitationResponseActionCancel
	type form = map[string]any
	for _, tt := range []struct {
		action  mcp.ElicitationResponseAction
		content any
		want    approval.Decision
	}{
		{accept, form{"decision": "approve"}, approval.Approve},
		{accept, form{"decision": "deny"}, approval.Deny},
		{decline, form{"decision": "approve"}, ""},
		{cancel, form{"decision": "approve"}, ""},
		{"", form{"decision": "approve"}, ""},
		{"Accept", form{"decision": "approve"}, ""},
		{accept, form{"decision": "Approve"}, ""},
		{accept, form{"decision": " approve"}, ""},
		{accept, form{"decision": "maybe"}, ""},
		{accept, form{"decision": true}, ""},
		{accept, form{"decision": []any{"approve"}}, ""},
		{accept, form{"choice": "approve"}, ""},
		{accept, form{}, ""},
		{accept, "approve", ""},
		{accept, nil, ""},
	} {
		answer := &mcp.ElicitationResult{}
		answer.Action, answer.Content = tt.action, tt.content
		if got := decisionOf(answer); got != tt.want {
			t.Errorf("%s %v: %q, want %q", tt.action, tt.content, got, tt.want)
		}
	}
}
