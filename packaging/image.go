package main

import (
	"bytes"
	"encoding/pem"
	"io"
	"path/filepath"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// writeImage writes the container image as an OCI layout, for the Linux binaries there
// are. It holds the program, the certificates of authorities, and nothing else.
func (r *release) writeImage() error {
	index := v1.ImageIndex(empty.Index)
	for _, processor := range []string{"amd64", "arm64"} {
		binary := r.binary["linux_"+processor]
		if binary == "" {
			continue
		}
		image, err := r.buildImage(binary, processor)
		if err != nil {
			return err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: processor}}})
	}
	_, err := layout.Write(filepath.Join(r.out, "image"), index)
	return err
}

func (r *release) buildImage(binary, processor string) (v1.Image, error) {
	program, err := readPacked(binary, name, 0o755)
	if err != nil {
		return nil, err
	}
	image := v1.Image(empty.Image)
	for _, f := range []packedFile{{"etc/ssl/certs/ca-certificates.crt", authorities(), 0o644}, program} {
		archive, err := packTar(r.commit, f)
		if err != nil {
			return nil, err
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive)), nil })
		if err != nil {
			return nil, err
		}
		if image, err = mutate.AppendLayers(image, layer); err != nil {
			return nil, err
		}
	}
	return mutate.ConfigFile(image, r.imageConfig(image, processor))
}

// imageConfig returns how the image is run: as nobody in particular, serving HTTP to
// other machines, with a health check.
func (r *release) imageConfig(image v1.Image, processor string) *v1.ConfigFile {
	config, err := image.ConfigFile()
	if err != nil {
		panic(err) // it was made in memory
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", processor
	config.Created = v1.Time{Time: r.commit}
	for i := range config.History {
		config.History[i].Created = config.Created
	}
	config.Config = v1.Config{
		User:         "65532:65532",
		Entrypoint:   []string{"/" + name},
		Cmd:          []string{"http", "--listen", "0.0.0.0:8080"},
		ExposedPorts: map[string]struct{}{"8080/tcp": {}},
		Healthcheck:  &v1.HealthConfig{Test: []string{"CMD", "/" + name, "health"}, Interval: 10 * time.Second, Timeout: 5 * time.Second, StartPeriod: 5 * time.Second, Retries: 3},
		Labels: map[string]string{
			"org.opencontainers.image.title": name, "org.opencontainers.image.version": r.Version,
			"org.opencontainers.image.source": r.Repository(), "org.opencontainers.image.licenses": "MIT",
			"io.modelcontextprotocol.server.name": r.ServerName(), // the MCP registry compares it
		},
	}
	return config
}

// authorities returns the root certificates that Mozilla trusts, without those that it
// will not trust for new certificates.
func authorities() []byte {
	var text bytes.Buffer
	for root := range bundle.Roots() {
		if root.Constraint == nil {
			_ = pem.Encode(&text, &pem.Block{Type: "CERTIFICATE", Bytes: root.Certificate}) // a buffer takes all
		}
	}
	return text.Bytes()
}
