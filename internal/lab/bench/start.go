package main

import (
	"context"
	"fmt"
	"os"
	"time"
)

// starts is how often each server is started.
const starts = 20

// start is how a server starts over stdio: medians of all starts.
type start struct {
	Server       string  `json:"server"`
	Milliseconds float64 `json:"milliseconds"` // from the start of the process to the answer of initialize
	ResidentMiB  float64 `json:"residentMiB"`  // after that answer
}

// measureStarts starts each server several times, one after the other. No server sends a
// request to the API before the first call, so there is none.
func measureStarts(ctx context.Context, program string) ([]start, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	servers := mcpServers(program, self)
	times, memory := make([][]float64, len(servers)), make([][]float64, len(servers))
	for range starts {
		for i, s := range servers {
			length, kib, err := measureStart(ctx, s)
			if err != nil {
				return nil, fmt.Errorf("start of %s: %w", s.name, err)
			}
			times[i] = append(times[i], microseconds(length)/1000)
			memory[i] = append(memory[i], float64(kib)/1024)
		}
	}
	var all []start
	for i, s := range servers {
		all = append(all, start{s.name, median(times[i]), median(memory[i])})
	}
	return all, nil
}

func measureStart(ctx context.Context, s mcpServer) (length time.Duration, kib int, err error) {
	begin := time.Now()
	p, err := startStdio(ctx, environment("http://127.0.0.1:9"), s.path, s.stdio...)
	if err != nil {
		return 0, 0, err
	}
	defer p.kill()
	if _, err := openPipes(p.in, p.out); err != nil {
		return 0, 0, err
	}
	length = time.Since(begin)
	kib, err = p.residentMemory()
	return length, kib, err
}
