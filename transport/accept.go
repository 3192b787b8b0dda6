package transport

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// accepted is what kinds of response a client reads.
type accepted struct{ json, events bool }

// accepts reads the Accept headers (RFC 9110 section 12.5.1). Without one, or
// with an empty one, everything is accepted. The weights only matter where they
// are 0.
func accepts(h http.Header) accepted {
	all := strings.Join(h.Values("Accept"), ",")
	if strings.Trim(all, " \t,") == "" {
		return accepted{json: true, events: true}
	}
	list := strings.Split(all, ",")
	return accepted{json: accepts1(list, "application/json"), events: accepts1(list, "text/event-stream")}
}

// accepts1 reports whether a list of media ranges has a type: the range that
// says it most closely decides.
func accepts1(list []string, want string) bool {
	group, _, _ := strings.Cut(want, "/")
	closest, yes := 0, false
	for _, item := range list {
		kind, params, _ := mime.ParseMediaType(item)
		how := 0
		switch kind {
		case want:
			how = 3
		case group + "/*":
			how = 2
		case "*/*", "*": // the latter from old Java libraries
			how = 1
		}
		if how > closest {
			closest = how
			q, err := strconv.ParseFloat(params["q"], 64)
			yes = err != nil || q > 0
		}
	}
	return yes
}

// notJSON is why the body of a request is not taken for JSON, or "".
func notJSON(h http.Header) string {
	if coding := h.Get("Content-Encoding"); coding != "" && !strings.EqualFold(coding, "identity") {
		return "the body must not be compressed: send it without Content-Encoding"
	}
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	if err != nil || kind != "application/json" || len(h.Values("Content-Type")) > 1 {
		return "the body must be JSON: send one header Content-Type: application/json"
	}
	switch strings.ToLower(params["charset"]) {
	case "", "utf-8", "utf8":
		return ""
	}
	return "the body must be UTF-8: send Content-Type: application/json"
}
