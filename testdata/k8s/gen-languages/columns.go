package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"strings"
	"time"

	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/install"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/apiextensions-apiserver/pkg/registry/customresource/tableconvertor"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/version"
	"k8s.io/kubectl/pkg/cmd/get"
)

var specs = []string{
	"", "A", "A:", ":", ":.spec.name", "A:.spec.name", "A:spec.name", "A:{.spec.name}", "A:{spec.name}", "A:{spec.name", "A:spec.name}", "A:{}", "A:{{.spec.name}}", "A:.", "A:..", "A:..name", "A:...", "A:{.}", "A:$.spec.name", "A:@", "A:.spec.name,B:.nope,C:.null", "A:.spec.name,", ",A:.spec.name", "A:B:.spec.name",
	"A:.spec", "A:.spec.map", "A:.spec.list", "A:.spec.list[*]", "A:.ints", "A:.ints[*]", "A:.ints[0]", "A:.ints[99]", "A:.none", "A:.none[*]", "A:.none[0]", "A:.empty", "A:.blank", "A:.null", "A:.nulls", "A:.nulls[*]", "A:.mixed", "A:.mixed[*]", "A:.floats", "A:.floats[*]", "A:.bools[*]", "A:.texts[0:4]", "A:.users[*].name", "A:.users[*].tags", "A:.users[?(@.age>26)].name", "A:.users[0:3][?(@.age>26)].name", "A:.users[?(@.name==\"ann\")].name", "A:.metadata.annotations.esc", "A:.metadata.annotations.html", `A:.metadata.annotations.a\.b/c`, "A:['spec'].name", "A:.spec['name']", "A:[0]", "A:.spec.replicas", "A:.spec.ratio", "A:.spec.million", "A:.spec.flag", "A:.spec.nothing", "A:.spec.when", "A:.deep..name", "A:.one..", "A:.spec name", "A:.spec.name foo", "A:.spec.#", "A:.ints[0", "A:.texts[1].*", "A:.nested", "A:.spec.bad,B:.spec.unset", "NAME:.metadata.name,NS:.metadata.namespace,IMG:.spec.containers[*].image", "NAME:.metadata.name,RSRC:.metadata.resourceVersion", "A:.range.end", "A:.spec.map.k", "A:.mixed[5]", "A:'x'", "A:\"x\"", "A:.x-y", "A:.a b", "A:.ключ", "\u00c4:.kind",
}

var files = []string{
	"", "A", "A\n", "A\n.spec.name", "A\n.spec.name\n", "A B\n.spec.name .kind\n", "A   B\t C\n{.spec.name}\t{.kind}  metadata.name\nmore lines", "A B\n.spec.name\n", "A\n.spec.name .kind\n", "\n\n", "\n.spec.name", "A\r\n.spec.name\r\n", "A\n{.spec", "A\n.ints[99]", "A\u00a0B\n.kind\u2003.kind",
}

func columnCases(objects []object, r *rand.Rand, count, limit int) []testCase {
	var cases []testCase
	add := func(c testCase) {
		if c != nil && len(fmt.Sprint(c)) <= limit+200 {
			cases = append(cases, c)
		}
	}
	for at, tree := range objects {
		kind := tree["kind"]
		for _, spec := range specs {
			if kind == "Odd" || kind == "Pod" && strings.HasPrefix(spec, "N") {
				add(customCase("spec", spec, at, tree))
			}
		}
		for _, text := range files {
			if kind == "Odd" {
				add(customCase("file", text, at, tree))
			}
		}
	}
	for i := 0; i < count/3; i++ {
		at := r.Intn(len(objects))
		if objects[at]["kind"] == "List" {
			continue // The printer goes through its items.
		}
		path, _ := randomPath(r, objects[at])
		add(customCase("spec", "A:"+strings.ReplaceAll(path, ",", ":"), at, objects[at]))
	}
	return append(cases, resourceCases(objects, r, count/2)...)
}

// customCase prints each column by itself, so that nothing is padded.
func customCase(how, text string, at int, tree object) testCase {
	c := testCase{how: text, "object": at}
	whole, err := customPrinter(how, text)
	if err != nil {
		c["error"] = err.Error()
		return c
	}
	headers, cells := []string{}, []string{}
	for _, column := range whole.Columns {
		cell, err := customCell(column, tree)
		for i := 0; i < 60; i++ {
			if again, errAgain := customCell(column, tree); again != cell || (err == nil) != (errAgain == nil) {
				return nil
			}
		}
		if err != nil {
			c["error"] = err.Error()
			return c
		}
		if strings.Contains(cell, "tab ") {
			return nil // The table has expanded a tab of the cell.
		}
		headers = append(headers, column.Header)
		cells = append(cells, cell)
	}
	c["headers"] = headers
	c["cells"] = cells
	return c
}

func customPrinter(how, text string) (*get.CustomColumnsPrinter, error) {
	if how == "file" {
		return get.NewCustomColumnsPrinterFromTemplate(strings.NewReader(text), nil)
	}
	return get.NewCustomColumnsPrinterFromSpec(text, nil, true)
}

