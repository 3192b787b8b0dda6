// Command evals measures whether a model uses the server's tools correctly. A case of
// cases.json is what a user said and what was done so far on the sandbox. The model
// sees what a client shows it: the server's instructions and its tools/list. It must
// make the right call next, or none.
//
//	go run ./internal/lab/evals --url http://127.0.0.1:11434/v1 --model NAME
//
// The URL is the base of an OpenAI-compatible API (POST URL/chat/completions, with
// tools). The environment variable EVALS_API_KEY is its key; EVALS_URL and
// EVALS_MODEL stand for the flags. Without a URL nothing is measured. The exit code is
// 1 if the measurement failed or less than --least per cent of the cases were right,
// and 2 for wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// Environment variables: the key of the model's API, and defaults of the flags.
const (
	keyVariable   = "EVALS_API_KEY"
	urlVariable   = "EVALS_URL"
	modelVariable = "EVALS_MODEL"
)

// options are the flags.
type options struct {
	url, model, server string
	only               *regexp.Regexp
	least              float64
}

// run is the whole program and returns its exit code.
func run(ctx context.Context, args []string, env func(string) string, stdout, stderr io.Writer) int {
	o, err := readOptions(args, env, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		fmt.Fprintln(stderr, "evals:", err)
		return 2
	case o.url == "":
		fmt.Fprintln(stdout, "evals skipped: no model configured (--url)")
		return 0
	}
	report, err := evaluate(ctx, o, strings.TrimSpace(env(keyVariable)))
	if err != nil {
		fmt.Fprintln(stderr, "evals:", err)
		return 1
	}
	report.write(stdout)
	if report.rate() < o.least {
		return 1
	}
	return 0
}

func readOptions(args []string, env func(string) string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("evals", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.url, "url", env(urlVariable), "base `URL` of an OpenAI-compatible API, such as http://127.0.0.1:11434/v1 [$"+urlVariable+"]; its key comes from $"+keyVariable)
	flags.StringVar(&o.model, "model", env(modelVariable), "`name` of the model there [$"+modelVariable+"]")
	flags.StringVar(&o.server, "server", "", "`path` of the server's binary (default: built from this module)")
	flags.Float64Var(&o.least, "least", 0, "`per cent` of cases that must be right")
	only := flags.String("run", "", "only cases whose name this `regexp` matches")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	if o.url != "" && o.model == "" {
		return o, errors.New("--model is required with --url")
	}
	o.only, err = regexp.Compile(*only)
	return o, err
}

// evaluate gives every selected case to the model.
func evaluate(ctx context.Context, o options, key string) (*report, error) {
	cases, err := readCases(casesFile, o.only)
	if err != nil {
		return nil, err
	}
	if o.server == "" {
		dir, err := os.MkdirTemp("", "evals")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		if o.server, err = build(ctx, dir); err != nil {
			return nil, err
		}
	}
	m := newModel(o.url, o.model, key)
	r := &report{model: o.model}
	for _, c := range cases {
		s, err := playCase(ctx, o.server, c)
		if err != nil {
			return nil, fmt.Errorf("case %q: %w", c.Name, err)
		}
		calls, err := m.nextCalls(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("case %q: %w", c.Name, err)
		}
		r.addCase(c, s.judgeCalls(calls))
	}
	return r, nil
}

// build builds the server of this module and returns the path of its binary.
func build(ctx context.Context, dir string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Minute)
	defer cancel()
	binary := filepath.Join(dir, "runs-mcp-server")
	out, err := exec.CommandContext(ctx, "go", "build", "-o", binary, "runs-mcp-server").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("building the server: %w: %s", err, out)
	}
	return binary, nil
}
