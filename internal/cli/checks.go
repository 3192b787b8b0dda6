package cli

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"runs-mcp-server/internal/loopback"
	"runs-mcp-server/transport"
)

// doubledPath matches an address that ends with a path of the API, which would
// then stand twice in each request.
var doubledPath = regexp.MustCompile(`(?:^|/)v1(?:/(?:runs|integrations|execution-plans)(?:/.*)?)?/*$`)

// checkURL returns an error for an API address that ends with a path of the API.
func checkURL(address string) error {
	if u, err := url.Parse(address); err == nil && doubledPath.MatchString(u.Path) {
		u.Path = doubledPath.ReplaceAllString(u.Path, "")
		return usageErrorf("--api-url (TR_API_URL): the address ends where the API's own paths begin, which are added to it: leave out /v1 and what follows, as in %s", u.Redacted())
	}
	return nil
}

// checkIntegrations checks --integrations.
func checkIntegrations(ids []string) error {
	if slices.Contains(ids, "*") && slices.ContainsFunc(ids, func(id string) bool { return id != "*" }) {
		return usageErrorf("--integrations: * means all active integrations: give it alone, or ids alone")
	}
	return nil
}

// checkHint checks --decide-hint.
func checkHint(hint string) error {
	if len(hint) > maxHint || strings.ContainsFunc(hint, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return usageErrorf("--decide-hint is one line of at most %d bytes", maxHint)
	}
	return nil
}

// maxHint bounds a hint, in bytes, because results repeat it.
const maxHint = 200

// checkAllowed checks --allowed-hosts and --allowed-origins.
func checkAllowed(hosts, origins []string) error {
	for _, host := range hosts {
		if strings.Contains(host, "://") {
			return usageErrorf("--allowed-hosts takes hosts as they stand in a Host header, without a scheme: mcp.example.com or mcp.example.com:8443, not %q", host)
		}
	}
	if err := transport.CheckAllowed(hosts, nil); err != nil {
		return usageErrorf("--allowed-hosts takes names or addresses, with or without a port, such as mcp.example.com or mcp.example.com:8443 or [::1]: %w", err)
	}
	if err := transport.CheckAllowed(nil, origins); err != nil {
		return usageErrorf("--allowed-origins takes a scheme and a host, such as https://app.example.com: %w", err)
	}
	return nil
}

// checkPublicURL checks --public-url, which everybody may read.
func checkPublicURL(address string) error {
	u, err := url.Parse(address)
	if address == "" || err == nil && u.Host != "" && u.User == nil && u.RawQuery == "" && u.Fragment == "" &&
		(u.Scheme == "https" || u.Scheme == "http" && loopback.Host(u.Hostname())) && strings.HasSuffix(u.Path, "/mcp") {
		return nil
	}
	return usageErrorf("--public-url is the whole URL that clients use, such as https://mcp.example.com/mcp: https (or http on loopback), with /mcp at its end, and without a password or a query")
}

// listenError returns the error of a flag's address that cannot be listened on. It is a
// usage error unless the address is well formed and cannot be bound.
func listenError(flag string, err error) error {
	_, bad := errors.AsType[*net.AddrError](err)
	_, unknown := errors.AsType[*net.DNSError](err)
	_, tried := errors.AsType[*net.OpError](err)
	if bad || unknown || !tried {
		return usageErrorf("%s takes HOST:PORT, such as 127.0.0.1:8080: %w", flag, err)
	}
	return fmt.Errorf("%s: %w", flag, err)
}

// dropEmpty removes the empty items of a list.
func dropEmpty(list []string) []string {
	return slices.DeleteFunc(list, func(item string) bool { return item == "" })
}
