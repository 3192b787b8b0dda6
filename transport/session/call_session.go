package session

import (
	"slices"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/transport/jsonrpc"
)

// What mcp-go and the handlers see of a call. The methods of clientState and
// RequestElicitation belong to it too.
var (
	_ server.SessionWithClientInfo               = (*call)(nil)
	_ server.SessionWithLogging                  = (*call)(nil)
	_ server.SessionWithElicitation              = (*call)(nil)
	_ server.SessionWithProtocolVersion          = (*call)(nil)
	_ server.SessionWithResourceSubscriptionsErr = (*call)(nil)
)

// SessionID implements server.ClientSession. It is the client's if stateful,
// else the request's.
func (c *call) SessionID() string { return c.sessionID }

// RequestID returns the id of the request as the client wrote it, for logs: at
// most 64 bytes of it.
func (c *call) RequestID() string { return jsonrpc.Shorten(c.message.ID) }

// NotificationChannel implements server.ClientSession. Handlers that send on it
// select on their context too: it is done when they have returned, and from then
// on nobody receives.
func (c *call) NotificationChannel() chan<- mcp.JSONRPCNotification { return c.notifications }

// Draining is closed when the call is to stop waiting and to answer now, because
// the client has ended its input or the server is about to stop. The context
// stays alive for that, for Options.Grace at most. Handlers that wait find this
// method on the session in their context.
func (c *call) Draining() <-chan struct{} { return c.connection.draining.Done() }

// SubscribeToResourceErr implements server.SessionWithResourceSubscriptionsErr.
func (c *call) SubscribeToResourceErr(uri string) error {
	if c.subscriptions == nil {
		return nil
	}
	return c.subscriptions.watchResource(c.ctx, uri)
}

// SubscribeToResource implements server.SessionWithResourceSubscriptions.
func (c *call) SubscribeToResource(uri string) { _ = c.SubscribeToResourceErr(uri) }

// UnsubscribeFromResource implements server.SessionWithResourceSubscriptions.
func (c *call) UnsubscribeFromResource(uri string) {
	if c.subscriptions != nil {
		c.subscriptions.unwatchResource(uri, nil)
	}
}

// SubscribedResources implements server.SessionWithResourceSubscriptions.
func (c *call) SubscribedResources() []string { return c.subscriptions.uris() }

// IsSubscribedToResource implements server.SessionWithResourceSubscriptions.
func (c *call) IsSubscribedToResource(uri string) bool {
	return slices.Contains(c.subscriptions.uris(), uri)
}
