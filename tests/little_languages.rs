//! kubectl's templates, selectors and columns against what Kubernetes' own libraries answer on the
//! objects in testdata/k8s. ETCDIVE_LANGUAGES names a folder with a bigger set of the same files.

use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::{Value, json};

use etcdive::k8s::columns::Clock;
use etcdive::k8s::custom_columns::{
    CustomColumns, CustomColumnsError, MOST_COLUMNS, ResourceColumns,
};
use etcdive::k8s::jsonpath::{Budget, JsonPath, JsonPathError};
use etcdive::k8s::selector::{FieldSelector, LabelSelector};

use crate::support::random::Random;
use crate::support::{etcdive, testdata};

/// The folders with cases.
fn folders() -> Vec<PathBuf> {
    let mut folders = vec![testdata("k8s")];
    folders.extend(std::env::var_os("ETCDIVE_LANGUAGES").map(PathBuf::from));
    folders
}

/// Every case of a file, with all the objects; the text is what differs, if anything.
fn for_each_case(
    name: &str,
    at_least: usize,
    differs: impl Fn(&Value, &[Value]) -> Option<String>,
) {
    for folder in folders() {
        let lines = |name: &str| -> Vec<Value> {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            text.lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let objects = lines("language_objects.jsonl");
        let cases = lines(name);
        assert!(cases.len() >= at_least, "{name}: {} cases", cases.len());
        let mut report = String::new();
        let mut wrong = 0;
        for case in &cases {
            if let Some(ours) = differs(case, &objects) {
                wrong += 1;
                if wrong <= 20 {
                    writeln!(report, "wanted {case}\n  ours {ours}").unwrap();
                }
            }
        }
        assert_eq!(wrong, 0, "{name}, of {} cases:\n{report}", cases.len());
    }
}

fn object<'a>(case: &Value, objects: &'a [Value]) -> &'a Value {
    &objects[case["object"].as_u64().unwrap() as usize]
}

fn texts(list: &Value) -> Vec<&str> {
    let list = list.as_array().unwrap();
    list.iter().map(|text| text.as_str().unwrap()).collect()
}

/// What is wrong where one side gives an error and the other does not.
fn error_differs(case: &Value, ours: Option<String>) -> Option<String> {
    match (case.get("error"), ours) {
        (Some(_), None) => Some("no error".to_owned()),
        (None, Some(error)) => Some(format!("the error: {error}")),
        _ => None,
    }
}

