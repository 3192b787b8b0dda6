package rawjson

import "testing"

func TestMarshal(t *testing.T) {
	got, err := Marshal(map[string]any{"a": "<b> & \"c\"\n", "n": 1})
	if want := `{"a":"<b> & \"c\"\n","n":1}`; err != nil || string(got) != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	if got, err := Marshal(func() {}); err == nil {
		t.Errorf("a function became %s", got)
	}
}
