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
	"os/exec"
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

// serveRole is the first argument of the process that serves. The others are the
// API's URL and the forget time. The process writes its own URL in a line. Then it
// answers every line of its input with a sample, and the line "end" after it has
// stopped serving.
const serveRole = "serve"

// serve is the main function of that process.
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

// server is the process that serves, seen from the process that measures.
type server struct {
	url    string
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
}

// startServer starts this program again, in the role of the server.
func startServer(apiURL string, forget time.Duration) (*server, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command(self, serveRole, apiURL, forget.String())}
	s.cmd.Stderr = os.Stderr
	output, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if s.input, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	s.output = bufio.NewReader(output)
	line, err := s.output.ReadString('\n')
	if err != nil {
		s.kill()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	s.url = line[:len(line)-1]
	return s, nil
}

// sample returns a sample of the server.
func (s *server) sample() (sample, error) { return s.sendCommand("sample") }

// end stops the server and returns its last sample.
func (s *server) end() (sample, error) {
	last, err := s.sendCommand("end")
	return last, errors.Join(err, s.cmd.Wait())
}

func (s *server) sendCommand(command string) (got sample, err error) {
	if _, err := io.WriteString(s.input, command+"\n"); err != nil {
		return got, fmt.Errorf("the server died: %w", err)
	}
	line, err := s.output.ReadBytes('\n')
	if err != nil {
		return got, fmt.Errorf("the server died: %w", err)
	}
	return got, json.Unmarshal(line, &got)
}

// kill ends the process, if it still runs.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
