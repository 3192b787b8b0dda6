package sandbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"strings"
	"time"
)

// execute is a run's life, in its own goroutine. It ends with the run, or with
// the sandbox. Each phase reports whether there is anything left to do.
func (r *run) execute(ctx context.Context) {
	if r.behaviour.leak {
		r.leakHint("Authorization: Bearer " + rand.Text())
	}
	alive := wait(ctx, r.behaviour.queue) &&
		r.emit(draft{name: "start", status: statusRunning}) &&
		r.surprise(ctx) &&
		r.askForRun(ctx) &&
		r.authorise(ctx)
	for done := 0; alive && done < len(r.plan.steps); {
		batch := 1
		if r.strategy == "ON_TOOL_CALL" {
			batch = min(r.behaviour.parallel, len(r.plan.steps)-done)
			alive = r.stepsWithApproval(ctx, r.plan.steps[done:done+batch])
		} else {
			alive = wait(ctx, r.behaviour.pace) && r.emit(r.stepDraft(r.plan.steps[done], "NOT_REQUIRED"))
		}
		done += batch
	}
	if alive && wait(ctx, r.behaviour.pace) {
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

func (r *run) outcome() string {
	if r.behaviour.outcome == "" {
		return statusSuccess
	}
	return r.behaviour.outcome
}

// surprise shows what no client knows yet: an event type and a status.
func (r *run) surprise(ctx context.Context) bool {
	if !r.behaviour.unknown {
		return true
	}
	return r.emit(draft{name: "insight", status: statusUnknown}) &&
		wait(ctx, r.behaviour.pace) &&
		r.emit(draft{name: "insight", status: statusRunning})
}

// askForRun pauses once for the whole plan, under ON_START.
func (r *run) askForRun(ctx context.Context) bool {
	if r.strategy != "ON_START" {
		return true
	}
	answered := make(chan *approval, 1)
	links := r.links(&approval{run: r, answered: answered})
	if !r.pause(1, draft{name: "run_approval", status: statusPaused, links: links}) {
		return false
	}
	select {
	case <-answered:
		return true
	case <-ctx.Done():
		return false
	}
}

// links issues the two links of an approval and remembers them for leak=1.
func (r *run) links(a *approval) []approvalLink {
	links := r.tokens.issue(a)
	if r.behaviour.leak {
		_, token, _ := strings.Cut(links[0].URL, "token=")
		r.leakHint(links[0].URL + " Authorization: Bearer " + token)
	}
	return links
}

func (r *run) leakHint(hint string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.hint = hint
}

// authorise asks a person to connect the first integration, and goes on by
// itself after a while.
func (r *run) authorise(ctx context.Context) bool {
	if r.behaviour.auth != "required" && r.behaviour.auth != "denied" {
		return true
	}
	first := r.integrations[0]
	ask := &auth{Status: "required", IntegrationName: first.Name,
		URL: "https://auth.sandbox.invalid/connect/" + first.IntegrationID + "?state=" + rand.Text()}
	if !r.emit(draft{name: "authentication", status: statusAuthRequired, body: payload{Auth: ask}}) ||
		!wait(ctx, r.behaviour.authPause) {
		return false
	}
	if r.behaviour.auth == "denied" {
		r.finish(statusFailed, r.resultFor(statusFailed),
			draft{name: "authentication", status: statusFailed, body: payload{Auth: &auth{Status: "denied"}}})
		return false
	}
	return r.emit(draft{name: "authentication", status: statusRunning, body: payload{Auth: &auth{Status: "success"}}})
}

// stepsWithApproval asks for a batch of steps at once, and does each as soon
// as it is approved.
func (r *run) stepsWithApproval(ctx context.Context, steps []planStep) bool {
	if !wait(ctx, r.behaviour.pace) {
		return false
	}
	answered := make(chan *approval, len(steps))
	var drafts []draft
	for _, s := range steps {
		links := r.links(&approval{run: r, toolCallID: s.callID(), plan: s, answered: answered})
		d := r.stepDraft(s, "PENDING")
		d.status, d.links = statusPaused, links
		drafts = append(drafts, d)
	}
	if len(steps) > 1 {
		drafts = append(drafts, draft{name: "status", status: statusPaused})
	}
	if !r.pause(len(steps), drafts...) {
		return false
	}
	for range steps {
		select {
		case a := <-answered:
			if !wait(ctx, r.behaviour.pace) || !r.emit(r.stepDraft(a.plan, "APPROVED")) {
				return false
			}
		case <-ctx.Done():
			return false
		}
	}
	return true
}

func (s planStep) callID() string { return fmt.Sprintf("call_%d", s.number) }

func (r *run) stepDraft(s planStep, approval string) draft {
	r.mu.Lock()
	defer r.mu.Unlock()
	return draft{name: "step", body: payload{Step: r.stepOf(s, approval)}}
}

// stepOf needs r.mu held, for the hint.
func (r *run) stepOf(s planStep, status string) *step {
	text, parameters := s.description, s.parameters
	if r.behaviour.leak {
		text += " " + r.hint
		parameters = maps.Clone(parameters)
		parameters["note"] = r.hint
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

// executionResult fits the outcome: under FAILED and PARTIAL_SUCCESS the last
// step fails, under NO_SUCCESS nothing is found.
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

// resultFor is the run's result. Under outputSchema a run that got somewhere
// has the value in that shape; a failed one has no result to shape.
func (r *run) resultFor(status string) any {
	if r.shaped != nil && status != statusFailed {
		return r.shaped
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
		result["text"] = text + " " + r.hint
		result["Authorization"] = r.hint
	}
	return result
}
