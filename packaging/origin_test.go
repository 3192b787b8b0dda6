package main

import "testing"

// TestNames holds which names the place of the project gives to the packages.
func TestNames(t *testing.T) {
	for _, tt := range []struct {
		origin                            origin
		repository, image, server, source string
	}{
		{origin{"github.com", "Example", "images.example.net"}, "https://github.com/Example/runs-mcp-server", "images.example.net/example/runs-mcp-server", "io.github.Example/runs-mcp-server", "github"},
		{origin{"git.example.com", "team", "images.example.com"}, "https://git.example.com/team/runs-mcp-server", "images.example.com/team/runs-mcp-server", "com.example.git/" + name, "git"},
	} {
		o := tt.origin
		got := []string{o.Repository(), o.Image(), o.ServerName(), o.Source()}
		for i, want := range []string{tt.repository, tt.image, tt.server, tt.source} {
			if got[i] != want {
				t.Errorf("%+v: got %s, want %s", o, got[i], want)
			}
		}
	}
}