/// All that a template prints, and each value by itself, sorted.
fn print(case: &Value, tree: &Value) -> Result<(Vec<u8>, Vec<String>), JsonPathError> {
    let path = JsonPath::parse(case["template"].as_str().unwrap())?
        .allow_missing_keys(case.get("strict").is_none());
    let results = path.find(tree)?;
    let mut whole = Vec::new();
    if case.get("json").is_some() {
        results.print_json(&mut whole).unwrap();
        return Ok((whole, Vec::new()));
    }
    results.print(&mut whole).unwrap();
    let mut pieces = Vec::new();
    for value in results.parts().iter().flatten() {
        let mut piece = Vec::new();
        value.print(&mut piece, 1 << 30).unwrap();
        pieces.push(String::from_utf8_lossy(&piece).into_owned());
    }
    pieces.sort();
    Ok((whole, pieces))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn a_template_prints_what_client_go_prints() {
    for_each_case("jsonpath.jsonl", 600, |case, objects| {
        let result = print(case, object(case, objects));
        let (whole, pieces) = match result {
            Err(error) => return error_differs(case, Some(error.to_string())),
            Ok(printed) => printed,
        };
        if case.get("error").is_some() {
            return error_differs(case, None);
        }
        let text = String::from_utf8_lossy(&whole).into_owned();
        let is_same = if let Some(out) = case.get("out") {
            text == out.as_str().unwrap()
        } else if let Some(out) = case.get("out_hex") {
            hex(&whole) == out.as_str().unwrap()
        } else if case.get("json").is_some() {
            // Go's order was another at each run; the values are compared without `json`.
            true
        } else {
            pieces == texts(&case["pieces"])
        };
        (!is_same).then_some(text)
    });
}

#[test]
fn a_selector_takes_the_objects_that_apimachinery_takes() {
    for_each_case("selectors.jsonl", 300, |case, objects| {
        type Matches = Vec<Result<bool, String>>;
        let answers: Result<Matches, String> = if let Some(text) = case.get("labels") {
            LabelSelector::parse(text.as_str().unwrap())
                .map(|selector| {
                    objects
                        .iter()
                        .map(|tree| Ok(selector.matches(tree)))
                        .collect()
                })
                .map_err(|error| error.to_string())
        } else {
            let matches = |selector: FieldSelector| {
                let of = |tree| selector.matches(tree).map_err(|error| error.to_string());
                objects.iter().map(of).collect()
            };
            FieldSelector::parse(case["fields"].as_str().unwrap())
                .map(matches)
                .map_err(|error| error.to_string())
        };
        let answers = match answers {
            Err(error) => return error_differs(case, Some(error)),
            Ok(_) if case.get("error").is_some() => return error_differs(case, None),
            Ok(answers) => answers,
        };
        let ours: Vec<_> = (0..objects.len())
            .filter(|at| answers[*at] == Ok(true))
            .collect();
        (json!(ours) != case["matches"]).then(|| format!("{ours:?}"))
    });
}

fn custom(case: &Value, tree: &Value) -> Result<(Value, Value), CustomColumnsError> {
    let columns = match case.get("spec") {
        Some(spec) => CustomColumns::parse(spec.as_str().unwrap())?,
        None => CustomColumns::parse_file(case["file"].as_str().unwrap())?,
    };
    let headers: Vec<_> = columns.headers().collect();
    Ok((json!(headers), json!(columns.cells(tree)?)))
}

/// A definition with these versions and nothing else.
fn with_versions(names: &Value) -> Value {
    let versions: Vec<_> = texts(names)
        .into_iter()
        .map(|name| json!({"name": name, "served": true}))
        .collect();
    json!({"spec": {"versions": versions}})
}

#[test]
fn columns_have_the_cells_that_kubectl_and_the_api_server_give() {
    for_each_case("custom_columns.jsonl", 150, |case, objects| {
        if let Some(preferred) = case.get("preferred") {
            let definition = with_versions(&case["versions"]);
            let ours = ResourceColumns::preferred_version(&definition);
            return (ours != preferred.as_str()).then(|| format!("{ours:?}"));
        }
        let tree = object(case, objects);
        if let Some(definition) = case.get("definition") {
            let version = case["version"].as_str().unwrap();
            let columns = ResourceColumns::from_definition(definition, version).unwrap();
            let named = columns.columns().iter();
            let names: Vec<_> = named.map(|column| column.name.to_string()).collect();
            let wide: Vec<_> = columns.columns().iter().map(|column| column.wide).collect();
            let clock = Clock {
                now: case["now"].as_i64(),
            };
            let cells = columns.cells(tree, clock);
            let ours = json!([names, wide, cells]);
            return (ours != json!([case["columns"], case["wide"], case["cells"]]))
                .then(|| ours.to_string());
        }
        match custom(case, tree) {
            Err(error) => error_differs(case, Some(error.to_string())),
            Ok(_) if case.get("error").is_some() => error_differs(case, None),
            Ok((headers, cells)) => (headers != case["headers"] || cells != case["cells"])
                .then(|| format!("{headers} {cells}")),
        }
    });
}

/// What kubectl printed of the live database.
fn recorded(name: &str) -> String {
    let folder = "reference/k8s-1.35/after/kubectl";
    std::fs::read_to_string(testdata(&format!("{folder}/{name}.txt"))).unwrap()
}

/// The live objects below a key, in kubectl's order, which is that of the keys.
fn stored(prefix: &str) -> Vec<Value> {
    let run = etcdive([
        "get",
        testdata("healthy/k8s/after.db").to_str().unwrap(),
        prefix,
        "-o",
        "jsonl",
    ]);
    assert_eq!(run.code, 0, "{}", run.stderr);
    run.text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The words of each line.
fn words(text: &str) -> Vec<Vec<&str>> {
    text.lines()
        .map(|line| line.split_whitespace().collect())
        .collect()
}

#[test]
fn recorded_outputs_of_kubectl_come_out_of_the_database() {
    let pods = stored("/registry/pods/");
    let list = json!({"apiVersion": "v1", "kind": "List", "items": pods});
    let template = r#"{range .items[*]}{.metadata.name}{"\t"}{.status.phase}{"\n"}{end}"#;
    let path = JsonPath::parse(template).unwrap();
    let mut text = Vec::new();
    path.find(&list).unwrap().print(&mut text).unwrap();
    assert_eq!(
        String::from_utf8(text).unwrap(),
        recorded("get-pods.jsonpath")
    );

    let spec = "NS:.metadata.namespace,NAME:.metadata.name,IMG:.spec.containers[*].image";
    let columns = CustomColumns::parse(spec).unwrap();
    let mut table = vec![columns.headers().map(str::to_owned).collect::<Vec<_>>()];
    table.extend(pods.iter().map(|pod| columns.cells(pod).unwrap()));
    assert_eq!(table, words(&recorded("get-pods.custom-columns")));

    let name = |pod: &Value| pod["metadata"]["name"].as_str().unwrap().to_owned();
    let second_words = |text: &str| -> Vec<String> {
        let lines = words(text).into_iter().skip(1);
        lines.map(|line| line[1].to_owned()).collect()
    };
    let running = FieldSelector::parse("status.phase=Running").unwrap();
    let taken = pods.iter().filter(|pod| running.matches(pod).unwrap());
    let taken: Vec<_> = taken.map(name).collect();
    assert_eq!(taken, second_words(&recorded("get-pods.field-selector")));

    let labelled = LabelSelector::parse("app").unwrap();
    let taken = pods.iter().filter(|pod| labelled.matches(pod)).map(name);
    let taken: Vec<_> = taken.collect();
    assert_eq!(taken, second_words(&recorded("get-pods.label-app")));
}

#[test]
fn the_columns_of_custom_resources_are_those_of_their_definition() {
    let definitions = stored("/registry/apiextensions.k8s.io/customresourcedefinitions/");
    let mut tables = 0;
    for definition in &definitions {
        let name = definition["metadata"]["name"].as_str().unwrap();
        let version = ResourceColumns::preferred_version(definition).unwrap();
        let columns = ResourceColumns::from_definition(definition, version).unwrap();
        let (resource, group) = name.split_once('.').unwrap();
        let objects = stored(&format!("/registry/{group}/{resource}/"));
        let clock = Clock { now: None };
        let is_namespaced = definition["spec"]["scope"] == "Namespaced";
        let mut ours = vec![
            columns
                .columns()
                .iter()
                .map(|column| column.name.to_uppercase())
                .collect::<Vec<_>>(),
        ];
        ours.extend(objects.iter().map(|object| columns.cells(object, clock)));
        let text = recorded(&format!("get-{name}"));
        let theirs: Vec<Vec<_>> = words(&text)
            .into_iter()
            .map(|line| line[usize::from(is_namespaced)..].to_vec())
            .collect();
        assert_eq!(ours.len(), theirs.len(), "{name}");
        for (ours, theirs) in ours.iter().zip(&theirs) {
            for (at, (ours, theirs)) in ours.iter().zip(theirs).enumerate() {
                // Without a clock there is no age.
                let is_age = columns.columns()[at].name == "Age" && ours == "<unknown>";
                assert!(is_age || ours == theirs, "{name}: {ours}, not {theirs}");
            }
        }
        tables += 1;
    }
    assert_eq!(tables, 2);
}

/// A list in a list in a list. Never freed: that would recurse.
fn nested(levels: usize) -> &'static Value {
    let mut value = json!(1);
    for _ in 0..levels {
        value = Value::Array(vec![value]);
    }
    Box::leak(Box::new(value))
}

#[test]
fn deep_trees_need_no_deep_stack() {
    let deep = nested(10_000);
    let small = std::thread::Builder::new().stack_size(128 * 1024);
    let run = move || {
        let found = |template: &str| -> usize {
            let path = JsonPath::parse(template).unwrap();
            let results = path.find(deep).map(|results| results.parts()[0].len());
            results.unwrap_or_default()
        };
        assert_eq!(found("{..}"), 10_000);
        assert_eq!(found("{..[*]}"), 10_000);
        let (mut json, mut go) = (Vec::new(), Vec::new());
        let path = JsonPath::parse("{@}").unwrap();
        let results = path.find(deep).unwrap();
        results.print(&mut json).unwrap();
        results.parts()[0][0].sprint(&mut go, 1 << 20).unwrap();
        assert_eq!((json.len(), go.len()), (20_001, 20_001));
    };
    small.spawn(run).unwrap().join().unwrap();
}

#[test]
fn templates_that_multiply_are_stopped() {
    let deep = nested(10_000);
    // Each value, and again all below it: fifty million.
    let twice = JsonPath::parse("{..[*]..}").unwrap();
    assert_eq!(twice.find(deep).err(), Some(JsonPathError::TooMuch));
    // A range without an end executes what follows it once more.
    let ranges = "{range @}".repeat(60);
    let ranges = JsonPath::parse(&ranges).unwrap();
    assert_eq!(ranges.find(&json!(1)).err(), Some(JsonPathError::TooMuch));
    let many = JsonPath::parse(&"{range @}".repeat(200)).unwrap();
    assert_eq!(
        many.find(&json!(1)).err(),
        Some(JsonPathError::NestedTooDeep)
    );
    // A filter in a filter in a filter.
    let mut filter = "@.a".to_owned();
    for _ in 0..200 {
        filter = format!("@.a\"[?({filter})]\"");
    }
    assert!(JsonPath::parse(&format!("{{[?({filter})]}}")).is_err());
    let long = "[0]".repeat(100_000);
    assert!(JsonPath::parse(&format!("{{{long}}}")).is_ok());
}

/// A map in a map in a map, sixty levels.
fn nested_maps() -> Value {
    (0..60).fold(json!(1), |below, _| json!({ "a": below }))
}

fn definition(paths: &[&str]) -> Value {
    let columns = paths.iter().enumerate();
    let columns: Vec<Value> = columns
        .map(|(at, path)| json!({"name": format!("C{at}"), "type": "string", "jsonPath": path}))
        .collect();
    json!({"spec": {"versions": [{"name": "v1", "additionalPrinterColumns": columns}]}})
}

#[test]
fn an_expensive_column_leaves_the_others_and_the_objects_after_it_their_cells() {
    let definition = definition(&["..a..a..a..a", ".metadata.uid", ".a.a.a.b"]);
    let columns = ResourceColumns::from_definition(&definition, "v1").unwrap();
    let clock = Clock { now: None };
    let budget = Budget::for_definitions();
    for index in 0..300 {
        let object =
            json!({"metadata": {"name": format!("n{index}"), "uid": "u"}, "a": nested_maps()});
        let cells = columns.cells_within(&budget, &object, clock);
        let name = format!("n{index}");
        assert_eq!(cells, [&*name, "<too expensive>", "u", ""]);
    }
    assert_eq!(columns.too_expensive().collect::<Vec<_>>(), [("C0", 300)]);
    assert_eq!(columns.left_out(), 0);
}

/// What each object may take adds up only to what its size explains.
#[test]
fn a_run_has_one_budget_for_all_its_objects() {
    // Some forty thousand steps each.
    let path = JsonPath::parse("{..a..a..a}").unwrap();
    let object = json!({ "a": nested_maps() });
    let found = |budget: &Budget| {
        budget.begin_object();
        path.find_within(budget, &object).map(|_| ())
    };
    assert_eq!(found(&Budget::for_definitions()), Ok(()), "one alone");
    let budget = Budget::for_definitions();
    let answered = (0..10_000).take_while(|_| found(&budget).is_ok()).count();
    assert!((10..5_000).contains(&answered), "{answered} of 10,000");
    assert_eq!(found(&budget), Err(JsonPathError::TooMuch));
    // A path that takes what its object explains is not one of them.
    let cheap = JsonPath::parse("{..a}").unwrap();
    for _ in 0..1000 {
        budget.begin_object();
        let found = cheap.find_within(&budget, &object).unwrap();
        assert_eq!(found.parts()[0].len(), 61);
    }
}

/// Whatever a template finds within a budget, it finds all of it.
#[test]
fn a_budget_changes_no_answer() {
    let mut random = Random::new(11);
    let steps = [
        ".a",
        ".b",
        "..a",
        "..",
        ".*",
        "[*]",
        "[0]",
        "[?(@.a)]",
        "['a','b']",
    ];
    let (mut same, mut stopped) = (0, 0);
    for _ in 0..2000 {
        let object = random_tree(&mut random, 12);
        let length = random.below(5) + 1;
        let path: String = (0..length).map(|_| random.pick(&steps)).collect();
        let Ok(path) = JsonPath::parse(&format!("{{{path}}}")) else {
            continue;
        };
        let print = |budget: &Budget| {
            let mut text = Vec::new();
            let results = path.find_within(budget, &object)?;
            results.print(&mut text).unwrap();
            Ok::<_, JsonPathError>(text)
        };
        let whole = print(&Budget::for_typed());
        match print(&Budget::for_definitions()) {
            Err(JsonPathError::TooMuch) => stopped += 1,
            small => {
                assert_eq!(small, whole);
                same += 1;
            }
        }
    }
    assert!(same > 1000, "{same} compared, {stopped} stopped");
}

fn random_tree(random: &mut Random, depth: usize) -> Value {
    let count = random.below(4);
    match random.below(4) {
        _ if depth == 0 => json!(random.below(3)),
        0 => json!(random.pick(&["", "x", "text"])),
        1 => (0..count).map(|_| random_tree(random, depth - 1)).collect(),
        _ => {
            let names = ["a", "b", "c"].into_iter().take(count.max(1));
            let members = names.map(|name| (name.to_owned(), random_tree(random, depth - 1)));
            Value::Object(members.collect())
        }
    }
}

#[test]
fn a_definition_has_no_more_columns_than_a_table_has_room_for() {
    let many = vec![".metadata.uid"; MOST_COLUMNS + 3];
    let columns = ResourceColumns::from_definition(&definition(&many), "v1").unwrap();
    assert_eq!(columns.columns().len(), 1 + MOST_COLUMNS);
    assert_eq!(columns.left_out(), 3);
    let clock = Clock { now: None };
    assert_eq!(columns.cells(&json!({}), clock).len(), 1 + MOST_COLUMNS);
}

#[test]
fn a_value_longer_than_the_limit_is_not_printed() {
    let tree = json!({"a": ["0123456789", "0123456789"]});
    let path = JsonPath::parse("{.a}").unwrap();
    let results = path.find(&tree).unwrap();
    let value = results.parts()[0][0];
    assert!(value.print(&mut Vec::new(), 27).is_ok());
    let error = value.print(&mut Vec::new(), 26).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::FileTooLarge);
}

