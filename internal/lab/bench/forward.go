package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// forwarder sends requests to the API for the bare servers.
type forwarder struct {
	url, key string
	client   *http.Client
}

// newForwarder returns a forwarder to the API of the environment. It keeps a connection
// for each of the 256 callers: with net/http's default of 2 it would dial for most calls.
func newForwarder() *forwarder {
	return &forwarder{os.Getenv("TR_API_URL"), os.Getenv("TR_API_KEY"), &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: maxCallers}}}
}

// getRun returns the JSON of a run with its events.
func (f *forwarder) getRun(ctx context.Context, runID string) (string, error) {
	return f.send(ctx, http.MethodGet, "/v1/runs/"+url.PathEscape(runID)+"?includeEvents=true", "")
}

// listRuns returns the JSON of the newest runs.
func (f *forwarder) listRuns(ctx context.Context, pageSize int) (string, error) {
	return f.send(ctx, http.MethodGet, fmt.Sprintf("/v1/runs?pageSize=%d", pageSize), "")
}

// createRun creates a run and returns its JSON.
func (f *forwarder) createRun(ctx context.Context, body string) (string, error) {
	return f.send(ctx, http.MethodPost, "/v1/runs", body)
}

// send sends one request and returns the body of the answer.
func (f *forwarder) send(ctx context.Context, method, path, body string) (string, error) {
	req, err := http.NewRequestWithContext(ctx, method, f.url+path, strings.NewReader(body))
	if err != nil {
		return "", err
	}
	req.Header.Set("x-api-key", f.key)
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := f.client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil {
		return "", err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return "", fmt.Errorf("the API answered %s: %s", resp.Status, answer)
	}
	return string(answer), nil
}
