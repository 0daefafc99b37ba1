//! The text of differences, as people and programs get it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation
)]

use etcdive::k8s::catalog::Catalog;
use etcdive::k8s::diff::{Scope, diff};
use etcdive::view::diff::{
    Change, ObjectChange, Side, StatRow, Style, TextSide, write_name, write_object, write_stat,
    write_unified,
};
use serde_json::{Value, json};

fn text_of(old: &Value, new: &Value, style: &Style) -> String {
    let fields = diff(old, new, Scope::ALL);
    let object = ObjectChange {
        change: Change::Changed,
        key: b"/registry/deployments/shop/web",
        old: Some(Side {
            create_revision: 7,
            mod_revision: 1204,
            version: 3,
        }),
        new: Some(Side {
            create_revision: 7,
            mod_revision: 2101,
            version: 5,
        }),
        deleted_at: None,
        fields: &fields,
    };
    let mut out = Vec::new();
    write_object(&mut out, &object, style).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_default_view_reads_as_documented() {
    let old = json!({
        "metadata":{"annotations":{}},
        "spec":{"replicas":2,"paused":true,"template":{"spec":{
            "containers":[{"name":"web","image":"nginx:1.25"},{"name":"log"}],
            "script":"one\ntwo\nthree\nfour\nfive\nsix\n"}}}});
    let new = json!({
        "metadata":{"annotations":{"team":"a"}},
        "spec":{"replicas":5,"template":{"spec":{
            "containers":[{"name":"log"},{"name":"web","image":"nginx:1.27"},
                {"name":"side","image":"envoy:1.30","args":["-c","/etc/envoy.yaml"],"env":[{"name":"A","value":"1\n2"}],"resources":{}}],
            "script":"one\ntwo\nthree\nfour\nFIVE\nsix"}}}});
    let expected = r#"~ /registry/deployments/shop/web  (mod 1204 -> 2101, version 3 -> 5)
  + metadata.annotations.team: "a"
    spec.replicas: 2 -> 5
  - spec.paused: true
  > spec.template.spec.containers[name=web]: moved to [1]
  + spec.template.spec.containers[name=side]:
        name: "side"
        image: "envoy:1.30"
        args:
        - "-c"
        - "/etc/envoy.yaml"
        env:
        - name: "A"
          value: |-
            1
            2
        resources: {}
    spec.template.spec.containers[name=web].image: "nginx:1.25" -> "nginx:1.27"
    spec.template.spec.script: 6 -> 6 lines (+2 -2)
        @@ -2,5 +2,5 @@
         two
         three
         four
        -five
        -six
        +FIVE
        +six
        \ No newline at end of file
"#;
    assert_eq!(text_of(&old, &new, &Style::default()), expected);
}

#[test]
fn on_a_terminal_values_are_cut_and_json_in_strings_is_compared() {
    let long = "x".repeat(300);
    let applied = |replicas| {
        json!({"spec":{"replicas":replicas,"image":"registry.example/a/b/c:1"},"kind":"Deployment"})
            .to_string()
    };
    let old = json!({"a":long,"b":applied(2),"l":"0\n".repeat(100)});
    let new =
        json!({"a":long.clone() + "y","b":applied(3),"l":"1\n".repeat(100),"big":vec![0; 100]});
    let style = Style {
        width: Some(72),
        ..Style::default()
    };
    let text = text_of(&old, &new, &style);
    assert!(
        text.contains("    b: JSON in a string, 78 -> 78 bytes\n        spec.replicas: 2 -> 3\n"),
        "{text}"
    );
    assert!(text.contains("... (302 bytes)\n"), "{text}");
    assert!(text.contains("        ... 160 more lines\n"), "{text}");
    assert!(
        text.contains("        ... 60 more lines (201 bytes as JSON)\n"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 72),
        "{text}"
    );
    let whole = text_of(&old, &new, &Style::default());
    assert!(
        whole.contains(&format!("a: \"{long}\" -> \"{long}y\"\n")),
        "nothing is cut in a pipe: {whole}"
    );
    assert!(!whole.contains("..."), "{whole}");
}

#[test]
fn a_key_or_value_from_the_file_is_cleaned_before_it_is_painted() {
    let style = Style {
        clean: |text| text.replace('\u{1b}', "<ESC>").into(),
        ..Style::coloured()
    };
    let text = text_of(
        &json!({"a\u{9b}":"one\n\u{1b}[2J\n"}),
        &json!({"a\u{9b}":"one\n\u{1b}[3J\n"}),
        &style,
    );
    assert!(text.contains("\u{1b}[31m-<ESC>[2J\u{1b}[0m\n"), "{text:?}");
    assert!(!text.contains("\u{1b}[2J"), "{text:?}");
}

#[test]
fn headers_and_names_say_what_happened() {
    let side = |create_revision, mod_revision, version| {
        Some(Side {
            create_revision,
            mod_revision,
            version,
        })
    };
    let cases = [
        (
            Change::Created,
            None,
            side(9, 9, 1),
            None,
            "+ /k  created at 9\n",
            "+ /k\n",
        ),
        (
            Change::Created,
            None,
            side(9, 12, 3),
            None,
            "+ /k  created at 9  (now mod 12, version 3)\n",
            "+ /k\n",
        ),
        (
            Change::Deleted,
            side(1, 12, 3),
            None,
            None,
            "- /k  deleted  (was mod 12, version 3)\n",
            "- /k\n",
        ),
        (
            Change::Deleted,
            side(1, 12, 3),
            None,
            Some(15),
            "- /k  deleted at 15  (was mod 12, version 3)\n",
            "- /k\n",
        ),
        (
            Change::Recreated,
            side(1, 12, 3),
            side(20, 21, 2),
            None,
            "* /k  re-created at 20  (mod 12 -> 21, version 3 -> 2)\n",
            "~ /k\n",
        ),
        (
            Change::Changed,
            side(1, 12, 3),
            side(1, 14, 4),
            None,
            "~ /k  (mod 12 -> 14, version 3 -> 4)\n    (written again; no field differs)\n",
            "~ /k\n",
        ),
    ];
    for (change, old, new, deleted_at, header, name) in cases {
        let object = ObjectChange {
            change,
            key: b"/k",
            old,
            new,
            deleted_at,
            fields: &[],
        };
        let mut out = Vec::new();
        write_object(&mut out, &object, &Style::default()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), header);
        let mut out = Vec::new();
        write_name(&mut out, change, b"/k", &Style::default()).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), name);
    }
}

