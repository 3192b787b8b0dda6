package tools

import (
	"context"
	"testing"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/approval"
	"runs-mcp-server/internal/attend"
)

// slowPerson is a session whose person takes their time.
type slowPerson struct {
	server.SessionWithElicitation
	takes     time.Duration
	name      string
	silent    time.Duration // they never answer, and the transport gives up after that; 0: they do
	cancels   bool          // they, or their client, dismiss it
	fails     error         // what the client answers instead
	decision  string        // "": none
	asked     int           // questions that they answered
	withdrawn int
	messages  []string // that they were asked
	notes     chan mcp.JSONRPCNotification
}

func (p *slowPerson) SessionID() string                                   { return "slow" + p.name }
func (p *slowPerson) NotificationChannel() chan<- mcp.JSONRPCNotification { return p.notes }
func (p *slowPerson) GetClientInfo() mcp.Implementation                   { return mcp.Implementation{} }
func (p *slowPerson) SetClientInfo(mcp.Implementation)                    {}
func (p *slowPerson) SetClientCapabilities(mcp.ClientCapabilities)        {}
func (p *slowPerson) GetClientCapabilities() mcp.ClientCapabilities {
	return mcp.ClientCapabilities{Elicitation: &mcp.ElicitationCapability{}}
}

func (p *slowPerson) RequestElicitation(ctx context.Context, r mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	p.messages = append(p.messages, r.Params.Message)
	if p.silent > 0 {
		ctx, cancel := context.WithTimeout(ctx, p.silent)
		defer cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	select {
	case <-time.After(p.takes):
	case <-ctx.Done():
		p.withdrawn++
		return nil, ctx.Err()
	}
	if p.fails != nil {
		return nil, p.fails
	}
	p.asked++
	answer := &mcp.ElicitationResult{}
	answer.Action = mcp.ElicitationResponseActionDecline
	if p.cancels {
		answer.Action = mcp.ElicitationResponseActionCancel
	}
	if p.decision != "" {
		answer.Action, answer.Content = mcp.ElicitationResponseActionAccept, map[string]any{"decision": p.decision}
	}
	return answer, nil
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
		if got := answerOf(answer); got.Decision != tt.want || got.Decision != "" && got.Action != attend.Accept {
			t.Errorf("%s %v: %q, want %q", tt.action, tt.content, got, tt.want)
		}
	}
}
