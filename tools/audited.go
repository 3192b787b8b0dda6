package tools

import (
	"context"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/audit"
)

// createAudited creates a run between the two lines of the audit log.
func (h *handlers) createAudited(ctx context.Context, c *call, body client.CreateRunRequest) (*client.Run, error) {
	entry, err := h.Audit.Begin(audit.Effect{Action: audit.Create, Channel: audit.Tool, Caller: c.caller, UserID: body.UserID, Intent: body.Intent})
	if err != nil {
		return nil, err
	}
	run, err := h.API.CreateRun(ctx, c.caller, body)
	runID := client.RunID("")
	if err == nil && run.RunID.Valid() { // any other text of the API stays out
		runID = run.RunID
	}
	entry.End(runID, err)
	return run, err
}

// abortAudited aborts a run between the two lines of the audit log.
func (h *handlers) abortAudited(ctx context.Context, c *call, runID client.RunID, channel audit.Channel) error {
	entry, err := h.Audit.Begin(audit.Effect{Action: audit.Abort, Channel: channel, Caller: c.caller, RunID: runID})
	if err != nil {
		return err
	}
	err = h.API.AbortRun(ctx, c.caller, runID)
	entry.End("", err)
	return err
}

// refusedByAudit is the failure of a call whose effect could not be recorded first.
func refusedByAudit() *problem {
	return &problem{
		code: codeInternal, message: audit.ErrRefused.Error() + ", so nothing was sent",
		nextStep: "Tell the user that the operator of this server must look after its audit log.",
	}
}
