package cli

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"runs-mcp-server/internal/clients"
	"runs-mcp-server/internal/doctor"
)

// installCommand adds this server to the configuration of a client.
type installCommand struct {
	Client string    `arg:"" enum:"${clients}" help:"The client, such as claude-code, vscode or codex"`
	Args   []rawText `arg:"" optional:"" name:"flags" help:"Flags of the server, after --"`

	Project bool   `group:"Install" help:"In the file of this folder, not in your own"`
	URL     string `name:"url" group:"Install" placeholder:"URL" help:"Connect to this URL; start no program"`
	Command string `group:"Install" placeholder:"PROGRAM" help:"Start this program, not this one"`
	Name    string `group:"Install" placeholder:"NAME" help:"Name of the entry (default runs)"`

	APIKeyFile string `name:"api-key-file" group:"Install" placeholder:"FILE" help:"The server reads the API key from this file"`

	Remove bool `group:"Install" help:"Remove the entry"`
	Print  bool `group:"Install" help:"Print the entry alone; change nothing"`
	DryRun bool `group:"Install" help:"Show the change; change nothing"`
	Yes    bool `group:"Install" help:"Change it without asking"`
}

// Run shows what changes in the client's file, asks, writes it and checks it.
func (c *installCommand) Run(p *process) error {
	if c.Remove && (c.Print || c.URL != "" || c.Command != "" || c.APIKeyFile != "" || len(c.Args) > 0) {
		return usageErrorf("--remove takes no words about what to install")
	}
	file, err := p.machine().Find(c.Client, c.Project)
	if err != nil {
		return usageErrorf("install: %w", err)
	}
	i := installation{process: p, screen: newScreen(p), file: file}
	if c.Remove {
		i.change, err = file.Remove(c.Name)
		return i.finish(c, err)
	}
	if i.server, err = c.server(&i); err != nil {
		return err
	}
	if c.Print {
		snippet, err := file.Snippet(c.Name, i.server)
		if err == nil {
			_, err = fmt.Fprint(p.out, snippet)
		}
		return err
	}
	i.change, err = file.Install(c.Name, i.server)
	return i.finish(c, err)
}

// server returns what the entry is to start or reach.
func (c *installCommand) server(i *installation) (s clients.Server, err error) {
	s.URL = c.URL
	for _, arg := range c.Args {
		s.Args = append(s.Args, string(arg))
	}
	if s.URL != "" {
		err = c.checkRemote()
	} else if s.Command, err = c.program(); err == nil && c.Command == "" {
		if err = checkArgs(i.process, s.Args, func(string) string { return "" }); err != nil {
			err = usageErrorf("the flags after --: %w", err)
		}
	}
	if err != nil {
		return s, err
	}
	hasKeyFlag := slices.ContainsFunc(s.Args, func(arg string) bool { return strings.HasPrefix(arg, "--api-key-file") })
	s.NoKey = hasKeyFlag || slices.Contains(s.Args, "--sandbox")
	if err := c.chooseKey(i, &s); err != nil {
		return s, err
	}
	if words := strings.Join(append([]string{s.URL, s.Command, c.Name}, s.Args...), "\n"); i.key != "" && strings.Contains(words, i.key) {
		return s, usageErrorf("the API key must not stand in the entry: set TR_API_KEY or --api-key-file, and leave it out of the rest")
	}
	return s, nil
}

// checkRemote checks the flags of an entry with a URL.
func (c *installCommand) checkRemote() error {
	if c.Command != "" || c.APIKeyFile != "" || len(c.Args) > 0 {
		return usageErrorf("with --url the client starts no program: leave out --command, --api-key-file and the flags after --")
	}
	u, err := url.Parse(c.URL)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil {
		return usageErrorf("--url takes the address of a server, such as https://mcp.example.com/mcp, without a password")
	}
	return nil
}

// program returns what the client is to start: this program, as the PATH finds it if it
// does, because a path there stays the same over upgrades.
func (c *installCommand) program() (string, error) {
	if c.Command != "" {
		return c.Command, nil
	}
	self, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("the path of this program is not known, name it with --command: %w", err)
	}
	if programCommand() == "go run ." {
		return "", usageErrorf("go run deletes the program when it ends: build it first (go build -o %s .), or name one with --command", Name)
	}
	if found, err := exec.LookPath(Name); err == nil && sameFile(found, self) {
		return filepath.Abs(found)
	}
	return self, nil
}

