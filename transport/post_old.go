package transport

import (
	"net/http"

	"github.com/mark3labs/mcp-go/mcp"
)

// postOld serves a message (or, if m is nil, the array in body) of a revision
// before 2026-07-28. Its calls go on when the connection breaks: what they say
// waits in the session for a GET with Last-Event-ID.
func (h *endpoint) postOld(w http.ResponseWriter, r *http.Request, from caller, wants accepted, m *message, body []byte) {
	s := h.session(w, r, from)
	if s == nil {
		return
	}
	defer s.unhold()
	st := s.newStream()
	if !wants.events {
		st.asks = s.get
	}
	p := h.reply(w, st, wants)
	me, have := st.attach(0, p.hurry)
	defer st.detach(me)
	d := h.dispatcher(h.Server(r), s.peer, from.id)
	if m == nil {
		d.data(from.ctx, body, st)
	} else {
		d.message(from.ctx, m, st)
	}
	if h.primes(s) {
		p.prime, p.first = true, min(p.first, streamAfter)
	}
	_ = p.run(r.Context(), me, have) // the client may come back
	s.served(st)
}

// primes reports whether a session's revision has event streams that begin
// with an id and no message. Clients of earlier ones take that for broken JSON.
func (h *endpoint) primes(s *session) bool {
	return s.peer.client.ProtocolVersion() >= mcp.ProtocolVersion20251125
}

// initialize makes a session, whatever Mcp-Session-Id says. A client that still
// names one of the caller's sessions begins anew: that one ends as by DELETE.
func (h *endpoint) initialize(w http.ResponseWriter, r *http.Request, from caller, wants accepted, m *message) {
	if before := h.sessions.hold(r.Header.Get(mcp.HeaderSessionID), from.id); before != nil {
		h.endSession(before)
		before.unhold()
	}
	release, full := h.limits.take(from.id, sessionsHeld)
	if full != "" {
		h.tooMany(w, "too many sessions: "+full+". DELETE ends a session")
		return
	}
	s := newSession(from.id, h.optionsOf(from.id), release)
	st := s.newStream()
	me, have := st.attach(0, nil)
	defer st.detach(me)
	d := h.dispatcher(h.Server(r), s.peer, from.id)
	d.message(from.ctx, m, st) // one of those answered at once
	if st.after(have).end.code != 0 {
		s.end(ErrClientGone)
	} else {
		if !h.sessions.add(s) {
			s.end(ErrShutdown)
			h.stopping(w)
			return
		}
		defer s.unhold()
		w.Header().Set(mcp.HeaderSessionID, s.id)
	}
	_ = h.reply(w, st, wants).run(r.Context(), me, have)
	s.served(st)
}

// endSession ends a session that its client needs no more.
func (h *endpoint) endSession(s *session) {
	h.sessions.remove(s)
	s.end(ErrClientGone)
}

// session is the session a request belongs to, held until let; nil: the
// request is answered. To a caller, another's session is an unknown one.
func (h *endpoint) session(w http.ResponseWriter, r *http.Request, from caller) *session {
	ids := r.Header.Values(mcp.HeaderSessionID)
	switch {
	case len(ids) > 1:
		h.refuse(w, http.StatusBadRequest, "the header Mcp-Session-Id is sent more than once: send the one that initialize was answered with")
		return nil
	case len(ids) == 0 || ids[0] == "":
		h.refuse(w, http.StatusBadRequest, "the header Mcp-Session-Id is missing: send the one that initialize was answered with, or initialize")
		return nil
	}
	s := h.sessions.hold(ids[0], from.id)
	if s == nil {
		h.refuse(w, http.StatusNotFound, "there is no such session (any more): initialize a new one")
	}
	return s
}

// ofSession serves GET and DELETE, which only sessions have.
func (h *endpoint) ofSession(w http.ResponseWriter, r *http.Request, from caller) {
	version := r.Header.Get(mcp.HeaderProtocolVersion)
	if unknownVersion(version) {
		h.answer(w, unsupported(nil, version))
		return
	}
	// A client that names an older revision and no session has forgotten the session.
	if mcp.IsModernProtocol(version) || version == "" && r.Header.Get(mcp.HeaderSessionID) == "" {
		w.Header().Set("Allow", "POST, OPTIONS")
		h.refuse(w, http.StatusMethodNotAllowed, r.Method+" is for sessions of revisions before "+mcp.ProtocolVersion20260728+" only: send their Mcp-Session-Id. Else use POST.")
		return
	}
	if r.Method == http.MethodGet {
		h.get(w, r, from)
	} else {
		h.delete(w, r, from)
	}
}

// get serves the stream of what belongs to no call, or the rest of a stream
// that a client has the last event of. It takes over from an older response,
// whose connection may be dead without anybody here having noticed.
func (h *endpoint) get(w http.ResponseWriter, r *http.Request, from caller) {
	wants := accepts(r.Header)
	if !wants.events {
		h.refuse(w, http.StatusNotAcceptable, "GET answers with an event stream: send Accept: text/event-stream")
		return
	}
	if r.ContentLength != 0 { // net/http sees a client leave only when its body is read
		h.refuse(w, http.StatusBadRequest, "GET has no body")
		return
	}
	s := h.session(w, r, from)
	if s == nil {
		return
	}
	defer s.unhold()
	st, event := s.get, anew
	if last := r.Header.Get(mcp.HeaderLastEventID); last != "" {
		if st, event = s.stream(last); st == nil {
			h.refuse(w, http.StatusBadRequest, "there is no event of this Last-Event-ID (any more) in this session: send the request again")
			return
		}
	}
	p := h.reply(w, st, wants)
	me, have := st.attach(event, p.hurry)
	defer st.detach(me)
	give, full := h.limits.take(from.id, streamsHeld)
	if full != "" {
		h.tooMany(w, "too many open streams: "+full)
		return
	}
	defer give() // before it detaches: who takes over needs the place
	p.prime = event == anew && h.primes(s)
	if p.open(have) == nil {
		_ = p.run(r.Context(), me, have)
	}
}

// delete ends a session.
func (h *endpoint) delete(w http.ResponseWriter, r *http.Request, from caller) {
	s := h.session(w, r, from)
	if s == nil {
		return
	}
	defer s.unhold()
	h.endSession(s)
	w.WriteHeader(http.StatusNoContent)
}
