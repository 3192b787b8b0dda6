package transport

import (
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// door lets requests in by their Host and Origin headers, before anything else
// looks at them: a web page must not reach a server on its visitor's machine
// (DNS rebinding), on any path or by any method.
type door struct {
	hosts   map[string]bool // in lower case, with or without a port
	origins map[string]bool // in lower case
}

// CheckAllowed returns what is wrong with lists of allowed hosts and origins, as
// [HTTPOptions] takes them; nil where nothing is.
func CheckAllowed(hosts, origins []string) error {
	_, err := newDoor(hosts, origins)
	return err
}

// newDoor checks the operator's lists.
func newDoor(hosts, origins []string) (*door, error) {
	d := &door{hosts: make(map[string]bool), origins: make(map[string]bool)}
	for _, host := range hosts {
		if _, _, ok := splitHost(host); !ok || strings.Contains(host, "*") {
			return nil, errors.New("transport: an allowed host is a name or an address, maybe with a port, not " + quoted(host))
		}
		d.hosts[strings.ToLower(host)] = true
	}
	for _, origin := range origins {
		u, err := url.Parse(origin)
		if err != nil || u.Host == "" || strings.Contains(u.Host, "*") || u.Scheme+"://"+u.Host != origin {
			return nil, errors.New("transport: an allowed origin is a scheme and a host, like https://example.com, not " + quoted(origin))
		}
		d.origins[strings.ToLower(origin)] = true
	}
	return d, nil
}

func quoted(s string) string { return `"` + s + `"` }

// named is a header of the client as it may be told and logged: quoted, short,
// and of ASCII alone.
func named(header string) string {
	const most = 64
	if len(header) > most {
		return strconv.QuoteToASCII(header[:most]) + "..."
	}
	return strconv.QuoteToASCII(header)
}

// refuses is why a request may not come in, or "".
func (d *door) refuses(r *http.Request) string {
	if !d.knowsHost(r.Host) {
		return "this server does not answer to the Host " + named(r.Host) + ": the operator can allow it with --allowed-hosts"
	}
	switch origins := r.Header.Values("Origin"); {
	case len(origins) == 0:
		return ""
	case len(origins) > 1:
		return "the header Origin is sent more than once"
	case !d.knowsOrigin(origins[0]):
		return "requests of the Origin " + named(origins[0]) + " are not allowed: the operator can allow it with --allowed-origins"
	}
	return ""
}

// knowsHost reports whether a Host header is one of ours.
func (d *door) knowsHost(host string) bool {
	name, port, ok := splitHost(strings.ToLower(host))
	return ok && (isLoopback(name) || d.hosts[name] || d.hosts["["+name+"]"] || port != "" && d.hosts[strings.ToLower(host)])
}

// knowsOrigin reports whether web pages of an origin are welcome. The opaque
// origin "null" is not: any sandboxed frame has it.
func (d *door) knowsOrigin(origin string) bool {
	origin = strings.ToLower(origin)
	if d.origins[origin] {
		return true
	}
	u, err := url.Parse(origin)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Scheme+"://"+u.Host != origin {
		return false
	}
	name, _, ok := splitHost(u.Host)
	return ok && isLoopback(name)
}

// splitHost cuts a host from its port, if it has one. It does not accept what
// it can't read as exactly that.
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

// isLoopback reports whether a name or an address means this machine alone. It
// reads no short or odd forms of addresses.
func isLoopback(name string) bool {
	if name == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Zone() == "" && addr.Unmap().IsLoopback()
}

// maxAskedHeaders is how long a list of headers a preflight may ask for.
const maxAskedHeaders = 1024

// cors lets the page of an origin that is let in read the response. It
// reports whether that was all the request was about.
func cors(w http.ResponseWriter, r *http.Request) (preflight bool) {
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
	// Which headers carry the caller's key is not known here, and tools may
	// have their own (Mcp-Param-*), so all are allowed that are asked for.
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" && len(asked) <= maxAskedHeaders {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	h.Set("Access-Control-Max-Age", "600")
	return true
}
