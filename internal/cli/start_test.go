package cli_test

import (
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf16"

	"runs-mcp-server/internal/cli"
	"runs-mcp-server/internal/lab/program"
	"runs-mcp-server/internal/lab/testbed"
	"runs-mcp-server/internal/sandbox"
	"runs-mcp-server/tools"
)

// TestWrongSettings holds that a wrong setting ends the program with code 2, with a
// message on standard error that names it and no secret, and with no standard output.
// TestRightSettings tries what the messages advise.
func TestWrongSettings(t *testing.T) {
	words := func(line string) []string { return strings.Fields(line) }
	key := func(value string) []string { return []string{"TR_API_KEY=" + value} }
	for _, tt := range []struct {
		args []string
		env  []string
		want string
	}{
		// The command line.
		{words("htpp"), nil, `unexpected argument htpp, did you mean one of "http", "help"?`},
		{words("stdoi"), nil, `did you mean "stdio"?`},
		{words("aprove x"), nil, `did you mean "approve"?`},
		{words("fly"), nil, "unexpected argument fly\nTry runs-mcp-server --help."},
		{words("fly --help"), nil, "unexpected argument fly"},
		{words("help fly"), nil, "unexpected argument fly"},
		{words("--version fly"), nil, "unexpected argument fly"},
		{words("stdio http"), nil, "unexpected argument http\nTry runs-mcp-server stdio --help."},
		{words("--sandbx"), nil, `unknown flag --sandbx, did you mean "--sandbox"?`},
		{words("tools --listen :80"), nil, "unknown flag --listen\nTry runs-mcp-server tools --help."},
		{words("--user-id"), nil, "--user-id needs a value"},
		{words("--user-id --sandbox"), nil, "--user-id needs a value"},
		{words("http --listen"), nil, "--listen needs a value"},
		{words("http --drain"), nil, "--drain needs a value"},
		{words("--tools"), nil, "--tools needs a value"},
		{words("--integrations --sandbox"), nil, "--integrations needs a value"},
		{words("--max-result-bytes"), nil, "--max-result-bytes needs a value"},
		{words("approve"), nil, "<run-id> is missing"},
		{words("approve 123e4567-e89b-12d3-a456-426614174000"), key("k-0123456789"), "type it in a terminal"},
		{words("--approvals everybody"), nil, `--approvals must be one of "human","agent","off"`},
		{words("--tools get_runs"), nil, "--tools must be one of"},
		{words("--sandbox=maybe"), nil, "--sandbox: bool value must be"},
		{words("--max-result-bytes x"), nil, "--max-result-bytes"},
		{words("--sandbox --max-result-bytes 5"), nil, "--max-result-bytes must be at least 8000"},
		{words("--sandbox --tools approve --read-only"), nil, "leave no tool"},
		{words("--sandbox --api-url https://api.test"), nil, "--sandbox works on no other API"},
		{words("--sandbox --decide-hint " + strings.Repeat("x", 201)), nil, "--decide-hint is one line"},
		// Keys.
		{nil, nil, "there is no API key: set TR_API_KEY (or --api-key-file), or try it without an account: --sandbox"},
		{nil, key(" \ufeff "), "there is no API key"},
		{nil, key("your-key"), "TR_API_KEY: the API key is a placeholder"},
		{nil, key("YOUR_API_KEY"), "is a placeholder"},
		{nil, key("<key>"), "is a placeholder"},
		{nil, key("<paste the key here>"), "is a placeholder"},
		{nil, key("xxx"), "is a placeholder"},
		{nil, key("sk-xxxxxxxx"), "is a placeholder"},
		{nil, key("changeme"), "is a placeholder"},
		{nil, key("TR_API_KEY"), "is a placeholder"},
		{nil, key("..."), "is a placeholder"},
		{nil, key("undefined"), "is a placeholder"},
		{nil, key("'k-0123456789'"), "TR_API_KEY: the API key is in quotes"},
		{nil, key(`"k-0123456789"`), "is in quotes"},
		{nil, key("“k-0123456789”"), "is in quotes"},
		{nil, key("TR_API_KEY=k-0123456789"), "without NAME="},
		{nil, key("export TR_API_KEY=k-0123456789"), "without NAME="},
		{nil, key("api_key = k-0123456789"), "without NAME="},
		{nil, key("x-api-key: k-0123456789"), "name of a header"},
		{nil, key("Bearer k-0123456789"), "name of a header or a scheme"},
		{nil, key("${TR_API_KEY}"), "is the name of a variable"},
		{nil, key("${input:tr-api-key}"), "is the name of a variable"},
		{nil, key("{env:TR_API_KEY}"), "is the name of a variable"},
		{nil, key("$TR_API_KEY"), "is the name of a variable"},
		{nil, key("%TR_API_KEY%"), "is the name of a variable"},
		{nil, key("k-0123456789 k-0123456789"), "holds whitespace"},
		{words("--api-key-file missing"), nil, "--api-key-file: the file it names cannot be read"},
		{words("--api-key-file quoted"), nil, "--api-key-file: the API key is in quotes"},
		{words("--api-key-file dotenv"), nil, "--api-key-file: the API key holds a name and a value"},
		{words("http --sandbox --api-key-file quoted"), nil, "--api-key-file is for stdio"},
		// Other settings.
		{words("--user-id ${USER}"), nil, "--user-id: the value holds a variable"},
		{words("--user-id $USER"), nil, "--user-id: the value holds a variable"},
		{words("--user-id %USERNAME%"), nil, "--user-id: the value holds a variable"},
		{words("--user-id ${input:user}"), nil, "--user-id: the value holds a variable"},
		{words("--user-id 'me@example.com'"), nil, "--user-id: the value is in quotes"},
		{nil, []string{"TR_USER_ID=${USER}"}, "TR_USER_ID holds a variable"},
		{nil, []string{"TR_API_URL='https://api.test'"}, "TR_API_URL is in quotes"},
		{words("--api-key-file $HOME/key"), nil, "--api-key-file: the value holds a variable"},
		{words("http --sandbox --allowed-hosts mcp.test,${HOST}"), nil, "--allowed-hosts: the value holds a variable"},
		{words("--sandbox --integrations '*'"), nil, "--integrations: the value is in quotes"},
		{words("--sandbox --integrations *,slack"), nil, "--integrations: * means all active integrations"},
		{words("--pass-through missing.json"), key("k-0123456789"), "--pass-through: the file it names cannot be read"},
		{words("--pass-through dotenv"), key("k-0123456789"), "--pass-through"},
		{words("--pass-through large"), key("k-0123456789"), "--pass-through holds more than can be kept secret"},
		// Addresses.
		{words("--api-url http://example.com"), key("k-0123456789"), "--api-url (TR_API_URL): the API address must be https"},
		{nil, []string{"TR_API_KEY=k-0123456789", "TR_API_URL=not-a-url"}, "--api-url (TR_API_URL): the API address is not a URL"},
		{words("--api-url https://[::1"), key("k-0123456789"), "--api-url (TR_API_URL): the API address is not a URL"},
		{words("--api-url https://api.test/v1"), key("k-0123456789"), "leave out /v1 and what follows, as in https://api.test\n"},
		{words("--api-url https://api.test/v1/"), nil, "leave out /v1"},
		{words("--api-url https://api.test/proxy/v1/runs"), nil, "as in https://api.test/proxy\n"},
		{words("--api-url https://api.test/v1/runs/123e4567-e89b-12d3-a456-426614174000/sse"), nil, "leave out /v1"},
		{words("http --sandbox --listen 8080"), nil, "--listen takes HOST:PORT"},
		{words("http --sandbox --listen 127.0.0.1:99999"), nil, "--listen takes HOST:PORT"},
		{words("sandbox --listen 0.0.0.0:0"), nil, "is not loopback"},
		{words("http --sandbox --allowed-hosts https://mcp.test"), nil, "--allowed-hosts takes hosts as they stand in a Host header, without a scheme"},
		{words("http --sandbox --allowed-hosts mcp.test/mcp"), nil, "--allowed-hosts takes names"},
		{words("http --sandbox --allowed-hosts *.test"), nil, "--allowed-hosts takes names"},
		{words("http --sandbox --allowed-origins app.test"), nil, "--allowed-origins takes a scheme and a host"},
		{words("http --sandbox --allowed-origins https://app.test/"), nil, "--allowed-origins takes a scheme and a host"},
		{words("http --sandbox --path-prefix /a?b"), nil, "--path-prefix is a path"},
		{words("http --sandbox --path-prefix /a/../b"), nil, "--path-prefix is a path"},
		{words("http --sandbox --drain=-5s"), nil, "--drain is a time"},
		{words("http --sandbox --drain 5"), nil, "--drain: expected duration"},
		{words("http --memory"), nil, "--memory needs a value"},
		{words("http --sandbox --memory 512MB"), nil, "--memory: a size is like 512MiB or 1GiB, and at least 128MiB"},
		{words("http --sandbox --memory 127MiB"), nil, "--memory: a size is like 512MiB or 1GiB, and at least 128MiB"},
		{words("http --sandbox --memory=-1GiB"), nil, "--memory: a size is like"},
		{words("--sandbox --memory 1GiB"), nil, "unknown flag --memory"},
	} {
		t.Run(strings.Join(append(tt.env, tt.args...), " "), func(t *testing.T) {
			t.Parallel()
			files := map[string]string{"quoted": "'k-0123456789'\n", "dotenv": "TR_API_KEY=k-0123456789\n",
				"large": `{"slack":{"headers":{"x":"` + strings.Repeat("0123456789", 30_000) + `"}}}`}
			got := runProgram(t, files, tt.env, tt.args...)
			if got.code != 2 || got.stdout != "" || !strings.HasPrefix(got.stderr, cli.Name+": ") || !strings.Contains(got.stderr, tt.want) {
				t.Errorf("exit code %d, standard output %q, standard error:\n%s, want %s", got.code, got.stdout, got.stderr, tt.want)
			}
			if strings.Contains(got.stderr, "0123456789") || strings.Contains(got.stderr, "EOL") || strings.Contains(got.stderr, "msg=") {
				t.Errorf("it printed a secret, or logged first:\n%s", got.stderr)
			}
		})
	}
}

