package view

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"runs-mcp-server/client"
)

func TestLearnedSecretsAreBounded(t *testing.T) {
	v := New()
	v.Hide("operator-secret")
	v.LearnKey("the-key-of-a-caller")
	for i := range maxKept + 10 {
		v.Learn(fmt.Sprintf("learned-secret-%06d", i))
	}
	if n := len(v.secrets.known); n != maxKept+2 {
		t.Errorf("%d secrets are known, want %d", n, maxKept+2)
	}
	text := fmt.Sprintf("learned-secret-%06d learned-secret-%06d operator-secret the-key-of-a-caller", 0, maxKept)
	if got, want := v.Text(text, 1000), "learned-secret-000000 [removed] [removed] [removed]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range maxKept {
		v.LearnKey(client.Key(fmt.Sprintf("another-key-%06d", i)))
	}
	if got, want := v.Text("the-key-of-a-caller another-key-000000", 1000), "the-key-of-a-caller [removed]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	for i := range 300 {
		v.Learn(fmt.Sprintf("%06d", i) + strings.Repeat("x", maxLearned-6))
	}
	if got := v.secrets.sizes[tokens]; got > maxLearnedBytes {
		t.Errorf("%d bytes of tokens are known, want %d at most", got, maxLearnedBytes)
	}
}

func TestLengthOfLearnedSecrets(t *testing.T) {
	tests := []struct {
		length int
		known  bool
	}{{minSecret, false}, {minLearned - 1, false}, {minLearned, true}, {maxLearned, true}, {maxLearned + 1, false}}
	for _, tt := range tests {
		v := New()
		secret := strings.Repeat("w", tt.length)
		v.Learn(secret)
		v.LearnKey(client.Key(secret))
		if got := v.Text(secret, 10_000) == removed; got != tt.known {
			t.Errorf("a secret of %d bytes: learned %t, want %t", tt.length, got, tt.known)
		}
	}
	v := New()
	v.Hide("abcd", "xyz")
	if got := v.Text("abcd xyz", 100); got != "[removed] xyz" {
		t.Errorf("hidden ones are shown as %q", got)
	}
}

// TestForgettingLeavesOthersForms teaches a token that is a form of a hidden
// secret: when the token is forgotten, the form is not.
func TestForgettingLeavesOthersForms(t *testing.T) {
	v := New()
	v.Hide("operator-secret")
	form := hex.EncodeToString([]byte("operator-secret"))
	v.Learn(form)
	for i := range maxKept {
		v.Learn(fmt.Sprintf("learned-secret-%06d", i))
	}
	if got := v.Text(form, 1000); got != removed {
		t.Errorf("got %q", got)
	}
	// Nor is a token that a better source names later.
	v = New()
	v.secrets.add("first-found-then-given", found)
	v.Learn("first-found-then-given")
	for i := range maxKept {
		v.secrets.add(fmt.Sprintf("found-secret-%06d", i), found)
	}
	if got := v.Text("first-found-then-given", 1000); got != removed {
		t.Errorf("got %q", got)
	}
}

