//go:build diagnostic

// Command diagnostic-server serves package diagnostic at /mcp, over the product's
// transport, to anyone on loopback.
package main

import (
	"context"
	"flag"
	"log"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"

	"github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/internal/lab/diagnostic"
	"runs-mcp-server/transport"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8082", "`HOST:PORT` to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	l, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	tasks := diagnostic.NewTasks()
	srv := diagnostic.New(tasks)
	o := transport.HTTPOptions{Server: func(*http.Request) *server.MCPServer { return srv }}
	o.Logger = slog.New(slog.NewTextHandler(os.Stderr, nil))
	o.Watch, o.Tasks = diagnostic.Watch, tasks
	if err := transport.ServeHTTP(ctx, l, o); err != nil {
		log.Print(err)
	}
}
