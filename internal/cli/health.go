package cli

import (
	"context"
	"fmt"
	"net/http"
	"time"
)

// healthTimeout is how long health waits for the answer.
const healthTimeout = 3 * time.Second

// healthCommand asks an HTTP server whether it works. An image that holds nothing but
// the program has no other way to check.
type healthCommand struct {
	URL string `arg:"" optional:"" default:"http://127.0.0.1:8080/healthz" help:"Address to ask (default ${default})"`
}

// Run fails unless the server answers with 200. It uses no proxy and follows no redirect.
func (c *healthCommand) Run(p *process) error {
	ctx, cancel := context.WithTimeout(p.ctx, healthTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.URL, nil)
	if err != nil {
		return usageErrorf("%v", err)
	}
	response, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(request)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", c.URL, err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", c.URL, response.Status)
	}
	_, err = fmt.Fprintln(p.out, "ok")
	return err
}
