//! What each verb and each of its flags does, on the shipped databases.

use serde_json::Value;

use crate::support::synth::etcd::{Store, Version};
use crate::support::{Run, Scratch, etcdive, etcdive_line, fed, program, without_who};

pub const BEFORE: &str = "testdata/healthy/k8s/before.db";
pub const AFTER: &str = "testdata/healthy/k8s/after.db";
pub const TALK: &str = "testdata/healthy/talk/3.6/01-talk.live.db";
const COMPACTED: &str = "testdata/healthy/talk/3.6/06-after.snapshot.db";
pub const FROZEN: &str = "/registry/configmaps/prod/frozen";

#[track_caller]
pub fn ok(line: &str) -> Run {
    let run = etcdive_line(line);
    let stderr = without_who(&run.stderr);
    assert_eq!((run.code, stderr.as_str()), (0, ""), "{line}");
    run
}

pub fn jsonl(run: &Run) -> Vec<Value> {
    run.text()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[test]
fn ls_lists_the_live_keys_of_a_prefix_or_of_a_revision() {
    assert_eq!(ok(&format!("ls {TALK}")).text(), "foo2\n");
    assert_eq!(ok(&format!("ls {TALK} --at 5")).text(), "foo1\nfoo2\n");
    assert_eq!(ok(&format!("ls {TALK} --at 2")).text(), "foo1\n");
    let configmaps = ok(&format!("ls {AFTER} /registry/configmaps/prod/"));
    assert!(
        configmaps
            .text()
            .lines()
            .all(|key| key.starts_with("/registry/configmaps/prod/"))
    );
    assert!(configmaps.text().lines().any(|key| key == FROZEN));
    assert_eq!(ok(&format!("ls {AFTER}")).text().lines().count(), 618);
}

#[test]
fn ls_as_jsonl_has_etcds_counters() {
    let rows = jsonl(&ok(&format!("ls {AFTER} {FROZEN} -o jsonl")));
    assert_eq!(rows.len(), 1);
    let expected = serde_json::json!({"key": FROZEN, "resource": "configmaps", "namespace": "prod", "name": "frozen", "create_revision": 2186, "mod_revision": 2186, "version": 1, "value_size": rows[0]["value_size"]});
    assert_eq!(rows[0], expected);
    assert!(
        jsonl(&ok(&format!("ls {AFTER} /registry/events/ -o jsonl")))
            .iter()
            .all(|row| row["lease"].as_str().is_some_and(|id| id.len() == 16))
    );
}

#[test]
fn a_key_that_is_no_text_is_exact_in_a_pipe_and_base64_in_json() {
    let run = ok(&format!("ls {COMPACTED}"));
    assert!(
        run.stdout
            .windows(5)
            .any(|window| window == b"\xff\x00\x01bi")
    );
    let json = ok(&format!("ls {COMPACTED} -o jsonl"));
    let row = jsonl(&json)
        .into_iter()
        .find(|row| row.get("key").is_none())
        .unwrap();
    assert_eq!(row["key_base64"], "/wABYmlugGtleQ==");
}

#[test]
fn a_compacted_or_future_revision_is_refused_as_etcd_does() {
    let compacted = etcdive_line(&format!("ls {COMPACTED} --at 23"));
    assert_eq!(compacted.code, 2);
    assert!(
        compacted
            .stderr
            .contains("required revision has been compacted")
            && compacted.stderr.contains("--at 24"),
        "{}",
        compacted.stderr
    );
    assert_eq!(etcdive_line(&format!("ls {COMPACTED} --at 24")).code, 0);
    let future = etcdive_line(&format!("get {COMPACTED} foo1 --at 32"));
    assert_eq!(future.code, 2);
    assert!(
        future
            .stderr
            .contains("required revision is a future revision"),
        "{}",
        future.stderr
    );
}

#[test]
fn a_key_that_is_not_there_is_exit_1_with_the_nearest() {
    for verb in ["ls", "get", "log", "extract"] {
        let flag = if verb == "extract" { "-k " } else { "" };
        let run = etcdive_line(&format!(
            "{verb} {AFTER} {flag}/registry/configmaps/prod/froze"
        ));
        assert_eq!((run.code, run.stdout.len()), (1, 0), "{verb}");
        assert!(
            run.stderr.contains(&format!("did you mean {FROZEN}")),
            "{verb}: {}",
            run.stderr
        );
    }
    let deleted = etcdive_line(&format!("get {TALK} foo1"));
    assert!(
        deleted.code == 1 && deleted.stderr.contains("foo1 was deleted at revision 6"),
        "{}",
        deleted.stderr
    );
    let prefix = etcdive_line(&format!("ls {AFTER} /registry/configmaps"));
    assert!(
        prefix.code == 1
            && prefix
                .stderr
                .contains("keys start with /registry/configmaps/"),
        "{}",
        prefix.stderr
    );
}

#[test]
fn get_shows_an_object_as_kubectl_does() {
    let yaml = ok(&format!("get {AFTER} {FROZEN}"));
    assert!(
        yaml.text().contains("  resourceVersion: \"2186\"\n")
            && !yaml.text().contains("managedFields")
    );
    let managed = ok(&format!("get {AFTER} {FROZEN} --show-managed-fields"));
    assert!(
        managed
            .text()
            .contains("managedFields:\n  - apiVersion: v1\n")
    );
    let json = ok(&format!("get {AFTER} {FROZEN} -o json"));
    assert!(
        json.text().starts_with(
            "{\n    \"apiVersion\": \"v1\",\n    \"data\": {\n        \"k\": \"reborn\"\n"
        ),
        "{}",
        json.text()
    );
    let old = ok(&format!("get {AFTER} {FROZEN} --at 2000 -o jsonl"));
    assert_eq!(jsonl(&old)[0]["data"]["k"], "v");
}

#[test]
fn get_of_a_prefix_is_a_list_as_kubectl_has_it() {
    let yaml = ok(&format!("get {AFTER} /registry/configmaps/prod/"));
    assert!(
        yaml.text()
            .starts_with("apiVersion: v1\nitems:\n- apiVersion: v1\n")
    );
    assert!(
        yaml.text()
            .ends_with("kind: List\nmetadata:\n  resourceVersion: \"\"\n")
    );
    let list: Value = serde_json::from_slice(
        &ok(&format!("get {AFTER} /registry/configmaps/prod/ -o json")).stdout,
    )
    .unwrap();
    let read_back: Value = serde_norway::from_str(yaml.text()).unwrap();
    assert_eq!(list, read_back);
    assert!(list["items"].as_array().unwrap().len() > 1);
}

#[test]
fn get_prints_the_record_of_what_is_no_object() {
    let rows = jsonl(&ok(&format!("get {TALK} foo2 -o jsonl")));
    assert_eq!(
        rows,
        [
            serde_json::json!({"create_revision": 3, "key": "foo2", "mod_revision": 5, "value": "bar2-new", "value_size": 8, "version": 2})
        ]
    );
}

#[test]
fn extract_has_augers_flags() {
    let newest = ok(&format!("extract -f {AFTER} -k {FROZEN}"));
    assert!(
        newest.text().contains("  k: reborn\n")
            && newest.text().contains("managedFields")
            && !newest.text().contains("resourceVersion")
    );
    assert_eq!(
        ok(&format!("extract {AFTER} --key {FROZEN} --list-versions")).text(),
        "1\n0\n1\n"
    );
    let json = ok(&format!("extract --file {AFTER} -k {FROZEN} -o json"));
    assert!(
        json.text().starts_with(
            "{\"kind\":\"ConfigMap\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":\"frozen\""
        ),
        "{}",
        json.text()
    );
    assert!(
        ok(&format!("extract {AFTER} -k {FROZEN} -r 2000"))
            .text()
            .contains("  k: v\n")
    );
    assert!(
        ok(&format!("extract {AFTER} -k {FROZEN} --revision 0"))
            .text()
            .contains("  k: reborn\n")
    );
    assert_eq!(
        ok(&format!("extract {TALK} -k foo2 --raw")).stdout,
        b"bar2-new"
    );
    assert_eq!(
        ok(&format!("extract {TALK} -k foo2 -v 1 --raw")).stdout,
        b"bar2"
    );
    assert_eq!(ok(&format!("extract {TALK} -k foo2")).text(), "bar2-new\n");
    assert_eq!(
        etcdive_line(&format!("extract {TALK} -k foo2 --version 7")).code,
        1
    );
}

#[test]
fn extract_of_a_deleted_key_says_so_and_how_to_have_it() {
    let run = etcdive_line(&format!("extract {TALK} -k foo1"));
    assert_eq!(run.code, 1);
    assert!(
        run.stderr.contains("deleted at revision 6") && run.stderr.contains("-r 5"),
        "{}",
        run.stderr
    );
    assert_eq!(
        ok(&format!("extract {TALK} -k foo1 -r 5")).text(),
        "bar1-new\n"
    );
}

#[test]
fn extract_lists_the_live_keys_with_the_fields_asked_for() {
    assert_eq!(ok(&format!("extract {TALK}")).text(), "foo2\n");
    assert_eq!(ok(&format!("extract {TALK} -r 5")).text(), "foo1\nfoo2\n");
    let fields = "key,value-size,version-count,all-versions-value-size,value";
    assert_eq!(
        ok(&format!("extract {TALK} --fields {fields}")).text(),
        "foo2 8 2 12 null\n"
    );
    let row = ok(&format!(
        "extract {AFTER} --keys-by-prefix {FROZEN} --fields key,version-count,value"
    ));
    assert!(row.text().starts_with(&format!("{FROZEN} 1 {{\"apiVersion\":\"v1\",\"data\":{{\"k\":\"reborn\"}},\"kind\":\"ConfigMap\"")), "{}", row.text());
    assert_eq!(
        ok(&format!("extract {AFTER} --keys-by-prefix /registry/"))
            .text()
            .lines()
            .count(),
        618
    );
    assert_eq!(
        etcdive_line(&format!("extract {AFTER} --keys-by-prefix /nothing/")).code,
        1
    );
}

#[test]
fn decode_reads_a_file_or_standard_input_in_any_encoding() {
    let scratch = Scratch::new("decode");
    let stored = ok(&format!("extract {AFTER} -k {FROZEN} --raw")).stdout;
    let path = scratch.file("value", &stored);
    let yaml = ok(&format!("extract {AFTER} -k {FROZEN}"));
    let path = path.to_str().unwrap();
    assert_eq!(etcdive(["decode", path]).stdout, yaml.stdout);
    assert_eq!(etcdive(["decode", "--file", path]).stdout, yaml.stdout);
    assert!(
        etcdive(["decode", "-f", path, "-o", "json"])
            .text()
            .starts_with("{\"kind\":\"ConfigMap\"")
    );
    // As `etcdctl get --print-value-only` has it: a newline more.
    assert_eq!(decoded(&[&stored[..], b"\n"].concat()).stdout, yaml.stdout);
    assert_eq!(
        decoded(b"{\"kind\":\"X\",\"apiVersion\":\"v1\"}").text(),
        "apiVersion: v1\nkind: X\n"
    );
    assert_eq!(decoded(b"\xd9\xd9\xf7\xa1\x41a\x41b").text(), "a: b\n");
    let text = decoded(b"plain text");
    assert_eq!((text.code, text.stdout.len()), (2, 0));
    assert!(
        text.stderr.contains("hint: decode takes"),
        "{}",
        text.stderr
    );
}

fn decoded(value: &[u8]) -> Run {
    fed(value, &["decode"])
}

#[test]
fn decode_says_why_a_value_cannot_be_decoded() {
    let encrypted = decoded(b"k8s:enc:aescbc:v1:key1:\x01\x02\x03");
    assert_eq!((encrypted.code, encrypted.stdout.len()), (2, 0));
    assert!(
        encrypted.stderr.contains("aescbc") && encrypted.stderr.contains("key1"),
        "{}",
        encrypted.stderr
    );
    let cut = decoded(b"k8s\0\x0a\x05");
    assert_eq!(cut.code, 2);
    assert!(cut.stderr.contains("cannot be decoded"), "{}", cut.stderr);
    assert_eq!(decoded(b"").code, 2);
    assert_eq!(etcdive_line("decode no/such/file").code, 2);
}

#[test]
fn a_type_that_is_not_in_the_table_is_shown_with_its_metadata_and_a_note() {
    // vendor.example.com/v1 Gizmo with metadata.name "r", metadata.namespace "ns" and a spec of one text.
    let value = b"k8s\0\x0a\x1e\x0a\x15vendor.example.com/v1\x12\x05Gizmo\x12\x10\x0a\x07\x0a\x01r\x1a\x02ns\x12\x05\x0a\x03foo";
    let run = decoded(value);
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.text().starts_with("# "), "{}", run.text());
    assert!(
        run.text().contains("kind: Gizmo\n") && run.text().contains("  name: r\n  namespace: ns\n"),
        "{}",
        run.text()
    );
    assert!(
        run.text().contains("$unknownFields") && run.text().contains("foo"),
        "{}",
        run.text()
    );
}

