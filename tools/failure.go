package tools

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"slices"
	"strings"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/view"
)

// Codes beside those of the client.
const (
	codeLinkUnavailable client.Kind = "approval_link_unavailable"
	codeInternal        client.Kind = "internal"
)

// problem is a failure that a tool itself finds.
type problem struct {
	code     client.Kind
	message  string
	nextStep string // "": the advice of the code
	cause    error  // for the log; may be nil
}

// Unwrap returns the cause.
func (p *problem) Unwrap() error { return p.cause }

func (p *problem) Error() string { return string(p.code) + ": " + p.message }

// LogValue returns the code alone: the message may quote the API or the call.
func (p *problem) LogValue() slog.Value { return slog.StringValue(string(p.code)) }

// invalid is a problem with one argument.
func invalid(argument, what string) *problem {
	return &problem{code: client.InvalidArgument, message: argument + " " + what}
}

// canceled is the problem of a call that was ended before it was done.
func canceled(message string) *problem { return &problem{code: client.Canceled, message: message} }

// FailureMeta is where an error result's _meta holds its [Failure].
const FailureMeta = "runs-mcp-server/error"

// Failure describes a failed call for programs. A model reads the same as one text,
// see [Failure.text].
type Failure struct {
	Code              string `json:"code"`
	Message           string `json:"message"`
	Retryable         bool   `json:"retryable"`
	RetryAfterSeconds int    `json:"retryAfterSeconds,omitempty"`
	NextStep          string `json:"nextStep"`
}

// errorResult makes an error result. It has no structuredContent: strict clients
// check that against the output schema even for errors.
func errorResult(v view.View, f Failure) *mcp.CallToolResult {
	f.Message = v.Line(f.Message, 400)
	f = f.truncated()
	result := mcp.NewToolResultError(f.text())
	result.Meta = &mcp.Meta{AdditionalFields: map[string]any{FailureMeta: f}}
	return result
}

// maxFailure bounds the text of a failure, in bytes.
const maxFailure = 512

// truncated returns the failure with a text of at most maxFailure bytes. The
// message is cut first: the other texts are our own, and short.
func (f Failure) truncated() Failure {
	for message := f.Message; len(f.text()) > maxFailure && message != ""; {
		message = message[:max(0, len(message)-(len(f.text())-maxFailure))]
		f.Message = strings.ToValidUTF8(message, "") + "…"
	}
	if over := len(f.text()) - maxFailure; over > 0 { // a long hint of the operator's
		f.NextStep = cutText(f.NextStep, len(f.NextStep)-over-len("…"))
	}
	return f
}

// text returns the failure as a model reads it: code, what happened, whether to
// call again, what to do next. It begins with the code and a colon, so that no
// client takes it for JSON: Gemini CLI 0.61 checks JSON against the output schema,
// and shows the model the error of that check.
func (f Failure) text() string {
	parts := []string{f.Code + ":", endSentence(f.Message)}
	// Other next steps say when to call again, or what must not be repeated.
	if !f.Retryable && f.Code != string(client.OutcomeUnknown) && !strings.Contains(f.NextStep, "again") && !strings.HasPrefix(f.NextStep, "Do not") {
		parts = append(parts, "Repeating the call as it is will not help.")
	}
	return strings.Join(append(parts, f.NextStep), " ")
}

// endSentence adds a full stop where a text has no mark at its end.
func endSentence(text string) string {
	if text == "" || strings.ContainsAny(text[len(text)-1:], ".!?") || strings.HasSuffix(text, "…") {
		return text
	}
	return text + "."
}

// reasonOf names a failure for a summary, in our words and never in the API's.
func (h *handlers) reasonOf(err error) string {
	if own, ok := errors.AsType[*problem](err); ok {
		return own.message
	}
	return h.describe(err).Code
}

