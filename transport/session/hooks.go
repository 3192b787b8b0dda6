package session

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// Hooks are what the MCPServer must be made with (server.WithHooks). More hooks
// may be added. They do what mcp-go leaves out:
//
//   - A resource handler says "not found" by an error that wraps
//     server.ErrResourceNotFound. The answer becomes what the client's revision
//     asks for: -32002 before 2026-07-28, -32602 since, both with data.uri.
//   - Any handler says that the parameters are wrong by an error that wraps
//     mcp.ErrInvalidParams: -32602 with its text. Parameters that mcp-go can't
//     read get the same code, and no names of Go types.
//   - Any handler says that the client can't do what the call needs by an error
//     that wraps mcp.MissingRequiredClientCapabilityError: -32021. A capability
//     called extensions.NAME is the extension NAME.
//   - A client that names an unknown tool or prompt, or a cursor of its own
//     making, learns where the right ones are.
//   - Options.Tasks is advertised to the clients whose revision has tasks.
//   - Options.Skills is advertised to the clients that declare skills.
//   - A listen is acknowledged only with the resources that Options.Watch
//     watches for it. One whose caller is refused is answered with an error.
func Hooks() *server.Hooks {
	h := &server.Hooks{}
	h.AddOnError(replaceError)
	h.AddBeforeSubscriptionsListen(watchListened)
	h.AddAfterInitialize(advertiseTasks)
	h.AddAfterDiscover(advertiseExtension)
	h.AddAfterDiscover(advertiseSkills)
	h.AddAfterListTools(markTaskTools)
	return h
}

// replaceError sets the answer for errors that mcp-go has no code for.
func replaceError(ctx context.Context, _ any, _ mcp.MCPMethod, request any, err error) {
	c := sessionOf(ctx)
	if c == nil {
		return
	}
	replace := func(code int, text string, data any) {
		a := c.errorAnswer(code, text, data)
		c.replacement = &a
	}
	lacking, isLacking := errors.AsType[mcp.MissingRequiredClientCapabilityError](err)
	wrongType, isWrongType := errors.AsType[*json.UnmarshalTypeError](err)
	_, isBadCursor := errors.AsType[base64.CorruptInputError](err)
	switch {
	case c.listenRefused != nil:
		replace(mcp.INTERNAL_ERROR, "nothing is watched: "+c.listenRefused.Error(), nil) // the code of a read that is refused
	case errors.Is(err, server.ErrResourceNotFound):
		replaceNotFound(c, request, replace)
	case isWrongType:
		replace(mcp.INVALID_PARAMS, "invalid params: "+wrongType.Field+" takes no "+wrongType.Value, nil)
	case errors.Is(err, mcp.ErrInvalidParams):
		replace(mcp.INVALID_PARAMS, strings.TrimPrefix(err.Error(), "request error: "), nil) // mcp-go's prefix
	case isBadCursor:
		replace(mcp.INVALID_PARAMS, "the cursor is none of this server's: begin without one", nil)
	case errors.Is(err, server.ErrToolNotFound):
		replace(mcp.INVALID_PARAMS, "there is no tool of that name; tools/list has those there are", nil)
	case errors.Is(err, server.ErrPromptNotFound):
		replace(mcp.INVALID_PARAMS, "there is no prompt of that name; prompts/list has those there are", nil)
	case isLacking:
		replace(mcp.MISSING_REQUIRED_CLIENT_CAPABILITY, lacking.Error(), requiredCapability(lacking.Capability))
	}
}

// replaceNotFound sets the answer for a resource that isn't there.
func replaceNotFound(c *call, request any, replace func(code int, text string, data any)) {
	code := mcp.RESOURCE_NOT_FOUND
	if c.message.IsStateless() {
		code = mcp.INVALID_PARAMS
	}
	switch r := request.(type) {
	case *mcp.ReadResourceRequest:
		replace(code, server.ErrResourceNotFound.Error(), map[string]string{"uri": r.Params.URI})
	case *mcp.SubscribeRequest:
		replace(code, server.ErrResourceNotFound.Error(), map[string]string{"uri": r.Params.URI})
	}
}

// watchListened watches what a listen asks for, and leaves in its filter what is
// watched. The rest is left out without an error, as the specification asks: the
// acknowledgement says what was honoured. Only the first maxWatched resources
// are tried, so that no client makes us ask the API without end.
//
// A hook can't refuse a listen, but mcp-go then subscribes to what is left in the
// filter, and call.SubscribeToResourceErr refuses that.
func watchListened(ctx context.Context, _ any, m *mcp.SubscriptionsListenRequest) {
	c := sessionOf(ctx)
	if c == nil {
		return
	}
	filter := &m.Params.Notifications
	if c.subscriptions != nil {
		watchListenedResources(c, filter)
	}
	c.watchTasks(ctx)
	if len(c.taskIDs) > 0 || c.listenRefused != nil {
		filter.ResourceSubscriptions = append(filter.ResourceSubscriptions, noResource)
	}
}

// watchListenedResources watches the resources of a listen, and leaves in its filter
// those that are watched.
func watchListenedResources(c *call, filter *mcp.SubscriptionFilter) {
	seen := make(map[string]bool)
	wanted := slices.DeleteFunc(filter.ResourceSubscriptions, func(uri string) bool {
		again := seen[uri]
		seen[uri] = true
		return again
	})
	watched, err := c.subscriptions.watchAll(c.ctx, wanted[:min(len(wanted), maxWatched)])
	if err != nil {
		c.listenRefused = err
	}
	filter.ResourceSubscriptions = watched
}
