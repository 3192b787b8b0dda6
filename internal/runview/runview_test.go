package runview

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// maxPage is what the page may take, in bytes: a host fetches it anew for each view.
const maxPage = 60_000

// TestPage holds the page to its size, and to one document that loads nothing and allows
// nothing but its own style and script.
func TestPage(t *testing.T) {
	page := Page()
	if len(page) >= maxPage {
		t.Errorf("the page takes %d bytes, want less than %d", len(page), maxPage)
	}
	for _, once := range []string{"<style>", "</style>", "<script>", "</script>", "Content-Security-Policy", digest(style)} {
		if n := strings.Count(page, once); n != 1 {
			t.Errorf("the page has %s %d times, want once", once, n)
		}
	}
	_, rest, _ := strings.Cut(page, "<script>")
	script, _, _ := strings.Cut(rest, "</script>")
	policy := regexp.MustCompile(`Content-Security-Policy" content="([^"]*)"`).FindStringSubmatch(page)[1]
	want := "default-src 'none'; script-src " + digest(script) + "; style-src " + digest(style) + "; font-src https: data:; base-uri 'none'; form-action 'none'"
	if policy != want {
		t.Errorf("the policy is %s, want %s", policy, want)
	}
	for _, left := range []string{"/*STYLE*/", "/*SCRIPT*/", "STYLE-DIGEST", "SCRIPT-DIGEST"} {
		if strings.Contains(page, left) {
			t.Errorf("the page still has %s", left)
		}
	}
	if outside := regexp.MustCompile(`(?i)https?://|\bsrc\s*=|\bhref\s*=|url\(|@import|\bon[a-z]+="`).FindString(page); outside != "" {
		t.Errorf("the page has %s: it may load nothing, and its script alone handles events", outside)
	}
}

// TestTextStaysText holds that the script makes no HTML, code or style of a text.
func TestTextStaysText(t *testing.T) {
	banned := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacent|document\.write|createContextualFragment|DOMParser|setHTML|srcdoc|\beval\b|Function\(|setTimeout\(['"` + "`" + `]|cssText|localStorage|fetch\(|XMLHttpRequest|WebSocket|window\.open|location`)
	files, err := filepath.Glob("*.js")
	if err != nil || len(files) < 5 {
		t.Fatalf("%d scripts, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if found := banned.FindString(string(text)); found != "" {
			t.Errorf("%s uses %s", file, found)
		}
		if !strings.Contains(Page(), string(text)) {
			t.Errorf("%s is not in the page", file)
		}
	}
}
