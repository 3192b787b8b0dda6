package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// Names of the generic OpenAPI bridges, which are those of their npm packages.
const (
	bridge    = "@ivotoby/openapi-mcp-server"
	generated = "openapi-mcp-generator"
)

// bridgesWanted says whether the bridges are measured.
type bridgesWanted int

const (
	bridgesIfPossible bridgesWanted = iota // if npm and node are there
	bridgesNeeded                          // it is an error if they are not
	noBridges
)

// bridges says where the bridges are installed.
type bridges struct {
	contract  string // path of the OpenAPI document
	modules   string // the folder of node_modules that has the bridge
	generated string // the folder of the generated bridge
}

// reason says why a server has no figures.
type reason struct {
	Server    string `json:"server"`
	Transport string `json:"transport,omitempty"` // empty: all
	Text      string `json:"text"`
}

// reasons returns what the bridges cannot do, as they are pinned.
func (b *bridges) reasons() []reason {
	if b == nil {
		return nil
	}
	const endsAtOnce = "its HTTP server ends on the first request, by an error of a library that it uses (ERR_INVALID_STATE of fetch-to-node)"
	return []reason{
		{bridge, httpStateless, "it answers 400, because it serves only sessions"},
		{generated, httpStateless, endsAtOnce},
		{generated, httpStateful, endsAtOnce},
		{"a bridge in Go", "", "the Go module proxy refused all that were found"},
	}
}

// installBridges runs the script that installs and builds the bridges. Without npm or
// node it returns nil and the reason, unless the bridges are needed.
func installBridges(ctx context.Context, o options) (*bridges, []reason, error) {
	if o.bridges == noBridges {
		return nil, nil, nil
	}
	for _, program := range []string{"npm", "node"} {
		if _, err := exec.LookPath(program); err == nil {
			continue
		} else if o.bridges == bridgesNeeded {
			return nil, nil, fmt.Errorf("the bridges need npm and node: %w", err)
		}
		return nil, []reason{{"generic OpenAPI bridges", "", "there is no " + program + " on this machine"}}, nil
	}
	root, err := filepath.Abs(o.root)
	if err != nil {
		return nil, nil, err
	}
	lines, err := runScript(ctx, root, ".ci/bridges/install")
	if err != nil {
		return nil, nil, err
	}
	folders := strings.Fields(string(lines))
	if len(folders) != 2 {
		return nil, nil, fmt.Errorf(".ci/bridges/install printed %q, want two folders", lines)
	}
	b := &bridges{filepath.Join(root, "internal/sandbox/openapi.json"), folders[0] + "/node_modules", folders[1]}
	return b, b.reasons(), nil
}

// runScript runs a script of the repository and returns its standard output.
func runScript(ctx context.Context, root, script string, args ...string) ([]byte, error) {
	command := exec.CommandContext(ctx, filepath.Join(root, script), args...)
	command.Dir = root
	var problems bytes.Buffer
	command.Stderr = &problems
	output, err := command.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", script, errors.Join(err, errors.New(problems.String())))
	}
	return output, nil
}

// servers returns the bridges as servers of an API. Each HTTP server gets a free port.
func (b *bridges) servers(api string) ([]mcpServer, error) {
	if b == nil {
		return nil, nil
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	args := []string{b.modules + "/" + bridge + "/bin/mcp-server.js", "--api-base-url=" + api, "--openapi-spec=" + b.contract, "--headers=x-api-key:" + apiKey, "--verbose=false"}
	return []mcpServer{{
		name: bridge, path: "node", port: port, isBridge: true, onStream: true, eras: []string{httpStateful}, words: bridgeWords,
		http: append(slices.Clone(args), "--transport=http", fmt.Sprintf("--port=%d", port)), stdio: args,
	}, {
		name: generated, path: "node", isBridge: true, words: generatedWords,
		stdio: []string{b.generated + "/stdio/build/index.js"}, env: []string{"API_BASE_URL=" + api, "API_KEY_KEY=" + apiKey},
	}}, nil
}

// freePort returns a port that nobody listens on. Somebody else may take it before its
// server does, which then fails to start.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// bridgeWords returns the tool and the arguments of an operation at the bridge.
func bridgeWords(op *operation) (tool, args string) {
	switch op.tool {
	case "get_run":
		return "run-get-run", withEvents(op.args)
	case "list_runs":
		return "run-lst-runs", op.args
	}
	return "run-crt-run", op.args
}

// generatedWords returns the tool and the arguments of an operation at the generated
// bridge.
func generatedWords(op *operation) (tool, args string) {
	switch op.tool {
	case "get_run":
		return "RunController_getRun", withEvents(op.args)
	case "list_runs":
		return "RunController_listRuns", op.args
	}
	return "RunController_createRun", `{"requestBody":` + op.args + `}`
}

// withEvents adds the argument that asks for the events of a run.
func withEvents(args string) string {
	return strings.TrimSuffix(args, "}") + `,"includeEvents":"true"}`
}

// installedSize returns the bytes of what each bridge installs, without Node.js.
func (b *bridges) installedSize() (map[string]int64, error) {
	if b == nil {
		return nil, nil
	}
	size, err := packagesSize(b.modules, bridge)
	if err != nil {
		return nil, err
	}
	project := b.generated + "/stdio"
	names, err := dependencies(project)
	if err != nil {
		return nil, err
	}
	libraries, err := packagesSize(filepath.Dir(b.generated)+"/node_modules", names...)
	if err != nil {
		return nil, err
	}
	built, err := folderSize(project + "/build")
	return map[string]int64{bridge: size, generated: libraries + built}, err
}

// packagesSize returns the bytes of npm packages and all that they depend on.
func packagesSize(modules string, names ...string) (int64, error) {
	var sum int64
	seen := map[string]bool{}
	for folders := findPackages(modules, names); len(folders) > 0; folders = folders[1:] {
		folder := folders[0]
		if seen[folder] {
			continue
		}
		seen[folder] = true
		size, err := folderSize(folder)
		if err != nil {
			return 0, err
		}
		needed, err := dependencies(folder)
		if err != nil {
			return 0, err
		}
		sum, folders = sum+size, append(folders, findPackages(folder+"/node_modules", needed)...)
	}
	return sum, nil
}

// findPackages returns the folders of packages, as node finds them: in the folder of
// modules, or in one further up. It leaves out those that are not installed.
func findPackages(modules string, names []string) (folders []string) {
	for _, name := range names {
		for at := modules; ; {
			if _, err := os.Stat(at + "/" + name + "/package.json"); err == nil {
				folders = append(folders, at+"/"+name)
				break
			}
			up, _, found := cutLast(strings.TrimSuffix(at, "/node_modules"), "/node_modules/")
			if !found {
				break
			}
			at = up + "/node_modules"
		}
	}
	return folders
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}

// dependencies returns the names that the package.json of a folder depends on.
func dependencies(folder string) (names []string, err error) {
	text, err := os.ReadFile(folder + "/package.json")
	if err != nil {
		return nil, err
	}
	var described struct{ Dependencies map[string]string }
	if err := json.Unmarshal(text, &described); err != nil {
		return nil, fmt.Errorf("%s: %w", folder, err)
	}
	for name := range described.Dependencies {
		names = append(names, name)
	}
	return names, nil
}

// folderSize returns the bytes of a folder's files, without packages inside of it.
func folderSize(folder string) (sum int64, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "node_modules":
			return fs.SkipDir
		case entry.IsDir():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		sum += info.Size()
		return nil
	})
	return sum, err
}
