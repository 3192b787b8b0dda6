package doctor

import "fmt"

// fewDescriptors is the number of file descriptors below which an HTTP server has less
// than the usual number of connections: each takes one, and they get half of them.
const fewDescriptors = 16_384

// checkDescriptors checks how many files and connections the process may have.
func (d *doctor) checkDescriptors() {
	const name = "file descriptors"
	switch limit := descriptorLimit(); {
	case limit == 0:
		d.skip(areaMachine, name, "this system does not tell a limit")
	case limit < fewDescriptors:
		d.Add(areaMachine, name, Warning, fmt.Sprintf("at most %d: enough over stdio, but http then takes at most %d connections", limit, limit/2),
			fmt.Sprintf("For http raise the hard limit, as with ulimit -Hn %d or LimitNOFILE=%d.", fewDescriptors, fewDescriptors))
	default:
		d.ok(areaMachine, name, "at most %d", limit)
	}
}
