package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// vendor is one line of vendors.txt: a version of a module with types that are not Kubernetes' own.
type vendor struct {
	module, version string
	// release is the Kubernetes release to build it with.
	release release
	// minor is the minor release of Kubernetes to which it belongs.
	minor string
	// adders are the functions of each package that add its types to a scheme.
	adders   []string
	packages []string
}

func readVendors(path string, releases []release) ([]vendor, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []vendor
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if len(words) < 6 {
			return nil, fmt.Errorf("%s: %q: want six columns or more", path, line)
		}
		v := vendor{module: words[0], version: words[1], minor: words[3], adders: strings.Split(words[4], ","), packages: words[5:]}
		for _, r := range releases {
			if r.client == words[2] {
				v.release = r
			}
		}
		if v.release.client == "" {
			return nil, fmt.Errorf("%s: %q: no such release", path, line)
		}
		list = append(list, v)
	}
	return list, nil
}

func (v vendor) name() string { return v.module + "@" + v.version }

// run builds and runs the reflector for a vendor's module.
func (v vendor) run(work string) (*output, error) {
	dir := filepath.Join(work, strings.ReplaceAll(v.name(), "/", "_"))
	modules := []string{v.name(), "k8s.io/api@" + v.release.client, "k8s.io/apimachinery@" + v.release.client,
		"k8s.io/client-go@" + v.release.client, "github.com/modern-go/reflect2@v1.0.2"}
	return run(dir, modules, v.scheme())
}

func (v vendor) scheme() string {
	imports := []string{`"k8s.io/apimachinery/pkg/runtime"`}
	var adders []string
	for i, p := range v.packages {
		alias := fmt.Sprint("p", i)
		imports = append(imports, fmt.Sprintf("%s %q", alias, v.module+"/"+p))
		for _, a := range v.adders {
			adders = append(adders, alias+"."+a)
		}
	}
	return scheme(imports, adders)
}

// addVendor merges a vendor's module: its own types, and those types of other modules that no kind of
// Kubernetes refers to and that are not in known.
func (t *table) addVendor(v vendor, known map[string]bool, o *output) error {
	own := func(name string) bool { return strings.HasPrefix(name, v.module+"/") }
	kept := output{Types: map[string][]field{}}
	for name, fields := range o.Types {
		if own(name) || !known[name] {
			kept.Types[name] = fields
		}
	}
	for _, r := range o.Roots {
		if !own(r.Type) {
			continue
		}
		if k := t.kinds[key(r)]; k != nil && !own(k.typ) {
			return fmt.Errorf("%s: %s and %s are one kind", v.name(), r.Type, k.typ)
		}
		kept.Roots = append(kept.Roots, r)
	}
	t.add("v0."+v.minor, &kept)
	return nil
}
