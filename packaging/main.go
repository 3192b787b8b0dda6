// Command packaging makes the packages of a release out of its binaries: npm packages,
// an MCPB bundle, a Gemini CLI extension, a container image, and the files that name
// where the packages are. It is a module of its own, which keeps what the image needs
// out of the product's.
//
//	go -C packaging run . -binaries ../dist -out ../dist/packages -version 0.1.0 -time 1767225600
//
// The same input gives the same bytes.
package main

import (
	"flag"
	"fmt"
	"os"
	"time"
)

// release is what the packages are made of.
type release struct {
	origin
	Version string
	commit  time.Time         // the time of every packed file
	binary  map[string]string // the path of each binary by its target, such as linux_amd64
	out     string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "packaging:", err)
		os.Exit(1)
	}
}

func run() error {
	binaries := flag.String("binaries", "", "`folder` with folders such as NAME_linux_amd64, each with a binary")
	out := flag.String("out", "", "`folder` that gets the packages")
	version := flag.String("version", "", "version of the release")
	seconds := flag.Int64("time", 0, "time of the commit, in `seconds` since 1970")
	flag.Parse()
	if *version == "" || *out == "" {
		return fmt.Errorf("-version and -out are needed")
	}
	origin, err := readOrigin("origin.json")
	if err != nil {
		return err
	}
	r := &release{origin: origin, Version: *version, commit: time.Unix(*seconds, 0).UTC(), out: *out}
	if r.binary, err = findBinaries(*binaries); err != nil {
		return err
	}
	for _, write := range []func() error{r.writeNPM, r.writeBundle, r.writeExtensions, r.writeImage, r.writeCompose} {
		if err := write(); err != nil {
			return err
		}
	}
	return nil
}
