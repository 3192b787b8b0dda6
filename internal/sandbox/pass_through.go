package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
)

// credentialType is one type of pass-through credentials and its fields.
type credentialType struct {
	name               string
	required, optional []string
}

func credentialTypes() []credentialType {
	return []credentialType{
		{"AWS temporary credentials", []string{"accessKeyId", "secretAccessKey", "sessionToken"}, nil},
		{"AWS assume-role", []string{"roleArn", "externalId"}, nil},
		{"Okta service app", []string{"clientId", "kid", "privateKey", "oauthTokenUrl", "scope"}, []string{"host"}},
	}
}

// checkPassThrough checks the entries of passThrough. No message repeats a value,
// because every value may be a secret.
func (b *bodyReader) checkPassThrough(selected []integration) {
	raw, given := b.fields["passThrough"]
	if !given {
		return
	}
	entries, ok := decode[[]json.RawMessage](raw)
	if !ok {
		b.addProblem("passThrough must be an array")
		return
	}
	withCredentials := map[string]bool{} // by integration
	for n, raw := range entries {
		path := fmt.Sprintf("passThrough.%d", n)
		entry, ok := decode[map[string]json.RawMessage](raw)
		if !ok {
			b.addProblem("%s must be an object", path)
			continue
		}
		id := b.checkEntry(path, entry, selected)
		if entry["values"] == nil {
			continue
		}
		if withCredentials[id] {
			b.addProblem("%s.values: only one credential type may be supplied per integration", path)
		}
		withCredentials[id] = true
		b.checkCredentials(path+".values", entry["values"])
	}
}

// checkEntry checks all of an entry but its credentials, and returns the id of its
// integration.
func (b *bodyReader) checkEntry(path string, entry map[string]json.RawMessage, selected []integration) string {
	id, ok := decode[string](entry["customerIntegrationId"])
	if !ok {
		b.addProblem("%s.customerIntegrationId must be a string", path)
	} else if !slices.ContainsFunc(selected, func(i integration) bool { return i.CustomerIntegrationID == id }) {
		b.addProblem("%s.customerIntegrationId must be one of the selected integrations", path)
	}
	for _, name := range []string{"headers", "query"} {
		if raw, given := entry[name]; given {
			if _, ok := decode[map[string]any](raw); !ok {
				b.addProblem("%s.%s must be an object", path, name)
			}
		}
	}
	return id
}

func (b *bodyReader) checkCredentials(path string, raw json.RawMessage) {
	values, ok := decode[map[string]json.RawMessage](raw)
	if !ok {
		b.addProblem("%s must be an object", path)
		return
	}
	var used []credentialType
	for _, c := range credentialTypes() {
		if slices.ContainsFunc(slices.Concat(c.required, c.optional), func(name string) bool { return values[name] != nil }) {
			used = append(used, c)
		}
	}
	if len(used) != 1 {
		b.addProblem("%s must be exactly one of AWS temporary credentials, AWS assume-role, Okta service app", path)
		return
	}
	for _, name := range slices.Concat(used[0].required, used[0].optional) {
		if values[name] == nil && slices.Contains(used[0].optional, name) {
			continue
		}
		if _, ok := decode[string](values[name]); !ok {
			b.addProblem("%s.%s must be a string (%s)", path, name, used[0].name)
		}
	}
}
