//go:build diagnostic

package diagnostic

import (
	"context"
	"encoding/json"
	"time"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// fixture is the description of everything here.
const fixture = "Fixture of the conformance suite."

// noArguments is the input schema of most tools.
const noArguments = `{"type": "object", "properties": {}, "additionalProperties": false}`

// dialect2020 is the input schema of json_schema_2020_12_tool. Its keywords must
// reach the client unchanged.
const dialect2020 = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"type": "object",
	"$defs": {
		"address": {
			"$anchor": "addressDef",
			"type": "object",
			"properties": {"street": {"type": "string"}, "city": {"type": "string"}}
		}
	},
	"properties": {
		"name": {"type": "string"},
		"address": {"$ref": "#/$defs/address"},
		"contactMethod": {"type": "string", "enum": ["phone", "email"]},
		"phone": {"type": "string"},
		"email": {"type": "string"}
	},
	"allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
	"if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
	"then": {"required": ["phone"]},
	"else": {"required": ["email"]},
	"additionalProperties": false
}`

// headerArgument is the input schema of a tool whose argument the client must repeat
// in the header Mcp-Param-Region.
const headerArgument = `{
	"type": "object",
	"properties": {"region": {"type": "string", "x-mcp-header": "Region"}}
}`

// addTools adds the tools that need no input of the client.
func addTools(s *server.MCPServer) {
	add := func(name, schema string, handler server.ToolHandlerFunc) {
		s.AddTool(mcp.NewToolWithRawSchema(name, fixture, json.RawMessage(schema)), handler)
	}
	static := func(name, schema string, content ...mcp.Content) {
		add(name, schema, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
			return &mcp.CallToolResult{Content: content}, nil
		})
	}
	image := mcp.NewImageContent(pixel(), "image/png")
	static("test_simple_text", noArguments, mcp.NewTextContent("This is a simple text response for testing."))
	static("test_image_content", noArguments, image)
	static("test_audio_content", noArguments, mcp.NewAudioContent(silence(), "audio/wav"))
	static("test_embedded_resource", noArguments, embedded("test://embedded-resource", "text/plain", "This is an embedded resource content."))
	static("test_multiple_content_types", noArguments, mcp.NewTextContent("Multiple content types test:"), image,
		embedded("test://mixed-content-resource", "application/json", `{"test":"data","value":123}`))
	static("json_schema_2020_12_tool", dialect2020, mcp.NewTextContent("done"))
	static("test_header_argument", headerArgument, mcp.NewTextContent("done"))

	add("test_error_handling", noArguments, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		return mcp.NewToolResultError("This tool intentionally returns an error for testing"), nil
	})
	add("test_missing_capability", noArguments, func(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		if !declared(ctx, mcp.MethodSamplingCreateMessage) {
			return nil, mcp.MissingRequiredClientCapabilityError{Capability: "sampling"}
		}
		return mcp.NewToolResultText("done"), nil
	})
	add("test_tool_with_progress", noArguments, sendProgress)
	add("test_tool_with_logging", noArguments, sendLogs)
	add("test_logging_tool", noArguments, sendLogs)
	add("test_reconnection", noArguments, answerSlowly)
	add("test_trigger_tool_change", noArguments, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		const name = "test_passing_tool"
		static(name, noArguments)
		s.DeleteTools(name)
		return mcp.NewToolResultText("The list of tools changed."), nil
	})
	add("test_trigger_prompt_change", noArguments, func(context.Context, mcp.CallToolRequest) (*mcp.CallToolResult, error) {
		const name = "test_passing_prompt"
		s.AddPrompt(mcp.NewPrompt(name, mcp.WithPromptDescription(fixture)), nil)
		s.DeletePrompts(name)
		return mcp.NewToolResultText("The list of prompts changed."), nil
	})
}

func embedded(uri, mimeType, text string) mcp.EmbeddedResource {
	return mcp.NewEmbeddedResource(mcp.TextResourceContents{URI: uri, MIMEType: mimeType, Text: text})
}

// sendProgress reports three steps at once. The suite expects all of them, in order,
// before the answer.
func sendProgress(ctx context.Context, r mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	if r.Params.Meta == nil || r.Params.Meta.ProgressToken == nil {
		return mcp.NewToolResultText("done, without progress"), nil
	}
	for _, percent := range []int{0, 50, 100} {
		if err := notify(ctx, mcp.MethodNotificationProgress,
			map[string]any{"progressToken": r.Params.Meta.ProgressToken, "progress": percent, "total": 100}); err != nil {
			return nil, err
		}
	}
	return mcp.NewToolResultText("done"), nil
}

// sendLogs sends three log messages to clients that want them.
func sendLogs(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	for _, text := range []string{"Tool execution started", "Tool processing data", "Tool execution completed"} {
		if !wantsLog(ctx, mcp.LoggingLevelInfo) {
			break
		}
		if err := notify(ctx, mcp.MethodNotificationMessage,
			map[string]any{"level": mcp.LoggingLevelInfo, "logger": "diagnostic", "data": text}); err != nil {
			return nil, err
		}
	}
	return mcp.NewToolResultText("done"), nil
}

// answerSlowly takes longer than the transport waits before it answers 2025-11-25
// with a stream.
func answerSlowly(ctx context.Context, _ mcp.CallToolRequest) (*mcp.CallToolResult, error) {
	select {
	case <-time.After(500 * time.Millisecond):
		return mcp.NewToolResultText("done"), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
