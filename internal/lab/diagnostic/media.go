//go:build diagnostic

package diagnostic

import (
	"bytes"
	"encoding/base64"
	"image"
	"image/png"
)

// pixel returns a PNG image of one transparent pixel, in base64.
func pixel() string {
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 1, 1))); err != nil {
		panic(err) // a bytes.Buffer never fails
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}

// silence returns a WAV file without samples (8 kHz, mono, 8 bit), in base64.
func silence() string {
	const wav = "RIFF\x24\x00\x00\x00WAVE" +
		"fmt \x10\x00\x00\x00\x01\x00\x01\x00\x40\x1f\x00\x00\x40\x1f\x00\x00\x01\x00\x08\x00" +
		"data\x00\x00\x00\x00"
	return base64.StdEncoding.EncodeToString([]byte(wav))
}
