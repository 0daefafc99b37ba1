package main

import (
	"fmt"
	"math/rand"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/labels"
)

var labelSelectors = []string{
	"", " ", "app", "!app", "app=web", "app==web", "app!=web", "app = web", " app  in  ( web , db ) ", "app in (web,db)", "app notin (web)", "app notin (web,db),tier",
	"tier=", "tier==", "tier!=", "tier", "tier in ()", "tier in (,)", "tier in (,web)", "tier in (web,)", "tier in (a,,b)", "nope=", "nope!=", "nope!=x", "nope in (x)", "nope notin (x)", "!nope", "! nope", "app,tier", "app,!tier", "app,!nope,n>1",
	"n>6", "n>7", "n<8", "n<7", "n > 6", "n<-1", "n>+1", "n>", "n>a", "n>1.5", "big>1", "big<9223372036854775807", "big>9223372036854775807", "big<9223372036854775808", "neg<0", "neg=-5", "word>1", "nope>1", "app>1", "n>1,n<9",
	"in", "in=notin", "in in (notin)", "in in (in,notin)", "in notin (notin)", "notin notin (in)", "app in", "app notin", "app in web", "app in (web", "app in web)", "app in (web db)", "app in (web,db", "app in (web,,", "app in ((web))", "app in (=)", "app in (!x)",
	"example.com/part=x.y", "example.com/part", "!example.com/part", "example.com/", "/part", "a/b/c", "Example.com/part", "example..com/part", "-a/b", "a-/b", "a_b/c", "a b", "a,", ",a", "a,,b", "=", "==", "!", "!!a", "a!", "a=!b", "a==b==c", "a=b=c", "a===b", "a=!=b", "a!==b", "a<=1", "a>=1", "a=>1", "a!in(b)", "!a=b", "!a in (b)", "(a)", "a=(b)", "a)", "a in (b))", "a=b c", "a b=c",
	"-a=b", "a-=b", ".a=b", "a.=b", "_a=b", "a_b.c-d=b", "a=-b", "a=b-", "a=.b", "a=b.c_d-e", "a=b/c", "a=b:c", "a=\"b\"", "a='b'", "a=b*", "a=\u00e4", "\u00e4=a", "a=b\tc", "a\t=\nb\r",
	strings.Repeat("a", 63) + "=x", strings.Repeat("a", 64) + "=x", "a=" + strings.Repeat("b", 63), "a=" + strings.Repeat("b", 64), strings.Repeat("a.", 126) + "a/x", strings.Repeat("a.", 127) + "a/x", strings.Repeat("a", 70) + ".com/x", "a in (" + strings.Repeat("b", 64) + ")", "a notin (-b)", "1=2", "1a/2b=3c",
	"app.kubernetes.io/name=web", "kubernetes.io/metadata.name", "kubernetes.io/metadata.name in (default,dev,prod)", "pod-template-hash", "pod-template-hash,app=web", "kubernetes.io/os=linux", "app=agent", "app in (agent,web,rich)", "app notin (agent)", "batch.kubernetes.io/job-name",
}

