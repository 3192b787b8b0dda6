package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
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
	Versions map[string]string `json:"versions"`     // of the servers' libraries
	Program  int64             `json:"programBytes"` // size of our binary
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

func newReport(o options) *report {
	return &report{
		Date: time.Now().UTC().Format(time.DateOnly), Commit: commitOf(o.root), Machine: machine(),
		Slice: o.slice.String(), Versions: versions(),
	}
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
	groups := map[load]map[string][]*figures{} // by load and server, one per round
	var loads []load
	for i := range r.Samples {
		s := &r.Samples[i]
		if groups[s.load] == nil {
			groups[s.load], loads = map[string][]*figures{}, append(loads, s.load)
		}
		groups[s.load][s.Server] = append(groups[s.load][s.Server], &s.Figures)
	}
	r.Cells = nil
	for _, l := range loads {
		for _, server := range allServers() {
			c := cell{load: l, Server: server}
			for _, of := range allFigures() {
				*of(&c.Median), *of(&c.Ratio) = compare(of, groups[l][server], groups[l][baseline])
			}
			r.Cells = append(r.Cells, c)
		}
	}
}

// compare returns the median of a figure, and the median of its ratios to the baseline.
func compare(of func(*figures) *float64, rounds, base []*figures) (value, ratio float64) {
	var values, ratios []float64
	for i := range rounds {
		values = append(values, *of(rounds[i]))
		ratios = append(ratios, *of(rounds[i]) / *of(base[i]))
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

// failed returns an error if any call got a wrong answer.
func (r *report) failed() error {
	failed := 0
	for _, s := range r.Samples {
		failed += s.Failed
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
