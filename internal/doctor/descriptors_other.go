//go:build !unix

package doctor

// descriptorLimit returns how many file descriptors the process may have; 0: not known.
func descriptorLimit() int { return 0 }