// TestRightSettings holds that the program starts with settings that look like the
// wrong ones of TestWrongSettings, or are what their messages advise.
func TestRightSettings(t *testing.T) {
	files := map[string]string{
		"plain": "k-0123456789\n", "marked": "\ufeffk-0123456789\r\n", "powershell": utf16File("k-0123456789\r\n"),
		"pass.json": `{"aws": {"headers": {"X-A": "b"}}}`,
	}
	for _, tt := range []struct {
		args []string
		env  []string
	}{
		{[]string{"--sandbox"}, nil},
		{[]string{}, []string{"TR_API_KEY=k-0123456789"}},
		{[]string{}, []string{"TR_API_KEY= \ufeffk-0123456789\r\n"}},
		{[]string{}, []string{"TR_API_KEY=sk$live$0123=="}},
		{[]string{}, []string{"TR_API_KEY=keyring-token-0123", "TR_USER_ID= "}},
		{[]string{"--api-key-file", "plain"}, nil},
		{[]string{"--api-key-file", "marked"}, nil},
		{[]string{"--api-key-file", "powershell"}, nil},
		{[]string{"--api-url", " https://api.test/proxy/v1/base "}, []string{"TR_API_KEY=k-0123456789"}},
		{[]string{"--sandbox", "--tools", "get_run, list_runs", "--integrations", " slack_1 , jira_2,"}, nil},
		{[]string{"--sandbox", "--integrations", " * "}, nil},
		{[]string{"--sandbox", "--max-result-bytes", strconv.Itoa(tools.MinMaxResultBytes)}, nil},
		{[]string{"--sandbox", "--decide-hint", "in the console of the ops team: https://ops.test/RUN_ID"}, nil},
		{[]string{"--pass-through", "pass.json", "--integrations", "slack, aws"}, []string{"TR_API_KEY=k-0123456789"}},
	} {
		if got := runProgram(t, files, tt.env, tt.args...); got.code != 0 || strings.Contains(got.stderr, cli.Name+": ") {
			t.Errorf("%q %q: exit code %d: %s", tt.env, tt.args, got.code, got.stderr)
		}
	}
	t.Run("http", func(t *testing.T) {
		url := program.ServeHTTP(t, io.Discard, nil, "--sandbox", "--allowed-hosts", "mcp.test, mcp.test:8443 , [2001:db8::1]:80,", "--allowed-origins", " https://app.test , https://app.test:8443")
		program.NewTenant(t, url, sandbox.DefaultKey)
	})
}

