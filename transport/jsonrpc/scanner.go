package jsonrpc

import "runs-mcp-server/internal/rawjson"

// maxDepth is how deep objects and arrays may nest. No MCP message comes near.
// It keeps the recursion here and in every later reader short.
const maxDepth = 64

// place is where in a message the scanner is.
type place int

const (
	placeOther place = iota
	placeTop
	placeParams
	placeMeta
	placeResponses // the answers in a request of 2026-07-28, by name
	placeAnswer    // one of them, or the result of a response: it may be a decision
)

// scanner passes once over a JSON text, checks it, and picks the members that a
// message is made of. A syntax error ends the scan. A broken rule is only noted,
// so that the id is found for the answer: some clients write it last.
type scanner struct {
	data     []byte
	from, to int  // the current token
	first    byte // its first byte; 0 at a syntax error and behind the last token

	message  Message // without its kind
	jsonrpc  []byte
	isObject bool   // the text is an object
	manyIDs  bool   // so none of them is the id
	broken   string // the first rule that is broken

	keys [][]byte // of the objects that are open; each keySet knows where its own begin
}

// scanDocument scans the whole text. false: there is a syntax error.
func (s *scanner) scanDocument() bool {
	s.nextToken()
	s.isObject = s.first == '{'
	_, ok := s.scanValue(1, placeTop)
	return ok && s.from == len(s.data)
}

// scanValue scans the value that begins at the current token and moves to the
// token behind it. depth is that of the object or array that the value may be.
func (s *scanner) scanValue(depth int, at place) (raw []byte, ok bool) {
	start := s.from
	switch s.first {
	case '{', '[':
		if depth > maxDepth {
			s.skipContainer()
		} else if !s.scanContainer(depth, at) {
			return nil, false
		}
	case '}', ']', ',', ':', 0:
		return nil, false
	}
	raw = s.data[start:s.to]
	s.nextToken()
	return raw, true
}

// skipContainer passes over an object or array that is nested too deep. The
// message is refused already, so its grammar does not matter.
func (s *scanner) skipContainer() {
	s.noteBroken("objects and arrays are nested deeper than 64")
	s.to = rawjson.End(s.data, s.from)
}

// scanContainer scans an object or array up to its closing bracket.
func (s *scanner) scanContainer(depth int, at place) bool {
	if s.first == '{' {
		return s.scanObject(depth, at)
	}
	return s.scanArray(depth)
}

func (s *scanner) scanObject(depth int, at place) bool {
	set := keySet{place: at, base: len(s.keys)}
	defer func() { s.keys = s.keys[:set.base] }()
	if s.nextToken(); s.first == '}' {
		return true
	}
	for {
		name, ok := s.scanName(&set)
		if !ok {
			return false
		}
		raw, ok := s.scanValue(depth+1, placeOf(at, name))
		if !ok || s.first != ',' && s.first != '}' {
			return false
		}
		s.pickMember(at, name, raw) // it is whole, whatever follows
		if s.first == '}' {
			return true
		}
		s.nextToken()
	}
}

// scanName scans the name of a member and the colon behind it.
func (s *scanner) scanName(set *keySet) (name []byte, ok bool) {
	if s.first != '"' {
		return nil, false
	}
	name = unquote(s.data[s.from:s.to])
	if text := set.addKey(s, name); text != "" {
		s.noteBroken(text)
	}
	if s.nextToken(); s.first != ':' {
		return nil, false
	}
	s.nextToken()
	return name, true
}

func (s *scanner) scanArray(depth int) bool {
	if s.nextToken(); s.first == ']' {
		return true
	}
	for {
		if _, ok := s.scanValue(depth+1, placeOther); !ok || s.first != ',' {
			return ok && s.first == ']'
		}
		s.nextToken()
	}
}

// placeOf returns the place of the value of a member.
func placeOf(at place, name []byte) place {
	switch {
	case at == placeTop && string(name) == "params":
		return placeParams
	case at == placeParams && string(name) == "_meta":
		return placeMeta
	case at == placeParams && string(name) == "inputResponses":
		return placeResponses
	case at == placeResponses, at == placeTop && string(name) == "result":
		return placeAnswer
	}
	return placeOther
}

// pickMember stores a member that a message is made of.
func (s *scanner) pickMember(at place, name, raw []byte) {
	switch at {
	case placeTop:
		s.pickTopMember(name, raw)
	case placeMeta:
		switch string(name) {
		case "progressToken":
			s.message.ProgressToken = raw
		case "io.modelcontextprotocol/protocolVersion":
			s.message.Version, _ = rawjson.String(raw)
		}
	}
}

func (s *scanner) pickTopMember(name, raw []byte) {
	switch string(name) {
	case "jsonrpc":
		s.jsonrpc = raw
	case "id":
		s.manyIDs = s.message.ID != nil
		s.message.ID = raw
	case "method":
		s.message.rawMethod = raw
		if text, ok := rawjson.String(raw); ok {
			s.message.Method = text
		}
	case "params":
		s.message.Params = raw
	case "result":
		s.message.Result = raw
	case "error":
		s.message.Failure = raw
	}
}

// noteBroken notes a broken rule. The first one is reported.
func (s *scanner) noteBroken(text string) {
	if s.broken == "" {
		s.broken = text
	}
}
