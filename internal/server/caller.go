package server

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	mcpserver "github.com/mark3labs/mcp-go/server"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/internal/setting"
	"runs-mcp-server/transport"
)

// CallerOptions are the operator's settings about callers over HTTP.
type CallerOptions struct {
	UserID       string // the default user of runs, "" for none
	AllowAnyUser bool   // a caller may name another user
	Sandbox      bool   // the API is the embedded sandbox
}

// IdentifyCaller returns how HTTP requests are assigned to callers (see
// [transport.HTTPOptions]). The API key alone makes the caller; the id is its hash.
// The context that it returns carries the [client.Caller].
func IdentifyCaller(o CallerOptions) func(*http.Request) (id string, ctx context.Context, err error) {
	return func(r *http.Request) (string, context.Context, error) {
		key, err := requestKey(r.Header)
		switch {
		case err != nil:
			return "", nil, err
		case key == "" && o.Sandbox:
			return "", nil, errors.New("send the sandbox's API key in the header x-api-key: " + sandbox.DefaultKey)
		case key == "":
			return "", nil, errors.New("send your toolregistry.ai API key in the header x-api-key, or as Authorization: Bearer KEY")
		}
		if problem := setting.KeyProblem(key); problem != "" {
			return "", nil, errors.New("the API key in the header x-api-key or Authorization " + problem)
		}
		userID, err := o.requestUser(r.Header)
		if err != nil {
			return "", nil, err
		}
		id := sha256.Sum256([]byte(key))
		caller := client.Caller{Key: client.Key(key), UserID: userID}
		return hex.EncodeToString(id[:]), client.WithCaller(context.Background(), caller), nil
	}
}

// requestKey returns the API key of a request, "" if it has none. Authorization:
// Bearer KEY means the same as x-api-key: KEY, because some clients can send no
// other header. An error names the header that is wrong.
func requestKey(h http.Header) (string, error) {
	own, err := oneHeader(h, "x-api-key")
	if err != nil {
		return "", err
	}
	authorization, err := oneHeader(h, "Authorization")
	if err != nil || authorization == "" {
		return own, err
	}
	scheme, bearer, _ := strings.Cut(authorization, " ")
	bearer = setting.TrimKey(bearer)
	switch {
	case !strings.EqualFold(scheme, "Bearer") && own != "":
		return own, nil // the other scheme is for a proxy in front of this server
	case !strings.EqualFold(scheme, "Bearer") || bearer == "":
		return "", errors.New("the header Authorization must be Bearer KEY, with your API key; or send the key in x-api-key and no Authorization")
	case own != "" && own != bearer:
		return "", errors.New("the headers x-api-key and Authorization hold different API keys: send one of them")
	}
	return bearer, nil
}

// requestUser returns the user of a request: the one in the header x-user-id if
// the operator allows it, else the operator's.
func (o CallerOptions) requestUser(h http.Header) (string, error) {
	users := h.Values("x-user-id")
	switch {
	case len(users) > 1:
		return "", fmt.Errorf("%w: send at most one x-user-id header", transport.ErrForbidden)
	case len(users) == 0 || users[0] == "":
		return o.UserID, nil
	case o.UserID != "" && users[0] != o.UserID && !o.AllowAnyUser:
		return "", fmt.Errorf("%w: x-user-id may not name another user than the operator's; leave it out", transport.ErrForbidden)
	}
	return users[0], nil
}

// oneHeader returns the value of a header that may be sent once, "" if it is not
// sent.
func oneHeader(h http.Header, name string) (string, error) {
	values := h.Values(name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return setting.TrimKey(values[0]), nil
	}
	return "", errors.New("send one " + name + " header, not several")
}

// NarrowedByHeader returns how the server of an HTTP request is chosen: the
// read-only one if the request has a header X-MCP-Readonly that is not false.
func NarrowedByHeader(full, readOnly *mcpserver.MCPServer) func(*http.Request) *mcpserver.MCPServer {
	return func(r *http.Request) *mcpserver.MCPServer {
		for _, value := range r.Header.Values("X-MCP-Readonly") {
			if on, err := strconv.ParseBool(strings.TrimSpace(value)); on || err != nil {
				return readOnly // a value that is no boolean counts as true
			}
		}
		return full
	}
}
