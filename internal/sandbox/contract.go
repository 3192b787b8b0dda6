package sandbox

import (
	_ "embed"
	"slices"
)

//go:embed openapi.json
var contract []byte

// Contract returns the published OpenAPI document of the Run API, as JSON. The
// caller owns the copy.
func Contract() []byte { return slices.Clone(contract) }
