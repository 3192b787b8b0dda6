package feed

// EventSize is what an event counts in a log.
var EventSize = eventSize
