package main

import (
	"bytes"
	"fmt"
	"math/rand"
	"reflect"
	"sort"
	"strconv"
	"strings"

	"k8s.io/client-go/util/jsonpath"
)

// Templates by hand: one or more for each feature, on the object of that kind.
var templates = map[string][]string{
	"List": {
		`{range .items[*]}{.metadata.namespace}{"\t"}{.metadata.name}{"\n"}{end}`,
		`{.items[*].metadata.name}`, `{.items[0].metadata.name}`, `{.items[-1:].metadata.name}`,
		`{range .items[*]}{.metadata.name}{range .spec.containers[*]}{" "}{.image}{end}{"\n"}{end}`,
		`{range .items[*]}[{.metadata.name}, {.status.phase}] {end}`,
		`{.items[?(@.status.phase=="Running")].metadata.name}`,
		`{.items[?(@.status.phase!="Running")].metadata.name}`,
		`{range .items[?(@.spec.hostNetwork==true)]}{.metadata.name}{end}`,
		`{range .items[*]}{.metadata.name}{"="}{.status.conditions[?(@.type=="Ready")].status}{"\n"}{end}`,
		`{.items[*]['metadata.name', 'status.phase']}`, `{.items[*]['metadata','status']}`,
		`{..image}`, `{.items..name}`, `{.items[*].metadata.labels.app}`,
		`{range .items[*]}{.metadata.name}`, `{range .items[*]}{.metadata.name}{end}{end}`,
		`{range .nothing[*]}{.x}{end}done`, `{range .nothing}{.x[0]}{end}`, `{range .nothing}{[0]}{end}`,
		`{range .items[*]}{range .spec.containers[*]}{.name}{end}`, `{range .items[0:2]}{@.metadata.name},{end}`,
		`{range .items[*]}{$.metadata.name} {end}`, `{.items[0:3:2].metadata.name}`, `{.items[*].spec.containers[0].image}`,
		`{.items[100].metadata.name}`, `{.items[-100].metadata.name}`, `{.items[0:100].metadata.name}`,
		`{range .items[*]}{.spec.containers[1].name}{end}`, `{.items[3:1]}`, `{.items[1:1]}`, `{.items[::2].metadata.name}`,
		`{.items[:2].metadata.name}`, `{.items[-2:].metadata.name}`, `{.items[0,2].metadata.name}`, `{.items[-1,0].metadata.name}`,
		`{.items[].metadata.name}`, `{.items[?(@.metadata.labels.app)].metadata.name}`, `{.kind}{.items[0].kind}`,
		`{range range .items[*]}{.kind}{end}{end}`, `{.items[*].metadata.creationTimestamp}`,
	},
	"Odd": {
		``, `plain`, `{}`, `{@}`, `{$}`, `{ }`, `{.}`, `{..}`, `{...}`, `{....}`, `}`, `a}b`, `{`, `{.a`, `{.a}{`, "{.spec\n}", "{.spec\t.name}",
		`{.spec.name}`, `{ .spec.name }`, `{.spec .name}`, `{.spec name}`, `{spec.name}`, `{@.spec.name}`, `{$.spec.name}`, `{@@$.spec.name}`,
		`{['spec']['name']}`, `{['spec'].name}`, `{.spec['name']}`, `{.spec["name"]}`, `{['spec.name']}`, `{.['spec']}`, `{.spec.['name']}`,
		`{.metadata.annotations.a\.b/c}`, `{.metadata.annotations['a\.b/c']}`, `{.metadata.annotations['a.b/c']}`, `{.a\.b}`, `{.a\ b}`, `{.a b}`, `{['a b']}`, `{['a\ b']}`,
		`{.x-y}`, `{.0}`, `{['0']}`, `{.ключ}`, `{..ключ}`, `{.\*}`, `{['\*']}`, `{['*']}`, `{.\.\.}`, `{.range.end}`, `{.true}`, `{true}`, `{false}`, `{.one.*}`, `{.one.only.*}`, `{.one.only.child.*}`,
		`{.null}`, `{.null.x}`, `{.null[0]}`, `{.null.*}`, `{.null..x}`, `{.nulls}`, `{.nulls[*]}`, `{.nulls[0]}`, `{range .nulls[*]}{@}{end}`, `{range .nulls[*]}{.x}-{end}`, `{range .null}{@}{end}`,
		`{.mixed}`, `{.mixed[*]}`, `{range .mixed[*]}{@}|{end}`, `{.mixed[*].x}`, `{.mixed[5].x}`, `{.mixed[6][1]}`, `{.mixed[*][0]}`, `{.mixed..x}`, `{.mixed[?(@.x)]}`, `{.mixed[?(@.x==1)]}`, `{.mixed[?(@==1)]}`, `{.mixed[?(@)]}`,
		`{.empty}`, `{.none}`, `{.blank}`, `{.empty.*}`, `{.none[*]}`, `{.none[0]}`, `{.none[-1]}`, `{.none[0:0]}`, `{.none[1:0]}`, `{.blank.*}`, `{.none.*}`, `{.none..x}`, `{.empty..x}`,
		`{.ints}`, `{.ints[*]}`, `{.ints[0]}`, `{.ints[7]}`, `{.ints[8]}`, `{.ints[-1]}`, `{.ints[-8]}`, `{.ints[-9]}`, `{.ints[1:3]}`, `{.ints[1:]}`, `{.ints[:2]}`, `{.ints[-2:]}`, `{.ints[:-6]}`, `{.ints[::3]}`, `{.ints[1:7:2]}`,
		`{.ints[::0]}`, `{.ints[::-1]}`, `{.ints[2:1]}`, `{.ints[2:2]}`, `{.ints[8:8]}`, `{.ints[9:9]}`, `{.ints[7:8]}`, `{.ints[7:9]}`, `{.ints[-3:-1]}`, `{.ints[-1:-3]}`, `{.ints[]}`, `{.ints[:]}`, `{.ints[::]}`, `{.ints[1::]}`, `{.ints[1:2:3:4]}`, `{.ints[*:2]}`,
		`{.ints[-]}`, `{.ints[+1]}`, `{.ints[1.5]}`, `{.ints[a]}`, `{.ints[ 1 ]}`, `{.ints[01]}`, `{.ints[9223372036854775807]}`, `{.ints[9223372036854775808]}`, `{.ints[-9223372036854775808]}`, `{.ints['0']}`, `{.ints[0`, "{.ints[0\n]}", `{.ints.0}`,
		`{.ints[0,1]}`, `{.ints[ 0 , 1 ]}`, `{.ints[0,1,0]}`, `{.ints[0,]}`, `{.ints[,]}`, `{.ints[*,0]}`, `{.ints[1:3,0]}`, `{.ints[0,99]}`, `{.ints[0,'a']}`, `{.spec['name','replicas']}`, `{.spec['name',"replicas"]}`, `{.spec['name','nope']}`, `{['spec','users'].name}`, `{.spec['a,b']}`, `{.spec[,'name']}`,
		`{.floats}`, `{.floats[*]}`, `{.floats[?(@>1.0)]}`, `{.floats[?(@>1)]}`, `{.floats[?(@==0.5)]}`, `{.floats[?(@<=0.5)]}`, `{.bools}`, `{.bools[*]}`, `{.bools[?(@==true)]}`, `{.bools[?(@!=true)]}`, `{.bools[?(@<true)]}`, `{.bools[?(@=="true")]}`,
		`{.ints[?(@>1)]}`, `{.ints[?(@>=1)]}`, `{.ints[?(@<1)]}`, `{.ints[?(@<=1)]}`, `{.ints[?(@==1)]}`, `{.ints[?(@!=1)]}`, `{.ints[?(@==-1)]}`, `{.ints[?(@==+1)]}`, `{.ints[?(@=="1")]}`, `{.ints[?(@==1.0)]}`, `{.ints[?(1==1)]}`, `{.ints[?(2>1)]}`, `{.ints[?(@=1)]}`, `{.ints[?(@=>1)]}`, `{.ints[?(@==)]}`, `{.ints[?(@=)]}`, `{.ints[?(@ == 1)]}`, `{.ints[?()]}`, `{.ints[?(==1)]}`, `{.ints[?(!@)]}`, `{.ints[?(@==1]}`, `{.ints[?(@==1)}`, `{.ints[?(@==1`, `{.ints[?(@.x[0])]}`, `{.ints[?(@[0])]}`,
		`{.texts}`, `{.texts[*]}`, `{.texts[?(@=="a")]}`, `{.texts[?(@=='a')]}`, `{.texts[?(@>"a")]}`, `{.texts[?(@=="b c")]}`, `{.texts[?(@=="q\"uo\\te")]}`, `{.texts[?(@=='')]}`, `{.texts[?(@=="tab\there")]}`, `{.texts[1].*}`, `{.texts[4].*}`, `{.texts[1][0]}`, `{.texts..x}`, `{.texts[?(@=="end\n")]}`, `{.texts[?(@.*==97)]}`,
		`{.nested}`, `{.nested[*]}`, `{.nested[*][0]}`, `{.nested[*][*]}`, `{.nested[0:2][0]}`, `{.nested[1][1][0]}`, `{.nested[0:2][1:2]}`, `{.nested[*][1:1]}`, `{.nested..}`, `{.nested..[0]}`, `{.nested[?(@[0])]}`, `{.nested[?(@[0]==1)]}`,
		`{.spec}`, `{.spec.map}`, `{.spec.list}`, `{.spec.replicas}`, `{.spec.ratio}`, `{.spec.big}`, `{.spec.million}`, `{.spec.whole}`, `{.spec.flag}`, `{.spec.off}`, `{.spec.nothing}`, `{.spec.list[*]}`, `{.spec.name.x}`, `{.spec.replicas.x}`, `{.spec.replicas[0]}`, `{.spec.flag[0]}`, `{.spec.name[0]}`, `{.spec[0]}`, `{.spec[*]}`, `{.spec[?(@.a)]}`, `{.spec.*}`, `{.spec..}`,
		`{.users[*].name}`, `{.users[?(@.age>26)].name}`, `{.users[?(@.age>26)]}`, `{.users[0:3][?(@.age>26)].name}`, `{.users[?(@.name=="ann")].age}`, `{.users[?(@.admin)].name}`, `{.users[?(@.admin==true)].name}`, `{.users[?(@.tags[0]=="x")].name}`, `{.users[?(@.tags[0])].name}`, `{.users[?(@.tags[*]=="x")].name}`, `{.users[?(@.score>1)].name}`, `{.users[?(@.name==@.name)].name}`, `{.users[?(@.name>="b")].name}`, `{.users[?(@.tags)].name}`, `{.users[?(@.nope=="x")].name}`, `{.users[?(@.name=="ann")][0]}`, `{.users.name}`, `{.users[?(@.name=="ann" && @.age==30)].name}`, `{.users[?(@['name']=="bob")].age}`, `{.users[?($.name=="bob")].age}`, `{.users[?(@..name=="bob")].age}`, `{.users[?(@.name=="a)b")].age}`, `{.users[?(@.name=="bob")]..tags}`, `{.users[?(@.name)].tags[0]}`, `{.users[?(range)]}`, `{.users[?(end)]}`, `{.users[?(foo)]}`, `{.users[?(@.name=foo)]}`, `{.users[?(@.age==null)]}`,
		`{..name}`, `{.deep..name}`, `{.deep..c}`, `{.deep..c.name}`, `{.deep..}`, `{..d..name}`, `{.deep..b..name}`, `{..*}`, `{..[*]}`, `{.deep.*}`, `{..['name']}`, `{.. name}`, `{..'x'}`, `{..tags[0]}`, `{.users..tags[*]}`,
		`{"a"}`, `{'a'}`, `{"a\tb"}`, `{'a"b'}`, `{"a'b"}`, `{"a\"b"}`, `{'a\'b'}`, `{"a\'b"}`, `{"\x41\101\u0042\U00000043"}`, `{"\xff"}`, `{"\377"}`, `{"\400"}`, `{"\ud800"}`, `{"\q"}`, `{"\"}`, `{"\\"}`, `{"\\ "}`, `{"a}`, `{"a"b"}`, "{\"a\nb\"}", `{"a" "b"}`, `{.spec.name "x"}`, `{"x" .spec.name}`, `{"x".*}`, `{"}"}`, `{"{"}`, `{""}`, `{"\a\b\f\n\r\t\v"}`, `{"\x4"}`, `{"ä€"}`,
		`{1}`, `{-1}`, `{+1}`, `{1.5}`, `{1.}`, `{-.5}`, `{1.2.3}`, `{-}`, `{1e5}`, `{99999999999999999999}`, `{007}`, `{1 2}`, `{1000000.0}`, `{0.00001}`, `{.users[*] 1}`, `{.users[*].name "x"}`,
		`{range .ints[0:2]}{@}{end}x{range .ints[2:4]}{@}{end}`, `{range .users[*]}{.name}{range .tags[*]}{@}{end};{end}`, `{range .none[*]}{.x}{end}y`, `{range .users[*]}{.name}{end} {.spec.name}`, `{range .users[*]}{.name}`, `{range .ints[0:2]}{range .ints}{end}z`, `{end}`, `{range}{end}`, `{range .spec.name}{@}{end}`, `{range .spec}{.name}{end}`, `{range .nope}{.name}{end}`, `{range .ints[0:2]}{end}{end}`, `{range .users[0:2]}{.tags[0]}{end}`, `{range .none[*]}{.tags[0]}{end}`, `{range .none[*]}{[0]}{end}`, `{range .none[*]}{[?(@.x)]}{end}`, `{range .none[*]}{foo}{end}`, `{range .none[*]}{"x"}{end}`, `{range .none[*]}{1}{end}z`, `{range .one.*}{.child}{end}`, `{range "a"}{@}{end}`, `{range .ints[0:2]}{range .ints[0:2]}{@}{end}{end}`, `{range .nested[*]}{range @[*]}{@},{end};{end}`, `{range .ints[0:1]} a {end} b {range .ints[0:1]} c`, `{ range .ints[0:2] }{ @ }{ end }`, `{range.ints[0:2]}{@}{end}`,
		`{foo}`, `{.spec.name|.x}`, `{(.spec)}`, `{.spec.name;}`, `{#}`, `{!}`, `{,}`, `{]}`, `{:}`, `{*}`, `{.*.name}`, `{.spec.name}}`, `{{.spec.name}}`, `{.spec{.name}`, `{_x}`, `{.metadata.annotations.html}`, `{.metadata.annotations}`, `{.metadata.annotations.esc}`, `{.spec.map..}`, `{['spec'}`, `{[']}`, `{['']}`, `{['a']b']}`, `{['.spec']}`, `{['spec[0']}`, `{['spec[name']}`, `{.a,b}`, `{.spec.name,.x}`,
	},
}

