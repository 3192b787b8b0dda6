// Package loopback tells whether a host is this machine, for the places where
// plain http or an unknown Host header is accepted.
package loopback

import "net/netip"

// Host reports whether a host means this machine alone: "localhost" or an IP
// address of the loopback range, in lower case, without a port and without the
// brackets of IPv6. Short or odd forms of addresses ("127.1", a zone) are not
// accepted.
func Host(name string) bool {
	if name == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return err == nil && addr.Zone() == "" && addr.Unmap().IsLoopback()
}
