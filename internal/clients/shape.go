package clients

import (
	"maps"
	"slices"
	"strings"
)

// Server is what an entry starts or reaches.
type Server struct {
	Command string // a path, or a name that the PATH finds
	Args    []string
	URL     string // instead of a command
	KeyFile string // holds the API key, "" for the client's own way to keep it
	NoKey   bool   // it needs no key, as on its sandbox
}

// keyOf returns how the client names the key in an entry for a server, "" for not at all.
func (c client) keyOf(s Server) string {
	if s.NoKey || s.KeyFile != "" && s.URL == "" {
		return ""
	}
	return c.key
}

// KeepsKey reports whether the client has a way of its own to keep a key out of its file.
func (f File) KeepsKey() bool { return f.client.key != "" }

// env returns the variables of an entry for a server.
func (c client) env(s Server) fields {
	if key := c.keyOf(s); key != "" {
		return fields{{keyName, key}}
	}
	if s.KeyFile != "" && !s.NoKey {
		return fields{{keyName + "_FILE", s.KeyFile}}
	}
	return nil
}

// headers returns the headers of an entry for a server.
func (c client) headers(s Server) fields {
	if key := c.keyOf(s); key != "" {
		return fields{{keyHeader, key}}
	}
	return nil
}

// withMap adds a field with an object, if there is something in it.
func (f fields) withMap(name string, members fields) fields {
	if len(members) == 0 {
		return f
	}
	return append(f, field{name, members})
}

// commonShape returns the shape that most clients share: with the names of the transports,
// "" for none, and of the field of the URL.
func commonShape(stdio, http, url string) func(client, string, Server) fields {
	return func(c client, _ string, s Server) (f fields) {
		kind := stdio
		if s.URL != "" {
			kind = http
		}
		if kind != "" {
			f = fields{{"type", kind}}
		}
		if s.URL != "" {
			return append(f, field{url, s.URL}).withMap("headers", c.headers(s))
		}
		return append(f, field{"command", s.Command}, field{"args", s.Args}).withMap("env", c.env(s))
	}
}

// codexShape names variables instead of values.
func codexShape(c client, _ string, s Server) fields {
	key := c.keyOf(s)
	if s.URL != "" {
		f := fields{{"url", s.URL}}
		if key != "" {
			f = append(f, field{"env_http_headers", fields{{keyHeader, key}}})
		}
		return f
	}
	f := fields{{"command", s.Command}, {"args", s.Args}}
	if key != "" {
		return append(f, field{"env_vars", []string{key}})
	}
	return f.withMap("env", c.env(s))
}

func openCodeShape(c client, _ string, s Server) fields {
	if s.URL != "" {
		// OpenCode tries OAuth first if it is not told that there is none.
		return fields{{"type", "remote"}, {"url", s.URL}}.withMap("headers", c.headers(s)).with("oauth", false)
	}
	return fields{{"type", "local"}, {"command", append([]string{s.Command}, s.Args...)}}.withMap("environment", c.env(s))
}

func (f fields) with(name string, value any) fields { return append(f, field{name, value}) }

// gooseTimeout is how long Goose waits for an answer, in seconds: its own default.
const gooseTimeout = 300

// gooseShape names the key under env_keys: Goose takes it from its environment or from
// the keyring.
func gooseShape(c client, name string, s Server) fields {
	key := c.keyOf(s)
	f := fields{{"type", "stdio"}, {"name", name}, {"description", "Runs of the toolregistry.ai Run API"}, {"enabled", true}}
	if s.URL != "" {
		f[0].value = "streamable_http"
		f = append(f, field{"uri", s.URL})
	} else {
		f = append(f, field{"cmd", s.Command}, field{"args", s.Args})
	}
	if key != "" {
		f = append(f, field{"env_keys", []string{keyName}})
	} else {
		f = f.withMap("envs", c.env(s))
	}
	if s.URL != "" {
		f = f.withMap("headers", c.headers(s))
	}
	return f.with("timeout", gooseTimeout)
}

// isReplaced reports whether a field says what an entry starts or reaches, how it gets the
// key, or whether it is on: those of a new entry count alone.
func isReplaced(name string) bool {
	return slices.Contains([]string{
		"type", "command", "cmd", "args", "url", "httpUrl", "serverUrl", "uri", "oauth", "bearer_token_env_var", "enabled", "disabled", "source", "path", "config",
	}, name)
}

// merge returns a new entry with what else a person had set in the old one, such as time
// limits and other variables.
func (c client) merge(old map[string]any, entry fields) fields {
	isNew := c.read("", entry.object())
	if old == nil || (c.read("", old).URL == "") != (isNew.URL == "") {
		return entry
	}
	merged := slices.Clone(entry)
	for _, was := range sorted(old) {
		kept := withoutKey(was.value)
		switch i := slices.IndexFunc(merged, func(f field) bool { return f.name == was.name }); {
		case i >= 0:
			merged[i].value = join(was.name, merged[i].value, kept)
		case !isReplaced(was.name) && !isEmpty(kept):
			merged = merged.with(was.name, kept)
		}
	}
	return merged
}

// join returns a new value of a field with what stays of the old one: other variables and
// headers, and the person's time limit.
func join(name string, value, old any) any {
	switch value := value.(type) {
	case fields:
		members, _ := old.(map[string]any)
		return append(slices.Clone(value), sorted(members)...)
	case []string:
		if list, ok := old.([]any); ok && !isReplaced(name) {
			return append(slices.Clone(value), texts(list)...)
		}
	case int: // Goose's timeout
		return old
	}
	return value
}

// isEmpty reports whether a value is an object or a list with nothing in it.
func isEmpty(value any) bool {
	switch value := value.(type) {
	case map[string]any:
		return len(value) == 0
	case []any:
		return len(value) == 0
	}
	return false
}

// withoutKey returns a value without what names the API key.
func withoutKey(value any) any {
	isKey := func(name string) bool {
		return slices.ContainsFunc([]string{keyName, keyName + "_FILE", keyHeader, "Authorization"}, func(k string) bool { return strings.EqualFold(k, name) })
	}
	switch value := value.(type) {
	case map[string]any:
		value = maps.Clone(value)
		maps.DeleteFunc(value, func(name string, _ any) bool { return isKey(name) })
		return value
	case []any:
		return slices.DeleteFunc(slices.Clone(value), func(item any) bool {
			named := texts([]any{item})
			return isKey(named[0])
		})
	}
	return value
}