func TestOverlappingSecrets(t *testing.T) {
	v := New()
	v.Hide("abcdefgh-1234", "1234-stuvwxyz", "efgh")
	tests := []struct{ in, want string }{
		{"abcdefgh-1234", removed},
		{"(abcdefgh-1234-stuvwxyz)", "([removed])"},
		{"efgh+efghefgh", "[removed]+[removed][removed]"},
		{"abcdefg-1234-stuvwxy", "abcdefg-1234-stuvwxy"},
	}
	for _, tt := range tests {
		if got := v.Text(tt.in, 1000); got != tt.want {
			t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
}

// TestCrowdedKeys adds tokens that share all their parts, as a run could make
// them up: few are kept, and a hidden one like them is among those.
func TestCrowdedKeys(t *testing.T) {
	v := New()
	crowd := func(i int) string {
		return strings.Repeat("a", 40+i/40) + "b" + strings.Repeat("a", 40+i%40)
	}
	for i := range 1600 {
		v.secrets.add(crowd(i), found)
	}
	v.Hide(crowd(1600))
	for k, forms := range v.secrets.index.long {
		if len(forms) > maxShared+1 {
			t.Errorf("%d forms under %#x, want %d at most", len(forms), k, maxShared+1)
		}
	}
	if got := v.Text(crowd(1600), 1000); !strings.Contains(got, removed) {
		t.Errorf("the hidden one is shown as %q", got)
	}
}

// TestNoHalfSecrets puts a secret at every early cut that Text may make, behind
// what shrinks so much that the cut is shown.
func TestNoHalfSecrets(t *testing.T) {
	const secret, limit = "tok_S3cretS3cretS3cretS3cret-Z", maxText
	link := "https://x.test/v1/runs/approval?token=" + strings.Repeat("a", 300) + " "
	tests := []struct{ name, filler, secret string }{
		{"invisible characters", "\u200b", secret},
		{"links", link, secret},
		{"known secrets", secret + strings.Repeat("\u00ad", 200), secret},
		{"invisible characters inside", "\u200b", strings.Join(strings.Split(secret, ""), "\u200b")},
		{"encoded", "\u200b", strings.ReplaceAll(secret, "S", `\u0053`)},
	}
	for _, tt := range tests {
		v := New()
		v.Learn(secret)
		cut := limit + v.secrets.tail() + maxShrink
		for inside := 1; inside < len(tt.secret); inside++ {
			head := strings.Repeat(tt.filler, (cut-inside)/len(tt.filler))
			head += strings.Repeat("+", cut-inside-len(head))
			got := v.Text(head+tt.secret+" tail", limit)
			if strings.Contains(got, secret[:4]) || strings.Contains(got, "+t") {
				t.Fatalf("%s: with %d bytes before the cut the text ends in %q", tt.name, inside, got[max(0, len(got)-100):])
			}
			if !strings.HasSuffix(got, "bytes left out]") {
				t.Fatalf("%s: nothing says that something is left out: %q", tt.name, got)
			}
		}
	}
}

// TestBrokenSecrets: white space inside a secret does not hide it, whether it
// is the secret's own or another's.
func TestBrokenSecrets(t *testing.T) {
	v := New()
	v.Learn("tok_0123456789abcdef")
	v.Hide("correct horse battery staple", "short-secret")
	tests := []struct{ in, want string }{
		{"it is tok_0123456\n    789abcdef.", "it is [removed]."},
		{"it is tok_ 0123 4567 89ab cdef.", "it is [removed]."},
		{"dG9rXzAxMjM0NTY\r\n3ODlhYmNkZWY=", "[removed]Y="},
		{"correct horse\n\tbattery\u00a0staple", "[removed]"},
		{"correcthorsebatterystaple", "[removed]"},
		{"short-\nsecret", "short-\nsecret"},
		{"tok_0123456\n789abcde", "tok_0123456\n789abcde"},
	}
	for _, tt := range tests {
		if got := v.Text(tt.in, 1000); got != tt.want {
			t.Errorf("Text(%q) = %q, want %q", tt.in, got, tt.want)
		}
	}
	if got := v.Line("correct horse\nbattery  staple", 1000); got != removed {
		t.Errorf("on one line it is %q", got)
	}
}

// TestForPerson: who decides reads every word, whoever called it a token before;
// what looks like a secret goes all the same, and they are told.
func TestForPerson(t *testing.T) {
	v := New()
	v.Hide("operators-word")
	v.Learn("token-of-the-api")
	v.LearnKey("key-of-a-caller")
	for _, word := range []string{"production-db", "drop_database", "DE89370400440532013000", "attacker@evil.example", "Transfer-all-funds", "q7Rz0XkT9-wLm2Ve"} {
		v.secrets.add(word, found)
		v.LearnGiven(word)
	}
	for _, tt := range []struct {
		in, want string
		hid      bool
	}{
		{"operators-word token-of-the-api key-of-a-caller", "[removed] [removed] [removed]", false},
		{"drop_database on production-db, pay DE89370400440532013000", "drop_database on production-db, pay DE89370400440532013000", false},
		{"mail attacker@evil.example: Transfer-all-funds", "mail attacker@evil.example: Transfer-all-funds", false},
		{"with q7Rz0XkT9-wLm2Ve", "with [removed]", true},
		{"with cTdSejBYa1Q5LXdMbTJWZQ", "with [removed]Q", true},
	} {
		person := v.ForPerson()
		if got := person.Text(tt.in, 1000); got != tt.want || person.Hid() != tt.hid {
			t.Errorf("%q is shown as %q, hid %t", tt.in, got, person.Hid())
		}
		if got := v.Text(tt.in, 1000); strings.Contains(got, "token") || strings.Contains(got, "drop_database") || strings.Contains(got, "attacker") {
			t.Errorf("a model is shown %q", got)
		}
	}
}
