//go:build diagnostic

package diagnostic

import (
	"context"
	"fmt"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"
	"github.com/mark3labs/mcp-go/server"
)

// addResources adds the resources and the template.
func addResources(s *server.MCPServer) {
	static := func(uri, mimeType string, contents mcp.ResourceContents) {
		s.AddResource(mcp.NewResource(uri, strings.TrimPrefix(uri, "test://"), mcp.WithResourceDescription(fixture), mcp.WithMIMEType(mimeType)),
			func(context.Context, mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
				return []mcp.ResourceContents{contents}, nil
			})
	}
	text := func(uri, content string) {
		static(uri, "text/plain", mcp.TextResourceContents{URI: uri, MIMEType: "text/plain", Text: content})
	}
	text("test://static-text", "This is the content of the static text resource.")
	text(watchedURI, "This resource can be subscribed to.")
	static("test://static-binary", "image/png",
		mcp.BlobResourceContents{URI: "test://static-binary", MIMEType: "image/png", Blob: pixel()})

	s.AddResourceTemplate(mcp.NewResourceTemplate("test://template/{id}/data", "template", mcp.WithTemplateDescription(fixture), mcp.WithTemplateMIMEType("application/json")),
		func(_ context.Context, r mcp.ReadResourceRequest) ([]mcp.ResourceContents, error) {
			id := strings.TrimSuffix(strings.TrimPrefix(r.Params.URI, "test://template/"), "/data")
			return []mcp.ResourceContents{mcp.TextResourceContents{URI: r.Params.URI, MIMEType: "application/json",
				Text: fmt.Sprintf(`{"id":%q,"templateTest":true,"data":"Data for ID: %s"}`, id, id)}}, nil
		})
}

// watchedURI is the resource that can be subscribed to. It never changes.
const watchedURI = "test://watched-resource"

// Watch implements transport.Options.Watch.
func Watch(_ context.Context, uri string, _ func(map[string]any)) (stop func(), err error) {
	if uri != watchedURI {
		return nil, server.ErrResourceNotFound
	}
	return func() {}, nil
}

// addPrompts adds the prompts.
func addPrompts(s *server.MCPServer) {
	prompt := func(name string, arguments ...string) mcp.Prompt {
		p := mcp.NewPrompt(name, mcp.WithPromptDescription(fixture))
		for _, a := range arguments {
			mcp.WithArgument(a, mcp.ArgumentDescription(fixture), mcp.RequiredArgument())(&p)
		}
		return p
	}
	add := func(p mcp.Prompt, messages func(map[string]string) []mcp.Content) {
		s.AddPrompt(p, func(_ context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
			return promptResult(messages(r.Params.Arguments)...), nil
		})
	}
	add(prompt("test_simple_prompt"), func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewTextContent("This is a simple prompt for testing.")}
	})
	add(prompt("test_prompt_with_arguments", "arg1", "arg2"), func(a map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewTextContent(fmt.Sprintf("Prompt with arguments: arg1='%s', arg2='%s'", a["arg1"], a["arg2"]))}
	})
	add(prompt("test_prompt_with_embedded_resource", "resourceUri"), func(a map[string]string) []mcp.Content {
		return []mcp.Content{embedded(a["resourceUri"], "text/plain", "Embedded resource content for testing."),
			mcp.NewTextContent("Please process the embedded resource above.")}
	})
	add(prompt("test_prompt_with_image"), func(map[string]string) []mcp.Content {
		return []mcp.Content{mcp.NewImageContent(pixel(), "image/png"), mcp.NewTextContent("Please analyze the image above.")}
	})

	const asking = "test_input_required_result_prompt"
	q := inputRounds{rounds: []mcp.InputRequests{{"user_context": elicit("What context should the prompt use?", contextForm)}}}
	s.AddPrompt(prompt(asking), func(ctx context.Context, r mcp.GetPromptRequest) (*mcp.GetPromptResult, error) {
		more, err := q.next(ctx, r.Params.MultiRoundTripParams)
		switch {
		case err != nil:
			return nil, err
		case more != nil:
			return &mcp.GetPromptResult{Result: mcp.Result{ResultType: mcp.ResultTypeInputRequired}, MultiRoundTripResult: *more}, nil
		}
		return promptResult(mcp.NewTextContent("The context came from the client.")), nil
	})
}

func promptResult(contents ...mcp.Content) *mcp.GetPromptResult {
	out := &mcp.GetPromptResult{}
	for _, c := range contents {
		out.Messages = append(out.Messages, mcp.NewPromptMessage(mcp.RoleUser, c))
	}
	return out
}