// TestKeyFileOfOthers holds that the log warns of a key file that others can read, and of
// no other one.
func TestKeyFileOfOthers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte("k-0123456789"), 0o600); err != nil {
		t.Fatal(err)
	}
	for mode, warns := range map[os.FileMode]bool{0o600: false, 0o640: true, 0o604: true} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		var log testbed.Buffer
		code := cli.Run(t.Context(), []string{"--api-key-file", path}, func(string) string { return "" }, strings.NewReader(""), io.Discard, &log)
		if code != 0 || strings.Contains(log.String(), "readable by others") != warns || strings.Contains(log.String(), "0123456789") {
			t.Errorf("mode %o: exit code %d: %s", mode, code, log.String())
		}
	}
}

// TestAddressInUse holds that an address in use ends the program with code 1, not 2, and
// with a message that names the flag.
func TestAddressInUse(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for _, command := range []string{"http", "sandbox"} {
		got := runProgram(t, nil, nil, command, "--listen", l.Addr().String())
		if got.code != 1 || !strings.Contains(got.stderr, "--listen: ") || !strings.Contains(got.stderr, "in use") || got.stdout != "" {
			t.Errorf("%s: exit code %d: %s%s", command, got.code, got.stdout, got.stderr)
		}
	}
}

// utf16File returns a text as Windows PowerShell writes it: UTF-16 with a byte order mark.
func utf16File(text string) string {
	data := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(text)) {
		data = append(data, byte(unit), byte(unit>>8))
	}
	return string(data)
}
