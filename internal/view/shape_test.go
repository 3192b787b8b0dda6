package view

import (
	"reflect"
	"regexp"
	"testing"
)

// TestShapes: no type that leaves has a field for an approval link, a token, a key or
// pass-through data, or a field of raw JSON.
func TestShapes(t *testing.T) {
	secret := regexp.MustCompile(`(?i)url|link|token|apikey|passthrough|actions|header|raw`)
	seen := map[reflect.Type]bool{}
	var look func(typ reflect.Type)
	look = func(typ reflect.Type) {
		for typ.Kind() == reflect.Pointer || typ.Kind() == reflect.Slice {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		if typ.PkgPath() != reflect.TypeFor[Run]().PkgPath() {
			t.Errorf("%v is not of this package", typ)
		}
		for i := range typ.NumField() {
			f := typ.Field(i)
			if secret.MatchString(f.Name + f.Tag.Get("json")) {
				t.Errorf("%v has the field %s", typ, f.Name)
			}
			look(f.Type)
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[Run](), reflect.TypeFor[Event](), reflect.TypeFor[Plan](), reflect.TypeFor[Integration](), reflect.TypeFor[Range]()} {
		look(typ)
	}
	if len(seen) != 8 {
		t.Errorf("%d types were looked at: %v", len(seen), seen)
	}
}
