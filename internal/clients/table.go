package clients

import (
	"maps"
	"path/filepath"
)

// client is one row of the table.
type client struct {
	id      string // on a command line
	name    string
	files   func(Machine) []File
	format  format
	servers []string // the names that lead to the servers, unless a file has others
	deeper  string   // a further name, in files that have an object there
	entry   func(fields map[string]any) Entry
	expands string // a pattern of the variables that it replaces, "" for none
	keyring bool   // it keeps the values of [Entry].Inherited itself
	advice  string // how it keeps a key out of the file, "" if it cannot
	// urlAdvice is the same for an entry with a URL, "" if it is the same.
	urlAdvice string

	shape func(c client, name string, s Server) fields // writes an entry
	key   string                                       // what stands for the key in a new entry, "" if nothing can
	noURL string                                       // why a new entry cannot have a URL, "" if it can
}

// Patterns of the variables that clients replace.
const (
	braces   = `\$\{\w+(:-[^}]*)?\}`     // ${NAME}, ${NAME:-default}
	dollar   = `\$\{?\w+\}?`             // $NAME, ${NAME}
	prefixed = `\$\{(env|input):[^}]+\}` // ${env:NAME}, ${input:id}
	curly    = `\{(env|file):[^}]+\}`    // {env:NAME}, {file:path}
)

// table is the table of the clients. The sources are the documentation of each, as of
// November 2026.
func table() []client {
	mcpServers := []string{"mcpServers"}
	return []client{
		{
			id: "claude-code", name: "Claude Code", format: jsonc, servers: mcpServers, entry: commonEntry, expands: braces,
			key: "${TR_API_KEY}", shape: commonShape("stdio", "http", "url"),
			advice: `write "${TR_API_KEY}" in its place and set the variable where Claude Code starts`,
			files: func(m Machine) []File {
				own := m.under(m.Env("CLAUDE_CONFIG_DIR"), m.Home, ".claude.json")
				files := m.project(".mcp.json")
				if m.Dir != "" && own != nil { // the person's own entries for this folder
					files = append([]File{{Path: own[0].Path, IsPart: true, servers: []string{"projects", m.Dir, "mcpServers"}}}, files...)
				}
				return append(own, files...)
			},
		},
		{
			id: "claude-desktop", name: "Claude Desktop", format: jsonc, servers: mcpServers, entry: commonEntry,
			shape: commonShape("", "", "url"),
			noURL: "Claude Desktop starts programs alone from its file: add a URL in its settings, under Connectors",
			files: func(m Machine) []File { return m.under("", m.settings(), "Claude", "claude_desktop_config.json") },
		},
		{
			id: "cursor", name: "Cursor", format: jsonc, servers: mcpServers, entry: commonEntry, expands: prefixed,
			key: "${env:TR_API_KEY}", shape: commonShape("", "", "url"),
			advice: `write "${env:TR_API_KEY}" in its place and set the variable where Cursor starts`,
			files: func(m Machine) []File {
				return append(m.under("", m.Home, ".cursor", "mcp.json"), m.project(".cursor", "mcp.json")...)
			},
		},
		{
			id: "vscode", name: "VS Code", format: jsonc, servers: []string{"servers"}, entry: commonEntry, expands: prefixed,
			key: "${input:" + inputID + "}", shape: commonShape("stdio", "http", "url"),
			advice: `write "${input:tr-api-key}" in its place, with an input of that id and "password": true`,
			files: func(m Machine) []File {
				return append(m.under("", m.settings(), "Code", "User", "mcp.json"), m.project(".vscode", "mcp.json")...)
			},
		},
		{
			id: "codex", name: "Codex", format: tomlFormat, servers: []string{"mcp_servers"}, entry: codexEntry,
			key: keyName, shape: codexShape,
			advice:    `write env_vars = ["TR_API_KEY"] instead of env, and set the variable where Codex starts`,
			urlAdvice: `write env_http_headers = { "x-api-key" = "TR_API_KEY" } instead, and set the variable where Codex starts`,
			files: func(m Machine) []File {
				return append(m.under(m.Env("CODEX_HOME"), filepath.Join(m.Home, ".codex"), "config.toml"), m.project(".codex", "config.toml")...)
			},
		},
		{
			id: "gemini", name: "Gemini CLI", format: jsonc, servers: mcpServers, entry: commonEntry, expands: dollar,
			key: "$TR_API_KEY", shape: commonShape("", "", "httpUrl"),
			advice: `write "$TR_API_KEY" in its place and set the variable where Gemini CLI starts`,
			files: func(m Machine) []File {
				return append(m.under("", m.Home, ".gemini", "settings.json"), m.project(".gemini", "settings.json")...)
			},
		},
		{
			id: "opencode", name: "OpenCode", format: jsonc, servers: []string{"mcp"}, entry: openCodeEntry, expands: curly,
			key: "{env:TR_API_KEY}", shape: openCodeShape, deeper: "servers",
			advice: `write "{env:TR_API_KEY}" in its place and set the variable where OpenCode starts`,
			files: func(m Machine) []File {
				var files []File
				for _, name := range []string{"opencode.json", "opencode.jsonc"} {
					files = append(append(files, m.under("", m.dotConfig(), "opencode", name)...), m.project(name)...)
				}
				return files
			},
		},
		{
			id: "goose", name: "Goose", format: yamlFormat, servers: []string{"extensions"}, entry: gooseEntry, expands: dollar, keyring: true,
			key: "$TR_API_KEY", shape: gooseShape,
			advice: "name TR_API_KEY under env_keys instead of envs, and goose configure keeps the value in the keyring",
			files: func(m Machine) []File {
				if m.OS == "windows" {
					return m.under("", m.settings(), "Block", "goose", "config", "config.yaml")
				}
				return m.under("", m.dotConfig(), "goose", "config.yaml")
			},
		},
		{
			id: "zed", name: "Zed", format: jsonc, servers: []string{"context_servers"}, entry: zedEntry,
			shape: commonShape("", "", "url"),
			noURL: "Zed has no way to keep the key of a URL out of its settings: leave out --url, or add it by hand",
			files: func(m Machine) []File {
				settings := m.under("", m.dotConfig(), "zed", "settings.json")
				if m.OS == "windows" {
					settings = m.under("", m.settings(), "Zed", "settings.json")
				}
				return append(settings, m.project(".zed", "settings.json")...)
			},
		},
	}
}

