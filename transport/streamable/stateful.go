package streamable

import (
	"net/http"
	"time"

	"github.com/mark3labs/mcp-go/mcp"

	"runs-mcp-server/transport/jsonrpc"
	"runs-mcp-server/transport/session"
)

// streamAfter is after what time a POST of 2025-11-25 that is not answered gets
// an event stream. From then on the client knows an id, and the answer survives
// the connection.
const streamAfter = 200 * time.Millisecond

// serveStateful serves a POST of a client of a revision before 2026-07-28, except
// initialize (serveInitialize).
//
//  1. endpoint.go has read the body and its revision: serveMessage for one message,
//     serveBatch for an array. Each passes a function, dispatch, that hands the
//     message or the array to a session.Dispatcher.
//  2. The session is looked up by Mcp-Session-Id, and gets a new stream (stream.go).
//  3. dispatch answers quick messages and starts calls in goroutines of their own.
//     They write to the stream: notifications, requests to the client, the answer.
//  4. Meanwhile the response writes the stream (stream_response.go): one JSON text
//     if the answer comes soon and alone, else server-sent events.
//  5. If the connection breaks, the calls go on and the stream stays in the session
//     (endResponse). A client that has got an event id asks for the rest by GET with
//     Last-Event-ID (serveGet). Without an id it can't, and reads the run instead.
//     A call without a limit (isEndless) ends when its client does not come back.
func (e *endpoint) serveStateful(x *exchange, isEndless bool, dispatch func(*session.Dispatcher, session.Sink)) {
	s := e.requestedSession(x)
	if s == nil {
		return
	}
	defer s.release()
	st := s.newPostStream(x, e.quota.NewHold(x.account, session.Bytes))
	if isEndless {
		x.ctx = st.abandonAfter(x.ctx, e.ElicitationTimeout) // as long as its question may be open
	}
	if !x.accepts.events {
		// One JSON text holds the answer alone: requests to the client need another stream.
		st.requestStream = s.getStream
	}
	response := e.newStreamResponse(x, st)
	response.attach(0)
	defer response.detach()
	defer func() {
		s.welcome(e.accountOf(x.ctx, x.caller)) // the call may have made the API know the caller
		s.endResponse(st, response.idsSent)
	}()
	dispatch(e.newDispatcher(x, e.Server(x.r), s.connection), st)
	if s.hasPrimingEvents() {
		// primes: an event stream begins with an id and no message, to resume with.
		response.primes = true
		// firstAfter: the event stream starts then, also with nothing to send.
		response.firstAfter = min(response.firstAfter, streamAfter)
	}
	_ = response.writeStream(x.r.Context()) // after an error the client may come back
}

// serveInitialize makes a session; serveMessage calls it for initialize. It reserves
// a place in the quota, lets mcp-go answer, and adds the session to the table unless
// the answer is an error. The header Mcp-Session-Id tells the client its id.
//
// If the request names a session of the caller, the client starts again: that
// session ends as by DELETE.
func (e *endpoint) serveInitialize(x *exchange, m *jsonrpc.Message) {
	if previous := e.sessions.acquireSession(x.r.Header.Get(mcp.HeaderSessionID), x.caller); previous != nil {
		e.endSession(previous)
		previous.release()
	}
	held, short := e.reserveSession(x)
	if short != nil {
		e.refuseLimit(x.w, "too many sessions, and none is idle: "+short.String()+". DELETE ends a session")
		return
	}
	s := newHTTPSession(x, e.connectionConfig(x), held, e.quota.NewHold(x.account, session.Bytes))
	st := s.newPostStream(x, e.quota.NewHold(x.account, session.Bytes))
	response := e.newStreamResponse(x, st)
	response.attach(0)
	defer response.detach()
	defer func() { s.endResponse(st, response.idsSent) }()
	e.newDispatcher(x, e.Server(x.r), s.connection).DispatchMessage(x.ctx, m, st)
	// initialize is a quick request: the answer is on the stream when dispatch returns.
	switch isRefused := st.snapshotAfter(0).answer.Code != 0; {
	case isRefused:
		s.end(session.ErrClientGone)
	case !e.sessions.addSession(s):
		s.end(session.ErrShutdown)
		e.refuseStopping(x.w)
		return
	default:
		defer s.release()
		x.w.Header().Set(mcp.HeaderSessionID, s.id)
	}
	_ = response.writeStream(x.r.Context())
}

const (
	// sessionCost is what a session takes, in bytes, without what it keeps
	// (measured: see docs/limits.md).
	sessionCost = 16 << 10
	// maxSpares is how many sessions end at most to make room for one.
	maxSpares = 8
)

// reserveSession reserves the place and the bytes of a session, with what the
// client says of itself, which the session keeps. If there is no room, the caller's
// session that has been idle for longest makes some; beyond the limits of all
// callers, another's may.
func (e *endpoint) reserveSession(x *exchange) (held []*session.Hold, short *session.Shortage) {
	if x.account.Stranger {
		e.endTaken(e.sessions.takeOldest(maxSessionsPerStranger-1, func(s *httpSession) bool {
			return s.caller == x.caller && s.isStranger()
		}))
	}
	place, size := e.quota.NewHold(x.account, session.Sessions), e.quota.NewHold(x.account, session.Bytes)
	for range maxSpares {
		if short = place.Grow(1); short == nil {
			if short = size.Grow(sessionCost + bodyCost*x.bodySize); short == nil {
				return []*session.Hold{place, size}, nil
			}
			place.Release()
		}
		if !e.endTaken(e.takeSpare(x, short.InAll)) {
			break
		}
	}
	return nil, short
}