#[test]
fn log_lists_the_revisions_of_a_key_newest_first() {
    let table = ok(&format!("log {AFTER} {FROZEN}"));
    let lines: Vec<&str> = table.text().lines().collect();
    assert_eq!(lines.len(), 4, "{}", table.text());
    assert!(lines[0].contains("REVISION") && lines[0].contains("MANAGERS"));
    assert!(
        lines[1].contains("2186.0")
            && lines[1].contains("create")
            && lines[1].contains("kubectl-create")
            && lines[1].contains("2026-11-20T21:11:12Z")
    );
    assert!(
        lines[2].contains("delete") && lines[3].contains("507.0") && lines[3].contains("alice")
    );
}

#[test]
fn log_as_json_has_one_event_each() {
    let rows = jsonl(&ok(&format!("log {TALK} foo1 -o jsonl")));
    assert_eq!(
        rows[0],
        serde_json::json!({"main": 6, "sub": 0, "type": "delete", "key": "foo1", "prev_mod_revision": 4, "prev_version": 2, "prev_value_size": 8, "origin": "live"})
    );
    assert_eq!(
        rows[1],
        serde_json::json!({"main": 4, "sub": 0, "type": "update", "key": "foo1", "create_revision": 2, "mod_revision": 4, "version": 2,
        "value_size": 8, "prev_mod_revision": 2, "prev_version": 1, "prev_value_size": 4, "origin": "live"})
    );
    assert_eq!(rows[2]["type"], "create");
    let array: Value =
        serde_json::from_slice(&ok(&format!("log {TALK} foo1 -o json")).stdout).unwrap();
    assert_eq!(array, Value::Array(rows));
}