func customCell(column get.Column, tree object) (string, error) {
	var out bytes.Buffer
	err := attempt(func() error {
		printer := get.CustomColumnsPrinter{Columns: []get.Column{column}, NoHeaders: true}
		return printer.PrintObj(&unstructured.Unstructured{Object: tree}, &out)
	})
	return strings.TrimSuffix(out.String(), "\n"), err
}

// Columns of custom resources: JSON of additionalPrinterColumns as v1 has it.
var definitions = []string{
	``,
	`[{"name":"Replicas","type":"integer","jsonPath":".spec.replicas"},{"name":"Ratio","type":"number","jsonPath":".spec.ratio"},{"name":"Flag","type":"boolean","jsonPath":".spec.flag","priority":1},{"name":"Map","type":"string","jsonPath":".spec.map"},{"name":"When","type":"date","jsonPath":".spec.when"}]`,
	`[{"name":"Off","type":"boolean","jsonPath":".spec.off"},{"name":"Nope","type":"string","jsonPath":".spec.nope"},{"name":"Null","type":"string","jsonPath":".spec.nothing"},{"name":"NullInt","type":"integer","jsonPath":".spec.nothing"},{"name":"Bad","type":"date","jsonPath":".spec.bad"},{"name":"Unset","type":"date","jsonPath":".spec.unset"},{"name":"Offset","type":"date","jsonPath":".spec.offset"}]`,
	`[{"name":"Int as number","type":"number","jsonPath":".spec.replicas"},{"name":"Float as int","type":"integer","jsonPath":".spec.ratio"},{"name":"Whole","type":"integer","jsonPath":".spec.whole"},{"name":"Big as int","type":"integer","jsonPath":".spec.big"},{"name":"Big","type":"number","jsonPath":".spec.big"},{"name":"Million","type":"number","jsonPath":".spec.million"},{"name":"Million text","type":"string","jsonPath":".spec.million"},{"name":"Text as int","type":"integer","jsonPath":".spec.name"},{"name":"Bool as text","type":"string","jsonPath":".spec.flag"},{"name":"Text as bool","type":"boolean","jsonPath":".spec.name"},{"name":"Int as date","type":"date","jsonPath":".spec.replicas"},{"name":"Odd type","type":"thing","jsonPath":".spec.name"}]`,
	`[{"name":"First","type":"string","jsonPath":".users[*].name"},{"name":"Index","type":"string","jsonPath":".users[1].name"},{"name":"Outside","type":"string","jsonPath":".users[9].name"},{"name":"Filter","type":"string","jsonPath":".users[?(@.name==\"bob\")].age"},{"name":"Filter error","type":"string","jsonPath":".users[?(@.age>1)].age"},{"name":"List","type":"string","jsonPath":".spec.list"},{"name":"Null element","type":"string","jsonPath":".nulls[0]"},{"name":"Html","type":"string","jsonPath":".metadata.annotations"},{"name":"Floats","type":"number","jsonPath":".floats[3]"}]`,
	`[{"name":"Good","type":"string","jsonPath":".spec.name"},{"name":"Broken","type":"string","jsonPath":".spec.name["},{"name":"Behind","type":"string","jsonPath":".spec.name"}]`,
	`[{"name":"No dot","type":"string","jsonPath":"spec.name"},{"name":"Empty","type":"string","jsonPath":""},{"name":"Braces","type":"string","jsonPath":".spec}x{.name"},{"name":"Priority","type":"string","jsonPath":".kind","priority":-1},{"name":"Zero","type":"string","jsonPath":".kind","priority":0},{"name":"","type":"string","jsonPath":".kind","priority":7},{"name":"Age","type":"date","jsonPath":".metadata.creationTimestamp"}]`,
}

// Dates, and what is nearly one.
var dates = []string{
	"1990-02-28T00:00:00Z", "1990-02-29T00:00:00Z", "1992-02-29T00:00:00Z", "1990-13-01T00:00:00Z", "1990-01-00T00:00:00Z", "1990-01-01T24:00:00Z", "1990-01-01T00:00:60Z", "1990-01-01 00:00:00Z", "1990-01-01T00:00:00", "1990-01-01T00:00:00.Z", "1990-01-01T00:00:00.5Z", "1990-01-01T00:00:00,5Z", "1990-01-01T00:00:00-07:00", "1990-01-01T00:00:00+24:00", "1990-01-01T00:00:00+25:00", "1990-01-01T00:00:00+0100", "1990-1-01T00:00:00Z", "1990-01-01T00:00:00z", "null", "", "1990-01-01T00:00:00Z ", "90-01-01T00:00:00Z",
}

