package client

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
)

// PassThrough is data for a run's requests to one integration: headers, query
// parameters and one set of credentials. All of it is secret. It prints as a
// placeholder and is marshalled only into the create request.
type PassThrough struct {
	CustomerIntegrationID string                     `json:"customerIntegrationId" jsonschema:"minLength=1" jsonschema_description:"The integration this data is for."`
	Headers               map[string]json.RawMessage `json:"headers,omitempty" jsonschema_description:"Headers for requests to the integration."`
	Query                 map[string]json.RawMessage `json:"query,omitempty" jsonschema_description:"Query parameters for requests to the integration."`
	Values                *Credentials               `json:"values,omitempty" jsonschema_description:"One set of credentials: aws, awsAssumeRole or okta fields."`
}

// String returns a placeholder that names the integration alone.
func (p PassThrough) String() string {
	return "pass-through for " + p.CustomerIntegrationID
}

// GoString returns what String returns, for %#v.
func (p PassThrough) GoString() string { return p.String() }

// LogValue returns what String returns.
func (p PassThrough) LogValue() slog.Value { return slog.StringValue(p.String()) }

// minPart is the least length, in bytes, of a part of a header that is a secret of
// its own. Shorter parts are words such as application/json.
const minPart = 20

// Secrets returns every string and number of the pass-through data. It adds the long
// parts of headers, such as a scheme's credentials or a cookie's value, because an
// integration may repeat those alone.
func (p PassThrough) Secrets() []string {
	data, err := json.Marshal(p)
	if err != nil {
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var all map[string]any
	if d.Decode(&all) != nil {
		return nil
	}
	delete(all, "customerIntegrationId")
	secrets := appendStrings(nil, all)
	for _, header := range appendStrings(nil, all["headers"]) {
		secrets = appendParts(secrets, header)
	}
	return secrets
}

// appendParts appends the long parts of a header: its words, the values of its
// parameters, and decoded Basic credentials.
func appendParts(to []string, header string) []string {
	parts := strings.FieldsFunc(header, func(r rune) bool { return r == ' ' || r == ';' || r == ',' || r == '"' })
	for i, part := range parts {
		if name, value, ok := strings.Cut(part, "="); ok && name != "" && strings.Trim(value, "=") != "" {
			part = value
		}
		if len(part) >= minPart && part != header {
			to = append(to, part)
		}
		if plain, err := base64.StdEncoding.DecodeString(part); err == nil && i > 0 && strings.EqualFold(parts[i-1], "basic") {
			_, password, _ := strings.Cut(string(plain), ":")
			to = append(to, string(plain), password)
		}
	}
	return to
}

// appendStrings appends all strings and numbers of a decoded JSON value.
func appendStrings(to []string, v any) []string {
	switch v := v.(type) {
	case string:
		to = append(to, v)
	case json.Number:
		to = append(to, v.String())
	case []any:
		for _, e := range v {
			to = appendStrings(to, e)
		}
	case map[string]any:
		for _, e := range v {
			to = appendStrings(to, e)
		}
	}
	return to
}

// Credentials are the contract's three credential types in one object: an AWS
// session, an AWS role, or an Okta service app. Exactly one is filled.
type Credentials struct {
	AccessKeyID     string `json:"accessKeyId,omitempty"`
	SecretAccessKey string `json:"secretAccessKey,omitempty"`
	SessionToken    string `json:"sessionToken,omitempty"`

	RoleARN    string `json:"roleArn,omitempty"`
	ExternalID string `json:"externalId,omitempty"`

	ClientID      string `json:"clientId,omitempty"`
	KID           string `json:"kid,omitempty"`
	PrivateKey    string `json:"privateKey,omitempty"`
	OAuthTokenURL string `json:"oauthTokenUrl,omitempty"`
	Scope         string `json:"scope,omitempty"`
	Host          string `json:"host,omitempty"`
}

// credentialType is one of the contract's three credential types.
type credentialType struct {
	name     string
	required [][2]string // field and value, in the contract's order
	optional bool        // an optional field is given
}

func (c *Credentials) types() []credentialType {
	return []credentialType{
		{"AWS temporary credentials", [][2]string{{"accessKeyId", c.AccessKeyID}, {"secretAccessKey", c.SecretAccessKey}, {"sessionToken", c.SessionToken}}, false},
		{"AWS assume-role", [][2]string{{"roleArn", c.RoleARN}, {"externalId", c.ExternalID}}, false},
		{"Okta service app", [][2]string{{"clientId", c.ClientID}, {"kid", c.KID}, {"privateKey", c.PrivateKey}, {"oauthTokenUrl", c.OAuthTokenURL}, {"scope", c.Scope}}, c.Host != ""},
	}
}

// Check returns an error unless exactly one credential type is given, and complete.
// The error names fields, never values.
func (c *Credentials) Check() error {
	found := ""
	for _, t := range c.types() {
		given, missing := t.optional, ""
		for _, field := range t.required {
			if field[1] != "" {
				given = true
			} else if missing == "" {
				missing = field[0]
			}
		}
		switch {
		case !given:
			continue
		case found != "":
			return fmt.Errorf("values mix %s and %s; give one type per integration", found, t.name)
		case missing != "":
			return fmt.Errorf("values for %s lack %s", t.name, missing)
		}
		found = t.name
	}
	if found == "" {
		return errors.New("values hold none of the three credential types (AWS temporary credentials, AWS assume-role, Okta service app)")
	}
	return nil
}

// ParsePassThrough parses an operator's pass-through file: a JSON object from
// integration id to headers, query and values. Errors name integrations and
// fields, never values.
func ParsePassThrough(data []byte) (map[string]PassThrough, error) {
	var byID map[string]json.RawMessage
	if err := json.Unmarshal(data, &byID); err != nil {
		return nil, errors.New("the pass-through file is not a JSON object from integration id to {headers, query, values}")
	}
	out := make(map[string]PassThrough, len(byID))
	for id, raw := range byID {
		var p PassThrough
		if err := decodeStrict(raw, &p); err != nil {
			return nil, fmt.Errorf("pass-through for %q: only headers, query and values with their documented fields are known", id)
		}
		p.CustomerIntegrationID = id
		if p.Values != nil {
			if err := p.Values.Check(); err != nil {
				return nil, fmt.Errorf("pass-through for %q: %w", id, err)
			}
		}
		out[id] = p
	}
	return out, nil
}

// decodeStrict fills v from data and refuses unknown fields and trailing data.
func decodeStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}
