//! Cases made for one question each.

use etcdive::k8s::blame::{Blame, Version};
use etcdive::view::blame::lines;
use serde_json::{Value, json};

use super::{Ver, blame};

/// `(path, revision, boundary)` of each part that begins a line, of versions numbered from `first`; the
/// revision of each is its place from 10.
fn blamed(first: i64, versions: &[Value]) -> Vec<(String, i64, bool)> {
    let ver = |(at, tree): (usize, &Value)| {
        let object =
            json!({"apiVersion": "v1", "kind": "X", "metadata": {"name": "a"}, "spec": tree});
        Ver {
            revision: 10 + at as i64,
            create: 1,
            version: first + at as i64,
            tree: Some(object),
        }
    };
    let mut versions: Vec<Ver> = versions.iter().enumerate().map(ver).collect();
    versions.reverse();
    let blamed = blame(&versions, false);
    let lines = lines(blamed.tree(), &blamed);
    let told = lines.iter().filter(|line| !line.is_continued).map(|line| {
        let found = line.attribution.unwrap();
        (
            lines.path(&line).to_string(),
            found.revision,
            found.boundary,
        )
    });
    told.collect()
}

/// The revision of each part below `spec` that begins a line.
fn revisions(versions: &[Value]) -> Vec<(String, i64)> {
    let told = blamed(1, versions).into_iter();
    let in_spec = told
        .filter_map(|(path, revision, _)| Some((path.strip_prefix("spec")?.to_owned(), revision)));
    in_spec.collect()
}

fn assert_revisions(versions: &[Value], expected: &[(&str, i64)]) {
    let expected: Vec<(String, i64)> = expected
        .iter()
        .map(|(path, revision)| ((*path).to_owned(), *revision))
        .collect();
    assert_eq!(revisions(versions), expected);
}

#[test]
fn what_was_taken_away_and_put_back_is_new() {
    assert_revisions(
        &[
            json!({"a": 1, "b": {"c": 1}}),
            json!({"a": 2, "d": 1}),
            json!({"a": 1, "b": {"c": 1}, "d": 1}),
        ],
        &[("", 10), (".a", 12), (".b", 12), (".b.c", 12), (".d", 11)],
    );
}

#[test]
fn a_map_is_as_old_as_itself_and_an_empty_one_as_its_emptiness() {
    assert_revisions(
        &[
            json!({"a": {}, "b": {"c": 1}}),
            json!({"a": {"x": 1}, "b": {}}),
            json!({"a": {"x": 1}, "b": {}}),
        ],
        &[("", 10), (".a", 10), (".a.x", 11), (".b", 11)],
    );
    assert_revisions(
        &[
            json!({"a": {"x": 1}}),
            json!({"a": [1]}),
            json!({"a": "x"}),
            json!({"a": [1]}),
        ],
        &[("", 10), (".a", 13), (".a[=1]", 13)],
    );
}

