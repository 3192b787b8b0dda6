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

// serveRole is the first argument of the process that serves. Its others are
// the API's address and the time after which it forgets. It writes its own
// address in a line, and then answers every line with a sample, the last one
// after it has stopped serving.
const serveRole = "serve"

// serve is that process.
func serve(args []string, in io.Reader, out io.Writer) error {
	if len(args) != 2 {
		return errors.New(serveRole + " needs an address and a time")
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

// releases let go of what the server holds.
type releases struct {
	idle func() // connections to the API that nobody uses
	all  func()
}

// serveMCP serves what the program does.
func serveMCP(ctx context.Context, l net.Listener, apiURL string, forget time.Duration, served chan<- error) (releases, error) {
	api, err := client.New(client.Options{URL: apiURL, UserAgent: "soak"})
	if err != nil {
		return releases{}, err
	}
	log := slog.New(view.LogHandler(redact.New(), slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})))
	b := wiring.New(tools.Options{API: api, Log: log, Integrations: []string{"*"}, Approvals: tools.ApprovalsAgent}, feed.Options{KeptFor: forget, Grace: time.Second}, attend.Options{})
	srv := b.MCP("soak", "1")
	o := transport.HTTPOptions{
		Options:     transport.Options{Logger: log, Watch: b.Watch()},
		Server:      func(*http.Request) *mcpserver.MCPServer { return srv },
		SessionIdle: forget,
		Identify: func(r *http.Request) (string, context.Context, error) {
			key := r.Header.Get("x-api-key")
			return key, client.WithCaller(context.Background(), client.Caller{Key: client.Key(key), UserID: "u"}), nil
		},
	}
	go func() { served <- transport.ServeHTTP(ctx, l, o) }()
	return releases{idle: api.Close, all: b.Close}, nil
}

// server is the process that serves, as seen from outside.
type server struct {
	url    string
	cmd    *exec.Cmd
	input  io.WriteCloser
	output *bufio.Reader
}

// startServer starts this program once more, to serve.
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

// sample asks the server for a sample.
func (s *server) sample() (sample, error) { return s.ask("sample") }

// end lets the server stop, and returns its last sample.
func (s *server) end() (sample, error) {
	last, err := s.ask("end")
	return last, errors.Join(err, s.cmd.Wait())
}

func (s *server) ask(command string) (got sample, err error) {
	if _, err := io.WriteString(s.input, command+"\n"); err != nil {
		return got, fmt.Errorf("the server died: %w", err)
	}
	line, err := s.output.ReadBytes('\n')
	if err != nil {
		return got, fmt.Errorf("the server died: %w", err)
	}
	return got, json.Unmarshal(line, &got)
}

// kill ends the process if it has not ended.
func (s *server) kill() {
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
}
