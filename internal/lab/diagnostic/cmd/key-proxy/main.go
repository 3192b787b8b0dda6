//go:build diagnostic

// Command key-proxy forwards HTTP to the server under test and adds an API key
// to every request, for test programs that can't send headers of their own.
package main

import (
	"bytes"
	"flag"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:8083", "`HOST:PORT` to listen on")
	target := flag.String("target", "", "`URL` of the server under test")
	key := flag.String("key", "", "the API key")
	flag.Parse()
	to, err := url.Parse(*target)
	if err != nil || to.Host == "" || *key == "" {
		log.Fatal("key-proxy needs --target URL and --key KEY")
	}
	log.Fatal(http.ListenAndServe(*listen, proxy(to, *key)))
}

// proxy forwards requests unchanged, with their Host and Origin, because the server
// under test checks these. It flushes every byte of a stream at once.
func proxy(to *url.URL, key string) http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(to)
			r.Out.Host = r.In.Host
			r.Out.Header.Set("x-api-key", key)
			// Read the body first. net/http closes it when an answer comes, and a
			// transport that did not reach its end then cuts the answer.
			if body, err := io.ReadAll(r.In.Body); err == nil {
				r.Out.Body = io.NopCloser(bytes.NewReader(body))
			}
		},
		Transport:     &http.Transport{DisableCompression: true},
		FlushInterval: -1,
	}
}
