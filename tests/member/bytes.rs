//! The log and the raft snapshot of a new member are byte for byte those of `etcdutl snapshot restore`.

use etcdive::etcd::membership::InitialCluster;
use etcdive::etcd::wal::write;

use crate::support::repository;

/// The arguments with which `testdata/restore/upstream-3.N` were made, for the member m1.
const CLUSTER: &str =
    "m1=http://127.0.0.1:23801,m2=http://127.0.0.1:23811,m3=http://127.0.0.1:23821";
const TOKEN: &str = "tok";

/// The member whose id is in the recorded log.
const RECORDED: &str = "m2";

fn recorded(version: &str, name: &str) -> Vec<u8> {
    let path = format!("testdata/restore/upstream-{version}/{name}");
    std::fs::read(repository().join(path)).unwrap()
}

fn cluster() -> InitialCluster {
    InitialCluster::parse(CLUSTER, TOKEN).unwrap()
}

fn log_of(name: &str) -> Vec<u8> {
    let cluster = cluster();
    let member = cluster.members.iter().find(|member| member.name == name);
    write::log(&cluster, member.unwrap())
}

#[test]
fn the_log_is_that_of_etcdutl_3_6() {
    let mut ours = log_of(RECORDED);
    assert!(ours.len() > 500 && ours.len() < 1024);
    ours.resize(1024, 0);
    assert_eq!(ours, recorded("3.6", "first-1024-bytes.wal"));
}

#[test]
fn the_log_is_that_of_etcdctl_3_4_but_for_the_voters_in_the_last_record() {
    let ours = log_of(RECORDED);
    let theirs = recorded("3.4", "first-1024-bytes.wal");
    let last = ours.len() - 0x40;
    assert_eq!(ours[..last], theirs[..last]);
    // 3.4 has no voters in it: its length is 14 bytes, ours 49.
    assert_eq!((theirs[last], ours[last]), (0x0e, 0x31));
}

#[test]
fn the_raft_snapshot_is_that_of_etcdutl_3_6() {
    let cluster = cluster();
    assert_eq!(
        write::snap_name(&cluster),
        "0000000000000001-0000000000000003.snap"
    );
    let ours = write::snap(&cluster);
    let theirs = recorded("3.6", "three-members.snap");
    let differ = ours.iter().zip(&theirs).position(|(a, b)| a != b);
    assert_eq!((differ, ours.len()), (None, theirs.len()));
}

#[test]
fn members_and_voters_are_in_the_order_of_their_keys() {
    // The ids, in hex: the last has 15 digits, so it is the first as a number and not as a text.
    let urls: Vec<String> = (1..40).map(|n| format!("m{n}=http://h{n}:1")).collect();
    let cluster = InitialCluster::parse(&urls.join(","), "t").unwrap();
    let keys: Vec<Vec<u8>> = cluster.bucket().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), 39);
    assert!(keys.is_sorted() && cluster.voters().is_sorted());
    let by_number: Vec<Vec<u8>> = cluster
        .members
        .iter()
        .map(|member| member.hex_id().into())
        .collect();
    assert!(keys != by_number, "one id has fewer digits");
    let first = cluster.voters()[0];
    assert!(
        cluster
            .conf_state()
            .starts_with(&format!("{{\"voters\":[{first},"))
    );
}
