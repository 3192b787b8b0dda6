package client

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
)

// decodeLenient fills v from data. A field of the wrong type stays empty
// instead of failing the whole answer: the API may change what we do not need.
func decodeLenient(data []byte, v any) error {
	err := json.Unmarshal(data, v)
	var wrongType *json.UnmarshalTypeError
	if errors.As(err, &wrongType) && wrongType.Field != "" {
		return nil
	}
	return err
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
