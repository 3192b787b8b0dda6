package client_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"runs-mcp-server/client"
)

// TestSecretsDoNotPrint: keys and pass-through data print as placeholders.
func TestSecretsDoNotPrint(t *testing.T) {
	p := client.PassThrough{CustomerIntegrationID: "a", Headers: raw("h", `["hidden-1", 12345678901234567891]`), Values: &client.Credentials{PrivateKey: "hidden-2"}}
	key := client.Key("hidden-3")
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s", p, p, p, p), fmt.Sprintf("%v %+v %#v %q", key, client.Caller{Key: key}, client.Caller{Key: key}, key)} {
		if strings.Contains(s, "hidden") {
			t.Errorf("printed %s", s)
		}
	}
	if data, _ := json.Marshal(client.Caller{Key: key}); strings.Contains(string(data), "hidden") {
		t.Errorf("marshalled %s", data)
	}
	secrets := p.Secrets()
	slices.Sort(secrets)
	if !slices.Equal(secrets, []string{"12345678901234567891", "hidden-1", "hidden-2"}) {
		t.Errorf("secrets %q", secrets)
	}
}

// TestPartsOfHeaders: the long parts of a header are secrets of their own.
func TestPartsOfHeaders(t *testing.T) {
	tests := []struct {
		header string
		parts  []string
	}{
		{"Bearer 0123456789abcdefghij", []string{"0123456789abcdefghij"}},
		{"theme=dark; sid=0123456789abcdefghij==, x", []string{"0123456789abcdefghij=="}},
		{"basic dXNlcjpodW50ZXIyaHVudGVyMg==", []string{"dXNlcjpodW50ZXIyaHVudGVyMg==", "user:hunter2hunter2", "hunter2hunter2"}},
		{`Digest username="u", response="0123456789abcdefghij"`, []string{"0123456789abcdefghij"}},
		{"application/json; charset=utf-8", nil},
		{"0123456789abcdefghij", nil},
		{"Bearer short", nil},
	}
	for _, tt := range tests {
		value, _ := json.Marshal(tt.header)
		got := client.PassThrough{Headers: raw("h", string(value)), Query: raw("q", `"two wordswordswordswords"`)}.Secrets()
		want := append([]string{tt.header, "two wordswordswordswords"}, tt.parts...)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", tt.header, got, want)
		}
	}
}

