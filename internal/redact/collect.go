package redact

// Collector gathers secrets as they come, for a [Set] of them. It keeps what
// [New] would search for, and just enough more to make an overfull Set. The
// zero value is empty. It is not safe for concurrent use.
type Collector struct {
	known map[string]struct{}
	list  []string
	size  int // bytes of list
}

// Add keeps the secrets that are new, and reports whether there were any.
func (c *Collector) Add(secrets ...string) (grown bool) {
	for _, secret := range secrets {
		if _, known := c.known[secret]; known || len(secret) < minSecret {
			continue
		}
		if len(c.list) > maxSecrets || c.size > maxSecretBytes {
			return grown
		}
		if c.known == nil {
			c.known = map[string]struct{}{}
		}
		c.known[secret] = struct{}{}
		c.list, c.size = append(c.list, secret), c.size+len(secret)
		grown = true
	}
	return grown
}

// Secrets returns what was kept, in the order it came. What is added later
// does not change it.
func (c *Collector) Secrets() []string { return c.list[:len(c.list):len(c.list)] }