var fieldSelectors = []string{
	"", ",", ",,", "metadata.name=odd", "metadata.name==odd", "metadata.name!=odd", "metadata.name=", "metadata.name!=", "metadata.name", "metadata.name=odd,kind=Odd", "metadata.name=odd,kind!=Odd", "kind!=Pod,kind!=Odd", "metadata.name=odd,", ",metadata.name=odd",
	"status.phase=Running", "status.phase!=Running", "status.phase=Running,metadata.namespace=prod", "spec.nodeName=", "spec.nodeName!=", "metadata.namespace=default", "nope=x", "nope=", "nope!=x", "spec.replicas=3", "spec.ratio=0.75", "spec.million=1e+06", "spec.flag=true", "spec.off=false", "spec.off!=true", "spec.nope.x=",
	`metadata.name=a\,b`, `metadata.name=a\=b`, `metadata.name=a\\b`, `metadata.name=a\b`, `metadata.name=a\`, `metadata.name=a=b`, `metadata.name==a=b`, `metadata.name===odd`, `metadata.name=!=odd`, `metadata.name!==odd`, `metadata.name = odd`, `metadata.name= odd`, `spec.name=n`, `spec.name=\n`, `a\=b=c`, `metadata.name<odd`, `metadata.name in (odd)`, `blank=`, `blank!=`, `x-y=dash`, `type=Opaque`, `type!=Opaque,kind=Secret`, `involvedObject.kind=Pod`, `reason!=`, `0=zero`, `spec.unset=`, `spec.when=1990-01-02T03:04:05Z`, `apiVersion=v1,kind=Pod`,
}

func selectorCases(objects []object, r *rand.Rand, count int) []testCase {
	var cases []testCase
	for _, text := range labelSelectors {
		cases = append(cases, labelCase(objects, text))
	}
	for i := 0; i < count/2; i++ {
		cases = append(cases, labelCase(objects, randomLabels(r, objects)))
	}
	for _, text := range fieldSelectors {
		cases = append(cases, fieldCase(objects, text))
	}
	for i := 0; i < count/4; i++ {
		cases = append(cases, fieldCase(objects, randomFields(r, objects)))
	}
	return cases
}

func labelCase(objects []object, text string) testCase {
	c := testCase{"labels": text}
	selector, err := labels.Parse(text)
	if err != nil {
		c["error"] = err.Error()
		return c
	}
	matches := []int{}
	for at, tree := range objects {
		if selector.Matches(labels.Set((&unstructured.Unstructured{Object: tree}).GetLabels())) {
			matches = append(matches, at)
		}
	}
	c["matches"] = matches
	return c
}

func fieldCase(objects []object, text string) testCase {
	c := testCase{"fields": text}
	selector, err := fields.ParseSelector(text)
	if err != nil {
		c["error"] = err.Error()
		return c
	}
	matches := []int{}
	for at, tree := range objects {
		set := fields.Set{}
		flatten(set, "", tree)
		if selector.Matches(set) {
			matches = append(matches, at)
		}
	}
	c["matches"] = matches
	return c
}

// flatten makes a field of every scalar below maps. What the API server computes is not in it, so
// no case asks for that.
func flatten(set fields.Set, prefix string, tree object) {
	for key, value := range tree {
		path := prefix + strings.ReplaceAll(key, ".", `\.`)
		switch value := value.(type) {
		case object:
			flatten(set, path+".", value)
		case string, int64, float64, bool:
			set[path] = fmt.Sprint(value)
		}
	}
}

func randomLabels(r *rand.Rand, objects []object) string {
	var parts []string
	for n := 1 + r.Intn(3); n > 0; n-- {
		key, value := "app", "web"
		own := (&unstructured.Unstructured{Object: pick(r, objects)}).GetLabels()
		for k, v := range sorted(own) {
			if r.Intn(3) == 0 || k == 0 {
				key, value = v[0], v[1]
			}
		}
		parts = append(parts, pick(r, []string{
			key, "!" + key, key + "=" + value, key + "==" + value, key + "!=" + value, key + " in (" + value + ",x)", key + " notin (" + value + ")", key + " notin (x,y)", key + ">1", key + "<100", key + "=" + value + "-",
		}))
	}
	text := strings.Join(parts, pick(r, []string{",", ", ", " ,"}))
	if r.Intn(12) == 0 && len(text) > 0 {
		at := r.Intn(len(text))
		text = text[:at] + pick(r, []string{"(", ")", "=", "!", ",", " ", "in", "", ">"}) + text[at:]
	}
	return text
}

func randomFields(r *rand.Rand, objects []object) string {
	var parts []string
	for n := 1 + r.Intn(3); n > 0; n-- {
		set := fields.Set{}
		flatten(set, "", pick(r, objects))
		all := sorted(set)
		field := pick(r, all)
		if strings.ContainsAny(field[0], "=,!") || strings.Contains(field[0], `\`) && r.Intn(2) == 0 {
			continue
		}
		parts = append(parts, field[0]+pick(r, []string{"=", "==", "!="})+fields.EscapeValue(field[1]))
	}
	return strings.Join(parts, ",")
}

func sorted(set map[string]string) [][2]string {
	var pairs [][2]string
	tree := object{}
	for key, value := range set {
		tree[key] = value
	}
	for _, key := range keysOf(tree) {
		pairs = append(pairs, [2]string{key, tree[key].(string)})
	}
	return pairs
}
