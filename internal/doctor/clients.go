package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"

	"runs-mcp-server/internal/clients"
)

// checkClients checks the configuration files that are found, and this server's entries
// in them.
func (d *doctor) checkClients(ctx context.Context) {
	found := false
	for _, f := range d.Machine.Files() {
		if d.checkFile(ctx, f) {
			found = true
		}
	}
	if !found {
		d.Add(areaClients, "configured", Warning, "no client on this machine has an entry of this server", "Add one: runs-mcp-server install CLIENT, such as install claude-code.")
	}
}

// checkFile checks a configuration file and reports whether it has an entry of this
// server.
func (d *doctor) checkFile(ctx context.Context, f clients.File) (found bool) {
	entries, err := f.Read()
	switch {
	case errors.Is(err, os.ErrNotExist), err != nil && f.IsPart:
		return false
	case err != nil:
		d.Add(areaClients, f.Client, Failed, fmt.Sprintf("%s cannot be read: %v", f.Path, err), "Correct it: the client cannot read it either.")
		return false
	}
	for _, e := range entries {
		if e.IsOurs() {
			d.checkEntry(ctx, f, e)
			found = true
		}
	}
	if !found && !f.Project && !f.IsPart {
		d.skip(areaClients, f.Client, f.Path+" has no entry of this server")
	}
	return found
}

// checkEntry checks an entry: that the client can start or reach the server, and how it
// keeps the key.
func (d *doctor) checkEntry(ctx context.Context, f clients.File, e clients.Entry) {
	c := &entryCheck{doctor: d, File: f, Entry: e}
	if e.Disabled {
		c.report(Warning, "is turned off", "Turn it on in the client to use it.")
		return
	}
	found := ""
	if e.URL != "" {
		found = c.checkURL(ctx)
	} else {
		found = c.checkCommand(ctx)
	}
	c.checkKey()
	if !c.wrong {
		d.ok(areaClients, f.Client, "%s: %q %s", f.Path, e.Name, found)
	}
}

// checkKey checks how an entry keeps the key.
func (c *entryCheck) checkKey() {
	switch key := c.KeyAt(); {
	case key.Place == "" && c.URL != "":
		c.report(Failed, "sends no API key", "Add the header x-api-key."+c.adviceToHide())
	case key.Place == "" && !c.UsesSandbox():
		c.report(Warning, "sets no TR_API_KEY, so that it works only if the client passes its own environment on", "Set TR_API_KEY in the entry."+c.adviceToHide())
	case key.Unexpanded:
		c.report(Failed, "has a variable at "+key.Place+", which "+c.Client+" does not replace", "Write the key itself"+c.orAdvice())
	case key.Problem != "":
		c.report(Failed, "has an API key at "+key.Place+" that "+key.Problem, "Put the key there."+c.adviceToHide())
	case key.Plain && c.Advice() != "":
		c.report(Warning, "has the API key in plain text at "+key.Place, "In "+c.Client+", "+c.Advice()+".")
	case key.Plain && readableByOthers(c.Path):
		c.report(Warning, "has the API key in plain text in a file that others can read", "Run: chmod 600 "+c.Path)
	case key.Variable != "" && c.Machine.Env(key.Variable) == "":
		c.report(Warning, "takes the API key from "+key.Variable+", which is not set here", "Set it where "+c.Client+" starts; desktop programs do not read the files of a shell.")
	}
}

// adviceToHide ends a fix with how the key stays out of the file, if the client has a way.
func (c *entryCheck) adviceToHide() string {
	if c.Advice() == "" {
		return ""
	}
	return " To keep it out of the file, " + c.Advice() + "."
}

// orAdvice ends a fix with the other way, if the client has one.
func (c *entryCheck) orAdvice() string {
	if c.Advice() == "" {
		return "."
	}
	return ", or: " + c.Advice() + "."
}

// readableByOthers reports whether the group or the world can read a file. On Windows the
// file's mode does not tell.
func readableByOthers(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}
