package clients

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strings"

	"runs-mcp-server/internal/setting"
)

// Entry is one server in the configuration of a client: a command to start, or a URL.
type Entry struct {
	Name     string
	Disabled bool

	Command string
	Args    []string
	Dir     string            // where the command runs, "" for where the client does
	Env     map[string]string // what the client sets, as it stands in the file
	EnvFile string            // a file with more of it, "" for none
	// Inherited are variables that the client passes on, or has a value for in a keyring.
	Inherited []string

	URL     string
	Headers map[string]string // as they stand in the file
	// HeadersFrom are headers whose value is that of a variable, by the variable.
	HeadersFrom map[string]string

	client client
}

// read returns an entry.
func (c client) read(name string, entry map[string]any) Entry {
	e := c.entry(entry)
	e.Name, e.client = name, c
	return e
}

// program is what the file of this program is called.
const program = "runs-mcp-server"

// keyName is the variable, and as a header the name, that holds the API key.
const (
	keyName   = "TR_API_KEY"
	keyHeader = "x-api-key"
)

// Starts reports whether the entry starts this program itself, and not something that
// starts it, such as npx.
func (e Entry) Starts() bool { return isProgram(e.Command) }

// UsesSandbox reports whether the entry starts this program on its own sandbox, which
// needs no key.
func (e Entry) UsesSandbox() bool { return slices.Contains(e.Args, "--sandbox") }

// IsOurs reports whether the entry is about this server, as far as the file tells.
func (e Entry) IsOurs() bool {
	if e.URL != "" {
		_, named := header(e.HeadersFrom, keyHeader)
		key, _ := header(e.Headers, keyHeader)
		return e.Name == "runs" || strings.Contains(e.Name+" "+e.URL, program) || named || strings.Contains(key, keyName)
	}
	_, set := e.Env[keyName]
	return e.Starts() || slices.ContainsFunc(e.Args, isProgram) || set || slices.Contains(e.Inherited, keyName)
}

// isProgram reports whether a command or an argument names this program: as a file, a Go
// or npm package, or an image.
func isProgram(word string) bool {
	base := path.Base(strings.ReplaceAll(word, `\`, "/"))
	base, _, _ = strings.Cut(base, "@")
	base, _, _ = strings.Cut(base, ":")
	return strings.TrimSuffix(strings.ToLower(base), ".exe") == program
}

// Secret is where an entry has the API key.
type Secret struct {
	Place string // such as env.TR_API_KEY, "" if there is none
	Plain bool   // the key itself stands in the file
	// Unexpanded says that the value is a variable that this client does not replace.
	Unexpanded bool
	// Variable is the variable that the value is taken from, "" if it is another way.
	Variable string
	// Problem is what is wrong with a key in plain text, "" if nothing is. The text
	// continues after the words "the API key".
	Problem string
}

// KeyAt says where the entry has the API key. It never returns the key.
func (e Entry) KeyAt() Secret {
	value, at := e.Env[keyName], "env."+keyName
	if e.URL != "" {
		if value, at = headerAt(e.Headers, keyHeader); value == "" {
			value, at = headerAt(e.Headers, "Authorization")
		}
	}
	if value == "" {
		return e.keyElsewhere()
	}
	found := regexp.MustCompile(variable).FindStringSubmatch(value)
	if found == nil {
		return Secret{Place: at, Plain: true, Problem: setting.KeyProblem(strings.TrimPrefix(value, "Bearer "))}
	}
	if e.client.expands == "" || !regexp.MustCompile(e.client.expands).MatchString(value) {
		return Secret{Place: at, Unexpanded: true}
	}
	s := Secret{Place: at}
	if !strings.Contains(found[0], "input:") && !strings.Contains(found[0], "file:") {
		s.Variable = cmp.Or(found[1], found[2], found[3])
	}
	return s
}

// keyElsewhere says where the key is that has no value in the entry.
func (e Entry) keyElsewhere() Secret {
	for _, name := range []string{keyHeader, "Authorization"} {
		if from, ok := header(e.HeadersFrom, name); ok {
			return Secret{Place: name, Variable: from}
		}
	}
	switch {
	case slices.Contains(e.Inherited, keyName) && e.client.keyring:
		return Secret{Place: "keyring"}
	case slices.Contains(e.Inherited, keyName):
		return Secret{Place: keyName, Variable: keyName}
	case e.EnvFile != "":
		return Secret{Place: "envFile"}
	case e.Env[keyName+"_FILE"] != "":
		return Secret{Place: "env." + keyName + "_FILE"}
	case slices.ContainsFunc(e.Args, func(a string) bool { return strings.HasPrefix(a, "--api-key-file") }):
		return Secret{Place: "--api-key-file"}
	}
	return Secret{}
}

// variable is a pattern of the forms of a variable in a configuration: ${NAME},
// ${NAME:-default}, ${env:NAME}, ${input:id}, {env:NAME}, {file:path}, $NAME, %NAME%.
const variable = `\$?\{(?:(?:env|input|file):)?([^}:]+)(?::-[^}]*)?\}|\$([A-Za-z_]\w*)|%(\w+)%`

// Advice says how this client keeps a key out of its file, "" if it has no way.
func (e Entry) Advice() string {
	if e.URL != "" {
		return cmp.Or(e.client.urlAdvice, e.client.advice)
	}
	return e.client.advice
}

// header returns a value by the name of a header, in any letter case.
func header(headers map[string]string, name string) (value string, ok bool) {
	for n, v := range headers {
		if strings.EqualFold(n, name) {
			return v, true
		}
	}
	return "", false
}

// headerAt returns a header's value, and where it stands.
func headerAt(headers map[string]string, name string) (value, at string) {
	value, _ = header(headers, name)
	return value, "headers." + name
}