#[test]
fn maps_give_their_values_by_key() {
    let tree = json!({"c": 1, "a": {"y": 2, "x": 3}, "b": [4]});
    let print = |template: &str| {
        let path = JsonPath::parse(template).unwrap();
        let mut text = Vec::new();
        path.find(&tree).unwrap().print(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    };
    assert_eq!(print("{.*}"), r#"{"x":3,"y":2} [4] 1"#);
    assert_eq!(print("{.a.*}"), "3 2");
    assert_eq!(
        print("{..}"),
        r#"{"a":{"x":3,"y":2},"b":[4],"c":1} {"x":3,"y":2} [4]"#
    );
}

#[test]
fn fields_that_the_api_server_computes_can_be_selected() {
    let pod = json!({"kind": "Pod", "metadata": {"name": "a"},
        "spec": {"nodeName": "n"}, "status": {"podIPs": [{"ip": "1.2.3.4"}]}});
    let job = json!({"kind": "Job", "status": {"succeeded": 2}});
    let event = json!({"kind": "Event", "involvedObject": {"kind": "Pod"},
        "source": {"component": "kubelet"}, "reportingComponent": ""});
    let reported = json!({"kind": "Event", "regarding": {"kind": "Pod"},
        "source": {}, "reportingController": "sched"});
    let takes =
        |object: &Value, text: &str| FieldSelector::parse(text).unwrap().matches(object).unwrap();
    for text in [
        "spec.hostNetwork=false",
        "status.podIP=1.2.3.4",
        "spec.host=n",
        "status.nominatedNodeName=",
        "spec.schedulerName!=x",
    ] {
        assert!(takes(&pod, text), "{text}");
    }
    assert!(takes(&job, "status.successful=2"));
    assert!(takes(&json!({"kind": "Job"}), "status.successful=0"));
    assert!(takes(&json!({"kind": "Node"}), "spec.unschedulable=false"));
    let cordoned = json!({"kind": "Node", "spec": {"unschedulable": true}});
    assert!(takes(&cordoned, "spec.unschedulable!=false"));
    assert!(takes(&json!({"kind": "ReplicaSet"}), "status.replicas=0"));
    assert!(!takes(&json!({"kind": "Deployment"}), "status.replicas=0"));
    assert!(takes(
        &event,
        "source=kubelet,involvedObject.kind=Pod,regarding.kind=Pod"
    ));
    assert!(takes(
        &reported,
        "source=sched,reportingComponent=sched,involvedObject.kind=Pod"
    ));
    let space = json!({"kind": "Namespace", "metadata": {"name": "x"}});
    assert!(takes(&space, "name=x"));
}

#[test]
fn a_field_that_is_no_single_value_is_named() {
    let pod = json!({"kind": "Pod", "spec": {"containers": []}});
    let error = |text: &str| {
        let selector = FieldSelector::parse(text).unwrap();
        selector.matches(&pod).unwrap_err().to_string()
    };
    assert_eq!(
        error("spec.containers=x"),
        "field selector: spec.containers is a list, not a single value"
    );
    assert_eq!(
        error("spec!=x"),
        "field selector: spec is a map, not a single value"
    );
}

#[test]
fn errors_of_selectors_name_the_part_that_is_wrong() {
    let label = |text| LabelSelector::parse(text).unwrap_err().to_string();
    assert_eq!(label("a in b"), "label selector: found 'b', expected '('");
    assert_eq!(
        label("a,"),
        "label selector: found the end, expected a label key or '!'"
    );
    assert!(
        label("a=-b").starts_with("label selector: '-b' is not a valid value of the label a: only")
    );
    assert!(label("A/b").starts_with("label selector: 'A/b' is not a valid label key: the prefix"));
    let field = |text| FieldSelector::parse(text).unwrap_err().to_string();
    assert_eq!(
        field("metadata.name"),
        "field selector: 'metadata.name' has no =, == or !="
    );
}
