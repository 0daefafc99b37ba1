// Command samples writes stored Kubernetes values together with what Go makes of them: objects are
// filled (by hand for the special cases, at random for the rest), encoded by the serializers that
// an API server stores with, read back, and printed by its JSON serializer and sigs.k8s.io/yaml.
package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"flag"
	"math/rand"
	"os"
	"sort"
	"strings"

	ext1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	ext1beta1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1beta1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer/cbor"
	jsonserializer "k8s.io/apimachinery/pkg/runtime/serializer/json"
	"k8s.io/apimachinery/pkg/runtime/serializer/protobuf"
	"k8s.io/client-go/kubernetes/scheme"
	agg1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
	agg1beta1 "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1beta1"
	"sigs.k8s.io/randfill"
	"sigs.k8s.io/yaml"
)

var (
	kinds    = scheme.Scheme
	proto    = protobuf.NewSerializer(kinds, kinds)
	jsonText = jsonserializer.NewSerializerWithOptions(jsonserializer.DefaultMetaFactory, kinds, kinds, jsonserializer.SerializerOptions{})
	out      = json.NewEncoder(os.Stdout)
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	seed := flag.Int64("seed", 1, "of the random objects")
	count := flag.Int("n", 1, "random objects of each kind, besides one with nothing in it")
	vendor := flag.Bool("openshift", false, "kinds of OpenShift only")
	short := flag.Int("short", 0, "if set: a selection of kinds, short texts, values up to this many bytes")
	flag.Parse()
	for _, add := range []func(*runtime.Scheme) error{ext1.AddToScheme, ext1beta1.AddToScheme, agg1.AddToScheme, agg1beta1.AddToScheme} {
		must(add(kinds))
	}
	stdout := bufio.NewWriter(os.Stdout)
	defer stdout.Flush()
	out = json.NewEncoder(stdout)
	out.SetEscapeHTML(false)
	list, every := stored("k8s.io/"), 5
	if *vendor {
		// Few kinds, of which a sample has all.
		for _, add := range openshift {
			must(add(kinds))
		}
		list, every = storedByOpenshift(), 1
	} else {
		for _, o := range special() {
			write(o)
		}
		writeDocuments()
	}
	for nth, gvk := range list {
		if *short > 0 && nth%every != 0 {
			continue
		}
		for i := 0; i <= *count; i++ {
			if *short > 0 && i == 0 && nth%20 != 0 {
				continue
			}
			o, err := kinds.New(gvk)
			must(err)
			if i > 0 {
				fill(o, *seed*1000003+int64(nth)*1009+int64(i), []float64{.15, .5, .8}[i%3], *short)
			}
			o.GetObjectKind().SetGroupVersionKind(gvk)
			var b bytes.Buffer
			must(proto.Encode(o, &b))
			if *short == 0 || b.Len() <= *short {
				write(o)
			}
		}
	}
}

// stored lists the kinds whose types are below a path, sorted.
func stored(path string) []schema.GroupVersionKind {
	var list []schema.GroupVersionKind
	for gvk, t := range kinds.AllKnownTypes() {
		if gvk.Version != runtime.APIVersionInternal && strings.HasPrefix(t.PkgPath(), path) && !strings.HasPrefix(t.PkgPath(), "k8s.io/apimachinery/") {
			list = append(list, gvk)
		}
	}
	sort.Slice(list, func(i, j int) bool { return list[i].String() < list[j].String() })
	return list
}

func fill(o runtime.Object, seed int64, nilChance float64, short int) {
	f := fillers()
	if short > 0 {
		f = append(f, func(s *string, c randfill.Continue) {
			texts := []string{"", "web-1", "a b", "true", "1e3", "<&>", "two\nlines\n", "caf\u00e9", "0777", "2026-01-02"}
			*s = texts[c.Intn(len(texts))]
		})
	}
	randfill.New().RandSource(rand.NewSource(seed)).NilChance(nilChance).NumElements(1, 2).MaxDepth(12).Funcs(f...).Fill(o)
}

// write encodes an object, reads it back as the API server would, and prints what it says.
func write(o runtime.Object) {
	gvk := o.GetObjectKind().GroupVersionKind()
	var value, text bytes.Buffer
	must(proto.Encode(o, &value))
	back, _, err := proto.Decode(value.Bytes(), &gvk, nil)
	must(err)
	must(jsonText.Encode(back, &text))
	row(gvk.GroupVersion().String()+" "+gvk.Kind, value.Bytes(), text.Bytes())
}

// writeDocuments writes a custom resource as JSON and as CBOR.
func writeDocuments() {
	u := unstructured.Unstructured{Object: map[string]interface{}{
		"apiVersion": "library.example.com/v1", "kind": "Book",
		"metadata": map[string]interface{}{"name": "go", "namespace": "prod", "uid": "11111111-2222-3333-4444-555555555555",
			"creationTimestamp": "2026-01-02T03:04:05Z"},
		"spec": map[string]interface{}{"pages": int64(380), "price": 29.5, "tags": []interface{}{"a", nil, true}, "a10": "x", "a2": "<y>",
			"big": 1e21, "small": -1e-7, "title": "caf\u00e9 \U0001f600 \u2028"},
	}}
	var text, stored bytes.Buffer
	must(jsonText.Encode(&u, &text))
	row("library.example.com/v1 Book JSON", text.Bytes(), text.Bytes())
	must(cbor.NewSerializer(kinds, kinds).Encode(&u, &stored))
	// CBOR has its own order of keys, so only the sorted text can be the same.
	row("library.example.com/v1 Book CBOR", stored.Bytes(), nil)
}

var lastText []byte

func row(key string, value, text []byte) {
	r := map[string]string{"key": key, "value_b64": base64.StdEncoding.EncodeToString(value)}
	if text != nil {
		lastText = text
		r["json"] = strings.TrimSuffix(string(text), "\n")
	}
	var tree interface{}
	must(json.Unmarshal(lastText, &tree))
	d := json.NewDecoder(bytes.NewReader(lastText))
	d.UseNumber()
	must(d.Decode(&tree))
	sorted, err := json.Marshal(tree)
	must(err)
	r["sorted"] = string(sorted)
	y, err := yaml.JSONToYAML(lastText)
	must(err)
	r["yaml"] = string(y)
	must(out.Encode(r))
}
