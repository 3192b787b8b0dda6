package redact

import (
	"net/url"
	"strings"
	"testing"
)

func TestForModel(t *testing.T) {
	const link = "https://x.test/v1/runs/approval?token=abc.def"
	const key = "-----BEGIN PRIVATE KEY-----\nMIIabc+/=\n-----END PRIVATE KEY-----"
	tests := []struct{ name, in, want string }{
		{"link", "go to " + link + " now", "go to [removed] now"},
		{"link with more", link + "&x=1#y, then", "[removed] then"},
		{"links", "<" + link + "> '" + link + "'", "<[removed]> '[removed]'"},
		{"link with a slash at the end", "https://x.test/runs/approval/?a=b&token=c", "[removed]"},
		{"relative link", `"/runs/approval?token=abc"`, `"[removed]"`},
		{"link in capitals", "HTTPS://X.TEST/RUNS/APPROVAL?TOKEN=A", "[removed]"},
		{"link in JSON", `{"url":"https:\/\/x.test\/v1\/runs\/approval?token=abc"}`, `{"url":"[removed]"}`},
		{"link in JSON in JSON", quoted(quoted(`{"url":"` + link + `&a=b","c":1}`)), `{\\\"url\\\":\\\"[removed]\\\",\\\"c\\\":1}`},
		{"link with escaped slashes", `https:\u002f\u002fx.test\u002fruns\u002fapproval\u003ftoken\u003dabc`, "[removed]"},
		{"encoded link", "r=" + url.QueryEscape(link) + " end", "[removed] end"},
		{"link encoded three times", url.QueryEscape(url.QueryEscape(url.QueryEscape(link))), "[removed]"},
		{"link broken by zero width", "https://x.test/runs/appr\u200boval?token=abc", "[removed]"},
		{"link cut in its token", link[:len(link)-4], "[removed]"},
		{"no link", "POST /v1/runs/approval, https://x.test/runs/approval?id=1 runs/approvals?token=1", "POST /v1/runs/approval, https://x.test/runs/approval?id=1 runs/approvals?token=1"},

		{"bearer", "Authorization: Bearer abc.def", "Authorization: [removed]"},
		{"any scheme", "authorization: ApiKey abc.def\nAccept: text/html", "authorization: [removed]\nAccept: text/html"},
		{"no scheme", "Proxy-Authorization=abc", "Proxy-Authorization=[removed]"},
		{"in quotes", "curl -H 'Authorization: Basic YWJj=' https://x.test", "curl -H 'Authorization: [removed]' https://x.test"},
		{"parameters", `Authorization: Digest username="a", response="b", nc=1` + "\nx", "Authorization: [removed]\nx"},
		{"in JSON", `{"authorization":"Bearer xyz","a":"b"}`, `{"authorization":"[removed]","a":"b"}`},
		{"in JSON, indented", "{\n \"Authorization\" : \"xyz==\",\n \"a\": 1}", "{\n \"Authorization\" : \"[removed]\",\n \"a\": 1}"},
		{"in JSON in JSON", `"{\"authorization\":\"Bearer xyz\"}"`, `"{\"authorization\":\"[removed]\"}"`},
		{"in a list", `{"Authorization":["Bearer xyz"]}`, `{"Authorization":["[removed]"]}`},
		{"as Go prints it", "map[Authorization:[Bearer xyz]]", "map[Authorization:[removed]"},
		{"no authorization", "a basic authorization failed; authorization, then", "a basic authorization failed; authorization, then"},

		{"cookie", "Cookie: a=b; sid=abc.def+/=; c\nnext", "Cookie: [removed]\nnext"},
		{"set-cookie", "Set-Cookie: sid=x; Path=/; HttpOnly\n", "Set-Cookie: [removed]\n"},
		{"cookie in quotes", `curl -H 'cookie: sid="x"'`, `curl -H 'cookie: [removed]'`},
		{"cookie in JSON", `{"cookie":"sid=y","a":"b"} {\"set-cookie\":\"sid=y; Secure\"}`, `{"cookie":"[removed]","a":"b"} {\"set-cookie\":\"[removed]\"}`},
		{"no cookie", "the cookie: a chocolate one; cookies = 3", "the cookie: a chocolate one; cookies = 3"},

		{"private key", "key:\n" + key + "\nend", "key:\n[removed]\nend"},
		{"private keys in JSON", quoted(`{"a":"` + key + `","b":"` + strings.ReplaceAll(key, "PRIVATE", "RSA PRIVATE") + `"}`), `{\"a\":\"[removed]\",\"b\":\"[removed]\"}`},
		{"private key with headers", "-----BEGIN EC PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,AB\n\nMII\n-----END EC PRIVATE KEY-----.", "[removed]."},
		{"private PGP key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\nlQ+/=\n-----END PGP PRIVATE KEY BLOCK-----.", "[removed]."},
		{"private key without an end", "-----BEGIN OPENSSH PRIVATE KEY-----\nMIIabc", "[removed]"},
		{"public key", "-----BEGIN PUBLIC KEY-----\nMIIabc\n-----END PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\nMIIabc\n-----END PUBLIC KEY-----"},
	}
	s := New("S3cretS3cret")
	for _, tt := range tests {
		got, n := s.ForModel(tt.in)
		if got != tt.want || n != strings.Count(tt.want, Removed) {
			t.Errorf("%s: got %q, %d; want %q", tt.name, got, n, tt.want)
		}
		if again, _ := s.ForModel(got); again != got {
			t.Errorf("%s: %q becomes %q", tt.name, got, again)
		}
		if got, n := s.Text(tt.in); got != Visible(tt.in) || n != 0 {
			t.Errorf("%s: a person reads %q, %d hidden", tt.name, got, n)
		}
	}
}

