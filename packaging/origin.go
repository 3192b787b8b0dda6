package main

import (
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
)

// name is the name of the program, of its repository and of its npm package.
const name = "runs-mcp-server"

// origin says where the project is. No other file names these.
type origin struct {
	Host      string `json:"host"`      // of the repository, such as github.com
	Owner     string `json:"owner"`     // of the repository and the image
	ImageHost string `json:"imageHost"` // of the container image
}

func readOrigin(path string) (o origin, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return o, err
	}
	if err := json.Unmarshal(text, &o); err != nil {
		return o, fmt.Errorf("%s: %w", path, err)
	}
	if o.Host == "" || o.Owner == "" || o.ImageHost == "" {
		return o, fmt.Errorf("%s needs host, owner and imageHost", path)
	}
	return o, nil
}

// Repository returns the URL of the repository.
func (o origin) Repository() string { return "https://" + o.Host + "/" + o.Owner + "/" + name }

// Source returns the word of the MCP registry for the host.
func (o origin) Source() string {
	service, _, _ := strings.Cut(o.Host, ".")
	return service
}

// Image returns the name of the container image without a tag. Owners are in lower case
// there.
func (o origin) Image() string { return o.ImageHost + "/" + strings.ToLower(o.Owner) + "/" + name }

// ServerName returns the name in the MCP registry: a domain that the owner controls, in
// reverse. On GitHub that is io.github.OWNER, elsewhere the host.
func (o origin) ServerName() string {
	if o.Host == "github.com" {
		return "io.github." + o.Owner + "/" + name
	}
	labels := strings.Split(o.Host, ".")
	slices.Reverse(labels)
	return strings.Join(labels, ".") + "/" + name
}
