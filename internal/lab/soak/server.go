package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	mcpserver "github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/attend"
	"runs-mcp-server/internal/feed"
	"runs-mcp-server/internal/redact"
	wiring "runs-mcp-server/internal/server"
	"runs-mcp-server/internal/view"
	"runs-mcp-server/tools"
	"runs-mcp-server/transport"
)

// serve is the main function of the process that serves. Its arguments are the API's URL
// and the forget time. The process writes its own URL in a line. Then it answers every
// line of its input with a sample, and the line "end" after it has stopped serving.
func serve(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 2 {
		return errors.New(serveRole + " needs a URL and a duration")
	}
	forget, err := time.ParseDuration(args[1])
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	release, err := serveMCP(ctx, l, args[0], forget, served)
	if err != nil {
		stop()
		return err
	}
	answers := json.NewEncoder(out)
	fmt.Fprintf(out, "http://%s/mcp\n", l.Addr())
	commands := bufio.NewScanner(in)
	for commands.Scan() && commands.Text() != "end" {
		release.idle()
		if err := answers.Encode(takeSample()); err != nil {
			break
		}
	}
	stop()
	err = <-served
	release.all()
	return errors.Join(err, answers.Encode(takeSample()))
}

// releases free what the server holds.
type releases struct {
	idle func() // idle connections to the API
	all  func()
}

// serveMCP serves MCP over HTTP, wired like the program.
func serveMCP(ctx context.Context, l net.Listener, apiURL string, forget time.Duration, served chan<- error) (releases, error) {
	api, err := client.New(client.Options{URL: apiURL, UserAgent: "soak"})
	if err != nil {
		return releases{}, err
	}
	log := slog.New(view.LogHandler(redact.New(), slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	b := wiring.New(tools.Options{API: api, Log: log, Integrations: []string{"*"}, Approvals: tools.ApprovalsAgent}, feed.Options{PinTime: forget, Grace: time.Second}, attend.Options{})
	srv := b.MCP("soak", "1")
	o := transport.HTTPOptions{
		Options:     transport.Options{Logger: log, Watch: b.Watch()},
		Server:      func(*http.Request) *mcpserver.MCPServer { return srv },
		IsKnown:     b.IsKnown,
		Introduce:   b.Introduce,
		Identify:    wiring.IdentifyCaller(wiring.CallerOptions{UserID: "u"}),
		SessionIdle: forget,
		// The program's defaults, or less in a short run.
		HeaderTimeout:   min(5*time.Second, forget),
		StrangerTimeout: min(5*time.Second, forget),
		BodyTimeout:     min(15*time.Second, forget),
	}
	go func() { served <- transport.ServeHTTP(ctx, l, o) }()
	return releases{idle: api.Close, all: b.Close}, nil
}

// server is that process, seen from the process that measures.
type server struct {
	child
	url string
}

// startServer starts this program again, in the role of the server.
func startServer(apiURL string, forget time.Duration) (*server, error) {
	c, err := startChild(serveRole, apiURL, forget.String())
	if err != nil {
		return nil, err
	}
	url, err := c.readLine()
	if err != nil {
		c.kill()
		return nil, err
	}
	return &server{c, string(url)}, nil
}

// sample returns a sample of the server.
func (s *server) sample() (got sample, err error) {
	line, err := s.sendCommand("sample")
	if err != nil {
		return got, err
	}
	return got, json.Unmarshal(line, &got)
}

// end stops the server and returns its last sample.
func (s *server) end() (last sample, err error) {
	line, err := s.sendCommand("end")
	if err != nil {
		return last, err
	}
	return last, errors.Join(json.Unmarshal(line, &last), s.cmd.Wait())
}
