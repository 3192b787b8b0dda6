package client

import (
	"strings"

	"github.com/google/uuid"
)

// RunID is the id of a run: a UUID of 36 characters. [ParseRunID] and decoding make
// it lower case. Another text of the API is kept as it is, and is not valid.
type RunID string

// ParseRunID returns a run's id from a text in either letter case. It reports
// whether the text is a UUID of 36 characters; another text is returned as it is.
func ParseRunID(text string) (id RunID, ok bool) {
	if id = RunID(text); !id.Valid() {
		return id, false
	}
	return RunID(strings.ToLower(text)), true
}

// Valid reports whether the id has the form of a run's id.
func (id RunID) Valid() bool { return len(id) == 36 && uuid.Validate(string(id)) == nil }

// UnmarshalText implements [encoding.TextUnmarshaler]. It takes any text.
func (id *RunID) UnmarshalText(text []byte) error {
	*id, _ = ParseRunID(string(text))
	return nil
}
