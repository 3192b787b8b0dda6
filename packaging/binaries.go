package main

import (
	"fmt"
	"path/filepath"
)

// targets returns the targets of a release.
func targets() []string {
	return []string{"linux_amd64", "linux_arm64", "darwin_amd64", "darwin_arm64", "windows_amd64", "windows_arm64"}
}

// universal is the target of a binary for both processors of macOS.
const universal = "darwin_all"

// findBinaries returns the binary of each target that has one, as goreleaser lays them.
func findBinaries(folder string) (map[string]string, error) {
	found := map[string]string{}
	for _, target := range append(targets(), universal) {
		paths, err := filepath.Glob(filepath.Join(folder, "*_"+target+"*", "runs-mcp-server*"))
		if err != nil {
			return nil, err
		}
		if len(paths) == 1 {
			found[target] = paths[0]
		}
	}
	if len(found) == 0 {
		return nil, fmt.Errorf("%s holds no binaries", folder)
	}
	return found, nil
}
