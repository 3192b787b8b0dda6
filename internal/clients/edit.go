package clients

import "bytes"

// set returns a text in which the entry at a path is this one. Only the entry's own text
// changes.
func (f format) set(data []byte, path []string, entry fields) ([]byte, error) {
	return skipBOM(data, func(data []byte) ([]byte, error) { return f.editor().set(data, path, entry) })
}

// unset returns a text without the entry at a path, and without the objects that are
// empty then.
func (f format) unset(data []byte, path []string) ([]byte, error) {
	return skipBOM(data, func(data []byte) ([]byte, error) { return f.editor().unset(data, path) })
}

// render returns an entry as it stands in an empty file.
func (f format) render(path []string, entry fields) string {
	text, err := f.editor().set(nil, path, entry)
	if err != nil {
		panic(err) // an empty file can be edited
	}
	return string(text)
}

// editor edits texts of a format.
type editor struct {
	set   func(data []byte, path []string, entry fields) ([]byte, error)
	unset func(data []byte, path []string) ([]byte, error)
}

func (f format) editor() editor {
	switch f {
	case tomlFormat:
		return editor{setTOML, unsetTOML}
	case yamlFormat:
		return editor{setYAML, unsetYAML}
	}
	return editor{
		func(data []byte, path []string, entry fields) ([]byte, error) { return setJSON(data, path, entry) },
		unsetJSON,
	}
}

// skipBOM edits what follows the mark that texts of Windows programs begin with.
func skipBOM(data []byte, edit func([]byte) ([]byte, error)) ([]byte, error) {
	const mark = "\ufeff"
	rest, marked := bytes.CutPrefix(data, []byte(mark))
	edited, err := edit(rest)
	if marked {
		edited = append([]byte(mark), edited...)
	}
	return edited, err
}
