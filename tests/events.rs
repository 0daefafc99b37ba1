//! `events`: the Event objects, of all objects or of one.

use serde_json::json;

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive};

struct Case {
    _scratch: Scratch,
    db: String,
}

fn event(name: &str, (kind, about): (&str, &str), kind_of: &str, last: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Event", "metadata": {"name": name, "namespace": "shop",
        "creationTimestamp": "2026-11-20T21:00:00Z"},
        "involvedObject": {"kind": kind, "namespace": "shop", "name": about, "uid": "u"},
        "type": kind_of, "reason": format!("Reason-{name}"), "message": format!("message of {name}\n"),
        "firstTimestamp": "2026-11-20T21:00:00Z", "lastTimestamp": last, "count": 3})
    .to_string()
}

fn store() -> Store {
    let mut store = Store::new(Version::V3_6);
    let mut put =
        |name: &str, value: String| store.put(format!("/registry/events/{name}"), value.as_str());
    // In key order not the order of time.
    put(
        "shop/a",
        event("a", ("Pod", "web-1"), "Warning", "2026-11-20T21:09:00Z"),
    );
    put(
        "shop/b",
        event("b", ("Pod", "web-1"), "Normal", "2026-11-20T21:01:00.5Z"),
    );
    put(
        "shop/c",
        event("c", ("Pod", "web-2"), "Normal", "2026-11-20T21:05:00Z"),
    );
    put(
        "shop/d",
        event(
            "d",
            ("ReplicaSet", "web-1"),
            "Warning",
            "2026-11-20T21:01:00Z",
        ),
    );
    store.put(
        "/registry/pods/shop/web-1",
        json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web-1", "namespace": "shop",
            "creationTimestamp": "2026-11-20T21:10:00Z"}}).to_string().as_str(),
    );
    store.put(
        "/registry/events/shop/late",
        event("late", ("Pod", "web-1"), "Normal", "2026-11-20T21:10:00Z").as_str(),
    );
    store.delete("/registry/events/shop/late");
    store
}

impl Case {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let db = scratch.file("db", &store().builder().build().bytes);
        let db = db.to_str().unwrap().to_owned();
        Self {
            _scratch: scratch,
            db,
        }
    }

    fn run(&self, line: &str) -> Run {
        etcdive(
            ["events", &self.db]
                .into_iter()
                .chain(line.split_whitespace()),
        )
    }

    /// The reasons of the events, in the order of the table.
    fn reasons(&self, line: &str) -> Vec<String> {
        let run = self.run(line);
        assert_eq!(run.code, 0, "{line}: {}", run.stderr);
        let words = |line: &str| {
            line.split_whitespace()
                .find(|word| word.starts_with("Reason-"))
                .map(|word| word["Reason-".len()..].to_owned())
        };
        run.text().lines().filter_map(words).collect()
    }
}

#[test]
fn events_are_listed_by_the_time_at_which_they_were_seen_last() {
    let case = Case::new("events-order");
    assert_eq!(case.reasons(""), ["d", "b", "c", "a"]);
    assert_eq!(case.reasons("--limit 2"), ["c", "a"]);
    assert_eq!(case.reasons("-n shop"), ["d", "b", "c", "a"]);
    assert_eq!(case.reasons("-A"), ["d", "b", "c", "a"]);
    // One that was deleted since is there as of an earlier revision.
    assert_eq!(case.reasons("--at 7").last().unwrap(), "late");
}

#[test]
fn events_about_one_object_are_those_of_its_kind_and_name() {
    let case = Case::new("events-for");
    for word in ["pod/web-1", "pods/web-1", "po/web-1"] {
        assert_eq!(case.reasons(&format!("--for {word}")), ["b", "a"]);
    }
    assert_eq!(case.reasons("--for rs/web-1"), ["d"]);
    assert_eq!(case.reasons("--for pod/web-1 --types warning"), ["a"]);
    assert_eq!(case.reasons("--types Warning,Normal --limit 9").len(), 4);
}

#[test]
fn the_table_is_that_of_kubectl() {
    let case = Case::new("events-table");
    let run = case.run("--for pod/web-1 -n shop");
    let expected = "LAST SEEN   TYPE      REASON     OBJECT      MESSAGE\n\
                    8m59s       Normal    Reason-b   pod/web-1   message of b\n\
                    60s         Warning   Reason-a   pod/web-1   message of a\n";
    assert_eq!(run.text(), expected);
    let bare = case.run("--for pod/web-1 --no-headers");
    assert!(
        bare.text().starts_with("shop") && !bare.text().contains("REASON"),
        "{}",
        bare.text()
    );
    assert!(case.run("-o wide").text().contains("FIRST SEEN"));
}

#[test]
fn a_row_of_json_has_the_fields_of_an_event() {
    let case = Case::new("events-json");
    let run = case.run("--for pod/web-1 --types Warning -o jsonl");
    let row: serde_json::Value = serde_json::from_str(run.text()).unwrap();
    let expected = json!({"key": "/registry/events/shop/a", "last_seen": "2026-11-20T21:09:00Z", "first_seen": "2026-11-20T21:00:00Z", "type": "Warning",
        "reason": "Reason-a", "object_kind": "Pod", "object_namespace": "shop", "object_name": "web-1",
        "message": "message of a", "count": 3, "resource": "events", "namespace": "shop", "name": "a"});
    assert_eq!(row, expected);
}

#[test]
fn what_has_no_events_is_no_and_what_is_no_resource_is_an_error() {
    let case = Case::new("events-none");
    let none = case.run("--for pod/other");
    assert_eq!((none.code, none.text()), (1, ""));
    assert!(none.stderr.contains("--for"), "{}", none.stderr);
    let unknown = case.run("--for podd/web-1");
    assert_eq!(unknown.code, 2);
    assert!(unknown.stderr.contains("pods"), "{}", unknown.stderr);
    let bare = case.run("--for web-1");
    assert!(
        bare.code == 2 && bare.stderr.contains("--for pod/web-1"),
        "{}",
        bare.stderr
    );
}
