package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/sandbox"
)

// watchInputs are the ways to ask for very many resources at once. Each returns the
// URIs that are watched.
var watchInputs = []struct {
	name  string
	watch func(t *testing.T, apiURL, key string, uris []string) (watched []string)
}{
	{"listen over stdio", func(t *testing.T, apiURL, key string, uris []string) []string {
		in, out := serveStdioWith(t, apiURL, key)
		fmt.Fprintln(in, listenMessage(uris))
		out.Scan()
		return watchedBy(t, out.Text())
	}},
	{"listen over HTTP", func(t *testing.T, apiURL, key string, uris []string) []string {
		me := &program.Tenant{URL: program.ServeHTTP(t, io.Discard, nil, "--api-url", apiURL), Key: key}
		next := me.Stream(t, listenMessage(uris), map[string]string{"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "subscriptions/listen"})
		return watchedBy(t, next())
	}},
	{"subscribe over stdio", func(t *testing.T, apiURL, key string, uris []string) (watched []string) {
		in, out := serveStdioWith(t, apiURL, key)
		fmt.Fprintln(in, program.Initialize)
		out.Scan()
		var writing sync.WaitGroup
		writing.Go(func() {
			for i, uri := range uris {
				fmt.Fprintln(in, subscribeMessage(i, uri))
			}
		})
		for answers := 0; answers < len(uris) && out.Scan(); {
			var i int
			if _, err := fmt.Sscanf(out.Text(), `{"jsonrpc":"2.0","id":%d,`, &i); err != nil {
				continue // an update
			}
			answers++
			if strings.Contains(out.Text(), `"result"`) {
				watched = append(watched, uris[i])
			}
		}
		writing.Wait()
		return watched
	}},
	{"subscribe over HTTP", func(t *testing.T, apiURL, key string, uris []string) (watched []string) {
		me := program.NewTenant(t, program.ServeHTTP(t, io.Discard, nil, "--api-url", apiURL), key)
		var mu sync.Mutex // guards watched
		var sending sync.WaitGroup
		places := make(chan struct{}, 256)
		for i, uri := range uris {
			places <- struct{}{}
			sending.Go(func() {
				defer func() { <-places }()
				if _, body, _ := me.Send(t, me.Session, subscribeMessage(i, uri), nil); strings.Contains(body, `"result"`) {
					mu.Lock()
					defer mu.Unlock()
					watched = append(watched, uri)
				}
			})
		}
		sending.Wait()
		return watched
	}},
}

// TestRefusedKeyCostsLittle holds that a caller whose key the API refuses, and who asks
// to watch 1,000 resources, costs the API two requests at most, and one more after each
// pause. The same of a good key is asked for and watched.
func TestRefusedKeyCostsLittle(t *testing.T) {
	t.Parallel()
	for _, tt := range watchInputs {
		t.Run(tt.name, func(t *testing.T) {
			box := startSandbox(t, ownKey)
			start := time.Now()
			watched := tt.watch(t, box.URL(), otherKey, unknownURIs(1000))
			took, n := time.Since(start), box.Sandbox().Stats().Requests
			t.Logf("%d requests in %v", n, took)
			if len(watched) != 0 || n < 1 || int(n) > 2+pausesIn(took-time.Second) {
				t.Errorf("%d requests in %v, %d watched", n, took, len(watched))
			}
		})
		t.Run(tt.name+" with a good key", func(t *testing.T) {
			box := startSandbox(t, ownKey)
			uris := append(unknownURIs(998), ownURIs(t, box)...)
			watched := tt.watch(t, box.URL(), ownKey, uris)
			slices.Sort(watched)
			if want := uris[998:]; !slices.Equal(watched, want) {
				t.Errorf("watched %q, want %q", watched, want)
			}
		})
	}
}

// pausesIn returns how many pauses of a refused key end within a time: the second
// takes 2 s, and each the double of the one before.
func pausesIn(d time.Duration) (n int) {
	for pause := 2 * time.Second; d >= pause; pause *= 2 {
		d -= pause
		n++
	}
	return n
}

// watchedBy returns what the answer to a listen acknowledges. An error must say that
// the API refuses the key.
func watchedBy(t *testing.T, answer string) []string {
	t.Helper()
	if strings.Contains(answer, `"error"`) {
		if !strings.Contains(answer, "nothing is watched: get_run: unauthorized: ") {
			t.Errorf("got %s", answer)
		}
		return nil
	}
	n := decodeNotification(t, answer)
	if n.Method != "notifications/subscriptions/acknowledged" || len(n.Params.Notifications.ResourceSubscriptions) == 0 {
		t.Errorf("got %s", answer)
	}
	return n.Params.Notifications.ResourceSubscriptions
}

// serveStdioWith runs the program over stdio with a key.
func serveStdioWith(t *testing.T, apiURL, key string) (in io.Writer, out *bufio.Scanner) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	pipe, out, exit := program.ServeStdio(t, "--api-url", apiURL, "--api-key-file", file)
	t.Cleanup(func() {
		pipe.Close()
		for out.Scan() {
		}
		if code := <-exit; code != 0 {
			t.Errorf("exit code %d", code)
		}
	})
	return pipe, out
}

func subscribeMessage(id int, uri string) string {
	return fmt.Sprintf(`{"jsonrpc":"2.0","id":%d,"method":"resources/subscribe","params":{"uri":%q}}`, id, uri)
}

// unknownURIs returns URIs of runs that nobody created.
func unknownURIs(n int) (uris []string) {
	for range n {
		uris = append(uris, "run://"+uuid.NewString())
	}
	return uris
}

// ownURIs creates a run and returns its two URIs, in order.
func ownURIs(t *testing.T, box *sandbox.Server) []string {
	t.Helper()
	api, err := client.New(client.Options{URL: box.URL()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(api.Close)
	uri := "run://" + string(createWaitingRun(t, api, ownKey))
	return []string{uri, uri + "/events"}
}
