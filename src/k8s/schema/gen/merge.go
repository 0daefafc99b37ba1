package main

import (
	"fmt"
	"io"
	"os"
	"sort"
	"strings"
)

// field and output mirror what reflect/main.go prints.
type field struct {
	Number              int
	Name                string
	Kind, Type, Card    string
	OmitEmpty, OmitZero bool

	removed bool
}

type root struct{ Group, Version, Kind, Type string }

type output struct {
	Roots []root
	Types map[string][]field
}

// lifetime is the first and the last release that has a kind.
type lifetime struct {
	typ         string
	first, last string
}

// table is the union over all releases. If two releases contradict each other, the newer one counts,
// because its API server can still read what the older one wrote.
type table struct {
	types map[string][]field
	kinds map[[2]string]*lifetime
	moved map[[2]string]bool // (old, new) message types of fields whose type was replaced
	notes []string
	tally map[string]int
}

func newTable() *table {
	return &table{types: map[string][]field{}, kinds: map[[2]string]*lifetime{}, moved: map[[2]string]bool{}, tally: map[string]int{}}
}

// add merges a release. Releases are added from the oldest to the newest.
func (t *table) add(release string, o *output) {
	for name, fresh := range o.Types {
		t.types[name] = t.merge(release, name, t.types[name], fresh)
	}
	for _, r := range o.Roots {
		k := t.kinds[key(r)]
		if k == nil {
			k = &lifetime{first: release}
			t.kinds[key(r)] = k
		}
		k.typ, k.last = r.Type, release
	}
}

// key identifies a kind by apiVersion and kind, as objects do.
func key(r root) [2]string {
	if r.Group == "" {
		return [2]string{r.Version, r.Kind}
	}
	return [2]string{r.Group + "/" + r.Version, r.Kind}
}

// merge keeps the order of the newer declaration. Fields that it no longer has are appended.
func (t *table) merge(release, name string, old, fresh []field) []field {
	byNumber := map[int]field{}
	for _, f := range fresh {
		byNumber[f.Number] = f
	}
	list := append([]field{}, fresh...)
	for _, was := range old {
		now, kept := byNumber[was.Number]
		if !kept {
			if !was.removed {
				t.tally["fields removed"]++
			}
			was.removed = true
			list = append(list, was)
			continue
		}
		if was.Name != now.Name || (was.Card == "Inline") != (now.Card == "Inline") || wire(was) != wire(now) {
			t.notes = append(t.notes, fmt.Sprintf("%s: %s#%d: %s %s %s is now %s %s %s",
				release, name, was.Number, was.Name, was.Card, was.Kind, now.Name, now.Card, now.Kind))
		}
		if was.Kind == "Message" && now.Kind == "Message" && was.Type != now.Type {
			t.moved[[2]string{was.Type, now.Type}] = true
		}
		for what, differs := range map[string]bool{
			"omitempty changed": was.OmitEmpty != now.OmitEmpty,
			"omitzero changed":  was.OmitZero != now.OmitZero,
			"pointer changed":   (was.Card == "Pointer") != (now.Card == "Pointer"),
			"type changed":      was.Kind != now.Kind || was.Type != now.Type,
		} {
			if differs {
				t.tally[what]++
			}
		}
	}
	return list
}

// complete handles a type that replaced another type: it adds the fields that only the replaced type has,
// because older values have them (PersistentVolumeClaim's resources.claims, in 1.26 to 1.28).
func (t *table) complete() {
	pairs := make([][2]string, 0, len(t.moved))
	for pair := range t.moved {
		pairs = append(pairs, pair)
	}
	sort.Slice(pairs, func(i, j int) bool { return fmt.Sprint(pairs[i]) < fmt.Sprint(pairs[j]) })
	for _, pair := range pairs {
		has := map[int]bool{}
		for _, f := range t.types[pair[1]] {
			has[f.Number] = true
		}
		for _, f := range t.types[pair[0]] {
			if !has[f.Number] {
				f.removed = true
				t.types[pair[1]] = append(t.types[pair[1]], f)
				t.tally["fields of a replaced type"]++
				fmt.Fprintln(os.Stderr, "kept:", pair[1], f.Name, "of", pair[0])
			}
		}
	}
}

// wire is the part of a field's shape that determines how its bytes are decoded.
func wire(f field) string {
	many := f.Card == "List" || f.Card == "Map"
	switch f.Kind {
	case "Bool", "Int", "Uint":
		return fmt.Sprint("varint", many)
	case "Float":
		return fmt.Sprint("fixed64", many)
	}
	return fmt.Sprint("bytes", many)
}

func (t *table) report(w io.Writer) {
	for _, n := range t.notes {
		fmt.Fprintln(w, "conflict, the newer one taken:", n)
	}
	fields := 0
	for _, f := range t.types {
		fields += len(f)
	}
	fmt.Fprintf(w, "merged: %d kinds, %d types, %d fields; %v\n", len(t.kinds), len(t.types), fields, t.tally)
}

// identifier makes a Rust name from the name of a Go type: k8s.io/api/core/v1.Pod becomes CoreV1Pod, and
// github.com/openshift/api/route/v1.Route becomes OpenshiftRouteV1Route.
func identifier(name string) string {
	path, typ, _ := cutLast(name, ".")
	parts := strings.Split(path, "/")
	named := parts[len(parts)-2:]
	if parts[0] == "github.com" {
		named = append([]string{parts[1]}, named...)
	}
	s := ""
	for _, p := range named {
		s += strings.ToUpper(p[:1]) + p[1:]
	}
	return s + strings.ToUpper(typ[:1]) + typ[1:]
}

func cutLast(s, sep string) (string, string, bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}

// names returns the Go names of all types in the order of their Rust names.
func (t *table) names() ([]string, error) {
	list := make([]string, 0, len(t.types))
	seen := map[string]string{}
	for n := range t.types {
		id := identifier(n)
		if other, dup := seen[id]; dup {
			return nil, fmt.Errorf("%s and %s are both %s", n, other, id)
		}
		seen[id] = n
		list = append(list, n)
	}
	sort.Slice(list, func(i, j int) bool { return identifier(list[i]) < identifier(list[j]) })
	return list, nil
}