// run tells what a template prints: the whole, and each value found by itself.
func run(template string, tree object, asJSON, strict bool) (whole string, pieces []string, err error) {
	path := jsonpath.New("out")
	err = attempt(func() error {
		if err := path.Parse(template); err != nil {
			return err
		}
		path.AllowMissingKeys(!strict)
		path.EnableJSONOutput(asJSON)
		results, err := path.FindResults(tree)
		if err != nil {
			return err
		}
		var text bytes.Buffer
		for _, part := range results {
			if err := path.PrintResults(&text, part); err != nil {
				return err
			}
			for _, value := range part {
				var piece bytes.Buffer
				if err := path.PrintResults(&piece, []reflect.Value{value}); err != nil {
					return err
				}
				pieces = append(pieces, piece.String())
			}
		}
		whole = text.String()
		return nil
	})
	sort.Strings(pieces)
	return whole, pieces, err
}

// jsonPathCase is nil where Go's order of maps decides whether it fails, or what it finds.
func jsonPathCase(template string, at int, tree object, asJSON, strict bool) testCase {
	c := testCase{"template": template, "object": at}
	if asJSON {
		c["json"] = true
	}
	if strict {
		c["strict"] = true
	}
	whole, pieces, err := run(template, tree, asJSON, strict)
	ordered := true
	for i := 0; i < 60; i++ {
		again, piecesAgain, errAgain := run(template, tree, asJSON, strict)
		if (err == nil) != (errAgain == nil) || !reflect.DeepEqual(pieces, piecesAgain) {
			return nil
		}
		ordered = ordered && again == whole
	}
	switch {
	case err != nil && asJSON && strings.HasPrefix(err.Error(), "panic"):
		// kubectl breaks down on a range over null; null is the better answer.
		return nil
	case err != nil:
		c["error"] = err.Error()
	case ordered:
		c.put("out", whole)
	default:
		if pieces == nil {
			pieces = []string{}
		}
		for _, piece := range pieces {
			if strings.ToValidUTF8(piece, "") != piece {
				return nil
			}
		}
		c["pieces"] = pieces
	}
	return c
}

