//! `get` with etcdctl's flags.

use super::{run, talk};
use crate::support::Scratch;
use crate::support::synth::etcd::{Store, Version};

#[test]
fn any_flag_of_etcdctl_makes_get_etcdctls() {
    let db = talk("01-talk");
    for flag in [
        "-w simple",
        "--prefix",
        "--from-key",
        "--limit 1",
        "--sort-by key",
        "--order ascend",
        "--min-create-rev 1",
        "--max-create-rev 9",
        "--min-mod-rev 1",
        "--max-mod-rev 9",
    ] {
        let run = run("get", &db, &format!("foo2 {flag}"));
        assert_eq!(
            (run.code, run.text()),
            (0, "foo2\nbar2-new\n"),
            "{flag}: {}",
            run.stderr
        );
        let other = format!("foo2 {flag} -o yaml");
        assert_eq!(super::run("get", &db, &other).code, 2, "{other}");
    }
    assert_eq!(run("get", &db, "foo2 --keys-only").text(), "foo2\n\n");
    assert_eq!(
        run("get", &db, "foo2 --print-value-only").text(),
        "bar2-new\n"
    );
    let count = run("get", &db, "foo2 --count-only");
    assert_eq!(
        (count.code, &*count.stderr),
        (
            2,
            "etcdive: --count-only is only for `--write-out=fields`\n"
        )
    );
    assert_ne!(run("get", &db, "foo2").text(), "foo2\nbar2-new\n");
}

#[test]
fn a_get_without_an_answer_says_why() {
    let db = talk("01-talk");
    for (words, code, said) in [
        ("foo1 -w simple", 1, "foo1 was deleted at revision 6"),
        ("foo9 -w simple", 1, "no key foo9"),
        (
            "b a -w simple",
            1,
            "the range is reversed: RANGE_END is not after KEY",
        ),
        ("g h -w simple", 1, "no key is in this range"),
        (
            "foo --prefix --max-mod-rev 2",
            1,
            "the one key in this range is not selected",
        ),
        (
            "foo2 --keys-only --rev 7",
            2,
            "etcdserver: mvcc: required revision is a future revision",
        ),
        (
            "-w simple",
            2,
            "get command needs one argument as key and an optional argument as range_end",
        ),
    ] {
        let run = run("get", &db, words);
        assert_eq!(run.code, code, "{words}: {}", run.stderr);
        assert_eq!(
            run.stderr.lines().next(),
            Some(&*format!("etcdive: {said}")),
            "{words}"
        );
    }
}

#[test]
fn equals_stand_in_key_order_whichever_way_they_are_sorted() {
    let mut store = Store::new(Version::V3_6);
    // More than etcd sorts without changing the order of equals.
    for index in (0..30).rev() {
        store.put(
            format!("k{index:02}"),
            if index % 3 == 0 { "x" } else { "y" },
        );
    }
    let scratch = Scratch::new("get-ties");
    let db = scratch.file("db", &store.builder().build().bytes);
    let keys = |words: &str| -> Vec<String> {
        let run = run(
            "get",
            db.to_str().unwrap(),
            &format!("k --prefix --keys-only {words}"),
        );
        run.text().split_whitespace().map(str::to_owned).collect()
    };
    let all: Vec<String> = (0..30).map(|index| format!("k{index:02}")).collect();
    assert_eq!(keys("--sort-by VERSION"), all);
    assert_eq!(keys("--sort-by VERSION --order DESCEND"), all);
    let (x, y): (Vec<String>, Vec<String>) = all
        .iter()
        .cloned()
        .partition(|key| key[1..].parse::<u32>().unwrap() % 3 == 0);
    assert_eq!(keys("--sort-by VALUE"), [x.clone(), y.clone()].concat());
    assert_eq!(keys("--sort-by VALUE --order DESCEND"), [y, x].concat());
    let newest_first: Vec<String> = all.iter().rev().take(3).cloned().collect();
    assert_eq!(
        keys("--sort-by CREATE --order ASCEND --limit 3"),
        newest_first
    );
    // Without an order the server takes the first keys, one more than the limit, and sorts those.
    assert_eq!(keys("--sort-by CREATE --limit 3"), ["k03", "k02", "k01"]);
}