// TestCredentials: exactly one type is given, and complete.
func TestCredentials(t *testing.T) {
	for _, tt := range []struct {
		c    client.Credentials
		want string // "" for credentials that are right
	}{
		{client.Credentials{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c"}, ""},
		{client.Credentials{RoleARN: "a", ExternalID: "b"}, ""},
		{client.Credentials{ClientID: "a", KID: "b", PrivateKey: "c", OAuthTokenURL: "d", Scope: "e"}, ""},
		{client.Credentials{ClientID: "a", KID: "b", PrivateKey: "c", OAuthTokenURL: "d", Scope: "e", Host: "f"}, ""},
		{client.Credentials{}, "values hold none of the three credential types (AWS temporary credentials, AWS assume-role, Okta service app)"},
		{client.Credentials{SessionToken: "c"}, "values for AWS temporary credentials lack accessKeyId"},
		{client.Credentials{AccessKeyID: "a"}, "values for AWS temporary credentials lack secretAccessKey"},
		{client.Credentials{AccessKeyID: "a", SecretAccessKey: "b"}, "values for AWS temporary credentials lack sessionToken"},
		{client.Credentials{RoleARN: "a"}, "values for AWS assume-role lack externalId"},
		{client.Credentials{ExternalID: "a"}, "values for AWS assume-role lack roleArn"},
		{client.Credentials{Host: "f"}, "values for Okta service app lack clientId"},
		{client.Credentials{ClientID: "a", KID: "b", PrivateKey: "c", OAuthTokenURL: "d"}, "values for Okta service app lack scope"},
		{client.Credentials{ClientID: "a", KID: "b", OAuthTokenURL: "d", Scope: "e"}, "values for Okta service app lack privateKey"},
		{client.Credentials{ClientID: "a", PrivateKey: "b", OAuthTokenURL: "d", Scope: "e"}, "values for Okta service app lack kid"},
		{client.Credentials{ClientID: "a", KID: "b", PrivateKey: "c", Scope: "e"}, "values for Okta service app lack oauthTokenUrl"},
		{client.Credentials{RoleARN: "a", ExternalID: "b", Host: "f"}, "values mix AWS assume-role and Okta service app; give one type per integration"},
		{client.Credentials{AccessKeyID: "a", SecretAccessKey: "b", SessionToken: "c", RoleARN: "a"}, "values mix AWS temporary credentials and AWS assume-role; give one type per integration"},
	} {
		got := ""
		if err := tt.c.Check(); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

// TestParsePassThrough: errors about an operator's file hold no values.
func TestParsePassThrough(t *testing.T) {
	got, err := client.ParsePassThrough([]byte(`{"a":{"headers":{"h":"v"},"query":{"q":5}},"b":{"values":{"roleArn":"r","externalId":"e"}},"c":{}}`))
	if err != nil || len(got) != 3 || string(got["a"].Headers["h"]) != `"v"` || string(got["a"].Query["q"]) != "5" || got["b"].Values.RoleARN != "r" || got["a"].CustomerIntegrationID != "a" || got["c"].Values != nil {
		t.Errorf("got %v, %v", got, err)
	}
	const form = "the pass-through file is not a JSON object from integration id to {headers, query, values}"
	for text, want := range map[string]string{
		`hidden`:                                form,
		`[]`:                                    form,
		`{"a":{"header":{"h":"hidden"}}}`:       `pass-through for "a": only headers, query and values with their documented fields are known`,
		`{"a":{"values":{"role":"hidden"}}}`:    `pass-through for "a": only headers, query and values with their documented fields are known`,
		`{"a":"hidden"}`:                        `pass-through for "a": only headers, query and values with their documented fields are known`,
		`{"a":{"values":{"roleArn":"hidden"}}}`: `pass-through for "a": values for AWS assume-role lack externalId`,
	} {
		if _, err := client.ParsePassThrough([]byte(text)); fmt.Sprint(err) != want {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
}

// TestPlaceholders: the texts that stand for secrets in prints and logs.
func TestPlaceholders(t *testing.T) {
	p := client.PassThrough{CustomerIntegrationID: "a", Headers: raw("h", `"hidden"`)}
	for _, tt := range []struct{ got, want string }{
		{fmt.Sprint(client.Key("hidden")), "(key)"},
		{fmt.Sprint(client.Key("")), "(no key)"},
		{client.Key("hidden").LogValue().String(), "(key)"},
		{fmt.Sprint(p), "pass-through for a"},
		{p.LogValue().String(), "pass-through for a"},
	} {
		if tt.got != tt.want {
			t.Errorf("got %q, want %q", tt.got, tt.want)
		}
	}
	var log strings.Builder
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "key", client.Key("hidden"), "data", p)
	if strings.Contains(log.String(), "hidden") {
		t.Errorf("logged %s", log.String())
	}
	var data struct{ Key string }
	if text, err := json.Marshal(client.Caller{Key: "hidden"}); err != nil || json.Unmarshal(text, &data) != nil || data.Key != "(key)" {
		t.Errorf("marshalled %s, %v", text, err)
	}
}

// TestCallerOfAContext: a context carries its caller.
func TestCallerOfAContext(t *testing.T) {
	if got := client.CallerFrom(client.WithCaller(t.Context(), caller)); got != caller {
		t.Errorf("got %+v", got)
	}
	if got := client.CallerFrom(t.Context()); got != (client.Caller{}) {
		t.Errorf("without one: %+v", got)
	}
}
