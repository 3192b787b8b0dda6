package sandbox_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	"runs-mcp-server/internal/sandbox"
)

// lockedBuffer may be read while a last request is still being logged.
type lockedBuffer struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

func TestLogHoldsNoSecret(t *testing.T) {
	var log lockedBuffer
	s, err := sandbox.Listen(t.Context(), "127.0.0.1:0", sandbox.Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	f := start(t, sandbox.Options{})
	_ = f.server.Close()
	f.server = s
	id := f.createID(with(body("steps=1"), object{"approvalStrategy": "ON_START", "intent": "hush-intent",
		"passThrough": []any{object{"customerIntegrationId": "salesforce_abcd1234", "headers": object{"a": "hush-header"}}}}))
	token := link(t, f.stream(id, "").until("run_approval").data, "approve")
	f.decide(token)
	f.decide(token)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{token, sandbox.DefaultKey, "hush"} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("the log says %q:\n%s", secret, log.String())
		}
	}
	if !strings.Contains(log.String(), "route=/v1/runs/approval") {
		t.Errorf("the log says nothing of the approval:\n%s", log.String())
	}
}
