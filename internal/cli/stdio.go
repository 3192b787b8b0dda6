package cli

import (
	"fmt"
	"log/slog"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/memory"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// stdioCommand serves the one client at the other end of the pipes.
type stdioCommand struct {
	serverFlags
	metricsFlags
}

// Run serves MCP over stdio.
func (c *stdioCommand) Run(p *process) error {
	o, caller, err := c.localOptions(p.env)
	if err != nil {
		return err
	}
	log, err := c.newLogger(o.Secrets, p)
	if err != nil {
		return err
	}
	// On standard error, which clients show to people, calls that succeed are no news.
	closeAudit, err := c.addLogs(&o, log, c.LogFile != "")
	if err != nil {
		return err
	}
	defer closeAudit()
	c.warnOfKeyFile(p.env, log)
	return p.serverError(c.serve(p, o, caller, log), log)
}

func (c *stdioCommand) serve(p *process, o tools.Options, caller client.Caller, log *slog.Logger) error {
	t, stopTelemetry, err := c.startTelemetry(p, log, true)
	if err != nil {
		return err
	}
	defer stopTelemetry()
	s, closeAll, err := c.startServer(p.ctx, o, memory.Parts{}, log, t)
	if err != nil {
		return err
	}
	defer closeAll()
	if isTerminal(p.stdin) {
		fmt.Fprintf(p.stderr, "%s speaks MCP on standard input: an MCP client starts it. To see it work, try: %s demo\n", Name, programCommand())
	}
	options := transport.Options{Logger: log, Watch: s.Watch(), Tasks: s.Tasks(Name, Version), Skills: s.Skills(Name, Version)}
	if err := p.observeServer(t, s, o.Audit, &options); err != nil {
		return err
	}
	ctx := client.WithCaller(p.ctx, caller)
	return transport.ServeStdio(ctx, s.MCP(Name, Version), p.stdin, p.stdout, options)
}
