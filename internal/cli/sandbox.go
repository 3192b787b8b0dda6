package cli

import (
	"fmt"
	"log/slog"

	"runs-mcp-server/internal/sandbox"
)

// sandboxCommand serves the embedded sandbox alone.
type sandboxCommand struct {
	Listen string `default:"127.0.0.1:8081" placeholder:"HOST:PORT" help:"Loopback address (default ${default})"`
}

// Run serves the sandbox until the process is told to stop.
func (c *sandboxCommand) Run(p *process) error {
	log := slog.New(slog.NewTextHandler(p.stderr, nil))
	box, err := sandbox.Listen(p.ctx, c.Listen, sandbox.Options{Logger: log})
	if err != nil {
		return p.serverError(listenError("--listen", err), log)
	}
	fmt.Fprintf(p.out, "The sandbox of the Run API is at %s (x-api-key: %s). Nothing real happens here.\n", box.URL(), sandbox.DefaultKey)
	<-p.ctx.Done()
	return p.serverError(box.Close(), log)
}
