package redact

// Collector gathers secrets for a [Set]. It keeps as many as a Set may hold, and one
// more, which makes the Set overfull. The zero value is empty. It is not safe for
// concurrent use.
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

// Secrets returns the secrets in the order they were added. Later additions do not
// change the returned slice.
func (c *Collector) Secrets() []string { return c.list[:len(c.list):len(c.list)] }
