package cli

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"runs-mcp-server/client"
)

// completionCommand prints what makes a shell complete this program's commands.
type completionCommand struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"The shell: bash, zsh or fish"`
}

// Run prints the script for the shell.
func (c *completionCommand) Run(p *process) error {
	scripts := map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}
	_, err := io.WriteString(p.out, strings.ReplaceAll(scripts[c.Shell], "PROGRAM", Name))
	return err
}

// The scripts ask the program itself what may come next: one candidate per line, with a
// tab before its description. Where it knows none, the shell completes files.
const (
	bashCompletion = `# bash: eval "$(PROGRAM completion bash)" in ~/.bashrc
_runs_mcp_server() {
    local IFS=$'\n'
    COMPREPLY=($("$1" __complete -- "${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null | cut -f1))
}
complete -o default -F _runs_mcp_server PROGRAM
`
	zshCompletion = `#compdef PROGRAM
# zsh: eval "$(PROGRAM completion zsh)" in ~/.zshrc, after compinit
_runs_mcp_server() {
    local -a found
    found=(${(f)"$("${words[1]}" __complete -- "${(@)words[2,CURRENT]}" 2>/dev/null | cut -f1)"})
    if (( $#found )); then compadd -a found; else _files; fi
}
compdef _runs_mcp_server PROGRAM
`
	fishCompletion = `# fish: PROGRAM completion fish | source in ~/.config/fish/config.fish
function __runs_mcp_server
    set -l words (commandline -opc) (commandline -ct)
    set -l found ($words[1] __complete -- $words[2..-1] 2>/dev/null)
    if test (count $found) -gt 0
        printf '%s\n' $found
    else
        __fish_complete_path (commandline -ct)
    end
end
complete -c PROGRAM -f -a '(__runs_mcp_server)'
`
)

// completeCommand prints what may come next on a command line. Shells call it.
type completeCommand struct {
	Words []rawText `arg:"" optional:"" passthrough:"" help:"The words so far; the last one is not complete"`
}

// Run prints the candidates for the last word. It fails without a word: nobody reads it.
func (c *completeCommand) Run(p *process) error {
	if len(c.Words) == 0 {
		return nil
	}
	words := make([]string, len(c.Words))
	for i, word := range c.Words {
		words[i] = string(word)
	}
	last := words[len(words)-1]
	l := readCommandLine(p.newParser(&commands{}).Model.Node, words[:len(words)-1])
	for _, candidate := range l.candidates(p, last) {
		word, _, _ := strings.Cut(candidate, "\t")
		if strings.HasPrefix(word, last) {
			fmt.Fprintln(p.out, candidate)
		}
	}
	return nil
}

// commandLine is a command line that is not complete.
type commandLine struct {
	node       *kong.Node        // the command so far
	flag       *kong.Flag        // whose value comes next, nil for none
	positional int               // how many arguments of the command there are
	values     map[string]string // of the flags
}

// readCommandLine reads the words before the one that is completed.
func readCommandLine(app *kong.Node, words []string) *commandLine {
	l := &commandLine{node: app, values: map[string]string{}}
	for _, word := range words {
		switch name, value, whole := strings.Cut(word, "="); {
		case l.flag != nil:
			l.values[l.flag.Name], l.flag = word, nil
		case strings.HasPrefix(word, "--") && whole:
			l.values[strings.TrimPrefix(name, "--")] = value
		case strings.HasPrefix(word, "-"):
			l.flag = l.flagWithValue(strings.TrimPrefix(word, "--"))
		default:
			l.addWord(word)
		}
	}
	return l
}

// addWord adds a word that is a command or an argument.
func (l *commandLine) addWord(word string) {
	if i := slices.IndexFunc(l.node.Children, func(n *kong.Node) bool { return n.Name == word }); i >= 0 {
		l.node = l.node.Children[i]
		return
	}
	l.positional++
}

// command returns the command whose flags count: without one it is stdio.
func (l *commandLine) command() *kong.Node {
	if l.node.Parent == nil {
		return l.node.Children[0]
	}
	return l.node
}

// flagWithValue returns the flag of a name if a value follows it, else nil.
func (l *commandLine) flagWithValue(name string) *kong.Flag {
	flags := l.command().Flags
	if i := slices.IndexFunc(flags, func(f *kong.Flag) bool { return f.Name == name }); i >= 0 && !flags[i].IsBool() {
		return flags[i]
	}
	return nil
}

// candidates returns what may come next, in the place of a word that has begun.
func (l *commandLine) candidates(p *process, begun string) (list []string) {
	switch {
	case l.flag != nil:
		return enumOf(l.flag.Value)
	case strings.HasPrefix(begun, "-"):
		for _, f := range l.command().Flags {
			if !f.Hidden {
				list = append(list, "--"+f.Name+"\t"+f.Help)
			}
		}
		return append(list, "--help\tPrint the help")
	case len(l.node.Children) > 0:
		for _, c := range l.node.Children {
			if !c.Hidden {
				list = append(list, c.Name+"\t"+c.Help)
			}
		}
		return list
	case l.positional >= len(l.node.Positional):
		return nil
	}
	argument := l.node.Positional[l.positional]
	if argument.Name == "run-id" {
		return l.runIDs(p)
	}
	return enumOf(argument)
}

// enumOf returns the values that a flag or an argument may have, nil if any.
func enumOf(v *kong.Value) []string {
	if v.Enum == "" {
		return nil
	}
	return v.EnumSlice()
}

// completionTimeout bounds how long a person waits for run ids after the tab key.
const completionTimeout = 2 * time.Second

// runIDs returns the ids of the newest runs that the command is for, with their status and
// intent. It returns none if there is no key or the API does not answer in time.
func (l *commandLine) runIDs(p *process) (list []string) {
	f := apiFlags{APIURL: l.values["api-url"], APIKeyFile: l.values["api-key-file"]}
	if f.APIURL == "" {
		f.APIURL = strings.TrimSpace(p.env("TR_API_URL"))
	}
	key, err := f.key(p.env)
	if err != nil {
		return nil
	}
	api, err := f.newClient(0, nil)
	if err != nil {
		return nil
	}
	defer api.Close()
	ctx, cancel := context.WithTimeout(p.ctx, completionTimeout)
	defer cancel()
	query := client.ListRunsQuery{PageSize: 50}
	if l.node.Name == "approve" {
		query.Status = client.Paused
	}
	page, err := api.ListRuns(ctx, client.Caller{Key: key}, query)
	if err != nil {
		return nil
	}
	v := hideSecrets(string(key))
	for _, r := range page.Runs {
		if r.RunID.Valid() && (l.node.Name != "abort" || !r.Status.Terminal()) {
			list = append(list, fmt.Sprintf("%s\t%s %s", r.RunID, v(string(r.Status)), cutLine(v(r.Intent), 40)))
		}
	}
	return list
}