#[test]
fn log_says_how_many_versions_were_compacted() {
    let run = etcdive_line(&format!("log {COMPACTED} foo3"));
    // Its whole life is retained.
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let mut store = Store::new(Version::V3_6);
    for value in 0..5 {
        store.put("k", value.to_string());
    }
    store.compact(4);
    let scratch = Scratch::new("log-compacted");
    let path = scratch.file("db", &store.builder().build().bytes);
    let run = etcdive(["log", path.to_str().unwrap(), "k"]);
    assert_eq!(run.text().lines().count(), 4);
    assert!(
        run.stderr.contains("2 earlier versions")
            && run
                .stderr
                .contains("history is retained from revision 4 on"),
        "{}",
        run.stderr
    );
}

#[test]
fn status_shows_the_state_as_a_table_or_as_json() {
    let table = ok(&format!("status {COMPACTED}"));
    for said in [
        "31, compacted to 24",
        "a snapshot file with a correct SHA-256",
        "verdict    OK",
        "13 live of 14",
    ] {
        assert!(table.text().contains(said), "{said}: {}", table.text());
    }
    let json: Value =
        serde_json::from_slice(&ok(&format!("status {COMPACTED} -o json")).stdout).unwrap();
    assert_eq!(
        (
            &json["kind"],
            &json["trailer"],
            &json["revision"],
            &json["compact_revision"]
        ),
        (&"snapshot".into(), &"good".into(), &31.into(), &24.into())
    );
    assert_eq!(
        (
            &json["records"],
            &json["tombstones"],
            &json["live_keys"],
            &json["storage_version"]
        ),
        (&20.into(), &1.into(), &13.into(), &"3.6.0".into())
    );
    assert_eq!(json["findings"], Value::Array(Vec::new()));
    assert_eq!(json["metas"].as_array().unwrap().len(), 2);
}

