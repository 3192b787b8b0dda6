package transport

import (
	"mime"
	"net/http"
	"strconv"
	"strings"
)

// accepted is what kinds of response a client reads.
type accepted struct{ json, events bool }

// accepts reads the Accept headers (RFC 9110 section 12.5.1). Without one
// everything is accepted. The weights only matter where they are 0.
func accepts(h http.Header) accepted {
	values := h.Values("Accept")
	if len(values) == 0 {
		return accepted{json: true, events: true}
	}
	list := strings.Split(strings.Join(values, ","), ",")
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
		case "*/*":
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

// isJSON reports whether a request says that its body is JSON.
func isJSON(h http.Header) bool {
	kind, params, err := mime.ParseMediaType(h.Get("Content-Type"))
	charset := strings.ToLower(params["charset"])
	return err == nil && kind == "application/json" && (charset == "" || charset == "utf-8") &&
		len(h.Values("Content-Type")) == 1 && h.Get("Content-Encoding") == ""
}
