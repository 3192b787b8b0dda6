package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"runtime"
	"slices"
	"strings"

	"runs-mcp-server/client"
	"runs-mcp-server/internal/setting"
)

// The variables of the API key. A secret may always be given in a file: by its flag, else
// by the variable of its file. A file counts more than the secret's own variable.
const (
	keyVariable     = "TR_API_KEY"
	keyFileVariable = "TR_API_KEY_FILE"
)

// keyFile returns the file of the API key and what names it, "" if nothing does.
func (f *apiFlags) keyFile(env func(string) string) (path, from string) {
	if f.APIKeyFile != "" {
		return f.APIKeyFile, "--api-key-file"
	}
	return strings.TrimSpace(env(keyFileVariable)), keyFileVariable
}

// key returns the operator's API key, from a file or from the environment.
func (f *apiFlags) key(env func(string) string) (client.Key, error) {
	key, from := env(keyVariable), keyVariable
	if path, named := f.keyFile(env); path != "" {
		if problem := setting.Problem(path); problem != "" {
			return "", usageErrorf("%s %s", named, problem)
		}
		data, err := readFile(path)
		if err != nil {
			return "", usageError{unreadableFile(named, err)}
		}
		key, from = string(data), named
	}
	if key = setting.TrimKey(key); key == "" {
		return "", usageErrorf("there is no API key: set TR_API_KEY (or --api-key-file), or try it without an account: --sandbox")
	}
	if problem := setting.KeyProblem(key); problem != "" {
		return "", usageErrorf("%s: the API key %s", from, problem)
	}
	return client.Key(key), nil
}

// maxFile bounds a file of secrets, in bytes.
const maxFile = 1 << 20

// readFile reads a file of secrets of at most [maxFile] bytes.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(data) > maxFile {
		err = errors.New("larger than 1 MiB")
	}
	return data, err
}

// warnOfKeyFile logs a warning if there is a file of the API key that others can read.
func (f *apiFlags) warnOfKeyFile(env func(string) string, log *slog.Logger) {
	if path, _ := f.keyFile(env); readableByOthers(path) {
		log.Warn("the API key file is readable by others", "file", path)
	}
}

// unreadableFile returns an error that says why the file that a flag or a variable names
// cannot be read.
// It leaves out the file's name, because a person who mistook the flag wrote the
// secret itself there.
func unreadableFile(source string, err error) error {
	var failed *fs.PathError
	why := "its name is refused"
	switch {
	case errors.Is(err, fs.ErrNotExist):
		why = "there is none of that name"
	case errors.Is(err, fs.ErrPermission):
		why = "permission denied"
	case errors.As(err, &failed):
		why = failed.Err.Error()
	case err != nil:
		why = err.Error()
	}
	return fmt.Errorf("%s: the file it names cannot be read: %s. It takes the name of a file, not what belongs in it", source, why)
}

// readPassThrough reads the operator's pass-through data by integration id, nil if
// there is no file.
func (f *serverFlags) readPassThrough() (map[string]client.PassThrough, error) {
	if f.PassThrough == "" {
		return nil, nil
	}
	data, err := readFile(f.PassThrough)
	if err != nil {
		return nil, unreadableFile("--pass-through", err)
	}
	if readableByOthers(f.PassThrough) {
		return nil, fmt.Errorf("--pass-through: %s is readable by others; run: chmod 600 %s", f.PassThrough, f.PassThrough)
	}
	byID, err := client.ParsePassThrough(bytes.TrimPrefix(data, []byte("\ufeff")))
	if err != nil {
		return nil, fmt.Errorf("--pass-through: %w", err)
	}
	for id := range byID {
		if len(f.Integrations) > 0 && !slices.Contains(f.Integrations, id) && !slices.Contains(f.Integrations, "*") {
			return nil, fmt.Errorf("--pass-through: %s is not among --integrations", id)
		}
	}
	return byID, nil
}

// readableByOthers reports whether there is a file that its group or the world can
// read. On Windows the file's mode does not tell.
func readableByOthers(path string) bool {
	info, err := os.Stat(path)
	return err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0
}
