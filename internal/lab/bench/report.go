package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"time"
)

// report is the result of a run.
type report struct {
	Date     string            `json:"date"`
	Commit   string            `json:"commit"`
	Machine  string            `json:"machine"`
	Rounds   int               `json:"rounds"`
	Slice    string            `json:"slice"`
	Versions map[string]string `json:"versions"`       // of the servers' libraries
	Program  int64             `json:"programBytes"`   // size of our binary
	Node     string            `json:"node,omitempty"` // version of Node.js, if a bridge runs on it
	NodeSize int64             `json:"nodeBytes,omitempty"`
	Quick    bool              `json:"quick,omitempty"` // the figures show only large differences
	Reasons  []reason          `json:"reasons,omitempty"`
	Parts    []part            `json:"parts"`
	Jobs     []job             `json:"jobs,omitempty"`
	Starts   []start           `json:"starts"`
	Watched  []watched         `json:"watched"`
	Cells    []cell            `json:"cells"`
	Samples  []sample          `json:"samples"`
}

// cell is a load on one server, over all rounds.
type cell struct {
	load
	Server string  `json:"server"`
	Median figures `json:"median"`
	Ratio  figures `json:"ratio"` // medians of the ratios to the baseline of the same round
}

func newReport(o options, b *bridges) *report {
	r := &report{
		Date: time.Now().UTC().Format(time.DateOnly), Commit: commitOf(o.root), Machine: machine(),
		Slice: o.slice.String(), Versions: versions(), Quick: o.quick,
	}
	if b != nil {
		r.Node, r.NodeSize = node()
		r.Versions[bridge] = packageVersion(b.modules + "/" + bridge)
		r.Versions[generated] = packageVersion(filepath.Dir(b.generated) + "/node_modules/" + generated)
	}
	return r
}

// node returns the version and the size of the Node.js that runs the bridges.
func node() (version string, size int64) {
	output, err := exec.Command("node", "-p", "process.version + ' ' + fs.statSync(process.execPath).size").Output()
	if err == nil {
		_, _ = fmt.Sscan(string(output), &version, &size)
	}
	return version, size
}

// packageVersion returns the version of an npm package in a folder.
func packageVersion(folder string) string {
	var described struct{ Version string }
	text, err := os.ReadFile(folder + "/package.json")
	if err != nil || json.Unmarshal(text, &described) != nil {
		return "unknown"
	}
	return described.Version
}

// commitOf returns the commit of a repository, with "-dirty" if files differ from it.
func commitOf(root string) string {
	command := exec.Command("git", "describe", "--always", "--dirty", "--exclude=*")
	command.Dir = root
	output, err := command.Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(output))
}

func machine() string {
	text := fmt.Sprintf("%d cores, %s, %s/%s", runtime.NumCPU(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if kernel, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		release, _, _ := strings.Cut(string(kernel), "-") // what follows names the builder
		text += " " + strings.TrimSpace(release)
	}
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, model, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(model) + ", " + text
		}
	}
	return text
}

// versions returns the versions of the libraries of the bare servers.
func versions() map[string]string {
	names := map[string]string{"github.com/mark3labs/mcp-go": baseline, "github.com/modelcontextprotocol/go-sdk": goSDK}
	found := map[string]string{}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, dependency := range info.Deps {
			if name := names[dependency.Path]; name != "" {
				found[name] = dependency.Version
			}
		}
	}
	return found
}

// allFigures returns a function for each of the figures.
func allFigures() []func(*figures) *float64 {
	return []func(*figures) *float64{
		func(f *figures) *float64 { return &f.CallsPerSecond },
		func(f *figures) *float64 { return &f.P50 },
		func(f *figures) *float64 { return &f.P99 },
		func(f *figures) *float64 { return &f.ProcessorTime },
		func(f *figures) *float64 { return &f.AnswerBytes },
	}
}

// addCells computes the cells of the samples.
func (r *report) addCells() {
	groups := map[load]map[string]map[int]*figures{} // by load, server and round
	var loads []load
	for i := range r.Samples {
		s := &r.Samples[i]
		if groups[s.load] == nil {
			groups[s.load], loads = map[string]map[int]*figures{}, append(loads, s.load)
		}
		if s.Calls == 0 {
			continue // a bridge that failed
		}
		if groups[s.load][s.Server] == nil {
			groups[s.load][s.Server] = map[int]*figures{}
		}
		groups[s.load][s.Server][s.Round] = &s.Figures
	}
	r.Cells = nil
	for _, l := range loads {
		for _, server := range allServers() {
			rounds := groups[l][server]
			if len(rounds) == 0 {
				continue
			}
			c := cell{load: l, Server: server}
			for _, of := range allFigures() {
				*of(&c.Median), *of(&c.Ratio) = compare(of, rounds, groups[l][baseline])
			}
			r.Cells = append(r.Cells, c)
		}
	}
}

// compare returns the median of a figure, and the median of its ratios to the baseline.
func compare(of func(*figures) *float64, rounds, base map[int]*figures) (value, ratio float64) {
	var values, ratios []float64
	for round, f := range rounds {
		values = append(values, *of(f))
		ratios = append(ratios, *of(f) / *of(base[round]))
	}
	return median(values), median(ratios)
}

func median(values []float64) float64 {
	slices.Sort(values)
	n := len(values)
	return (values[(n-1)/2] + values[n/2]) / 2
}

// write writes the report as Markdown, JSON and SVG.
func (r *report) write(path string) error {
	r.addCells()
	data, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	for extension, text := range map[string]string{".json": string(data) + "\n", ".md": r.markdown(), ".svg": r.plot()} {
		if err := os.WriteFile(path+extension, []byte(text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// failed returns an error if any call got a wrong answer, other than of a bridge.
func (r *report) failed() error {
	failed := 0
	for _, s := range r.Samples {
		if s.Server != bridge && s.Server != generated {
			failed += s.Failed
		}
	}
	if failed > 0 {
		return fmt.Errorf("%d calls got a wrong answer", failed)
	}
	return nil
}

// loads returns the loads, transport by transport.
func (r *report) loads() (loads []load) {
	for _, transport := range transports() {
		for _, c := range r.Cells {
			if c.Server == baseline && c.Transport == transport {
				loads = append(loads, c.load)
			}
		}
	}
	return loads
}

// cellsByLoad returns the cells by load and server.
func (r *report) cellsByLoad() map[load]map[string]cell {
	all := map[load]map[string]cell{}
	for _, c := range r.Cells {
		if all[c.load] == nil {
			all[c.load] = map[string]cell{}
		}
		all[c.load][c.Server] = c
	}
	return all
}
