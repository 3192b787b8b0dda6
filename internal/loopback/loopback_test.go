package loopback

import "testing"

func TestHost(t *testing.T) {
	for name, want := range map[string]bool{
		"localhost": true, "127.0.0.1": true, "127.255.0.9": true, "::1": true, "::ffff:127.0.0.1": true,
		"": false, "localhost.": false, "LOCALHOST": false, "a.localhost": false, "127.1": false, "0.0.0.0": false, "::": false,
		"::1%lo": false, "[::1]": false, "127.0.0.1:80": false, "10.0.0.1": false, "example.com": false,
	} {
		if got := Host(name); got != want {
			t.Errorf("Host(%q) = %t, want %t", name, got, want)
		}
	}
}
