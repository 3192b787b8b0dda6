package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// startTimeout bounds the start of a command.
const startTimeout = 5 * time.Second

// checkCommand checks that an entry's command exists and runs, and takes its arguments.
// It returns what the entry does, if nothing is wrong.
func (c *entryCheck) checkCommand(ctx context.Context) (found string) {
	shown := shownCommand(c.Command)
	if strings.Contains(c.Command, "${") {
		return "starts " + shown + ", which is not checked"
	}
	path, err := findCommand(c.Command, c.Dir)
	if err != nil {
		c.report(Failed, fmt.Sprintf("starts %q, but %v", shown, err), "Build the program (go build -o runs-mcp-server .) and write its whole path as the command.")
		return ""
	}
	if !c.Starts() {
		return "starts " + shown + ", which is there"
	}
	if err := c.CheckArgs(c.Args, c.variable); err != nil {
		c.report(Failed, "has arguments that this program refuses: "+c.withoutValues(err.Error()), "Correct args in the entry.")
	}
	if sameFile(path, c.Self) {
		return "starts this program"
	}
	if c.Project { // it may be anybody's
		return "starts " + path + ", which was not run, because the file belongs to a folder"
	}
	if !filepath.IsAbs(path) { // so may this be: it is found in the working directory
		return "starts " + path + ", which was not run, because its path is not whole"
	}
	version, err := runVersion(ctx, path, c.Dir, c.Machine.Env("PATH"))
	switch {
	case err != nil:
		c.report(Failed, fmt.Sprintf("starts %s, but that does not run: %v", path, err), "Build the program for this machine.")
	case version != c.Report.Version:
		c.report(Warning, fmt.Sprintf("starts %s, version %s; this program is version %s", path, version, c.Report.Version), "Name the one that you mean, and restart the client.")
	}
	return "starts " + path + ", version " + version
}

// shownCommand returns a command without the arguments that somebody wrote into it, as in
// env TR_API_KEY=key runs-mcp-server. A path may have spaces.
func shownCommand(command string) string {
	first, _, more := strings.Cut(command, " ")
	switch {
	case strings.Contains(first, "="):
		return "..."
	case more && strings.Contains(command, "="):
		return first + " ..."
	}
	return command
}

// leastValue is how long, in bytes, a value is at least that a report hides.
const leastValue = 8

// withoutValues returns a text without the values of the entry's arguments: somebody may
// have written the key there.
func (c *entryCheck) withoutValues(text string) string {
	for _, value := range c.Args {
		if strings.HasPrefix(value, "-") {
			_, value, _ = strings.Cut(value, "=")
		}
		if len(value) >= leastValue {
			text = strings.ReplaceAll(text, value, "(not shown)")
		}
	}
	return text
}

// variable returns a variable as the program gets it when the client starts it.
func (c *entryCheck) variable(name string) string {
	if value, ok := c.Env[name]; ok {
		if strings.ContainsAny(value, "${%") { // the client replaces it
			return ""
		}
		return value
	}
	return ""
}

// findCommand returns the path of a command. Its error continues after its name.
func findCommand(command, dir string) (string, error) {
	if command == "" {
		return "", errors.New("that is no command")
	}
	if dir != "" && !filepath.IsAbs(command) && strings.ContainsAny(command, `/\`) {
		command = filepath.Join(dir, command)
	}
	path, err := exec.LookPath(command)
	switch {
	case err == nil:
		return path, nil
	case errors.Is(err, os.ErrPermission):
		return "", errors.New("that is no program which may be run")
	case strings.ContainsAny(command, `/\`):
		return "", errors.New("there is no such file")
	}
	return "", errors.New("the PATH has no such program")
}

// maxVersion bounds what is read of a command's output, in bytes.
const maxVersion = 4 << 10

// runVersion runs a program of ours with --version, without secrets in its environment,
// and returns what it says.
func runVersion(ctx context.Context, path, dir, searchPath string) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	command := exec.CommandContext(ctx, path, "--version")
	command.Dir, command.Env, command.WaitDelay = dir, []string{"PATH=" + searchPath}, time.Second
	var out bytes.Buffer
	command.Stdout = &limitedWriter{&out}
	err = command.Run()
	version = regexp.MustCompile(`^\d+\.\d+\.\d+\S*`).FindString(out.String())
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("it did not answer within %s", startTimeout)
	case err != nil:
		return "", err
	case version == "":
		return "", errors.New("it does not tell its version, so it is another program")
	}
	return version, nil
}

// limitedWriter keeps the first [maxVersion] bytes.
type limitedWriter struct{ out *bytes.Buffer }

// Write writes what there is room for.
func (w *limitedWriter) Write(p []byte) (int, error) {
	w.out.Write(p[:min(len(p), max(0, maxVersion-w.out.Len()))])
	return len(p), nil
}

// sameFile reports whether two paths name one file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}
