// Asks Kubernetes' own libraries what templates, selectors and columns give on the objects of
// ../language_objects.jsonl, and prints one case a line. See ../README.md.
package main

import (
	"bufio"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"unicode/utf8"

	utiljson "k8s.io/apimachinery/pkg/util/json"
)

// object is a tree as an API client has it: integers as int64, other numbers as float64.
type object = map[string]interface{}

// a case is written as it is: only the fields that it has.
type testCase map[string]interface{}

func main() {
	folder := flag.String("out", "..", "folder of language_objects.jsonl, and of what is written")
	random := flag.Int("n", 150, "random cases of each language, beside those made by hand")
	seed := flag.Int64("seed", 1, "of the random cases")
	long := flag.Bool("long", false, "keep random cases however long their output is")
	flag.Parse()

	objects := read(filepath.Join(*folder, "language_objects.jsonl"))
	random_ := rand.New(rand.NewSource(*seed))
	limit := 240
	if *long {
		limit = 1 << 30
	}
	write(filepath.Join(*folder, "jsonpath.jsonl"), jsonPathCases(objects, random_, *random, limit))
	write(filepath.Join(*folder, "selectors.jsonl"), selectorCases(objects, random_, *random))
	write(filepath.Join(*folder, "custom_columns.jsonl"), columnCases(objects, random_, *random, limit))
}

func read(path string) []object {
	file, err := os.Open(path)
	check(err)
	defer file.Close()
	var objects []object
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<26)
	for lines.Scan() {
		objects = append(objects, decode(lines.Bytes()))
	}
	check(lines.Err())
	return objects
}

func decode(text []byte) object {
	var tree interface{}
	check(utiljson.Unmarshal(text, &tree))
	return tree.(object)
}

// write drops repeated cases and sorts nothing: the order is the generator's.
func write(path string, cases []testCase) {
	file, err := os.Create(path)
	check(err)
	defer file.Close()
	seen := map[string]bool{}
	for _, c := range cases {
		var line strings.Builder
		encoder := json.NewEncoder(&line)
		encoder.SetEscapeHTML(false)
		check(encoder.Encode(c))
		if !seen[line.String()] {
			seen[line.String()] = true
			_, err := file.WriteString(line.String())
			check(err)
		}
	}
}

// put adds a text under a name, or under name_hex where it is not UTF-8.
func (c testCase) put(name, text string) {
	if utf8.ValidString(text) {
		c[name] = text
	} else {
		c[name+"_hex"] = fmt.Sprintf("%x", text)
	}
}

// attempt turns a panic into an error: a template that breaks kubectl down is one that fails.
func attempt(run func() error) (err error) {
	defer func() {
		if caught := recover(); caught != nil {
			err = fmt.Errorf("panic: %v", caught)
		}
	}()
	return run()
}

func keysOf(tree object) []string {
	keys := make([]string, 0, len(tree))
	for key := range tree {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	return keys
}

func pick[T any](r *rand.Rand, from []T) T { return from[r.Intn(len(from))] }

func check(err error) {
	if err != nil {
		panic(err)
	}
}
