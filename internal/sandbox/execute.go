package sandbox

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"strings"
	"time"
)

// execute runs the run, in a goroutine of its own, until it ends or the sandbox is
// closed. Each phase reports false if nothing is left to do.
func (r *run) execute(ctx context.Context) {
	if r.behaviour.leak {
		r.setLeak("Authorization: Bearer " + rand.Text())
	}
	going := wait(ctx, r.behaviour.queuePause) &&
		r.appendEvents(draft{name: "start", status: statusRunning}) &&
		r.sendUnknown(ctx) &&
		r.waitForRunApproval(ctx) &&
		r.waitForAuthorisation(ctx) &&
		r.executeSteps(ctx) &&
		wait(ctx, r.behaviour.stepPause)
	if going {
		status := r.outcome()
		r.finish(status, r.resultFor(status))
	}
}

// wait sleeps for d and reports whether the run goes on.
func wait(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// sendUnknown appends an event type and a status that no client knows, for unknown=1.
func (r *run) sendUnknown(ctx context.Context) bool {
	if !r.behaviour.unknown {
		return true
	}
	return r.appendEvents(draft{name: "insight", status: statusUnknown}) &&
		wait(ctx, r.behaviour.stepPause) &&
		r.appendEvents(draft{name: "insight", status: statusRunning})
}

// waitForRunApproval waits for the approval of the whole plan, under ON_START.
func (r *run) waitForRunApproval(ctx context.Context) bool {
	if r.strategy != "ON_START" {
		return true
	}
	approved := make(chan *approval, 1)
	links := r.issueLinks(&approval{run: r, approved: approved})
	if !r.pauseFor(1, draft{name: "run_approval", status: statusPaused, links: links}) {
		return false
	}
	select {
	case <-approved:
		return true
	case <-ctx.Done():
		return false
	}
}

// issueLinks issues the two links of an approval. Under leak=1 they are what leaks.
func (r *run) issueLinks(a *approval) []approvalLink {
	links := r.tokens.issueLinks(a)
	if r.behaviour.leak {
		_, token, _ := strings.Cut(links[0].URL, "token=")
		r.setLeak(links[0].URL + " Authorization: Bearer " + token)
	}
	return links
}

func (r *run) setLeak(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.leak = text
}

// waitForAuthorisation asks a person to connect the first integration. Nobody can:
// the run goes on or fails by itself after a pause.
func (r *run) waitForAuthorisation(ctx context.Context) bool {
	if r.behaviour.auth != "required" && r.behaviour.auth != "denied" {
		return true
	}
	first := r.integrations[0]
	required := &auth{Status: "required", IntegrationName: first.Name,
		URL: "https://auth.sandbox.invalid/connect/" + first.IntegrationID + "?state=" + rand.Text()}
	if !r.appendEvents(draft{name: "authentication", status: statusAuthRequired, body: payload{Auth: required}}) ||
		!wait(ctx, r.behaviour.authPause) {
		return false
	}
	if r.behaviour.auth == "denied" {
		r.finish(statusFailed, r.resultFor(statusFailed),
			draft{name: "authentication", status: statusFailed, body: payload{Auth: &auth{Status: "denied"}}})
		return false
	}
	return r.appendEvents(draft{name: "authentication", status: statusRunning, body: payload{Auth: &auth{Status: "success"}}})
}

// executeSteps executes the plan. Under ON_TOOL_CALL steps wait for approval in
// batches of "parallel".
func (r *run) executeSteps(ctx context.Context) bool {
	if r.strategy == "ON_TOOL_CALL" {
		for batch := range slices.Chunk(r.plan.steps, r.behaviour.parallel) {
			if !r.executeBatch(ctx, batch) {
				return false
			}
		}
		return true
	}
	for _, s := range r.plan.steps {
		if !wait(ctx, r.behaviour.stepPause) || !r.appendEvents(r.stepDraft(s, "NOT_REQUIRED")) {
			return false
		}
	}
	return true
}

// executeBatch asks for the approval of all the steps at once, and executes each
// when it is approved.
func (r *run) executeBatch(ctx context.Context, steps []planStep) bool {
	if !wait(ctx, r.behaviour.stepPause) {
		return false
	}
	approved := make(chan *approval, len(steps))
	var drafts []draft
	for _, s := range steps {
		links := r.issueLinks(&approval{run: r, step: &s, approved: approved})
		d := r.stepDraft(s, "PENDING")
		d.status, d.links = statusPaused, links
		drafts = append(drafts, d)
	}
	if len(steps) > 1 {
		drafts = append(drafts, draft{name: "status", status: statusPaused})
	}
	if !r.pauseFor(len(steps), drafts...) {
		return false
	}
	for range steps {
		select {
		case a := <-approved:
			if !wait(ctx, r.behaviour.stepPause) || !r.appendEvents(r.stepDraft(*a.step, "APPROVED")) {
				return false
			}
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (r *run) stepDraft(s planStep, approval string) draft {
	r.mu.Lock()
	defer r.mu.Unlock()
	return draft{name: "step", body: payload{Step: r.stepLocked(s, approval)}}
}

// stepLocked returns the event data of a plan's step. It needs r.mu held, to read
// r.leak.
func (r *run) stepLocked(s planStep, status string) *step {
	text, parameters := s.description, s.parameters
	if r.behaviour.leak {
		text += " " + r.leak
		parameters = maps.Clone(parameters)
		parameters["note"] = r.leak
	}
	call := toolCall{ToolCallID: s.callID(), ToolName: s.tool, ToolParameters: parameters}
	switch status {
	case "APPROVED":
		call.ToolResult = &toolResult{approvalResult{status, "a person approved this call"}, r.executionResult(s)}
	case "DENIED":
		call.ToolResult = &toolResult{approvalResult{status, "a person denied this call"}, nil}
	case "NOT_REQUIRED":
		call.ToolResult = &toolResult{approvalResult{status, "this call needed no approval"}, r.executionResult(s)}
	}
	return &step{Reason: s.reason, Approval: status, ToolCalls: []toolCall{call}, Text: text}
}

// executionResult returns the result of a tool call. For the outcomes FAILED and
// PARTIAL_SUCCESS the last step fails; for NO_SUCCESS nothing is found.
func (r *run) executionResult(s planStep) map[string]any {
	last := s.number == len(r.plan.steps)
	switch outcome := r.outcome(); {
	case last && (outcome == statusFailed || outcome == statusPartial):
		return map[string]any{"sandbox": true, "ok": false, "error": "the sandbox was asked to let this step fail"}
	case outcome == statusNoSuccess:
		return map[string]any{"sandbox": true, "ok": true, "found": 0}
	}
	return map[string]any{"sandbox": true, "ok": true, "found": s.number}
}

// outcome returns the status that the run ends with if nobody stops it.
func (r *run) outcome() string {
	if r.behaviour.outcome == "" {
		return statusSuccess
	}
	return r.behaviour.outcome
}

// resultFor returns the run's result. With an outputSchema it conforms to that,
// except the result of a failed run.
func (r *run) resultFor(status string) any {
	if r.shapedResult != nil && status != statusFailed {
		return r.shapedResult
	}
	text := "This is the sandbox: nothing real was done."
	if r.behaviour.text != "" {
		text = r.behaviour.text
	}
	result := map[string]any{"sandbox": true, "status": status, "text": text}
	if kb := r.behaviour.resultKB; kb > 0 {
		result["padding"] = strings.Repeat("sandbox ", kb*1024/len("sandbox "))
	}
	if r.behaviour.leak {
		r.mu.Lock()
		defer r.mu.Unlock()
		result["text"] = text + " " + r.leak
		result["Authorization"] = r.leak
	}
	return result
}
