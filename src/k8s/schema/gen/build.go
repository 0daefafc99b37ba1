package main

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

//go:embed reflect/main.go
var reflector []byte

// release is one line of releases.txt.
type release struct{ client, extensions, aggregator string }

func readReleases(path string) ([]release, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var list []release
	for _, line := range strings.Split(string(text), "\n") {
		words := strings.Fields(line)
		if len(words) == 0 || strings.HasPrefix(line, "#") {
			continue
		}
		if len(words) != 3 {
			return nil, fmt.Errorf("%s: %q: want three columns", path, line)
		}
		list = append(list, release{words[0], words[1], words[2]})
	}
	return list, nil
}

// modules lists the modules of a release as module@version, for the header of the table.
func (r release) modules() []string {
	m := []string{"k8s.io/client-go@" + r.client}
	if r.extensions != "-" {
		m = append(m, "k8s.io/apiextensions-apiserver@"+r.extensions)
	}
	if r.aggregator != "-" {
		m = append(m, "k8s.io/kube-aggregator@"+r.aggregator)
	}
	return m
}

// run builds the reflector in a module of its own under work, and returns its output.
func (r release) run(work string) (*output, error) {
	return run(filepath.Join(work, r.client), r.requirements(), r.scheme())
}

// run stores the result in dir, so that after a failure the next run continues with the same release.
func run(dir string, modules []string, scheme string) (*output, error) {
	saved := filepath.Join(dir, "fields.json")
	text, err := os.ReadFile(saved)
	if err != nil {
		if text, err = build(dir, modules, scheme); err != nil {
			return nil, err
		}
		if err := os.WriteFile(saved, text, 0o644); err != nil {
			return nil, err
		}
	}
	var out output
	return &out, json.Unmarshal(text, &out)
}

func build(dir string, modules []string, scheme string) ([]byte, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	// The requirements are written out here. "go get" and "go mod tidy" would download every package
	// of the modules, but only the types are needed.
	mod := "module schemareflect\n\ngo 1.24\n\n"
	for _, m := range modules {
		mod += "require " + strings.Replace(m, "@", " ", 1) + "\n"
	}
	files := map[string][]byte{
		"main.go":   reflector,
		"scheme.go": []byte(scheme),
		"go.mod":    []byte(mod),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return nil, err
		}
	}
	return goTool(dir, "run", "-mod=mod", ".")
}

// requirements adds the modules that the oldest releases need to link with a current Go version.
func (r release) requirements() []string {
	m := append(r.modules(), "k8s.io/api@"+r.client, "k8s.io/apimachinery@"+r.client)
	if r.aggregator == "-" {
		m = append(m, "github.com/modern-go/reflect2@v1.0.2")
	}
	return m
}

func (r release) scheme() string {
	imports := []string{`"k8s.io/apimachinery/pkg/runtime"`, `"k8s.io/client-go/kubernetes/scheme"`}
	adders := []string{"scheme.AddToScheme"}
	add := func(alias, path string) {
		imports = append(imports, alias+" "+`"`+path+`"`)
		adders = append(adders, alias+".AddToScheme")
	}
	if r.extensions != "-" {
		add("ext1", "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1")
		add("ext1beta1", "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1")
	}
	if r.aggregator != "-" {
		add("agg1", "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1")
		add("agg1beta1", "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1beta1")
	}
	return scheme(imports, adders)
}

// scheme is the file that defines addToScheme.
func scheme(imports, adders []string) string {
	var b strings.Builder
	b.WriteString("package main\n\nimport (\n\t" + strings.Join(imports, "\n\t") + "\n)\n\n")
	b.WriteString("func addToScheme(s *runtime.Scheme) error {\n")
	for _, a := range adders {
		b.WriteString("\tif err := " + a + "(s); err != nil {\n\t\treturn err\n\t}\n")
	}
	b.WriteString("\treturn nil\n}\n")
	return b.String()
}

func goTool(dir string, args ...string) ([]byte, error) {
	var out, errs bytes.Buffer
	c := exec.Command("go", args...)
	c.Dir, c.Stdout, c.Stderr = dir, &out, &errs
	c.Env = append(os.Environ(), "GOWORK=off", "CGO_ENABLED=0")
	if err := c.Run(); err != nil {
		return nil, fmt.Errorf("%s: go %s: %w\n%s", dir, strings.Join(args, " "), err, errs.String())
	}
	return out.Bytes(), nil
}
