package doctor

import (
	"fmt"

	"runs-mcp-server/internal/clients"
)

// entryCheck checks one entry of a configuration file.
type entryCheck struct {
	*doctor
	clients.File
	clients.Entry
	wrong bool // something was reported
}

// report adds something that is wrong with the entry.
func (c *entryCheck) report(status Status, detail, fix string) {
	c.wrong = true
	c.Add(areaClients, c.Client, status, fmt.Sprintf("%s: %q %s", c.Path, c.Entry.Name, detail), fix)
}
