// Command reflect prints, as JSON, the fields of the Go types of one Kubernetes release:
// protobuf number, JSON name, Go kind and the options that determine how encoding/json prints them.
// It is compiled by ../main.go once per release, in a module of its own, next to a generated
// file that defines addToScheme.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
)

// Field is one field, with its forms on the wire and in JSON.
type Field struct {
	Number    int
	Name      string
	Kind      string
	Type      string `json:",omitempty"`
	Card      string
	OmitEmpty bool `json:",omitempty"`
	OmitZero  bool `json:",omitempty"`
}

// Root is a registered kind.
type Root struct{ Group, Version, Kind, Type string }

// Output is the result for one release.
type Output struct {
	Roots []Root
	Types map[string][]Field
}

const (
	machinery  = "k8s.io/apimachinery/pkg/"
	extensions = "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/"
)

// special has the types whose JSON form differs from their fields.
var special = map[string]string{
	machinery + "apis/meta/v1.Time":                     "Time",
	machinery + "apis/meta/v1.MicroTime":                "MicroTime",
	machinery + "apis/meta/v1.Duration":                 "Duration",
	machinery + "apis/meta/v1.FieldsV1":                 "Embedded",
	machinery + "api/resource.Quantity":                 "Quantity",
	machinery + "util/intstr.IntOrString":               "IntOrString",
	machinery + "runtime.RawExtension":                  "Embedded",
	extensions + "v1.JSON":                              "Embedded",
	extensions + "v1beta1.JSON":                         "Embedded",
	extensions + "v1.JSONSchemaPropsOrBool":             "SchemaOrBool",
	extensions + "v1beta1.JSONSchemaPropsOrBool":        "SchemaOrBool",
	extensions + "v1.JSONSchemaPropsOrArray":            "SchemaOrArray",
	extensions + "v1beta1.JSONSchemaPropsOrArray":       "SchemaOrArray",
	extensions + "v1.JSONSchemaPropsOrStringArray":      "SchemaOrStrings",
	extensions + "v1beta1.JSONSchemaPropsOrStringArray": "SchemaOrStrings",
}

var (
	out         = Output{Types: map[string][]Field{}}
	byteType    = reflect.TypeOf(byte(0))
	marshaler   = reflect.TypeOf((*json.Marshaler)(nil)).Elem()
	protoWriter = reflect.TypeOf((*interface{ Marshal() ([]byte, error) })(nil)).Elem()
)

func main() {
	scheme := runtime.NewScheme()
	if err := addToScheme(scheme); err != nil {
		fail("%v", err)
	}
	for gvk, t := range scheme.AllKnownTypes() {
		if gvk.Version == runtime.APIVersionInternal || strings.HasPrefix(t.PkgPath(), machinery) || !hasNumbers(t) {
			continue
		}
		out.Roots = append(out.Roots, Root{gvk.Group, gvk.Version, gvk.Kind, message(t)})
	}
	sort.Slice(out.Roots, func(i, j int) bool { return fmt.Sprint(out.Roots[i]) < fmt.Sprint(out.Roots[j]) })
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		fail("%v", err)
	}
}

func fail(format string, args ...interface{}) {
	fmt.Fprintf(os.Stderr, "reflect: "+format+"\n", args...)
	os.Exit(1)
}

func hasNumbers(t reflect.Type) bool {
	for i := 0; i < t.NumField(); i++ {
		if _, ok := number(t.Field(i)); ok {
			return true
		}
	}
	return t.NumField() == 0
}

// number reads only the field number from the protobuf tag; its wire type and its
// "opt"/"rep" are wrong in hundreds of places.
func number(f reflect.StructField) (int, bool) {
	parts := strings.Split(f.Tag.Get("protobuf"), ",")
	if len(parts) < 2 {
		return 0, false
	}
	n, err := strconv.Atoi(parts[1])
	return n, err == nil && n > 0
}

// message records a struct type and all types it refers to, and returns its name.
func message(t reflect.Type) string {
	name := t.PkgPath() + "." + t.Name()
	if _, done := out.Types[name]; done {
		return name
	}
	out.Types[name] = nil // a type may contain itself
	fields := []Field{}
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		n, ok := number(f)
		if !ok {
			continue // TypeMeta, which is in the envelope; unexported state
		}
		fields = append(fields, field(name, n, f))
	}
	out.Types[name] = fields
	return name
}

func field(owner string, n int, f reflect.StructField) Field {
	options := strings.Split(f.Tag.Get("json"), ",")
	r := Field{Number: n, Name: options[0], Card: "One"}
	for _, o := range options[1:] {
		switch o {
		case "omitempty":
			r.OmitEmpty = true
		case "omitzero":
			r.OmitZero = true
		case "inline", "":
		default:
			fail("%s.%s: JSON option %q", owner, f.Name, o)
		}
	}
	if r.Name == "-" {
		fail("%s.%s: a protobuf field without JSON", owner, f.Name)
	}
	t := f.Type
	if r.Name == "" && f.Anonymous {
		if t.Kind() != reflect.Struct {
			fail("%s.%s: inlined %v", owner, f.Name, t)
		}
		r.Kind, r.Card, r.Type = "Message", "Inline", message(t)
		return r
	}
	if r.Name == "" {
		r.Name = f.Name
	}
	switch {
	case t.Kind() == reflect.Ptr:
		r.Card, t = "Pointer", t.Elem()
	case t.Kind() == reflect.Map && !t.Implements(protoWriter):
		if t.Key().Kind() != reflect.String {
			fail("%s.%s: map key %v", owner, f.Name, t.Key())
		}
		r.Card, t = "Map", t.Elem()
	case t.Kind() == reflect.Slice && t.Elem() != byteType && !t.Implements(protoWriter):
		r.Card, t = "List", t.Elem()
	}
	if r.Card != "One" && t.Kind() == reflect.Ptr {
		t = t.Elem()
	}
	r.Kind, r.Type = kind(owner+"."+f.Name, t)
	return r
}

// kind is the shape of one value, from its Go type.
func kind(where string, t reflect.Type) (string, string) {
	name := t.PkgPath() + "." + t.Name()
	if s, ok := special[name]; ok {
		if strings.HasPrefix(s, "Schema") {
			f, _ := t.FieldByName("Schema")
			return s, message(f.Type.Elem())
		}
		return s, ""
	}
	if t.Implements(marshaler) || reflect.PtrTo(t).Implements(marshaler) {
		fail("%s: %s has a JSON form of its own", where, name)
	}
	switch t.Kind() {
	case reflect.Bool:
		return "Bool", ""
	case reflect.Int, reflect.Int32, reflect.Int64:
		return "Int", ""
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		return "Uint", ""
	case reflect.Float64:
		return "Float", ""
	case reflect.String:
		return "Str", ""
	case reflect.Struct:
		return "Message", message(t)
	case reflect.Map:
		if t.Implements(protoWriter) && t.Key().Kind() == reflect.String && t.Elem().Kind() == reflect.String {
			return "TextMap", "" // a message {map<string, string> items = 1}, in JSON a map
		}
	case reflect.Slice:
		if t.Elem() == byteType {
			return "Bytes", ""
		}
		if t.Implements(protoWriter) && t.Elem().Kind() == reflect.String {
			return "Strings", "" // a message {repeated string items = 1}, in JSON a list
		}
		if t.Implements(protoWriter) && t.Elem().Kind() == reflect.Struct {
			return "Messages", message(t.Elem()) // the same with messages
		}
	}
	fail("%s: no rule for %v", where, t)
	return "", ""
}
