// Command validate-server checks a server.json by the rules of the MCP registry: its
// schema, and what its schema cannot say. .ci/package/validate-server builds it inside
// the registry's module, whose validator is internal.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/modelcontextprotocol/registry/internal/validators"
	apiv0 "github.com/modelcontextprotocol/registry/pkg/api/v0"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var server apiv0.ServerJSON
	if err := json.Unmarshal(text, &server); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	result := validators.ValidateServerJSON(&server, validators.ValidationAll)
	for _, issue := range result.Issues {
		fmt.Fprintf(os.Stderr, "%s: %s: %s\n", issue.Severity, issue.Path, issue.Message)
	}
	if !result.Valid {
		os.Exit(1)
	}
	fmt.Printf("ok: %s, %s\n", server.Name, server.Schema)
}
