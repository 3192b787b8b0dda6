package streamable

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"

	"runs-mcp-server/transport/jsonrpc"
	"runs-mcp-server/transport/session"
)

const (
	// bodyCost is how many bytes each byte of a body takes until it is answered: it
	// is read, copied for mcp-go, decoded there and once more by the tool.
	bodyCost = 4
	// answerCost is what answering a message takes beside that, batchCost what
	// answering an array takes (measured: see docs/limits.md).
	answerCost = 64 << 10
	batchCost  = 2 << 20
)

// errShortage says that there is no room for a body.
type errShortage struct{ *session.Shortage }

// Error implements error.
func (e errShortage) Error() string { return e.String() }

// readBody reads the body of a request, and counts what it takes to answer it.
// false: the request is answered.
func (e *endpoint) readBody(x *exchange) ([]byte, bool) {
	if x.r.ContentLength > e.BodyLimit {
		e.refuseBody(x.w, e.bodyLimitText())
		return nil, false
	}
	if x.account.Stranger && e.StrangerTimeout < e.BodyTimeout {
		_ = http.NewResponseController(x.w).SetReadDeadline(time.Now().Add(e.StrangerTimeout)) // net/http ends it with the body
	}
	reserve := func(n int) error {
		if short := x.held.Grow(n); short != nil {
			return errShortage{short}
		}
		return nil
	}
	body, err := readAll(http.MaxBytesReader(x.w, x.r.Body, e.BodyLimit), x.r.ContentLength, e.BodyLimit, reserve)
	body = bytes.TrimPrefix(body, []byte(jsonrpc.ByteOrderMark))
	x.bodySize = len(body)
	switch {
	case err != nil:
	case jsonrpc.IsBatch(body):
		err = reserve(batchCost)
	default:
		err = reserve(answerCost)
	}
	if err != nil {
		e.refuseUnread(x.w, err)
		return nil, false
	}
	return body, true
}

// refuseUnread answers a request whose body could not be read, or has no room in the
// quota. The connection ends, because the rest of the body may be on its way.
func (e *endpoint) refuseUnread(w http.ResponseWriter, err error) {
	_, isTooLong := errors.AsType[*http.MaxBytesError](err)
	short, isShort := errors.AsType[errShortage](err)
	switch {
	case isTooLong:
		e.refuseBody(w, e.bodyLimitText())
	case isShort:
		w.Header().Set("Connection", "close")
		e.refuseLimit(w, "too much at the same time: "+short.String())
	default:
		w.Header().Set("Connection", "close")
		e.refuse(w, http.StatusRequestTimeout, "the body did not come to its end in time")
	}
}

func (e *endpoint) bodyLimitText() string { return "the limit is " + sizeText(e.BodyLimit) }

// refuseBody answers a request whose body is too long. The connection ends,
// because reading on costs more than a new connection.
func (e *endpoint) refuseBody(w http.ResponseWriter, limit string) {
	w.Header().Set("Connection", "close")
	e.refuse(w, http.StatusRequestEntityTooLarge, "the body is too long: "+limit)
}

// readAll reads to the end. It takes memory as bytes come, because a length that
// is only announced costs the client nothing. It does so in large steps, because
// every step copies. Before each step it calls reserve with what the bytes cost.
func readAll(in io.Reader, announced, limit int64, reserve func(int) error) ([]byte, error) {
	size := min(max(announced+1, 512), 64<<10)
	if err := reserve(bodyCost * int(size)); err != nil {
		return nil, err
	}
	body := make([]byte, 0, size)
	for {
		if len(body) == cap(body) {
			larger := min(4*size, max(limit+1, size+512))
			if err := reserve(bodyCost * int(larger-size)); err != nil {
				return nil, err
			}
			body, size = append(make([]byte, 0, larger), body...), larger
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
