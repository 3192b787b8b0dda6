package main

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strings"
)

// platform is a target in the words of Node.
type platform struct{ OS, CPU, Extension string }

func platformOf(target string) platform {
	system, processor, _ := strings.Cut(target, "_")
	p := platform{OS: system, CPU: processor}
	if system == "windows" {
		p.OS, p.Extension = "win32", ".exe"
	}
	if processor == "amd64" {
		p.CPU = "x64"
	}
	return p
}

// npmPackage is what the templates of npm packages get.
type npmPackage struct {
	*release
	platform
	Platforms []platform
}

// writeNPM writes a package for each binary, and the package that starts the one of its
// machine, as npm pack names them: npm/runs-mcp-server-linux-x64-0.1.0.tgz,
// npm/runs-mcp-server-0.1.0.tgz.
func (r *release) writeNPM() error {
	license, err := readPacked("../LICENSE", "LICENSE", 0o644)
	if err != nil {
		return err
	}
	var all []platform
	for _, target := range targets() {
		p := platformOf(target)
		all = append(all, p)
		if r.binary[target] == "" {
			continue
		}
		binary, err := readPacked(r.binary[target], "bin/"+name+p.Extension, 0o755)
		if err != nil {
			return err
		}
		if err := r.writeNPMPackage("npm-platform.json", npmPackage{release: r, platform: p}, "-"+p.OS+"-"+p.CPU, binary, license); err != nil {
			return err
		}
	}
	launcher, err := readPacked("npm/launcher.js", "launcher.js", 0o755)
	if err != nil {
		return err
	}
	readme, err := readPacked("npm/README.md", "README.md", 0o644)
	if err != nil {
		return err
	}
	return r.writeNPMPackage("npm.json", npmPackage{release: r, Platforms: all}, "", launcher, readme, license)
}

func (r *release) writeNPMPackage(template string, data npmPackage, suffix string, files ...packedFile) error {
	manifest, err := render(template, data)
	if err != nil {
		return err
	}
	files = append(files, packedFile{"package.json", manifest, 0o644})
	for i := range files {
		files[i].path = "package/" + files[i].path
	}
	return writeArchive(filepath.Join(r.out, "npm", name+suffix+"-"+r.Version+".tgz"), r.commit, files...)
}

// writeBundle writes the MCPB bundle and server.json, the entry for the MCP registry,
// which holds the hash of the bundle. A bundle can tell systems apart, but not
// processors: on macOS the binary is universal, Windows on ARM runs the one for amd64.
// MCPB's own packer is not used: it writes the time of day into the bundle.
func (r *release) writeBundle() error {
	manifest, err := render("mcpb.json", r)
	if err != nil {
		return err
	}
	files := []packedFile{{"manifest.json", manifest, 0o644}}
	for _, f := range []struct{ target, path string }{{"linux_amd64", "linux/" + name}, {universal, "darwin/" + name}, {"windows_amd64", "win32/" + name + ".exe"}} {
		if r.binary[f.target] == "" {
			continue
		}
		binary, err := readPacked(r.binary[f.target], "server/"+f.path, 0o755)
		if err != nil {
			return err
		}
		files = append(files, binary)
	}
	bundle, err := packZip(r.commit, files...)
	if err != nil {
		return err
	}
	bundleName := name + "_" + r.Version + ".mcpb"
	hash := sha256.Sum256(bundle)
	server, err := render("server.json", struct {
		*release
		Bundle, Hash string
	}{r, bundleName, hex.EncodeToString(hash[:])})
	if err != nil {
		return err
	}
	return writeFiles(r.out, packedFile{bundleName, bundle, 0o644}, packedFile{"server.json", server, 0o644})
}

// writeExtensions writes an archive of the Gemini CLI extension for each platform, under
// the names that Gemini CLI looks for: linux.x64.runs-mcp-server.tar.gz.
func (r *release) writeExtensions() error {
	for _, target := range targets() {
		if r.binary[target] == "" {
			continue
		}
		p := platformOf(target)
		manifest, err := render("gemini-extension.json", npmPackage{release: r, platform: p})
		if err != nil {
			return err
		}
		binary, err := readPacked(r.binary[target], name+p.Extension, 0o755)
		if err != nil {
			return err
		}
		format := ".tar.gz"
		if p.OS == "win32" {
			format = ".zip"
		}
		archive := filepath.Join(r.out, "gemini", strings.Join([]string{p.OS, p.CPU, name}, ".")+format)
		if err := writeArchive(archive, r.commit, packedFile{"gemini-extension.json", manifest, 0o644}, binary); err != nil {
			return err
		}
	}
	return nil
}

// writeCompose writes a compose file that runs the image.
func (r *release) writeCompose() error {
	text, err := render("compose.yaml", r)
	if err != nil {
		return err
	}
	return writeFiles(r.out, packedFile{"compose.yaml", text, 0o644})
}
