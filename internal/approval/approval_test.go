package approval

import (
	"encoding/json"
	"fmt"
	"testing"

	"go.uber.org/goleak"

	"runs-mcp-server/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const runID = "123e4567-e89b-12d3-a456-426614174000"

var caller = client.Caller{Key: "a-key-of-a-test"}

// event reads an event as the API would store it.
func event(t *testing.T, format string, args ...any) client.Event {
	t.Helper()
	var run client.Run
	body := fmt.Sprintf(`{"runId":%q,"status":"RUNNING","events":[%s]}`, runID, fmt.Sprintf(format, args...))
	if err := json.Unmarshal([]byte(body), &run); err != nil {
		t.Fatal(err)
	}
	return run.Events[0]
}

func links(n int) string {
	return fmt.Sprintf(`[{"action":"approve","url":"https://x/v1/runs/approval?token=approve-%d"},{"action":"deny","url":"https://x/v1/runs/approval?token=deny-%d"}]`, n, n)
}