func jsonPathCases(objects []object, r *rand.Rand, count, limit int) []testCase {
	var cases []testCase
	add := func(c testCase) {
		if c != nil {
			cases = append(cases, c)
		}
	}
	for at, tree := range objects {
		for _, template := range templates[tree["kind"].(string)] {
			lenient := jsonPathCase(template, at, tree, false, false)
			add(lenient)
			strict := jsonPathCase(template, at, tree, false, true)
			if lenient != nil && strict != nil && lenient["error"] == nil && strict["error"] != nil {
				add(strict)
			}
			if strings.Contains(template, "range") || len(template) < 14 {
				add(jsonPathCase(template, at, tree, true, false))
			}
		}
	}
	for made := 0; made < count; {
		at := r.Intn(len(objects))
		template := randomTemplate(r, objects[at])
		c := jsonPathCase(template, at, objects[at], r.Intn(8) == 0, r.Intn(6) == 0)
		if c == nil || len(fmt.Sprint(c)) > limit+len(template) {
			continue
		}
		made++
		add(c)
	}
	return cases
}

func randomTemplate(r *rand.Rand, tree object) string {
	switch r.Intn(5) {
	case 0:
		path, inner := randomPath(r, tree)
		body, _ := randomPath(r, inner)
		return "{range " + path + "}{" + body + "}{\"\\n\"}{end}"
	case 1:
		one, _ := randomPath(r, tree)
		other, _ := randomPath(r, tree)
		return "{" + one + "} and {" + other + "}"
	default:
		path, _ := randomPath(r, tree)
		return "{" + path + "}"
	}
}

