package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// readBody reads an answer of at most maxBody, and a byte more of a larger one.
// Its buffer is made for the length that the answer announces; else it grows by
// four, which leaves less behind than io.ReadAll does.
func readBody(resp *http.Response) ([]byte, error) {
	size := int64(4 << 10)
	if resp.ContentLength > 0 {
		size = resp.ContentLength + 1 // room to see the end
	}
	body, from := make([]byte, 0, min(size, maxBody+1)), io.LimitReader(resp.Body, maxBody+1)
	for {
		n, err := from.Read(body[len(body):cap(body)])
		switch body = body[:len(body)+n]; {
		case err == io.EOF:
			return body, nil
		case err != nil:
			return nil, err
		case len(body) == cap(body):
			body = append(make([]byte, 0, min(4*cap(body), maxBody+1)), body...)
		}
	}
}

// decodeValid hands JSON to decode, which need not check it again.
func decodeValid(body []byte, decode func([]byte) error) error {
	if !json.Valid(body) {
		return errors.New("no JSON")
	}
	return decode(bytes.TrimSpace(body))
}

// looksLikePage reports whether a body is a web page.
func looksLikePage(body []byte) bool { return bytes.HasPrefix(bytes.TrimSpace(body), []byte("<")) }

// releasing is an answer's body whose Close lets go of its request's context.
type releasing struct {
	io.ReadCloser
	release func()
}

func (r releasing) Close() error {
	defer r.release()
	return r.ReadCloser.Close()
}
