package main

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
)

const (
	statelessVersion = "2026-07-28"
	statefulVersion  = "2025-11-25"

	// messageStart comes before the id of a message. Ids have idDigits digits, so the
	// next id takes the place of the last one.
	messageStart = `{"jsonrpc":"2.0","id":`
	firstID      = 100_000_000
	idDigits     = 9

	initialize = messageStart + `100000000,"method":"initialize","params":{"protocolVersion":"` + statefulVersion +
		`","capabilities":{},"clientInfo":{"name":"bench","version":"1"}}}`
	initialized = `{"jsonrpc":"2.0","method":"notifications/initialized"}`
)

// toolCall returns the message of a call with the id firstID.
func (o *operation) toolCall(version string) string {
	meta := ""
	if version == statelessVersion {
		meta = `,"_meta":{"io.modelcontextprotocol/protocolVersion":"` + version +
			`","io.modelcontextprotocol/clientCapabilities":{},"io.modelcontextprotocol/clientInfo":{"name":"bench","version":"1"}}`
	}
	return fmt.Sprintf(`%s%d,"method":"tools/call","params":{"name":"%s","arguments":%s%s}}`, messageStart, firstID, o.tool, o.args, meta)
}

// postHead returns the head of a POST with MCP headers.
func postHead(host, path, version, session string, o *operation, length int) string {
	var head strings.Builder
	fmt.Fprintf(&head, "POST %s HTTP/1.1\r\nHost: %s\r\nx-api-key: %s\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n", path, host, apiKey)
	fmt.Fprintf(&head, "MCP-Protocol-Version: %s\r\nContent-Length: %d\r\n", version, length)
	if session != "" {
		fmt.Fprintf(&head, "Mcp-Session-Id: %s\r\n", session)
	}
	if version == statelessVersion {
		fmt.Fprintf(&head, "Mcp-Method: tools/call\r\nMcp-Name: %s\r\n", o.tool)
	}
	return head.String() + "\r\n"
}

// restRequest returns the REST request of an operation.
func (o *operation) restRequest(host string) string {
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nx-api-key: %s\r\n", o.method, o.path, host, apiKey)
	if o.body != "" {
		head += fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n", len(o.body))
	}
	return head + "\r\n" + o.body
}

var errNoID = errors.New("the message has no id")

// idOf returns the id of a message: its first member of this name.
func idOf(message []byte) (int, error) {
	_, rest, found := bytes.Cut(message, []byte(`"id":`))
	if !found {
		return 0, errNoID
	}
	id := 0
	for _, c := range bytes.TrimLeft(rest, " ") {
		if c < '0' || c > '9' {
			break
		}
		id = id*10 + int(c-'0')
	}
	if id == 0 {
		return 0, errNoID
	}
	return id, nil
}
