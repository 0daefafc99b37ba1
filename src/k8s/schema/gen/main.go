// Command schemagen writes ../table.rs: the fields of every type that a Kubernetes API server
// stores, merged over the releases in releases.txt. Developers run it; see README.md.
package main

import (
	"flag"
	"fmt"
	"os"
)

func main() {
	releases := flag.String("releases", "releases.txt", "the releases to merge")
	vendors := flag.String("vendors", "vendors.txt", "the vendors' modules to merge")
	out := flag.String("out", "../table.rs", "the Rust table to write")
	work := flag.String("work", "work", "folder for the modules built on the way; may be deleted")
	flag.Parse()
	if err := generate(*releases, *vendors, *out, *work); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func generate(releases, vendors, out, work string) error {
	list, err := readReleases(releases)
	if err != nil {
		return err
	}
	merged := newTable()
	var modules []string
	for _, r := range list {
		o, err := r.run(work)
		if err != nil {
			return err
		}
		merged.add(r.client, o)
		modules = append(modules, r.modules()...)
		fmt.Fprintf(os.Stderr, "%s: %d kinds, %d types\n", r.client, len(o.Roots), len(o.Types))
	}
	more, err := readVendors(vendors, list)
	if err != nil {
		return err
	}
	known := map[string]bool{}
	for name := range merged.types {
		known[name] = true
	}
	for _, v := range more {
		o, err := v.run(work)
		if err != nil {
			return err
		}
		if err := merged.addVendor(v, known, o); err != nil {
			return err
		}
		modules = append(modules, v.name())
		fmt.Fprintf(os.Stderr, "%s: %d kinds, %d types\n", v.name(), len(o.Roots), len(o.Types))
	}
	merged.complete()
	merged.report(os.Stderr)
	text, err := merged.rust(modules)
	if err != nil {
		return err
	}
	return os.WriteFile(out, []byte(text), 0o644)
}
