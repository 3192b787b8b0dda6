// Package inmem connects an HTTP client to a handler without a network. Tests use it
// in a testing/synctest bubble, where the clock is fake.
package inmem

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"sync"
)

// Transport returns a RoundTripper that serves every request by h, in a goroutine of
// its own. The response arrives with the first write or flush. Its body is a pipe
// without a buffer. A handler that panics breaks the connection off.
func Transport(h http.Handler) http.RoundTripper { return transport{h} }

type transport struct{ handler http.Handler }

func (t transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx, cancel := context.WithCancel(req.Context())
	in := req.Clone(ctx)
	if in.Body == nil {
		in.Body = http.NoBody
	}
	in.RequestURI = req.URL.RequestURI()
	in.RemoteAddr = "127.0.0.1:1"
	if in.Host == "" {
		in.Host = req.URL.Host
	}
	pr, pw := io.Pipe()
	w := &writer{header: http.Header{}, body: pw, started: make(chan *http.Response, 1)}
	if trace := httptrace.ContextClientTrace(ctx); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	unhook := context.AfterFunc(ctx, func() { pr.CloseWithError(context.Canceled) })
	go func() {
		defer cancel()
		defer unhook()
		defer func() {
			if r := recover(); r != nil {
				pw.CloseWithError(io.ErrUnexpectedEOF)
				w.fail()
				return
			}
			w.start(http.StatusOK)
			pw.Close()
		}()
		t.handler.ServeHTTP(w, in)
	}()
	select {
	case resp := <-w.started:
		if resp == nil {
			return nil, io.ErrUnexpectedEOF
		}
		resp.Request = req
		resp.Body = body{pr, cancel}
		return resp, nil
	case <-req.Context().Done():
		cancel()
		return nil, context.Cause(req.Context())
	}
}

// body cancels the handler's context when the client closes it.
type body struct {
	*io.PipeReader
	cancel func()
}

func (b body) Close() error {
	b.cancel()
	return b.PipeReader.Close()
}

// writer is the http.ResponseWriter of the handler.
type writer struct {
	header  http.Header
	body    *io.PipeWriter
	started chan *http.Response // receives the response once, or nil
	once    sync.Once
}

func (w *writer) Header() http.Header { return w.header }

func (w *writer) WriteHeader(status int) { w.start(status) }

func (w *writer) Write(p []byte) (int, error) {
	w.start(http.StatusOK)
	return w.body.Write(p)
}

// Flush starts the response. There is no buffer to flush.
func (w *writer) Flush() { w.start(http.StatusOK) }

func (w *writer) start(status int) {
	w.once.Do(func() {
		w.started <- &http.Response{
			Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
			Header: w.header.Clone(), ContentLength: -1,
		}
	})
}

func (w *writer) fail() { w.once.Do(func() { w.started <- nil }) }