// describe puts an error into words that are fit to show.
func (h *handlers) describe(err error) Failure {
	if own, ok := errors.AsType[*problem](err); ok {
		return h.describeProblem(own)
	}
	if upstream, ok := errors.AsType[*client.Error](err); ok {
		return h.describeUpstream(upstream)
	}
	switch {
	case errors.Is(err, audit.ErrRefused):
		return h.describeProblem(refusedByAudit())
	case errors.Is(err, attend.ErrUsed):
		return h.describeProblem(h.badRound(client.Conflict, err.Error()+"; this call did nothing"))
	case errors.Is(err, attend.ErrNotSealed), errors.Is(err, attend.ErrExpired):
		return h.describeProblem(h.badRound(client.InvalidArgument, err.Error()+"; nothing was done with the answer"))
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return h.describeProblem(canceled("the call was ended before it was done"))
	}
	return h.describeProblem(&problem{code: codeInternal, message: "the server failed; what the call did before is not known"})
}

func (h *handlers) describeProblem(p *problem) Failure {
	a := h.adviceFor(p.code)
	f := Failure{Code: string(p.code), Message: p.message, Retryable: a.retryable, NextStep: p.nextStep}
	if f.NextStep == "" {
		f.NextStep = a.nextStep
	}
	return f
}

func (h *handlers) describeUpstream(err *client.Error) Failure {
	a := h.adviceFor(err.Kind)
	f := Failure{Code: string(a.code), Message: err.Message, Retryable: a.retryable, NextStep: a.nextStep}
	if a.retryable && err.RetryAfter > 0 {
		f.RetryAfterSeconds = int(math.Ceil(err.RetryAfter.Seconds()))
		f.NextStep = fmt.Sprintf("Call again after %d s.", f.RetryAfterSeconds)
	}
	return f
}

// badRound is the failure of an answer whose state cannot be opened or was used.
// The call must not be repeated: without its state it would start anew.
func (h *handlers) badRound(code client.Kind, message string) *problem {
	return &problem{
		code: code, message: message,
		nextStep: "Do not repeat the call, and create nothing: " + h.findStep() + ", and go on from what you see.",
	}
}

// advice is what to do after a failure with a code.
type advice struct {
	code      client.Kind
	retryable bool // the same call may succeed later
	nextStep  string
}

// adviceFor returns the advice of a code, that of an internal failure where there
// is none.
func (o Options) adviceFor(code client.Kind) advice {
	all := o.codes()
	i := slices.IndexFunc(all, func(a advice) bool { return a.code == code })
	if i < 0 {
		i = len(all) - 1
	}
	return all[i]
}

// codes returns every code that a failure may have, with advice that names no tool
// that is not offered. The set is closed, and README documents it.
func (o Options) codes() []advice {
	notFound := "Check the runId" + o.ifOffered("list_runs", "; list_runs shows the runs there are") + "."
	conflict := "To see the state of the run, " + o.readStep(runURI("", ""), "runId") + "."
	return []advice{
		{client.InvalidArgument, false, "Correct the arguments and call again."},
		{client.Unauthorized, false, o.checkKey()},
		{client.NotFound, false, notFound},
		{client.Conflict, false, conflict},
		{client.RateLimited, true, "Wait a little, then call again."},
		{client.Unavailable, true, "Call again in a little while; if that does not help, " + o.addressOwner() + "."},
		{client.Invalid, false, "Tell the user that the Run API answered something unexpected."},
		{client.Timeout, true, "Call again in a little while."},
		{client.OutcomeUnknown, false, "Do not repeat the call, for it may have taken effect: " + o.findStep() + "."},
		{codeLinkUnavailable, false, o.DecideElsewhereStep("")},
		{client.Canceled, true, "Call again if the answer is still wanted. A run that was started goes on."},
		{client.Misconfigured, false, "Do not call again. T" + o.addressOwner()[1:] + "."},
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

// addressOwner says who can check the address of the Run API.
func (o Options) addressOwner() string {
	if o.Local {
		return "tell the user to check --api-url (TR_API_URL) of this server, and the network it is on"
	}
	return "tell the user that the operator must check this server's address of the Run API"
}