#[test]
fn items_are_followed_by_their_key_wherever_they_stand() {
    let item = |name: &str, value: i64| json!({"name": name, "v": value});
    assert_revisions(
        &[
            json!({"l": [item("a", 1), item("b", 1)]}),
            json!({"l": [item("z", 1), item("b", 1), item("a", 1)]}),
            json!({"l": [item("b", 2), item("y", 1), item("a", 1), item("z", 1)]}),
        ],
        &[
            ("", 10),
            (".l", 10),
            (".l[name=b].name", 10),
            (".l[name=b].v", 12),
            (".l[name=y].name", 12),
            (".l[name=y].v", 12),
            (".l[name=a].name", 10),
            (".l[name=a].v", 10),
            (".l[name=z].name", 11),
            (".l[name=z].v", 11),
        ],
    );
    // By value, and where values repeat, by place.
    assert_revisions(
        &[json!({"f": ["x", "y"]}), json!({"f": ["w", "y", "x"]})],
        &[
            ("", 10),
            (".f", 10),
            (r#".f[="w"]"#, 11),
            (r#".f[="y"]"#, 10),
            (r#".f[="x"]"#, 10),
        ],
    );
    assert_revisions(
        &[
            json!({"args": ["-a", "-b", "-a"]}),
            json!({"args": ["-a", "-c", "-a", "-d"]}),
        ],
        &[
            ("", 10),
            (".args", 10),
            (".args[0]", 10),
            (".args[1]", 11),
            (".args[2]", 10),
            (".args[3]", 11),
        ],
    );
}

#[test]
fn a_version_that_is_missing_makes_a_boundary_of_what_differs_and_of_nothing_else() {
    let ver = |revision: i64, version: i64, spec: Value| {
        let tree = json!({"apiVersion": "v1", "kind": "X", "metadata": {}, "spec": spec});
        Version::new(revision, version, tree, false)
    };
    let mut blame = Blame::new(ver(40, 4, json!({"a": 4, "b": 1, "c": 3})));
    blame.older(ver(30, 3, json!({"a": 3, "b": 1, "c": 3})));
    blame.older(ver(10, 1, json!({"a": 1, "b": 1, "c": 1})));
    let blamed = blame.finish();
    let lines = lines(blamed.tree(), &blamed);
    let told = lines.iter().map(|line| {
        let found = line.attribution.unwrap();
        format!(
            "{}{} {}",
            if found.boundary { "^" } else { "" },
            found.revision,
            line.text.trim_start()
        )
    });
    assert_eq!(
        told.collect::<Vec<_>>(),
        [
            "10 apiVersion: v1",
            "10 kind: X",
            "10 metadata:",
            "40 resourceVersion: \"40\"",
            "10 spec:",
            "40 a: 4",
            "10 b: 1",
            "^30 c: 3"
        ]
    );
}

#[test]
fn only_the_own_revision_is_exact_where_nothing_is_left() {
    for (path, revision, boundary) in blamed(7, &[json!({"a": 1})]) {
        assert_eq!(
            (revision, boundary),
            (10, path != "metadata.resourceVersion"),
            "{path}"
        );
    }
    // The first version has nothing before it.
    assert!(
        blamed(1, &[json!({"a": 1})])
            .iter()
            .all(|(_, _, boundary)| !boundary)
    );
}

#[test]
fn texts_of_many_lines_and_unusual_keys_keep_their_lines_together() {
    let long = "word ".repeat(60);
    let old = json!({"block": "a\n\n  b\n", "folded": long.trim(), "e": []});
    let mut new = old.clone();
    new["block"] = "a\n\n- b: c\n\n\n".into();
    new["quoted: key"] = "x".into();
    new["k".repeat(140)] = json!({"in": "x\ny"});
    new["multi\nline"] = "z".into();
    new["list"] = json!([["a\nb", "c"], [{"d": "e"}]]);
    let ver = |revision: i64, version: i64, spec: &Value| {
        let tree = json!({"apiVersion": "v1", "kind": "X", "metadata": {}, "spec": spec});
        Version::new(revision, version, tree, false)
    };
    let mut blame = Blame::new(ver(2, 2, &new));
    blame.older(ver(1, 1, &old));
    let blamed = blame.finish();
    let lines = lines(blamed.tree(), &blamed);
    let spec: Vec<(i64, String, &str)> = lines
        .iter()
        .filter(|line| lines.path(line).to_string().starts_with("spec"))
        .map(|line| {
            (
                line.attribution.unwrap().revision,
                lines.path(&line).to_string(),
                line.text,
            )
        })
        .collect();
    let of = |path: &str| -> Vec<&str> {
        spec.iter()
            .filter(|(_, other, _)| other == path)
            .map(|(_, _, text)| *text)
            .collect()
    };
    assert_eq!(
        of("spec.block"),
        ["  block: |+", "    a", "", "    - b: c", "", ""]
    );
    assert_eq!(of("spec.folded").len(), 4);
    assert_eq!(of("spec[\"quoted: key\"]"), ["  'quoted: key': x"]);
    assert_eq!(
        of(&format!("spec.{}.in", "k".repeat(140))),
        ["  : in: |-", "      x", "      y"]
    );
    assert_eq!(of("spec[\"multi\\nline\"]").last(), Some(&"  : z"));
    assert_eq!(
        of("spec.list[0][=\"a\\nb\"]"),
        ["  - - |-", "      a", "      b"]
    );
    assert_eq!(of("spec.list[1][0].d"), ["  - - d: e"]);
    for (revision, path, text) in &spec {
        let old = ["spec", "spec.folded", "spec.e"].contains(&path.as_str());
        assert_eq!(*revision, if old { 1 } else { 2 }, "{text}");
    }
}

#[test]
fn long_lists_and_long_histories_take_a_walk_each() {
    // Three thousand items in a new order, each found by its key.
    let item = |name: usize| json!({"name": format!("n{name}"), "v": 1});
    let forwards: Value = (0..3000).map(item).collect();
    let backwards: Value = (0..3000).rev().map(item).collect();
    let told = blamed(
        1,
        &[
            json!({"l": forwards}),
            json!({"l": backwards}),
            json!({"l": forwards}),
        ],
    );
    assert_eq!(
        told.iter()
            .filter(|(_, revision, _)| *revision == 10)
            .count(),
        told.len() - 1
    );
    // Three thousand versions, each of which changes one field.
    let versions: Vec<Value> = (0..3000)
        .map(|now| {
            (0..30)
                .map(|field| (format!("f{field:02}"), json!((now + field) / 30)))
                .collect()
        })
        .collect();
    let told = revisions(&versions);
    let naive = |field: usize| {
        let last = (2999 + field) / 30;
        10 + (0..3000).find(|now| (now + field) / 30 == last).unwrap() as i64
    };
    for (field, (path, revision)) in told[1..].iter().enumerate() {
        assert_eq!(
            (path.as_str(), *revision),
            (format!(".f{field:02}").as_str(), naive(field))
        );
    }
    // As deep as values can be.
    let deep = (0..250).fold(json!(1), |inner, _| json!({"d": inner}));
    assert_eq!(revisions(&[deep.clone(), deep.clone()]).len(), 251);
    let other = (0..250).fold(json!(2), |inner, _| json!({"d": inner}));
    assert_eq!(revisions(&[deep, other]).last().unwrap().1, 11);
}

/// Each field and each item has a manager of its own. Twenty thousand times twenty thousand looks would take minutes.
#[test]
fn as_many_managers_as_fields_are_each_found_at_once() {
    let count = 20_000;
    let tree = |value: &str, time: &str| -> Value {
        let entry = |n: usize| {
            let fields = match n % 2 {
                0 => json!({"f:data": {format!("f:k{n}"): {}}}),
                _ => {
                    let key = json!({"name": format!("i{n}")}).to_string();
                    json!({"f:items": {format!("k:{key}"): {"f:v": {}}}})
                }
            };
            json!({"manager": format!("m{n}"), "operation": "Update", "apiVersion": "v1",
                "time": time, "fieldsType": "FieldsV1", "fieldsV1": fields})
        };
        let data: Value = (0..count)
            .step_by(2)
            .map(|n| (format!("k{n}"), json!(value)))
            .collect();
        let items = (1..count).step_by(2);
        let items: Value = items
            .map(|n| json!({"name": format!("i{n}"), "v": value}))
            .collect();
        json!({"apiVersion": "v1", "kind": "X", "data": data, "items": items,
            "metadata": {"name": "a", "managedFields": (0..count).map(entry).collect::<Value>()}})
    };
    let version = |version: i64, value: &str, time: &str| Ver {
        revision: 10 + version,
        create: 1,
        version,
        tree: Some(tree(value, time)),
    };
    let newer = version(2, "b", "2026-01-01T00:00:02Z");
    let older = version(1, "a", "2026-01-01T00:00:01Z");
    let blamed = blame(&[newer, older], false);
    let lines = lines(blamed.tree(), &blamed);
    let mut found = 0;
    for line in lines.iter() {
        let path = lines.path(&line).to_string();
        let of_key = path.strip_prefix("data.k").map(str::to_owned);
        let of_item = path.strip_prefix("items[name=i");
        let of_item = of_item.and_then(|path| Some(path.strip_suffix("].v")?.to_owned()));
        if let Some(number) = of_key.or(of_item) {
            let attribution = line.attribution.unwrap();
            assert_eq!(attribution.manager, Some(format!("m{number}")), "{path}");
            assert_eq!(attribution.revision, 12, "{path}");
            found += 1;
        }
    }
    assert_eq!(found, count);
}