// takeSpare takes the session that makes room for one of a caller; nil: none does.
func (e *endpoint) takeSpare(x *exchange, ofAnyCaller bool) *httpSession {
	if x.account.Stranger {
		if s := e.sessions.takeIdlest((*httpSession).isStranger); s != nil {
			return s
		}
		return e.sessions.takeOldest(0, (*httpSession).isStranger)
	}
	return e.sessions.takeIdlest(func(s *httpSession) bool {
		return !s.isStranger() && (ofAnyCaller || s.caller == x.caller)
	})
}

// endTaken ends a session that was taken from the table, and reports whether there
// is one.
func (e *endpoint) endTaken(s *httpSession) bool {
	if s == nil {
		return false
	}
	e.Logger.Info("a session made room for a newer one")
	s.end(session.ErrClientGone)
	return true
}

// serveSession serves GET and DELETE, which only sessions have.
func (e *endpoint) serveSession(x *exchange) {
	version := x.r.Header.Get(mcp.HeaderProtocolVersion)
	if jsonrpc.UnknownVersion(version) {
		e.refuseMessage(x.w, jsonrpc.UnsupportedVersion(nil, version))
		return
	}
	// A client that names an older revision and no session has forgotten the session.
	if mcp.IsModernProtocol(version) || version == "" && x.r.Header.Get(mcp.HeaderSessionID) == "" {
		x.w.Header().Set("Allow", "POST, OPTIONS")
		e.refuse(x.w, http.StatusMethodNotAllowed, x.r.Method+" is for sessions of revisions before "+mcp.ProtocolVersion20260728+" only: send their Mcp-Session-Id. Else use POST.")
		return
	}
	if x.r.Method == http.MethodGet {
		e.serveGet(x)
	} else {
		e.serveDelete(x)
	}
}

// serveGet serves the stream of what belongs to no call, or the rest of a stream
// that the client has seen an event of. It takes the stream over from an older
// response, whose connection may be dead.
func (e *endpoint) serveGet(x *exchange) {
	if !x.accepts.events {
		e.refuse(x.w, http.StatusNotAcceptable, "GET answers with an event stream: send Accept: text/event-stream")
		return
	}
	if x.r.ContentLength != 0 { // net/http sees a client leave only when its body is read
		e.refuse(x.w, http.StatusBadRequest, "GET has no body")
		return
	}
	s := e.requestedSession(x)
	if s == nil {
		return
	}
	defer s.release()
	// asWritten: go on after the last event that was written.
	st, position := s.getStream, asWritten
	if last := x.r.Header.Get(mcp.HeaderLastEventID); last != "" {
		if st, position = s.findEvent(last); st == nil {
			e.refuse(x.w, http.StatusBadRequest, "there is no event of this Last-Event-ID (any more) in this session: send the request again")
			return
		}
	}
	response := e.newStreamResponse(x, st)
	response.attach(position)
	defer response.detach()
	place, short := e.quota.Reserve(x.account, session.Streams)
	if short != nil {
		e.refuseLimit(x.w, "too many open streams: "+short.String())
		return
	}
	// This runs before detach: a response that takes over waits for detach, and then
	// needs this place in the quota.
	defer place.Release()
	ctx, cancel := e.streamContext(x, place)
	defer cancel()
	if st == s.getStream {
		s.connection.ResumeSubscriptions()
	}
	// A client that sent Last-Event-ID has an id: primes is for the others.
	response.primes = position == asWritten && s.hasPrimingEvents()
	if response.startEvents() == nil {
		_ = response.writeStream(ctx)
	}
}

// serveDelete ends a session.
func (e *endpoint) serveDelete(x *exchange) {
	s := e.requestedSession(x)
	if s == nil {
		return
	}
	defer s.release()
	e.endSession(s)
	x.w.WriteHeader(http.StatusNoContent)
}

// requestedSession returns the session that a request belongs to, until it is
// released; nil: the request is answered. To a caller, another caller's session
// looks like an unknown one.
func (e *endpoint) requestedSession(x *exchange) *httpSession {
	ids := x.r.Header.Values(mcp.HeaderSessionID)
	switch {
	case len(ids) > 1:
		e.refuse(x.w, http.StatusBadRequest, "the header Mcp-Session-Id is sent more than once: send the one that initialize was answered with")
		return nil
	case len(ids) == 0 || ids[0] == "":
		e.refuse(x.w, http.StatusBadRequest, "the header Mcp-Session-Id is missing: send the one that initialize was answered with, or initialize")
		return nil
	}
	s := e.sessions.acquireSession(ids[0], x.caller)
	if s == nil {
		e.refuse(x.w, http.StatusNotFound, "there is no such session (any more): initialize a new one")
		return nil
	}
	s.welcome(x.account)
	return s
}

// endSession ends a session that its client does not need any more.
func (e *endpoint) endSession(s *httpSession) {
	e.sessions.removeSession(s)
	s.end(session.ErrClientGone)
}
