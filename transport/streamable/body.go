package streamable

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"

	"runs-mcp-server/transport/jsonrpc"
)

// readBody reads the body of a request. false: the request is answered.
func (e *endpoint) readBody(w http.ResponseWriter, r *http.Request) ([]byte, bool) {
	if r.ContentLength > e.BodyLimit {
		e.refuseBody(w)
		return nil, false
	}
	body, err := readAll(http.MaxBytesReader(w, r.Body, e.BodyLimit), r.ContentLength, e.BodyLimit)
	if _, isTooLong := errors.AsType[*http.MaxBytesError](err); isTooLong {
		e.refuseBody(w)
		return nil, false
	}
	if err != nil {
		w.Header().Set("Connection", "close")
		e.refuse(w, http.StatusRequestTimeout, "the body did not come to its end in time")
		return nil, false
	}
	return bytes.TrimPrefix(body, []byte(jsonrpc.ByteOrderMark)), true
}

// refuseBody answers a request whose body is too long. The connection ends,
// because reading on costs more than a new connection.
func (e *endpoint) refuseBody(w http.ResponseWriter) {
	w.Header().Set("Connection", "close")
	e.refuse(w, http.StatusRequestEntityTooLarge, "the body is too long: the limit is "+sizeText(e.BodyLimit))
}

// readAll reads to the end. It takes memory as bytes come, because a length that
// is only announced costs the client nothing. It does so in large steps, because
// every step copies.
func readAll(in io.Reader, announced, limit int64) ([]byte, error) {
	body := make([]byte, 0, min(max(announced+1, 512), 64<<10))
	for {
		if len(body) == cap(body) {
			size := int64(cap(body))
			larger := make([]byte, 0, min(4*size, max(limit+1, size+512)))
			body = append(larger, body...)
		}
		n, err := in.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// sizeText returns a limit as a client reads it.
func sizeText(n int64) string {
	units := []string{" bytes", " KiB", " MiB", " GiB"}
	i := 0
	for ; i < len(units)-1 && n >= 1024 && n%1024 == 0; i++ {
		n /= 1024
	}
	return strconv.FormatInt(n, 10) + units[i]
}
