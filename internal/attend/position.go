package attend

import (
	"time"

	"runs-mcp-server/client"
)

// Position says where a call stood when it asked its person. In the 2026-07-28
// protocol it travels, sealed, with the question to the client and back: the
// server keeps nothing between the two.
type Position struct {
	RunID    client.RunID  `json:"runId"`
	Kind     Kind          `json:"kind"`               // of the question
	Subject  string        `json:"subject"`            // an approval's id, or an authorisation
	Digest   string        `json:"digest"`             // of what the person decides on, see [approval.Request.Digest]
	EventID  int64         `json:"eventId"`            // of the event that asked
	AskedAt  int64         `json:"askedAt"`            // Unix milliseconds
	Asked    int           `json:"asked"`              // questions that the call has put, this one included
	Changes  int           `json:"changes,omitempty"`  // of what the person was asked about, while they were
	Told     int64         `json:"told,omitempty"`     // cursor of the newest event that the call has told of
	SentTo   int64         `json:"sentTo,omitempty"`   // cursor of the authorisation to whose link the person was sent
	TimeLeft time.Duration `json:"timeLeft,omitempty"` // of the call's wait

	// What the tools keep of the call beside it.
	Notifications int  `json:"notifications,omitempty"` // of progress so far
	Unkept        bool `json:"unkept,omitempty"`        // nobody watches the run when the call is over
}
