package transport

// maxDepth is how deep objects and arrays may nest. No MCP message comes near;
// it keeps the recursion here and in every later reader short.
const maxDepth = 64

// place is where in a message the scanner is.
type place int

const (
	elsewhere place = iota
	atTop
	inParams
	inMeta
	inResponses // the answers that a request of the new era brings, by name
	inAnswer    // one of them, or the result of a response: it may be a decision
)

// scanner checks one JSON text and picks the members a message is made of.
// A syntax error ends the scan (methods return false). A broken rule is only
// noted, so that the id, which some clients write last, is found for the answer.
type scanner struct {
	data []byte
	pos  int

	msg     message
	jsonrpc []byte
	object  bool   // the text is an object
	manyIDs bool   // so none of them is the id
	broken  string // the first rule broken

	keys []keyName // of the objects that are open; each object knows where its own begin
}

// document scans the whole text.
func (s *scanner) document() bool {
	s.space()
	s.object = s.peek() == '{'
	if !s.value(1, atTop) {
		return false
	}
	s.space()
	return s.pos == len(s.data)
}

// value scans one value; depth is that of the container it would open.
func (s *scanner) value(depth int, at place) bool {
	switch c := s.peek(); {
	case c == '{' || c == '[':
		if depth > maxDepth {
			s.breaks("objects and arrays are nested deeper than 64")
			return s.skip()
		}
		if c == '{' {
			return s.members(depth, at)
		}
		return s.elements(depth)
	case c == '"':
		return s.text()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	}
	return s.word("true") || s.word("false") || s.word("null")
}

// members scans an object.
func (s *scanner) members(depth int, at place) bool {
	s.pos++
	set := keySet{base: len(s.keys), at: at}
	defer func() { s.keys = s.keys[:set.base] }()
	if s.space(); s.take('}') {
		return true
	}
	for {
		start := s.pos
		if !s.text() {
			return false
		}
		name := unquote(s.data[start:s.pos])
		if text := set.add(s, name); text != "" {
			s.breaks(text)
		}
		if s.space(); !s.take(':') {
			return false
		}
		s.space()
		start = s.pos
		if !s.value(depth+1, inside(at, name)) {
			return false
		}
		raw := s.data[start:s.pos]
		s.space()
		last := s.take('}')
		if !last && !s.take(',') {
			return false
		}
		s.keep(at, name, raw) // it is whole, whatever follows
		if last {
			return true
		}
		s.space()
	}
}

// elements scans an array.
func (s *scanner) elements(depth int) bool {
	s.pos++
	if s.space(); s.take(']') {
		return true
	}
	for {
		if s.space(); !s.value(depth+1, elsewhere) {
			return false
		}
		if s.space(); s.take(']') {
			return true
		}
		if !s.take(',') {
			return false
		}
	}
}

// inside is the place of the value of a member.
func inside(at place, name []byte) place {
	switch {
	case at == atTop && string(name) == "params":
		return inParams
	case at == inParams && string(name) == "_meta":
		return inMeta
	case at == inParams && string(name) == "inputResponses":
		return inResponses
	case at == inResponses, at == atTop && string(name) == "result":
		return inAnswer
	}
	return elsewhere
}

// keep picks the members a message is made of.
func (s *scanner) keep(at place, name, raw []byte) {
	switch at {
	case atTop:
		switch string(name) {
		case "jsonrpc":
			s.jsonrpc = raw
		case "id":
			s.manyIDs = s.msg.id != nil
			s.msg.id = raw
		case "method":
			s.msg.rawMethod = raw
			if raw[0] == '"' {
				s.msg.method = string(unquote(raw))
			}
		case "params":
			s.msg.params = raw
		case "result":
			s.msg.result = raw
		case "error":
			s.msg.failure = raw
		}
	case inMeta:
		switch string(name) {
		case "progressToken":
			s.msg.progressToken = raw
		case "io.modelcontextprotocol/protocolVersion":
			if raw[0] == '"' {
				s.msg.version = string(unquote(raw))
			}
		}
	}
}

// breaks notes a broken rule; the first one is reported.
func (s *scanner) breaks(text string) {
	if s.broken == "" {
		s.broken = text
	}
}

// skip passes over a container that is nested too deep without looking at its
// grammar: the message is refused already, only what follows is of interest.
func (s *scanner) skip() bool {
	for open := 0; s.pos < len(s.data); {
		switch s.data[s.pos] {
		case '"':
			if !s.text() {
				return false
			}
			continue
		case '{', '[':
			open++
		case '}', ']':
			open--
		}
		s.pos++
		if open == 0 {
			return true
		}
	}
	return false
}
