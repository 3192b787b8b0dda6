// Package doctor checks whether this program can work where it runs: the Run API and the
// key, the event stream, the machine, and the configuration files of MCP clients. It
// changes nothing, except for the run that [Options].CreateRun asks for.
//
// The files, from the top down:
//
//	doctor.go      what is checked, in order
//	address.go     the API's address, and the clocks
//	key.go         what the API says to the key
//	stream.go      whether events arrive as they happen
//	machine.go     limits of the machine
//	clients.go     the configuration files of clients
//	start.go       the command of an entry
//	endpoint.go    the URL of an entry
//	entry.go       an entry of a configuration file, and what is wrong with it
//	report.go      what was found, for people and for programs
package doctor

import (
	"context"
	"net/url"
	"time"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/audit"
	"runs-mcp-server/internal/clients"
)

// Options are what is checked.
type Options struct {
	API    *client.Client // nil: its address is wrong, which the report says already
	URL    *url.URL       // the address of the API
	Caller client.Caller  // with an empty key the checks that need one are skipped
	// StreamWait is how long the event stream may take to show that it is not held back.
	// 0 skips the check.
	StreamWait time.Duration
	// CreateRun is a run to create if no run goes on, nil for none. It should wait for an
	// approval; it is aborted.
	CreateRun *client.CreateRunRequest
	Audit     *audit.Log // records that run and its abort; may be nil

	Machine clients.Machine
	Self    string // the path of this program, "" if it is not known
	// CheckArgs returns what is wrong with arguments of this program, in an environment.
	CheckArgs func(args []string, env func(string) string) error
	// Announce says what takes long, before it does.
	Announce func(what string)
}

// doctor is one examination.
type doctor struct {
	Options
	*Report
}

const (
	areaAPI     = "Run API"
	areaMachine = "Machine"
	areaClients = "MCP clients"
)

// ExamineFile checks the entries of this server in one configuration file, and adds what it
// finds to a report. It needs no API.
func ExamineFile(ctx context.Context, r *Report, o Options, f clients.File) {
	(&doctor{o, r}).checkFile(ctx, f)
}

// Examine checks everything and adds what it finds to a report. It ends early if ctx
// does.
func Examine(ctx context.Context, r *Report, o Options) {
	d := &doctor{o, r}
	switch {
	case o.API == nil:
		d.skip(areaAPI, "address", "the address is not usable, see above")
	case d.checkAddress(ctx):
		if d.checkKey(ctx) {
			d.checkStream(ctx)
		}
	default:
		d.skip(areaAPI, "key accepted", "the API cannot be reached")
		d.skip(areaAPI, "event stream", "the API cannot be reached")
	}
	d.checkDescriptors()
	d.checkClients(ctx)
}
