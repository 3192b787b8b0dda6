package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"strings"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/view"
)

// Codes beside those of [client.Kind].
const (
	codeInvalidArgument = string(client.InvalidArgument)
	codeLinkUnavailable = "approval_link_unavailable"
	codeInternal        = "internal"
)

// FailureMeta is where an error result's _meta holds its [Failure].
const FailureMeta = "runs-mcp-server/error"

// Failure is what a program is told of a failed call. A model reads the same as
// one text, see [Failure.text].
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
	cause                   error // for the log; may be nil
}

// Unwrap returns the cause.
func (p *problem) Unwrap() error { return p.cause }

func (p *problem) Error() string { return p.code + ": " + p.message }

// LogValue returns the code alone: the message may name what the API told, or
// what the call gave.
func (p *problem) LogValue() slog.Value { return slog.StringValue(p.code) }

// invalid is a problem with one argument.
func invalid(argument, what string) *problem {
	return &problem{code: codeInvalidArgument, message: argument + " " + what, nextStep: correctArguments}
}

// advice is what to do after a failure with a code.
type advice struct {
	code      string
	retryable bool // the same call may succeed later
	nextStep  string
}

// correctArguments is what to do about a wrong argument whose message says all.
const correctArguments = "Correct the arguments and call again."

// codes returns every code that a failure may have, with advice that speaks of
// no tool that is not there. The set is closed, and README documents it.
func (o Options) codes() []advice {
	notFound := "Check the runId"
	if o.Offers("list_runs") {
		notFound += "; list_runs shows the runs there are"
	}
	conflict := "To see the state of the run, " + o.look("{runId}", "runId") + "."
	return []advice{
		{string(client.InvalidArgument), false, correctArguments},
		{string(client.Unauthorized), false, o.checkKey()},
		{string(client.NotFound), false, notFound + "."},
		{string(client.Conflict), false, conflict},
		{string(client.RateLimited), true, "Wait a little, then call again."},
		{string(client.Unavailable), true, "Call again in a little while; if that does not help, " + o.addressOwner() + "."},
		{string(client.Invalid), false, "Tell the user that the Run API answered something unexpected."},
		{string(client.Timeout), true, "Call again in a little while."},
		{string(client.OutcomeUnknown), false, "Do not repeat the call, for it may have taken effect: " + o.search() + "."},
		{codeLinkUnavailable, false, o.DecideElsewhereStep("")},
		{string(client.Canceled), true, "Call again if the answer is still wanted. A run that was started goes on."},
		{string(client.Misconfigured), false, o.checkAddress()},
		{codeInternal, false, "Tell the user that the server has a fault; its log says more."},
	}
}

// checkKey says who can correct the API key.
func (o Options) checkKey() string {
	if o.Local {
		return "Do not call again. Tell the user to check the API key that this server is started with (TR_API_KEY or --api-key-file)."
	}
	return "Do not call again. Tell the user to check the API key that their client sends in x-api-key or Authorization."
}

// checkAddress says who can correct the address of the Run API.
func (o Options) checkAddress() string {
	return "Do not call again. T" + o.addressOwner()[1:] + "."
}

// addressOwner says who can check the address of the Run API.
func (o Options) addressOwner() string {
	if o.Local {
		return "tell the user to check --api-url (TR_API_URL) of this server, and the network it is on"
	}
	return "tell the user that the operator must check this server's address of the Run API"
}

// logFailure logs a failed call, with what the network said of it.
func (s *set) logFailure(c *call, req mcp.CallToolRequest, err error) {
	attrs := []any{"tool", c.tool, "ms", time.Since(c.at).Milliseconds(), "error", err}
	if session, ok := c.session.(identified); ok {
		attrs = append(attrs, "request", session.RequestID())
	}
	var named struct{ RunID client.RunID }
	if json.Unmarshal(req.Params.RawArguments, &named) == nil && named.RunID.Valid() {
		attrs = append(attrs, "run", named.RunID)
	}
	if e, ok := errors.AsType[*client.Error](err); ok && e.Detail() != "" {
		attrs = append(attrs, "cause", e.Detail())
	}
	s.Log.Warn("a tool call failed", attrs...)
}

// adviceFor returns the advice of a code, that of an internal failure where
// there is none.
func (o Options) adviceFor(code client.Kind) advice {
	all := o.codes()
	for _, a := range all {
		if a.code == string(code) {
			return a
		}
	}
	return all[len(all)-1]
}

