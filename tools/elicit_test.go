package tools

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// slowPerson is a session whose person takes their time.
type slowPerson struct {
	server.SessionWithElicitation
	takes time.Duration
	notes chan mcp.JSONRPCNotification
}

func (p *slowPerson) SessionID() string                                   { return "slow" }
func (p *slowPerson) NotificationChannel() chan<- mcp.JSONRPCNotification { return p.notes }

func (p *slowPerson) RequestElicitation(context.Context, mcp.ElicitationRequest) (*mcp.ElicitationResult, error) {
	time.Sleep(p.takes)
	return canceled(), nil
}

// TestProgressWhileAsked: clients give up on a call that is silent for a minute.
func TestProgressWhileAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		who := &slowPerson{takes: 5*time.Minute - time.Second, notes: make(chan mcp.JSONRPCNotification, 100)}
		ctx := server.NewMCPServer("test", "1").WithContext(t.Context(), who)
		req := mcp.CallToolRequest{Params: mcp.CallToolParams{Meta: &mcp.Meta{ProgressToken: "p"}}}
		s := &set{}
		ctx, err := s.arrive(ctx, "approve", req)
		if err != nil {
			t.Fatal(err)
		}
		elicit(ctx, mcp.ElicitationParams{})
		if n := len(who.notes); n != 19 { // one each 15 s
			t.Errorf("%d heartbeats in %v", n, who.takes)
		}
	})
}
