package streamable

import (
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"runs-mcp-server/internal/loopback"
)

// originGuard checks the Host and Origin headers of a request before anything
// else looks at it. A web page must not reach a server on its visitor's machine
// (DNS rebinding), on any path or by any method.
type originGuard struct {
	hosts   map[string]bool // in lower case, with or without a port
	origins map[string]bool // in lower case
}

// CheckAllowed returns what is wrong with lists of allowed hosts and origins, as
// [Options] takes them; nil: nothing.
func CheckAllowed(hosts, origins []string) error {
	_, err := newOriginGuard(hosts, origins)
	return err
}

// newOriginGuard checks the operator's lists.
func newOriginGuard(hosts, origins []string) (*originGuard, error) {
	g := &originGuard{hosts: make(map[string]bool), origins: make(map[string]bool)}
	for _, host := range hosts {
		if _, _, ok := splitHost(host); !ok || strings.Contains(host, "*") {
			return nil, errors.New("transport: an allowed host is a name or an address, maybe with a port, not " + strconv.Quote(host))
		}
		g.hosts[strings.ToLower(host)] = true
	}
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || strings.Contains(u.Host, "*") || u.Scheme+"://"+u.Host != origin {
			return nil, errors.New("transport: an allowed origin is a scheme and a host, like https://example.com, not " + strconv.Quote(origin))
		}
		g.origins[strings.ToLower(origin)] = true
	}
	return g, nil
}

// refusal returns why a request is refused, or "".
func (g *originGuard) refusal(r *http.Request) string {
	if !g.allowsHost(r.Host) {
		return "this server does not answer to the Host " + quoteHeader(r.Host) + ": the operator can allow it with --allowed-hosts"
	}
	switch origins := r.Header.Values("Origin"); {
	case len(origins) == 0:
		return ""
	case len(origins) > 1:
		return "the header Origin is sent more than once"
	case !g.allowsOrigin(origins[0]):
		return "requests of the Origin " + quoteHeader(origins[0]) + " are not allowed: the operator can allow it with --allowed-origins"
	}
	return ""
}

// allowsHost reports whether a Host header is one of ours.
func (g *originGuard) allowsHost(host string) bool {
	host = strings.ToLower(host)
	name, port, ok := splitHost(host)
	return ok && (loopback.Host(name) || g.hosts[name] || g.hosts["["+name+"]"] || port != "" && g.hosts[host])
}

// allowsOrigin reports whether web pages of an origin may send requests. The
// opaque origin "null" may not: any sandboxed frame has it.
func (g *originGuard) allowsOrigin(origin string) bool {
	origin = strings.ToLower(origin)
	if g.origins[origin] {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Scheme+"://"+u.Host != origin {
		return false
	}
	name, _, ok := splitHost(u.Host)
	return ok && loopback.Host(name)
}

// splitHost cuts a host from its port, if it has one. It refuses what is not
// exactly that.
func splitHost(host string) (name, port string, ok bool) {
	name = host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		var err error
		if name, port, err = net.SplitHostPort(host); err != nil || port == "" || strings.Trim(port, "0123456789") != "" {
			return "", "", false
		}
	} else if inner, v6 := strings.CutPrefix(host, "["); v6 {
		if name, v6 = strings.CutSuffix(inner, "]"); !v6 {
			return "", "", false
		}
	}
	return name, port, name != "" && !strings.ContainsAny(name, "/@?#[] \t")
}

// quoteHeader returns a header of the client as it may be sent and logged:
// quoted, short, in ASCII.
func quoteHeader(header string) string {
	const most = 64
	if len(header) > most {
		return strconv.QuoteToASCII(header[:most]) + "..."
	}
	return strconv.QuoteToASCII(header)
}

// maxAskedHeaders is how many bytes the list of headers that a preflight asks
// for may have.
const maxAskedHeaders = 1024

// writeCORS lets the page of an allowed origin read the response. It reports
// whether the request is a preflight, which needs nothing else.
func writeCORS(w http.ResponseWriter, r *http.Request) (isPreflight bool) {
	h := w.Header()
	h.Add("Vary", "Origin")
	origin := r.Header.Get("Origin")
	if origin == "" {
		return false
	}
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Expose-Headers", "Mcp-Session-Id, MCP-Protocol-Version")
	if r.Method != http.MethodOptions || r.Header.Get("Access-Control-Request-Method") == "" {
		return false
	}
	h.Add("Vary", "Access-Control-Request-Method, Access-Control-Request-Headers")
	h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
	// Any header is allowed: which of them carry the caller's key is not known
	// here, and tools may have their own (Mcp-Param-*).
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" && len(asked) <= maxAskedHeaders {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "600")
	return true
}
