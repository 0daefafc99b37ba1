// Prints and reads the cases of testdata/yaml, one JSON object per line on standard input.
//
//	go run . print < CASES   {"json": VALUE} -> {"json": VALUE, "yaml": what JSONToYAML prints for it}
//	go run . read < CASES    {"json": VALUE, "yaml": TEXT}: TEXT must load to VALUE and to one document
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf16"

	yaml3 "gopkg.in/yaml.v3"
	kubectl "k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/yaml"
)

type line struct {
	JSON json.RawMessage `json:"json"`
	YAML string          `json:"yaml"`
}

// Escapes all beyond ASCII that is in the Basic Multilingual Plane: JSONToYAML reads JSON as YAML, and loses some of it.
func escaped(text []byte) []byte {
	var out strings.Builder
	for _, c := range string(text) {
		if c < 0x7f || utf16.IsSurrogate(c) || c > 0xffff {
			out.WriteRune(c)
		} else {
			fmt.Fprintf(&out, `\u%04x`, c)
		}
	}
	return []byte(out.String())
}

// The value without escapes of surrogates, its numbers as they are.
func plain(text []byte) []byte {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		panic(err)
	}
	out, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	return out
}

// The value as JSON with sorted keys, so that equal values are equal texts.
func canonical(text []byte) string {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return "not JSON: " + err.Error()
	}
	out, err := json.Marshal(value)
	if err != nil {
		return "not JSON: " + err.Error()
	}
	return string(out)
}

// As kubectl apply reads a file: documents are split at lines that begin with ---.
func byKubectl(text string) (string, error) {
	decoder := kubectl.NewYAMLOrJSONDecoder(strings.NewReader(text), 4096)
	var documents []string
	for {
		var raw json.RawMessage
		err := decoder.Decode(&raw)
		if err == io.EOF {
			break
		}
		if err != nil {
			return "", err
		}
		if len(raw) > 0 {
			documents = append(documents, canonical(raw))
		}
	}
	if len(documents) != 1 {
		return "", fmt.Errorf("%d documents: %s", len(documents), documents)
	}
	return documents[0], nil
}

func byStrict(text string) (string, error) {
	out, err := yaml.YAMLToJSONStrict([]byte(text))
	return canonical(out), err
}

// As yq reads it.
func byYAML3(text string) (string, error) {
	decoder := yaml3.NewDecoder(strings.NewReader(text))
	var value any
	if err := decoder.Decode(&value); err != nil {
		return "", err
	}
	var second any
	if err := decoder.Decode(&second); err != io.EOF {
		return "", fmt.Errorf("a second document: %v, %v", second, err)
	}
	out, err := json.Marshal(value)
	return canonical(out), err
}

func main() {
	readers := map[string]func(string) (string, error){"kubectl": byKubectl, "strict": byStrict, "yaml.v3": byYAML3}
	mode := ""
	if len(os.Args) == 2 {
		mode = os.Args[1]
	}
	input := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := json.NewEncoder(os.Stdout)
	output.SetEscapeHTML(false)
	count, failures := 0, 0
	for {
		text, err := input.ReadBytes('\n')
		if len(bytes.TrimSpace(text)) > 0 {
			var one line
			if err := json.Unmarshal(text, &one); err != nil {
				panic(err)
			}
			count++
			switch mode {
			case "print":
				printed, err := yaml.JSONToYAML(escaped(plain(one.JSON)))
				if err != nil {
					panic(err)
				}
				output.Encode(line{one.JSON, string(printed)})
			case "read":
				want := canonical(one.JSON)
				for name, read := range readers {
					if got, err := read(one.YAML); err != nil || got != want {
						failures++
						fmt.Printf("line %d, %s: %q\n wanted %s\n    got %s (%v)\n", count, name, one.YAML, want, got, err)
					}
				}
			default:
				fmt.Fprintln(os.Stderr, "go run . print|read < CASES")
				os.Exit(2)
			}
		}
		if err != nil {
			break
		}
	}
	if mode == "read" {
		fmt.Printf("%d cases, %d failures\n", count, failures)
	}
	if failures > 0 || count == 0 {
		os.Exit(1)
	}
}
