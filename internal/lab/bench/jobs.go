package main

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
)

// job is a whole job through a server: what a model reads and writes. See
// .ci/compare/jobs.mjs.
type job struct {
	Job    string `json:"job"`
	Server string `json:"server"`
	Calls  int    `json:"calls"`
	Bytes  int    `json:"bytes"`
	Tokens int    `json:"tokens"`
}

// measureJobs does the jobs. A run of a job takes about so many seconds.
func measureJobs(ctx context.Context, root, program string, seconds int) ([]job, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	output, err := runScript(ctx, root, ".ci/compare/jobs", program, fmt.Sprint(seconds))
	if err != nil {
		return nil, err
	}
	var jobs []job
	if err := json.Unmarshal(output, &jobs); err != nil {
		return nil, fmt.Errorf("jobs: %w: %.200q", err, output)
	}
	return jobs, nil
}
