// Writes objects of old versions, filled at random, and what Kubernetes' own conversion makes of them: JSON lines.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand"
	"os"
	"strings"

	"k8s.io/apimachinery/pkg/api/apitesting/fuzzer"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	apitesting "k8s.io/kubernetes/pkg/api/testing"
	_ "k8s.io/kubernetes/pkg/controlplane"
)

func main() {
	s := legacyscheme.Scheme
	fuzz := fuzzer.FuzzerFor(apitesting.FuzzerFuncs, rand.NewSource(7), legacyscheme.Codecs)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	targets := map[string]string{}
	for _, l := range strings.Fields(os.Args[1]) {
		p := strings.Split(l, "=") // group/version.Kind=group/version
		targets[p[0]] = p[1]
	}
	for from, to := range targets {
		i := strings.LastIndex(from, ".")
		gvk := schema.FromAPIVersionAndKind(from[:i], from[i+1:])
		gv, _ := schema.ParseGroupVersion(to)
		for n := 0; n < 10; n++ {
			internalGV := schema.GroupVersion{Group: gvk.Group, Version: runtime.APIVersionInternal}
			if gv.Group != gvk.Group {
				internalGV.Group = gv.Group
			}
			internal, err := s.New(internalGV.WithKind(gvk.Kind))
			if err != nil {
				fmt.Fprintln(os.Stderr, from, err)
				break
			}
			fuzz.Fill(internal)
			a := internal.(metav1.Object)
			a.SetManagedFields(nil)
			old, err := s.New(gvk)
			if err != nil {
				fmt.Fprintln(os.Stderr, from, err)
				break
			}
			if err := s.Convert(internal, old, nil); err != nil {
				fmt.Fprintln(os.Stderr, from, err)
				continue
			}
			s.Default(old)
			old.GetObjectKind().SetGroupVersionKind(gvk)
			back, _ := s.New(internalGV.WithKind(gvk.Kind))
			if err := s.Convert(old, back, nil); err != nil {
				fmt.Fprintln(os.Stderr, from, err)
				continue
			}
			new, err := s.New(gv.WithKind(gvk.Kind))
			if err != nil {
				fmt.Fprintln(os.Stderr, to, err)
				break
			}
			if err := s.Convert(back, new, nil); err != nil {
				fmt.Fprintln(os.Stderr, to, err)
				continue
			}
			new.GetObjectKind().SetGroupVersionKind(gv.WithKind(gvk.Kind))
			o, _ := json.Marshal(old)
			w, _ := json.Marshal(new)
			fmt.Fprintf(out, "{\"old\":%s,\"new\":%s}\n", o, w)
		}
	}
}
