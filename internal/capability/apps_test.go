package capability

import (
	"encoding/json"
	"testing"

	"github.com/mark3labs/mcp-go/mcp"
)

func TestDeclaresApps(t *testing.T) {
	for declared, want := range map[string]bool{
		`{}`: false,
		`{"extensions":{"io.modelcontextprotocol/tasks":{}}}`:                                                          false,
		`{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}}}`:                    true,
		`{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["image/png","text/html;profile=mcp-app"]}}}`:        true,
		`{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":["image/png"]}}}`:                                    false,
		`{"extensions":{"io.modelcontextprotocol/ui":{}}}`:                                                             true,
		`{"extensions":{"io.modelcontextprotocol/ui":true}}`:                                                           true,
		`{"extensions":{"io.modelcontextprotocol/ui":{"mimeTypes":"text/html;profile=mcp-app"}}}`:                      true,
		`{"experimental":{"io.modelcontextprotocol/ui":{"mimeTypes":["text/html;profile=mcp-app"]}},"elicitation":{}}`: false,
	} {
		var c mcp.ClientCapabilities
		if err := json.Unmarshal([]byte(declared), &c); err != nil {
			t.Fatal(err)
		}
		if got := DeclaresApps(c); got != want {
			t.Errorf("%s: %t, want %t", declared, got, want)
		}
	}
}
