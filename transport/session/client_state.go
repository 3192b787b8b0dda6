package session

import (
	"sync"

	"github.com/mark3labs/mcp-go/mcp"
)

// clientState is what is known of a client: from the handshake if it is stateful,
// from the request itself if it is stateless. Its methods are those that
// mcp-go calls on a session.
type clientState struct {
	mu           sync.Mutex // guards all below
	initialized  bool
	info         mcp.Implementation
	capabilities mcp.ClientCapabilities
	version      string
	level        mcp.LoggingLevel
}

// Initialize implements server.ClientSession.
func (s *clientState) Initialize() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.initialized = true
}

// Initialized implements server.ClientSession.
func (s *clientState) Initialized() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.initialized
}

// SetClientInfo implements server.SessionWithClientInfo.
func (s *clientState) SetClientInfo(info mcp.Implementation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.info = info
}

// GetClientInfo implements server.SessionWithClientInfo.
func (s *clientState) GetClientInfo() mcp.Implementation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.info
}

// SetClientCapabilities implements server.SessionWithClientInfo.
func (s *clientState) SetClientCapabilities(c mcp.ClientCapabilities) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.capabilities = c
}

// GetClientCapabilities implements server.SessionWithClientInfo.
func (s *clientState) GetClientCapabilities() mcp.ClientCapabilities {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.capabilities
}

// SetProtocolVersion is called by mcp-go with the revision that initialize
// negotiated.
func (s *clientState) SetProtocolVersion(version string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.version = version
}

// ProtocolVersion implements server.SessionWithProtocolVersion. It is "" before
// initialize has negotiated a revision.
func (s *clientState) ProtocolVersion() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.version
}

// SetLogLevel implements server.SessionWithLogging.
func (s *clientState) SetLogLevel(level mcp.LoggingLevel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.level = level
}

// GetLogLevel implements server.SessionWithLogging. A client that never set a
// level gets errors only, as with mcp-go's own sessions.
func (s *clientState) GetLogLevel() mcp.LoggingLevel {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.level == "" {
		return mcp.LoggingLevelError
	}
	return s.level
}
