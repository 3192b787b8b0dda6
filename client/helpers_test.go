package client_test

import (
	"net/http"
	"testing"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/inmem"
)

const testRun = "123e4567-e89b-12d3-a456-426614174000"

var caller = client.Caller{Key: "key-of-a-test", UserID: "u"}

// newClient returns a client of a server in memory.
func newClient(t *testing.T, h http.Handler) *client.Client {
	t.Helper()
	c, err := client.New(client.Options{URL: "http://localhost", Transport: inmem.Transport(h)})
	if err != nil {
		t.Fatal(err)
	}
	return c
}
