package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/transport"
)

// identify knows a caller by its API key. Nothing else of a request, and
// nothing of the environment, can stand in for it.
func (f *serverFlags) identify() func(*http.Request) (string, context.Context, error) {
	return func(r *http.Request) (string, context.Context, error) {
		key, err := requestKey(r.Header)
		switch {
		case err != nil:
			return "", nil, err
		case key == "" && f.Sandbox:
			return "", nil, errors.New("send the sandbox's API key in the header x-api-key: " + sandbox.DefaultKey)
		case key == "":
			return "", nil, errors.New("send your toolregistry.ai API key in the header x-api-key, or as Authorization: Bearer KEY")
		}
		if fault := keyFault(key); fault != "" {
			return "", nil, errors.New("the API key in the header x-api-key or Authorization " + fault)
		}
		caller := client.Caller{Key: client.Key(key), UserID: f.UserID}
		users := r.Header.Values("x-user-id")
		if len(users) > 1 {
			return "", nil, fmt.Errorf("%w: send at most one x-user-id header", transport.ErrForbidden)
		}
		if len(users) == 1 && users[0] != "" {
			if f.UserID != "" && users[0] != f.UserID && !f.AllowAnyUser {
				return "", nil, fmt.Errorf("%w: x-user-id may not name another user than the operator's; leave it out", transport.ErrForbidden)
			}
			caller.UserID = users[0]
		}
		id := sha256.Sum256([]byte(caller.Key))
		return hex.EncodeToString(id[:]), client.WithCaller(context.Background(), caller), nil
	}
}

// requestKey returns the API key of a request, "" for none. Authorization:
// Bearer KEY means the same as x-api-key: KEY, for some clients can send no
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
	bearer = trimKey(bearer)
	switch {
	case !strings.EqualFold(scheme, "Bearer") && own != "":
		return own, nil // for a proxy before this server
	case !strings.EqualFold(scheme, "Bearer") || bearer == "":
		return "", errors.New("the header Authorization must be Bearer KEY, with your API key; or send the key in x-api-key and no Authorization")
	case own != "" && own != bearer:
		return "", errors.New("the headers x-api-key and Authorization hold different API keys: send one of them")
	}
	return bearer, nil
}

// oneHeader returns the value of a header that may be sent once, "" for none.
func oneHeader(h http.Header, name string) (string, error) {
	values := h.Values(name)
	switch len(values) {
	case 0:
		return "", nil
	case 1:
		return trimKey(values[0]), nil
	}
	return "", errors.New("send one " + name + " header, not several")
}