#[test]
fn color_can_be_forced_and_forbidden() {
    let line = format!("diff {BEFORE} {AFTER} {FROZEN}");
    let always = etcdive_line(&format!("--color always {line}"));
    assert!(always.text().contains("\x1b[35m"), "{}", always.text());
    assert!(
        !etcdive_line(&format!("--color never {line}"))
            .text()
            .contains('\x1b')
    );
    assert!(!etcdive_line(&line).text().contains('\x1b'));
    let words = || line.split(' ');
    let forced = program()
        .args(words())
        .env("CLICOLOR_FORCE", "1")
        .output()
        .unwrap();
    assert!(forced.stdout.contains(&0x1b));
    let no_color = program()
        .args(words())
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1")
        .output()
        .unwrap();
    assert!(!no_color.stdout.contains(&0x1b));
}

#[test]
fn what_is_of_another_revision_is_reported_with_that_revision() {
    let prefix = etcdive_line(&format!("ls {AFTER} /registry/configmaps/shop/"));
    assert_eq!(prefix.code, 1);
    assert!(
        prefix
            .stderr
            .contains("7 were deleted, the last at revision 2458")
            && prefix.stderr.contains("--at 2451"),
        "{}",
        prefix.stderr
    );
    assert_eq!(
        ok(&format!("ls {AFTER} /registry/configmaps/shop/ --at 2000"))
            .text()
            .lines()
            .count(),
        7
    );
    let later = etcdive_line(&format!("extract {AFTER} -k {FROZEN} -r 506"));
    assert!(
        later.code == 1
            && later
                .stderr
                .contains("at revision 506: first written at revision 507"),
        "{}",
        later.stderr
    );
    let folder = etcdive_line(&format!("log {AFTER} /registry/deployments/prod"));
    assert!(
        folder
            .stderr
            .contains("/registry/deployments/prod/web exists"),
        "{}",
        folder.stderr
    );
    let slash = etcdive_line(&format!("log {AFTER} /registry/deployments/prod/"));
    assert!(
        slash.code == 0 && slash.text().contains("  /registry/deployments/prod/web  "),
        "{}",
        slash.stderr
    );
    // A tombstone right at the compaction: there is nothing before it any more.
    let mut store = Store::new(Version::V3_6);
    store.put("k", "1");
    store.delete("k");
    store.compact(3);
    let scratch = Scratch::new("deleted-compacted");
    let path = scratch.file("db", &store.builder().build().bytes);
    let run = etcdive(["get", path.to_str().unwrap(), "k"]);
    assert!(
        run.code == 1
            && run.stderr.contains("the state before it is compacted")
            && !run.stderr.contains("--at"),
        "{}",
        run.stderr
    );
}

