package sandbox

import (
	"encoding/json"
	"fmt"
	"slices"
)

// credential is one type of pass-through credentials: its fields, the required
// ones first.
type credential struct {
	name               string
	required, optional []string
}

func credentials() []credential {
	return []credential{
		{"AWS temporary credentials", []string{"accessKeyId", "secretAccessKey", "sessionToken"}, nil},
		{"AWS assume-role", []string{"roleArn", "externalId"}, nil},
		{"Okta service app", []string{"clientId", "kid", "privateKey", "oauthTokenUrl", "scope"}, []string{"host"}},
	}
}

// passThrough checks the credentials. No message repeats a value, for every
// value may be a secret.
func (f *fields) passThrough(chosen []integration) {
	raw, given := f.raw["passThrough"]
	if !given {
		return
	}
	items, ok := decode[[]json.RawMessage](raw)
	if !ok {
		f.problem("passThrough must be an array")
		return
	}
	credentialed := map[string]bool{}
	for n, item := range items {
		at := fmt.Sprintf("passThrough.%d", n)
		entry, ok := decode[map[string]json.RawMessage](item)
		if !ok {
			f.problem("%s must be an object", at)
			continue
		}
		id, ok := decode[string](entry["customerIntegrationId"])
		if !ok {
			f.problem("%s.customerIntegrationId must be a string", at)
		} else if !slices.ContainsFunc(chosen, func(i integration) bool { return i.CustomerIntegrationID == id }) {
			f.problem("%s.customerIntegrationId must be one of the selected integrations", at)
		}
		for _, name := range []string{"headers", "query"} {
			if raw, given := entry[name]; given {
				if _, ok := decode[map[string]any](raw); !ok {
					f.problem("%s.%s must be an object", at, name)
				}
			}
		}
		if values, given := entry["values"]; given {
			if credentialed[id] {
				f.problem("%s.values: only one credential type may be supplied per integration", at)
			}
			credentialed[id] = true
			f.credential(at+".values", values)
		}
	}
}

func (f *fields) credential(at string, raw json.RawMessage) {
	values, ok := decode[map[string]json.RawMessage](raw)
	if !ok {
		f.problem("%s must be an object", at)
		return
	}
	var used []credential
	for _, c := range credentials() {
		if slices.ContainsFunc(append(c.optional, c.required...), func(name string) bool { return values[name] != nil }) {
			used = append(used, c)
		}
	}
	if len(used) != 1 {
		f.problem("%s must be exactly one of AWS temporary credentials, AWS assume-role, Okta service app", at)
		return
	}
	for _, name := range used[0].required {
		if _, ok := decode[string](values[name]); !ok {
			f.problem("%s.%s must be a string (%s)", at, name, used[0].name)
		}
	}
	for _, name := range used[0].optional {
		if _, ok := decode[string](values[name]); !ok && values[name] != nil {
			f.problem("%s.%s must be a string (%s)", at, name, used[0].name)
		}
	}
}
