package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
)

// Codes beside those of [client.Kind].
const (
	codeInvalidArgument = string(client.InvalidArgument)
	codeLinkUnavailable = "approval_link_unavailable"
	codeInternal        = "internal"
)

// Failure is what a model is told when a call failed: one JSON text.
type Failure struct {
	Code              string `json:"code"`
	Message           string `json:"message"`
	Retryable         bool   `json:"retryable"`
	RetryAfterSeconds int    `json:"retryAfterSeconds,omitempty"`
	NextStep          string `json:"nextStep"`
}

// problem is a failure that a tool itself finds.
type problem struct {
	code, message, nextStep string
}

func (p *problem) Error() string { return p.code + ": " + p.message }

// invalid is a problem with one argument.
func invalid(argument, what string) *problem {
	return &problem{code: codeInvalidArgument, message: argument + " " + what, nextStep: "Correct the arguments and call again."}
}

// advice is what to do after a kind of failure.
type advice struct {
	retryable bool
	nextStep  string
}

func adviceFor(kind client.Kind) advice {
	switch kind {
	case client.InvalidArgument:
		return advice{false, "Correct the arguments and call again."}
	case client.Unauthorized:
		return advice{false, "Tell the user that the operator must check the API key. Do not call again."}
	case client.NotFound:
		return advice{false, "Check the runId; list_runs shows the runs there are."}
	case client.Conflict:
		return advice{false, "Call get_run to see the state of the run."}
	case client.RateLimited:
		return advice{true, "Wait, then call again."}
	case client.Unavailable, client.Timeout:
		return advice{true, "Call again in a little while."}
	case client.Invalid:
		return advice{false, "Tell the user that the Run API answered something unexpected."}
	case client.OutcomeUnknown:
		return advice{false, "Do not repeat the call: it may have taken effect. Look with list_runs or get_run."}
	case client.Canceled:
		return advice{true, "Call again if the answer is still wanted. The run goes on."}
	}
	return advice{false, "Tell the user that the server has a fault; its log says more."}
}

// failure makes an error result of any error. It has no structuredContent:
// strict clients check that against the output schema even for errors.
func (s *set) failure(err error) *mcp.CallToolResult {
	f := s.describe(err)
	f.Message = s.View.Line(f.Message, 400)
	text, _ := json.Marshal(f) // strings and numbers alone
	return mcp.NewToolResultError(string(text))
}

func (s *set) describe(err error) Failure {
	var own *problem
	var upstream *client.Error
	switch {
	case errors.As(err, &own):
		return Failure{Code: own.code, Message: own.message, NextStep: own.nextStep}
	case errors.As(err, &upstream):
		a := adviceFor(upstream.Kind)
		f := Failure{Code: string(upstream.Kind), Message: upstream.Message, Retryable: a.retryable, NextStep: a.nextStep}
		if upstream.RetryAfter > 0 {
			f.RetryAfterSeconds = int(math.Ceil(upstream.RetryAfter.Seconds()))
			f.Message = fmt.Sprintf("%s; it asks to wait %d s", f.Message, f.RetryAfterSeconds)
		}
		return f
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		a := adviceFor(client.Canceled)
		return Failure{Code: string(client.Canceled), Message: "the call was ended before it was done", Retryable: a.retryable, NextStep: a.nextStep}
	default:
		return Failure{Code: codeInternal, Message: "the server failed; nothing is known to have happened", NextStep: adviceFor("").nextStep}
	}
}