// randomPath goes down some steps into what is really there, mostly.
func randomPath(r *rand.Rand, tree interface{}) (string, interface{}) {
	path := ""
	for steps := r.Intn(6); steps >= 0; steps-- {
		var step string
		step, tree = randomStep(r, tree)
		path += step
	}
	return path, tree
}

func randomStep(r *rand.Rand, tree interface{}) (string, interface{}) {
	if r.Intn(25) == 0 {
		return pick(r, []string{".nope", "[0]", "[*]", ".*", "..name", "[-1]", "..", "[?(@.name)]", "@", "['a','b']", "[1:]", "[0:2:2]"}), tree
	}
	switch tree := tree.(type) {
	case object:
		if len(tree) == 0 {
			return "", tree
		}
		key := pick(r, keysOf(tree))
		escaped := strings.NewReplacer(".", `\.`, " ", `\ `).Replace(key)
		switch r.Intn(10) {
		case 0:
			return "['" + escaped + "']", tree[key]
		case 1:
			other := strings.ReplaceAll(pick(r, keysOf(tree)), ".", `\.`)
			return "['" + escaped + "','" + other + "']", tree[key]
		case 2:
			return ".." + escaped, tree[key]
		case 3:
			return ".*", tree[key]
		default:
			return "." + escaped, tree[key]
		}
	case []interface{}:
		if len(tree) == 0 {
			return pick(r, []string{"[*]", "[0]", "[0:]"}), nil
		}
		element := pick(r, tree)
		index := func() string { return strconv.Itoa(r.Intn(2*len(tree)+2) - len(tree) - 1) }
		switch r.Intn(8) {
		case 0:
			return "[" + index() + "]", element
		case 1:
			return "[" + index() + ":" + index() + "]", element
		case 2:
			return "[::" + strconv.Itoa(r.Intn(3)) + "]", element
		case 3:
			return "[" + index() + "," + index() + "]", element
		case 4, 5:
			return randomFilter(r, element), element
		default:
			return "[*]", element
		}
	}
	return "", tree
}

func randomFilter(r *rand.Rand, element interface{}) string {
	left, value := "@", element
	for depth := 0; depth < 3; depth++ {
		tree, ok := value.(object)
		if !ok || len(tree) == 0 {
			break
		}
		key := pick(r, keysOf(tree))
		left += "." + strings.ReplaceAll(key, ".", `\.`)
		value = tree[key]
	}
	if r.Intn(4) == 0 {
		return "[?(" + left + ")]"
	}
	right := `"x"`
	switch value := value.(type) {
	case string:
		right = strconv.Quote(value)
	case int64, bool, float64:
		right = fmt.Sprint(value)
	}
	if r.Intn(6) == 0 {
		right = pick(r, []string{"1", "true", `"Running"`, "1.5", left, "@.name", `''`})
	}
	return "[?(" + left + pick(r, []string{"==", "!=", "<", "<=", ">", ">="}) + right + ")]"
}
