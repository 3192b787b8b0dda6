// Command runs-mcp-server is an MCP server that lets an AI agent start, watch,
// steer and stop runs of the toolregistry.ai Run API.
package main

import (
	"os"

	"runs-mcp-server/internal/cli"
)

func main() {
	ctx, stop := cli.NotifyContext()
	code := cli.Run(ctx, os.Args[1:], os.Getenv, os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}