func resourceCases(objects []object, r *rand.Rand, count int) []testCase {
	var cases []testCase
	odd := 0
	for at, tree := range objects {
		if tree["kind"] == "Odd" {
			odd = at
		}
	}
	for _, columns := range definitions {
		for _, old := range []bool{false, true} {
			cases = append(cases, resourceCase(definition(columns, old, false), "v1", odd, objects[odd]))
		}
	}
	cases = append(cases,
		resourceCase(definition(definitions[1], true, true), "v1", odd, objects[odd]),
		resourceCase(definition(definitions[1], false, false), "v2", odd, objects[odd]),
		resourceCase(definition("", false, false), "v1", len(objects)-1, objects[len(objects)-1]),
	)
	for i := 0; i < count; i++ {
		at := r.Intn(len(objects))
		var columns []string
		for n := 1 + r.Intn(3); n > 0; n-- {
			path, _ := randomPath(r, objects[at])
			if strings.Contains(path, "*") || strings.Contains(path, "..") {
				continue
			}
			text, err := json.Marshal(path)
			check(err)
			columns = append(columns, fmt.Sprintf(`{"name":"C%d","type":%q,"jsonPath":%s}`, n, pick(r, []string{"string", "integer", "number", "boolean", "string"}), text))
		}
		c := resourceCase(definition("["+strings.Join(columns, ",")+"]", r.Intn(3) == 0, false), "v1", at, objects[at])
		if len(fmt.Sprint(c)) < 600 {
			cases = append(cases, c)
		}
	}
	for _, date := range dates {
		// A text is what it finds, whatever the object: the dates need no objects of their own.
		column := fmt.Sprintf(`[{"name":"When","type":"date","jsonPath":%q}]`, fmt.Sprintf("%q", date))
		cases = append(cases, resourceCase(definition(column, false, false), "v1", odd, objects[odd]))
	}
	return append(cases, preferredCases(r)...)
}

// definition is as the API server stores it, cut to what matters.
func definition(columns string, old, single bool) string {
	if columns == "" {
		columns = "null"
	}
	if !old {
		return `{"apiVersion":"apiextensions.k8s.io/v1","kind":"CustomResourceDefinition","spec":{"versions":[{"name":"v1","additionalPrinterColumns":` + columns + `},{"name":"v2"}]}}`
	}
	columns = strings.ReplaceAll(columns, `"jsonPath"`, `"JSONPath"`)
	versions := `,"versions":[{"name":"v1"},{"name":"v2"}]`
	if single {
		versions = ""
	}
	return `{"apiVersion":"apiextensions.k8s.io/v1beta1","kind":"CustomResourceDefinition","spec":{"version":"v1"` + versions + `,"additionalPrinterColumns":` + columns + `}}`
}

func resourceCase(text, of string, at int, tree object) testCase {
	now := time.Now().Unix()
	c := testCase{"definition": json.RawMessage(text), "version": of, "object": at, "now": now}
	listed := columnsOf(text, of)
	convertor, _ := tableconvertor.New(listed)
	table, err := convertor.ConvertToTable(context.Background(), &unstructured.Unstructured{Object: tree}, nil)
	check(err)
	columns, wide := []string{}, []bool{}
	for _, column := range table.ColumnDefinitions {
		columns = append(columns, column.Name)
		wide = append(wide, column.Priority != 0)
	}
	c["columns"], c["wide"] = columns, wide
	// As kubectl gets it: through JSON.
	wire, err := json.Marshal(object{"cells": table.Rows[0].Cells})
	check(err)
	cells := []string{}
	for _, cell := range decode(wire)["cells"].([]interface{}) {
		if cell == nil {
			cell = ""
		}
		cells = append(cells, fmt.Sprint(cell))
	}
	c["cells"] = cells
	return c
}

// columnsOf is what the API server has of a version: name and age where nothing is listed.
func columnsOf(text, of string) []apiextensionsv1.CustomResourceColumnDefinition {
	scheme := runtime.NewScheme()
	install.Install(scheme)
	decoded, _, err := serializer.NewCodecFactory(scheme).UniversalDeserializer().Decode([]byte(text), nil, nil)
	check(err)
	internal, err := scheme.ConvertToVersion(decoded, apiextensions.SchemeGroupVersion.WithKind("").GroupVersion())
	check(err)
	stable, err := scheme.ConvertToVersion(internal, apiextensionsv1.SchemeGroupVersion)
	check(err)
	for _, v := range stable.(*apiextensionsv1.CustomResourceDefinition).Spec.Versions {
		if v.Name == of && len(v.AdditionalPrinterColumns) > 0 {
			return v.AdditionalPrinterColumns
		}
	}
	return []apiextensionsv1.CustomResourceColumnDefinition{{Name: "Age", Type: "date", JSONPath: ".metadata.creationTimestamp"}}
}

// preferredCases say which version of some is the first to be asked for.
func preferredCases(r *rand.Rand) []testCase {
	names := []string{"v1", "v2", "v10", "v1beta1", "v1beta2", "v2beta1", "v1alpha1", "v11alpha2", "foo", "bar", "v", "v1gamma1", "v1beta", "vbeta1"}
	var cases []testCase
	for i := 0; i < 30; i++ {
		some := []string{}
		for _, at := range r.Perm(len(names))[:2+r.Intn(3)] {
			some = append(some, names[at])
		}
		best := some[0]
		for _, name := range some {
			if version.CompareKubeAwareVersionStrings(name, best) > 0 {
				best = name
			}
		}
		cases = append(cases, testCase{"versions": some, "preferred": best})
	}
	return cases
}
