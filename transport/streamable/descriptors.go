package streamable

import (
	"errors"
	"net"
	"syscall"
	"time"
)

// acceptPause is the time between two tries to accept a connection while there is
// no descriptor, and no connection to close for one.
const acceptPause = 10 * time.Millisecond

// listener is a listener that goes on when descriptors run out: connections are
// closed until one can be accepted. net/http would pause for up to 1 s instead.
type listener struct {
	net.Listener
	connections *connections
}

// Accept returns the next connection.
func (l listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.Listener.Accept()
		if !errors.Is(err, syscall.EMFILE) && !errors.Is(err, syscall.ENFILE) {
			return conn, err
		}
		if !l.connections.freeDescriptor(err) {
			time.Sleep(acceptPause)
		}
	}
}