// chooseKey decides how the server gets the key. The client's own way comes first; a
// client that has none gets the key from a file that only the person can read.
func (c *installCommand) chooseKey(i *installation, s *clients.Server) (err error) {
	key, keyErr := (&apiFlags{APIKeyFile: c.APIKeyFile}).key(i.env)
	i.key = string(key)
	switch {
	case s.NoKey || s.URL != "":
		return nil
	case c.APIKeyFile != "":
		if keyErr != nil {
			return keyErr
		}
		s.KeyFile, err = filepath.Abs(c.APIKeyFile)
		return err
	case i.file.KeepsKey():
		return nil
	}
	if path := strings.TrimSpace(i.env(keyFileVariable)); path != "" && keyErr == nil {
		s.KeyFile, err = filepath.Abs(path)
		return err
	}
	if i.keyFile, err = i.machine().KeyFile(); err != nil {
		return fmt.Errorf("%s, where the API key is kept: %w", i.keyFile.Path, err)
	}
	s.KeyFile = i.keyFile.Path
	i.writesKey = keyErr == nil && !i.keyFile.Holds(i.key)
	if keyErr != nil && !i.keyFile.Exists() && !c.Print {
		return usageErrorf("%s has no way of its own to keep an API key: set TR_API_KEY, and it is kept in %s; or name a file with --api-key-file; or try it without an account: -- --sandbox", i.file.Client, s.KeyFile)
	}
	return nil
}

// installation is one execution of the command.
type installation struct {
	*process
	screen *screen
	file   clients.File
	server clients.Server
	change clients.Change

	key       string // "" if it is not known
	keyFile   clients.KeyFile
	writesKey bool // the key goes into keyFile
}

// finish shows the change, asks, writes it and checks the file. err is that of making it.
func (i *installation) finish(c *installCommand, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", i.file.Path, err)
	}
	if i.change.Empty() && !i.writesKey {
		if c.Remove {
			fmt.Fprintf(i.out, "%s: %s has no entry of this server; nothing was changed.\n", i.file.Client, i.file.Path)
			return nil
		}
		fmt.Fprintf(i.out, "%s: %s has this entry already; nothing was changed.\n", i.file.Client, i.file.Path)
		return i.check()
	}
	i.show()
	if c.DryRun {
		fmt.Fprintln(i.out, "Nothing was changed (--dry-run).")
		return nil
	}
	if write, err := i.confirm(c.Yes); !write {
		return err
	}
	if err := i.write(); err != nil {
		return err
	}
	if c.Remove {
		return nil
	}
	return i.check()
}

// show prints the change.
func (i *installation) show() {
	hide := hideSecrets(i.key, i.env(keyVariable))
	note := ""
	if i.change.Creates() {
		note = " (new file)"
	}
	fmt.Fprintf(i.out, "%s: %s%s\n", i.file.Client, i.file.Path, note)
	colors := map[rune]style{'+': green, '-': red}
	for _, line := range i.change.Lines() {
		indent := line.Text[:len(line.Text)-len(strings.TrimLeft(line.Text, " "))]
		fmt.Fprintln(i.out, i.screen.styled(colors[line.Sign], string(line.Sign)+" "+indent+printable(hide(line.Text))))
	}
	if i.writesKey {
		fmt.Fprintf(i.out, "The API key goes into %s, which only you can read.\n", i.keyFile.Path)
	}
}

// confirm asks the person. Without a terminal and --yes nothing is changed.
func (i *installation) confirm(yes bool) (write bool, err error) {
	if yes {
		return true, nil
	}
	if !isTerminal(i.stdin) || !isTerminal(i.stdout) {
		return false, errors.New("nothing was changed: say --yes, or type the command in a terminal")
	}
	fmt.Fprint(i.out, "Write it? y writes it, anything else changes nothing: ")
	line, err := nextLine(i.ctx, readLines(i.ctx, i.stdin))
	if err != nil {
		return false, errors.New("interrupted; nothing was changed")
	}
	if word := strings.ToLower(strings.TrimSpace(line)); word == "y" || word == "yes" {
		return true, nil
	}
	fmt.Fprintln(i.out, "Nothing was changed.")
	return false, nil
}

// write writes the key first: without it the entry would not work.
func (i *installation) write() error {
	if i.writesKey {
		if err := i.keyFile.Write(i.key); err != nil {
			return fmt.Errorf("%s: %w; nothing was changed", i.keyFile.Path, err)
		}
	}
	backup, err := i.change.Write()
	if err != nil {
		return fmt.Errorf("%s: %w", i.file.Path, err)
	}
	switch {
	case i.change.Empty():
		fmt.Fprintln(i.out, "Written.")
	case backup != "":
		fmt.Fprintf(i.out, "Written. What was there before: %s\nRestart %s.\n", backup, i.file.Client)
	default:
		fmt.Fprintf(i.out, "Written. Restart %s.\n", i.file.Client)
	}
	return nil
}

// check checks the file as doctor does. The exit code is 1 if something does not work.
func (i *installation) check() error {
	self, _ := os.Executable() // without it the program counts as another one
	report := &doctor.Report{Version: Version, Hide: hideSecrets(i.key, i.env(keyVariable))}
	doctor.ExamineFile(i.ctx, report, doctor.Options{
		Self: self, Machine: i.machine(), Announce: func(string) {},
		CheckArgs: func(args []string, env func(string) string) error { return checkArgs(i.process, args, env) },
	}, i.file)
	printReport(i.screen, report)
	if report.Status == doctor.Failed {
		return errReported
	}
	return nil
}
