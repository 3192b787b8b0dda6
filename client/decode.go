package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"runs-mcp-server/internal/rawjson"
)

// readText fills a text from a JSON string. A value of another type leaves it as it
// is, because the API may change what we do not need.
func readText[S ~string](to *S, value []byte) {
	if text, ok := rawjson.String(value); ok {
		*to = S(text)
	}
}

// readRunID returns the run's id in a JSON string, "" for another value.
func readRunID(value []byte) RunID {
	var text string
	readText(&text, value)
	id, _ := ParseRunID(text)
	return id
}

// readObject fills an object from its JSON value. null makes it nil; a value of
// another type leaves it empty.
func readObject[T any](to **T, value []byte, read func(*T, []byte)) {
	switch {
	case rawjson.IsNull(value):
		*to = nil
		return
	case *to == nil:
		*to = new(T)
	}
	read(*to, value)
}

// readList fills a list from the first items of a JSON array, at most so many, and
// returns how many follow. null makes the list nil.
func readList[T any](to *[]T, value []byte, most int, read func(*T, []byte)) (more int) {
	switch {
	case rawjson.IsNull(value):
		*to = nil
		return 0
	case arrayIn(value) == nil:
		return 0
	}
	list := []T{}
	for item := range rawjson.Items(value) {
		if len(list) == most {
			more++
			continue
		}
		var one T
		read(&one, item)
		list = append(list, one)
	}
	*to = list
	return more
}

// decodeStrict fills v from data and refuses unknown fields and trailing data.
func decodeStrict(data []byte, v any) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(v); err != nil {
		return err
	}
	if _, err := d.Token(); err != io.EOF {
		return errors.New("more than one JSON value")
	}
	return nil
}