#[test]
fn log_names_who_gained_fields_and_not_who_lost_them() {
    let rows = jsonl(&ok(&format!(
        "log {AFTER} /registry/deployments/prod/web -o jsonl"
    )));
    let scaled = rows.iter().find(|row| row["main"] == 2069).unwrap();
    assert_eq!(scaled["managers"], serde_json::json!(["kubectl (scale)"]));
    // Its own entry has no time. Other entries show it.
    assert_ne!(scaled["time_not_before"], scaled["time_not_after"]);
    let mut times: Vec<&str> = rows
        .iter()
        .filter_map(|row| row["time_not_before"].as_str())
        .collect();
    let newest_first = times.clone();
    times.sort_unstable_by(|a, b| b.cmp(a));
    assert_eq!(
        times, newest_first,
        "the times of one incarnation do not run backwards"
    );
}

#[test]
fn the_mark_of_a_bumped_restore_is_no_key() {
    let mut store = Store::new(Version::V3_6);
    store.put("a", "1");
    store.put("b", "2");
    store.compact(3);
    let mut pairs: Vec<_> = store
        .records()
        .iter()
        .map(|record| (record.bucket_key(), record.bucket_value()))
        .collect();
    pairs.push((
        crate::support::synth::etcd::revision_key(1003, 0),
        Vec::new(),
    ));
    store.set_bucket("key", crate::support::synth::Bucket::of(pairs));
    let mark = crate::support::synth::etcd::revision_key(1003, 0);
    let mut meta: Vec<(Vec<u8>, Vec<u8>)> =
        vec![(b"consistent_index".to_vec(), 9_u64.to_be_bytes().to_vec())];
    meta.push((b"finishedCompactRev".to_vec(), mark.clone()));
    meta.push((b"scheduledCompactRev".to_vec(), mark));
    store.set_bucket("meta", crate::support::synth::Bucket::of(meta));
    let scratch = Scratch::new("bumped");
    let path = scratch.file("db", &store.builder().build().bytes);
    let path = path.to_str().unwrap();
    assert_eq!(ok(&format!("ls {path}")).text(), "a\nb\n");
    let status: Value =
        serde_json::from_slice(&ok(&format!("status {path} -o json")).stdout).unwrap();
    assert_eq!(
        (&status["revision"], &status["live_keys"]),
        (&1003.into(), &2.into())
    );
    assert!(
        ok(&format!(
            "dump-db iterate-bucket {path} key --decode --limit 1"
        ))
        .text()
        .starts_with("rev={main:1003 sub:0}, value=[key \"\" | val \"\"")
    );
}

#[test]
fn a_question_that_makes_no_sense_is_refused_in_a_sentence() {
    let zero = etcdive_line(&format!("extract {AFTER} -k {FROZEN} -v 0"));
    assert!(
        zero.code == 2 && zero.stderr.contains("version 0 is a deletion"),
        "{}",
        zero.stderr
    );
    let negative = etcdive_line(&format!("ls {AFTER} --at -1"));
    assert!(
        negative.code == 2 && negative.stderr.contains("a revision is 123, 123.2, @"),
        "{}",
        negative.stderr
    );
    let database = etcdive_line(&format!("decode {TALK}"));
    assert!(
        database.code == 2 && database.stderr.contains("a database, not one value"),
        "{}",
        database.stderr
    );
    let raw = etcdive_line(&format!("extract {AFTER} -k {FROZEN} --raw -o json"));
    assert_eq!(raw.code, 2);
    assert_eq!(ok(&format!("ls {TALK} --rev 2")).text(), "foo1\n");
}
