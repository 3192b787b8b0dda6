package feed

import (
	"math/bits"
	"unsafe"

	"runs-mcp-server/client"
)

// shareLogs divides LogBytesInAll among the feeds, and shortens their logs if the share
// has become smaller. The share is that of the next power of two of feeds, so that it
// seldom changes. h.mu is held.
func (h *Hub) shareLogs() {
	feeds := 1 << bits.Len(uint(max(len(h.feeds), 1)-1))
	share := int64(min(h.opts.LogBytes, h.opts.LogBytesInAll/feeds))
	if before := h.logShare.Swap(share); share >= before {
		return
	}
	for _, f := range h.feeds {
		f.shortenLog()
	}
}

// shortenLog drops the oldest events beyond the bounds of the log.
func (f *feed) shortenLog() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dropOldest()
}

// dropOldest drops the oldest events beyond the bounds of the log, but never the newest
// event; f.mu is held.
func (f *feed) dropOldest() {
	for len(f.log) > 1 && (len(f.log) > f.hub.opts.LogEvents || int64(f.logBytes) > f.hub.logShare.Load()) {
		f.droppedTo = f.log[0].ID
		f.logBytes -= eventSize(f.log[0])
		f.log[0] = client.Event{} // frees its payload
		f.log = f.log[1:]
	}
}

// eventSize returns what an event takes in a log, in bytes: its place, which is half of
// the log's array on average, its payload and what is decoded of it. The allocator
// rounds each part up: TestEventSize measures the sum.
func eventSize(e client.Event) int {
	size := 2*int(unsafe.Sizeof(e)) + len(e.Raw) + len(e.Type) + len(e.RunStatus) + len(e.Timestamp) + linksSize(e.ApprovalActions)
	if e.Auth != nil {
		size += int(unsafe.Sizeof(*e.Auth)) + len(e.Auth.Status) + len(e.Auth.URL) + len(e.Auth.IntegrationName)
	}
	if e.Step == nil {
		return size
	}
	size += int(unsafe.Sizeof(*e.Step)) + len(e.Step.Reason) + len(e.Step.Text) + len(e.Step.Approval) + linksSize(e.Step.ApprovalActions)
	for _, call := range e.Step.ToolCalls {
		size += int(unsafe.Sizeof(call)) + len(call.ToolCallID) + len(call.ToolName) + len(call.ToolParameters) + len(call.ToolResult)
	}
	return size
}

// linksSize returns what the links of an event take, in bytes.
func linksSize(links []client.ApprovalAction) (size int) {
	for _, link := range links {
		size += int(unsafe.Sizeof(link)) + len(link.Action) + len(link.URL)
	}
	return size
}
