package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// start is how a server starts over stdio: medians of all starts.
type start struct {
	Server          string  `json:"server"`
	Milliseconds    float64 `json:"milliseconds"`    // from the start of the process to the answer of initialize
	ResidentMiB     float64 `json:"residentMiB"`     // RSS after that answer
	ProportionalMiB float64 `json:"proportionalMiB"` // PSS after that answer
	Installed       int64   `json:"installedBytes,omitempty"`
}

// measureStarts starts each server n times, one after the other. No server sends a
// request to the API before the first call, so there is none.
func measureStarts(ctx context.Context, program string, b *bridges, n int) ([]start, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	const noAPI = "http://127.0.0.1:9"
	servers, err := mcpServers(program, self, noAPI, b)
	if err != nil {
		return nil, err
	}
	installed, err := b.installedSize()
	if err != nil {
		return nil, err
	}
	times, resident, proportional := make([][]float64, len(servers)), make([][]float64, len(servers)), make([][]float64, len(servers))
	for range n {
		for i, s := range servers {
			length, used, err := measureStart(ctx, s, noAPI)
			if err != nil {
				return nil, fmt.Errorf("start of %s: %w", s.name, err)
			}
			times[i] = append(times[i], microseconds(length)/1000)
			resident[i] = append(resident[i], float64(used.resident)/1024)
			proportional[i] = append(proportional[i], float64(used.proportional)/1024)
		}
	}
	var all []start
	for i, s := range servers {
		all = append(all, start{s.name, median(times[i]), median(resident[i]), median(proportional[i]), installed[s.name]})
	}
	return all, nil
}

func measureStart(ctx context.Context, s mcpServer, api string) (length time.Duration, used memory, err error) {
	begin := time.Now()
	p, err := startStdio(ctx, s.environment(api), s.path, s.stdio...)
	if err != nil {
		return 0, memory{}, err
	}
	defer p.kill()
	if _, err := openPipes(p.in, p.out); err != nil {
		return 0, memory{}, err
	}
	length = time.Since(begin)
	used, err = p.memory()
	return length, used, err
}