// maxFailure bounds the text of a failure, in bytes.
const maxFailure = 512

// why names a failure for a summary: those are our words, never the API's.
func (s *set) why(err error) string {
	if own, ok := errors.AsType[*problem](err); ok {
		return own.message
	}
	return s.describe(err).Code
}

// failure makes an error result of any error.
func (s *set) failure(v view.View, err error) *mcp.CallToolResult {
	return s.failed(v, s.describe(err))
}

// failed makes an error result. It has no structuredContent: strict clients
// check that against the output schema even for errors.
func (s *set) failed(v view.View, f Failure) *mcp.CallToolResult {
	f.Message = v.Line(f.Message, 400)
	f = f.bounded()
	result := mcp.NewToolResultError(f.text())
	result.Meta = &mcp.Meta{AdditionalFields: map[string]any{FailureMeta: f}}
	return result
}

// text returns the failure as a model reads it: code, what happened, whether to
// call again, what to do next. It begins with the code and a colon, so no client
// takes it for JSON: one that does checks it against the output schema, and the
// model gets that error instead (Gemini CLI 0.61).
func (f Failure) text() string {
	parts := []string{f.Code + ":", sentence(f.Message)}
	// Else the next step says when to call again, or what must not be repeated.
	if !f.Retryable && f.Code != string(client.OutcomeUnknown) && !strings.Contains(f.NextStep, "again") && !strings.HasPrefix(f.NextStep, "Do not") {
		parts = append(parts, "Repeating the call as it is will not help.")
	}
	return strings.Join(append(parts, f.NextStep), " ")
}

// sentence returns a text with a mark at its end.
func sentence(text string) string {
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?") || strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}

// bounded returns the failure with a text of at most maxFailure bytes. The
// message is cut: the other texts are our own, and short.
func (f Failure) bounded() Failure {
	for kept := f.Message; len(f.text()) > maxFailure && kept != ""; {
		over := len(f.text()) - maxFailure
		kept = kept[:len(kept)-min(len(kept), over)]
		f.Message = strings.ToValidUTF8(kept, "") + "…"
	}
	if over := len(f.text()) - maxFailure; over > 0 { // a long hint of the operator's
		f.NextStep = strings.ToValidUTF8(f.NextStep[:len(f.NextStep)-over-len("…")], "") + "…"
	}
	return f
}

// describe puts an error into words that are fit to show.
func (s *set) describe(err error) Failure {
	var own *problem
	var upstream *client.Error
	switch {
	case errors.As(err, &own):
		return Failure{Code: own.code, Message: own.message, Retryable: s.adviceFor(client.Kind(own.code)).retryable, NextStep: own.nextStep}
	case errors.As(err, &upstream):
		return s.describeUpstream(upstream)
	case errors.Is(err, attend.ErrNotSealed), errors.Is(err, attend.ErrExpired), errors.Is(err, attend.ErrUsed):
		return s.describeRound(err)
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		a := s.adviceFor(client.Canceled)
		return Failure{Code: a.code, Message: "the call was ended before it was done", Retryable: a.retryable, NextStep: a.nextStep}
	default:
		a := s.adviceFor(codeInternal)
		return Failure{Code: a.code, Message: "the server failed; what the call did before is not known", Retryable: a.retryable, NextStep: a.nextStep}
	}
}

func (s *set) describeUpstream(err *client.Error) Failure {
	a := s.adviceFor(err.Kind)
	f := Failure{Code: a.code, Message: err.Message, Retryable: a.retryable, NextStep: a.nextStep}
	if a.retryable && err.RetryAfter > 0 {
		f.RetryAfterSeconds = int(math.Ceil(err.RetryAfter.Seconds()))
		f.NextStep = fmt.Sprintf("Call again after %d s.", f.RetryAfterSeconds)
	}
	return f
}

// describeRound says that an answer's state cannot be opened: nothing begins
// anew by it.
func (s *set) describeRound(err error) Failure {
	f := Failure{
		Code: codeInvalidArgument, Message: err.Error() + "; nothing was done with the answer",
		NextStep: "Do not repeat the call, and create nothing: " + s.search() + ", and go on from what you see.",
	}
	if errors.Is(err, attend.ErrUsed) { // then something may have been done with it
		f.Code, f.Message = string(client.Conflict), err.Error()+"; this call did nothing"
	}
	return f
}