// TestSecretsAndPatterns: taking out secrets does not keep the patterns from
// matching, nor the other way round.
func TestSecretsAndPatterns(t *testing.T) {
	tests := []struct {
		secret, in, want string
		hidden           int
	}{
		{"runs/approval", "https://x.test/runs/approval?token=abc", "[removed]", 1},
		{"Authorization", "Authorization: Bearer abc", "[removed]: [removed]", 2},
		{"abcdefgh", "https://x.test/runs/approval?token=abcdefgh abcdefgh", "[removed] [removed]", 2},
		{"two words", "Authorization: Bearer two wordstail", "Authorization: [removed]", 1},
		{"Bearer abc", "Authorization: Bearer abcdef x", "Authorization: [removed] x", 1},
		{"abc; def=", "Cookie: a=abc; def=ghi", "Cookie: [removed]", 1},
	}
	for _, tt := range tests {
		s := New(tt.secret)
		got, n := s.ForModel(tt.in)
		if got != tt.want || n != tt.hidden {
			t.Errorf("with %q: got %q, %d; want %q, %d", tt.secret, got, n, tt.want, tt.hidden)
		}
		if again, _ := s.ForModel(got); again != got {
			t.Errorf("with %q: %q becomes %q", tt.secret, got, again)
		}
	}
}

// TestPatternsNotFound holds the limits of the patterns.
func TestPatternsNotFound(t *testing.T) {
	for _, in := range []string{
		"token=abcdefgh", "Bearer abcdefghijklmnop1234", "x-api-key: abcdefgh", "sig=abcdefgh",
		"https://x.test/v1/./runs/./approval?token=abc", "https://x.test/runs/%61pproval?token=abc",
		`{"name":"Authorization","value":"abc"}`, "Authorization%3A%20Bearer%20abc", "the authorization is abc",
	} {
		if got, n := New().ForModel(in); got != in || n != 0 {
			t.Errorf("the documentation is out of date: %q is shown as %q", in, got)
		}
	}
}
