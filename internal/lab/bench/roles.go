package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"

	"runs-mcp-server/internal/sandbox"
)

// roles returns what this program does in the processes that it starts of itself. The
// key is the first argument, the value gets the others.
func roles() map[string]func(ctx context.Context, args []string) error {
	return map[string]func(context.Context, []string) error{
		"serve-api":    serveAPI,
		"serve-mcp-go": serveMCPGo,
		"serve-go-sdk": serveGoSDK,
	}
}

// serveAPI serves the sandbox, without a log.
func serveAPI(ctx context.Context, _ []string) error {
	box, err := sandbox.Listen(ctx, "127.0.0.1:0", sandbox.Options{})
	if err != nil {
		return err
	}
	printURL(box.URL())
	<-ctx.Done()
	return box.Close()
}

// serveHTTP serves two handlers on a free port: one for each era, at its path.
func serveHTTP(stateless, stateful http.Handler) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/"+statelessVersion, stateless)
	mux.Handle("/"+statefulVersion, stateful)
	printURL("http://" + l.Addr().String())
	return http.Serve(l, mux)
}

// printURL tells the process that started this one where it serves, in the form of the
// product's log.
func printURL(url string) { fmt.Fprintf(os.Stderr, "msg=serving url=%s\n", url) }