// under returns the person's file of a name, in the chosen folder or in the usual one.
// There is none if neither folder is known.
func (m Machine) under(chosen, usual string, name ...string) []File {
	if chosen == "" {
		chosen = usual
	}
	if m.Home == "" || chosen == "" {
		return nil
	}
	return []File{{Path: filepath.Join(append([]string{chosen}, name...)...)}}
}

// project returns the file of a name in the folder of the project, if there is one.
func (m Machine) project(name ...string) []File {
	if m.Dir == "" {
		return nil
	}
	return []File{{Path: filepath.Join(append([]string{m.Dir}, name...)...), Project: true}}
}

// settings returns where the system keeps the settings of desktop programs.
func (m Machine) settings() string {
	switch m.OS {
	case "darwin":
		return filepath.Join(m.Home, "Library", "Application Support")
	case "windows":
		if roaming := m.Env("APPDATA"); roaming != "" {
			return roaming
		}
		return filepath.Join(m.Home, "AppData", "Roaming")
	}
	return m.dotConfig()
}

// dotConfig returns where programs keep their settings that follow XDG, on any system.
func (m Machine) dotConfig() string {
	if dir := m.Env("XDG_CONFIG_HOME"); dir != "" {
		return dir
	}
	return filepath.Join(m.Home, ".config")
}

// commonEntry reads the shape that most clients share.
func commonEntry(f map[string]any) Entry {
	e := Entry{
		Command: text(f["command"]), Args: texts(f["args"]), Dir: text(f["cwd"]), Env: textMap(f["env"]), EnvFile: text(f["envFile"]),
		URL: text(f["url"]), Headers: textMap(f["headers"]), Disabled: f["disabled"] == true || f["enabled"] == false,
	}
	if e.URL == "" {
		e.URL = text(f["httpUrl"]) // Gemini CLI
	}
	return e
}

func codexEntry(f map[string]any) Entry {
	e := commonEntry(f)
	e.Inherited, e.Headers, e.HeadersFrom = texts(f["env_vars"]), textMap(f["http_headers"]), textMap(f["env_http_headers"])
	if from := text(f["bearer_token_env_var"]); from != "" {
		e.HeadersFrom["Authorization"] = from
	}
	return e
}

func openCodeEntry(f map[string]any) Entry {
	e := commonEntry(f)
	e.Env, e.Command, e.Args = textMap(f["environment"]), "", nil
	if command := texts(f["command"]); len(command) > 0 {
		e.Command, e.Args = command[0], command[1:]
	}
	return e
}

func gooseEntry(f map[string]any) Entry {
	if nested := object(f["config"]); nested != nil { // an older form
		nested = maps.Clone(nested)
		nested["enabled"] = f["enabled"]
		f = nested
	}
	e := commonEntry(f)
	e.Command, e.Env, e.Inherited, e.URL = text(f["cmd"]), textMap(f["envs"]), texts(f["env_keys"]), text(f["uri"])
	return e
}

func zedEntry(f map[string]any) Entry {
	if nested := object(f["command"]); nested != nil { // an older form
		nested = maps.Clone(nested)
		nested["command"], nested["enabled"] = nested["path"], f["enabled"]
		f = nested
	}
	return commonEntry(f)
}