#[test]
fn a_json_line_has_the_documented_members_in_order() {
    let fields = diff(&json!({"a":1}), &json!({"a":2}), Scope::ALL);
    let side = Some(Side {
        create_revision: 1,
        mod_revision: 5,
        version: 1,
    });
    let mut object = ObjectChange {
        change: Change::Changed,
        key: b"/k",
        old: side,
        new: side,
        deleted_at: None,
        fields: &fields,
    };
    let mut out = Vec::new();
    out.extend(etcdive::view::diff::json(&object, &Catalog::default()).unwrap());
    out.push(b'\n');
    object = ObjectChange {
        change: Change::Created,
        old: None,
        fields: &[],
        ..object
    };
    out.extend(etcdive::view::diff::json(&object, &Catalog::default()).unwrap());
    out.push(b'\n');
    assert_eq!(
        String::from_utf8(out).unwrap(),
        concat!(
            r#"{"change":"changed","key":"/k","old_mod_revision":5,"new_mod_revision":5,"fields":[{"path":"a","op":"replace","old":1,"new":2}]}"#,
            "\n",
            r#"{"change":"created","key":"/k","new_mod_revision":5,"fields":[]}"#,
            "\n",
        )
    );
}

#[test]
fn a_unified_diff_is_what_diff_u_prints() {
    let unified = |old: Option<&str>, new: Option<&str>| {
        let mut out = Vec::new();
        let side = |text| TextSide {
            mod_revision: 3,
            text,
        };
        write_unified(
            &mut out,
            "/registry/k",
            old.map(side),
            new.map(side),
            &Style::default(),
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    };
    let old = "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n";
    let new = "1\nb\n3\n4\n5\n6\n7\n8\n9\n10\n11\n";
    assert_eq!(
        unified(Some(old), Some(new)),
        "--- a/registry/k (mod 3)\n+++ b/registry/k (mod 3)\n@@ -1,5 +1,5 @@\n 1\n-2\n+b\n 3\n 4\n 5\n@@ -9,4 +9,3 @@\n 9\n 10\n 11\n-12\n"
    );
    assert_eq!(
        unified(None, Some("a\n")),
        "--- /dev/null\n+++ b/registry/k (mod 3)\n@@ -0,0 +1 @@\n+a\n"
    );
    assert_eq!(
        unified(Some("a\nb"), None),
        "--- a/registry/k (mod 3)\n+++ /dev/null\n@@ -1,2 +0,0 @@\n-a\n-b\n\\ No newline at end of file\n"
    );
    assert_eq!(unified(Some("a\n"), Some("a\n")), "");
}

#[test]
fn the_table_counts_fields_and_scales_its_bars() {
    let row = |change, key: &str, added, removed, changed| StatRow {
        change,
        key: key.to_owned(),
        added,
        removed,
        changed,
    };
    let rows = [
        row(Change::Changed, "/registry/a", 1, 1, 2),
        row(Change::Created, "/registry/long/name", 0, 0, 0),
        row(Change::Recreated, "/registry/b", 0, 0, 1),
    ];
    let table = |rows: &[StatRow], width| {
        let mut out = Vec::new();
        write_stat(
            &mut out,
            rows,
            &Style {
                width,
                ..Style::default()
            },
        )
        .unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(
        table(&rows, None),
        "~ /registry/a         | 4 +~~-\n\
         + /registry/long/name | created\n\
         * /registry/b         | 1 ~ re-created\n \
         3 objects: 1 created, 1 deleted, 1 re-created, 1 changed; fields: 1 added, 3 changed, 1 removed\n"
            .replace("1 deleted", "0 deleted")
    );
    let big = table(&[row(Change::Changed, "/k", 1000, 1, 0)], Some(30));
    assert_eq!(big.lines().next(), Some("~ /k | 1001 ++++++++++++++++-"));
}
