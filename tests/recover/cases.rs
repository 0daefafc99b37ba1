//! Stores of a real control plane whose recovery went wrong once (`testdata/recover`): what comes back now.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Run, Scratch, etcdive, read_unpacked, testdata};

/// A case, unpacked.
struct Case {
    scratch: Scratch,
    db: String,
}

/// What was written: by file name without its number, the text and the object.
type Written = BTreeMap<String, (String, Value)>;

impl Case {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(&format!("recover-case-{name}"));
        let packed = testdata(&format!("recover/{name}.db.gz"));
        let db = scratch.file("s.db", &read_unpacked(&packed));
        let db = db.to_str().unwrap().to_owned();
        Self { scratch, db }
    }

    fn recover(&self, flags: &str) -> Run {
        let words = ["recover", self.db.as_str()];
        etcdive(
            words
                .into_iter()
                .chain(flags.split(' ').filter(|word| !word.is_empty())),
        )
    }

    /// Writes files, and reads them back.
    fn write(&self, flags: &str) -> (Written, Run) {
        let folder = self.scratch.path().join("out");
        let _ = std::fs::remove_dir_all(&folder);
        let run = self.recover(&format!("{flags} --out {}", folder.to_str().unwrap()));
        let mut written = Written::new();
        for path in run.text().lines() {
            let text = std::fs::read_to_string(path).unwrap();
            let object: Value = serde_norway::from_str(&text).unwrap();
            let name = std::path::Path::new(path).file_stem().unwrap();
            let name = name.to_str().unwrap().split_once('-').unwrap().1.to_owned();
            written.insert(name, (text, object));
        }
        (written, run)
    }

    /// The keys in the order of creation, without the prefix.
    fn names(&self, flags: &str) -> Vec<String> {
        let run = self.recover(&format!("{flags} -o name"));
        let lines = run.text().lines();
        lines
            .map(|key| key.strip_prefix("/registry/").unwrap().to_owned())
            .collect()
    }

    /// The reasons for which objects are left out, by key.
    fn left_out(&self, flags: &str) -> BTreeMap<String, String> {
        let run = self.recover(&format!("{flags} -o jsonl"));
        let mut left_out = BTreeMap::new();
        for line in run.text().lines() {
            let row: Value = serde_json::from_str(line).unwrap();
            if let Some(reason) = row["left_out"].as_str() {
                let key = row["key"].as_str().unwrap().to_owned();
                left_out.insert(key, reason.to_owned());
            }
        }
        left_out
    }
}

#[track_caller]
fn has(run: &Run, part: &str) {
    assert!(run.stderr.contains(part), "{part}: {}", run.stderr);
}

#[test]
fn kubectl_create_is_recommended_and_what_apply_would_refuse_is_counted() {
    let (written, run) = Case::new("apply-too-long").write("-n shop");
    assert_eq!(written.len(), 2);
    has(&run, "hint: `kubectl create -f ");
    has(&run, "It would refuse 1 of these files");
    let (_, run) = Case::new("vac").write("");
    assert!(!run.stderr.contains("It would refuse"), "{}", run.stderr);
}

#[test]
fn what_an_api_server_makes_of_itself_does_not_come_back() {
    let case = Case::new("at-kubernetes-endpoints");
    let run = case.recover("--at 8");
    has(&run, "nothing comes back; 5 are left out:");
    assert_eq!(run.code, 1);
    let reasons = case.left_out("--at 8");
    assert_eq!(reasons.len(), 5);
    assert!(reasons.values().all(|reason| reason == "bootstrap"));
    assert_eq!(case.names("--at 8 --controlled=bootstrap").len(), 5);
}

#[test]
fn an_address_that_its_author_wrote_stays_and_others_are_in_comments() {
    let case = Case::new("cluster-ip");
    let (written, run) = case.write("-n shop");
    let spec = |name: &str| &written[name].1["spec"];
    assert_eq!(spec("service-shop-fixed")["clusterIP"], "10.0.0.53");
    assert_eq!(spec("service-shop-lb")["healthCheckNodePort"], 31999);
    assert_eq!(spec("service-shop-lb").get("clusterIP"), None);
    let comments = &written["service-shop-lb"].0;
    assert!(
        comments.starts_with("# Its load balancer had the address 9.9.9.9."),
        "{comments}"
    );
    let old = "\n# Its cluster address was 10.0.0.221. The server gives it another one";
    assert!(comments.contains(old), "{comments}");
    has(&run, "2 services get new addresses or ports");
    let (written, _) = case.write("-n shop --keep-addresses");
    let spec = |name: &str| &written[name].1["spec"];
    assert_eq!(spec("service-shop-lb")["clusterIP"], "10.0.0.221");
    assert_eq!(spec("service-shop-web")["clusterIP"], "10.0.0.235");
}

#[test]
fn a_default_account_that_somebody_changed_comes_back() {
    let (written, run) = Case::new("default-sa").write("-n shop");
    let (text, account) = &written["serviceaccount-shop-default"];
    assert_eq!(account["imagePullSecrets"][0]["name"], "regcred");
    assert_eq!(account["automountServiceAccountToken"], false);
    assert!(
        text.contains("# If kubectl create says AlreadyExists: kubectl replace"),
        "{text}"
    );
    has(&run, "1 account `default` comes back");
}

#[test]
fn an_empty_spec_stays() {
    let (written, _) = Case::new("empty-spec").write("");
    let spec = &written["app-shop-empty-spec"].1["spec"];
    assert_eq!(spec, &serde_json::json!({}));
}

#[test]
fn a_release_comes_back_as_it_was_before_its_uninstallation() {
    let case = Case::new("helm-uninstall");
    let (written, _) = case.write("-n hl");
    let status = |name: &str| {
        let labels = &written[name].1["metadata"]["labels"];
        labels["status"].as_str().unwrap().to_owned()
    };
    assert_eq!(status("secret-hl-sh.helm.release.v1.rel.v2"), "deployed");
    assert_eq!(status("secret-hl-sh.helm.release.v1.rel.v1"), "superseded");
    // The upgrade had removed it.
    let autoscaler = "/registry/horizontalpodautoscalers/hl/rel-demo".to_owned();
    let expected = BTreeMap::from([(autoscaler, "before".to_owned())]);
    assert_eq!(case.left_out("-n hl"), expected);
    assert_eq!(case.names("-n hl --before").len(), 3);
}

#[test]
fn what_ended_and_what_was_deleted_before_the_namespace_is_left_out() {
    let case = Case::new("jobs-rerun");
    assert_eq!(case.names("-n shop"), ["namespaces/shop"]);
    let expected = [
        ("/registry/configmaps/shop/deleted-before", "before"),
        ("/registry/jobs/shop/done", "finished"),
        ("/registry/jobs/shop/ttl", "before"),
        ("/registry/pods/shop/once", "before"),
    ];
    let expected = expected.map(|(key, reason)| (key.to_owned(), reason.to_owned()));
    assert_eq!(case.left_out("-n shop"), expected.into());
    let finished = ["namespaces/shop", "jobs/shop/done"];
    assert_eq!(case.names("-n shop --finished"), finished);
    let before = ["namespaces/shop", "configmaps/shop/deleted-before"];
    assert_eq!(case.names("-n shop --before"), before);
    let all = case.names("-n shop --before --finished");
    assert_eq!(all.len(), 5);
    let (written, _) = case.write("-n shop --finished");
    let (text, job) = &written["job-shop-done"];
    assert_eq!(job["spec"]["suspend"], true);
    assert!(text.starts_with("# This Job had ended."), "{text}");
    // Who asks for the object itself means it; it is listed with its own deletion in any case.
    assert_eq!(
        case.names("cm/deleted-before -n shop"),
        ["configmaps/shop/deleted-before"]
    );
    let table = case.recover("-n shop");
    let row = table
        .text()
        .lines()
        .find(|line| line.contains("deleted-before"));
    assert!(row.unwrap().contains("(before)"), "{}", table.text());
    has(
        &table,
        "3  --before         deleted before the namespace or the Helm release",
    );
    // A range asks for each deletion in it.
    assert_eq!(
        case.names("-n shop 9..10"),
        ["configmaps/shop/deleted-before"]
    );
}

#[test]
fn the_manifest_that_was_applied_last_is_left_out() {
    let (written, _) = Case::new("last-applied").write("");
    let (text, deployment) = &written["deployment-default-hpad"];
    assert_eq!(deployment["spec"]["replicas"], 5);
    assert!(!text.contains("last-applied"), "{text}");
}

#[test]
fn limits_come_after_what_they_would_refuse() {
    let case = Case::new("limitrange");
    has(
        &case.write("").1,
        "1 LimitRange comes back last (/registry/limitranges/shop/lr)",
    );
    let names = case.names("");
    assert_eq!(names.last().unwrap(), "limitranges/shop/lr");
    assert_eq!(names.len(), 5);
}

#[test]
fn what_a_deployment_owns_and_does_not_make_comes_back() {
    let names = Case::new("owned-by-builtin").names("-n shop");
    for name in [
        "acme.io/apps/shop/owned-by-deploy",
        "services/specs/shop/owned-by-deploy",
    ] {
        assert!(names.iter().any(|one| one == name), "{name}: {names:?}");
    }
}

#[test]
fn claims_come_before_their_workloads_and_say_how_to_get_their_own_volumes() {
    let case = Case::new("pvc-after-sts");
    let names = case.names("-n many");
    let is_claim = |name: &String| name.starts_with("persistentvolumeclaims/");
    assert_eq!(names.len(), 12);
    assert!(names[..6].iter().all(is_claim), "{names:?}");
    let (written, _) = case.write("-n many");
    for number in 1..=6 {
        let (text, claim) = &written[&format!("persistentvolumeclaim-many-data-pg{number}-0")];
        assert!(
            text.contains(r#"--type=json -p '[{"op":"test","path":"/spec/claimRef/uid""#),
            "{text}"
        );
        assert_eq!(claim["spec"].get("volumeName"), None);
    }
    let (written, run) = case.write("-n many --keep-volumes");
    let claim = &written["persistentvolumeclaim-many-data-pg1-0"].1;
    let volume = claim["spec"]["volumeName"].as_str().unwrap();
    has(&run, "volumes.sh first");
    let script = std::fs::read_to_string(case.scratch.path().join("out/volumes.sh")).unwrap();
    let uid = volume.strip_prefix("pvc-").unwrap();
    let patch = format!(
        r#"kubectl patch persistentvolume {volume} --type=json -p '[{{"op":"test","path":"/spec/claimRef/uid","value":"{uid}"}},{{"op":"remove","path":"/spec/claimRef/uid"}}]'"#
    );
    assert!(script.lines().any(|line| line == patch), "{script}");
    assert_eq!(script.matches("\nkubectl patch ").count(), 6);
}

#[test]
fn nodes_and_what_exists_for_them_do_not_come_back() {
    let case = Case::new("routine-objects");
    let reasons = case.left_out("");
    assert_eq!(reasons.len(), 4);
    assert!(
        reasons.values().all(|reason| reason == "node"),
        "{reasons:?}"
    );
    has(&case.recover(""), "--controlled=node");
}

#[test]
fn secrets_and_config_maps_come_before_the_custom_resource_that_owns_them() {
    let names = Case::new("secret-after-cr").names("");
    let expected = [
        "namespaces/shop",
        "secrets/shop/op-password",
        "configmaps/shop/owned-noctl",
        "acme.io/apps/shop/full",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_status_stays_if_the_objects_own_version_has_no_status_subresource() {
    let (written, _) = Case::new("status-other-version").write("");
    let status = &written["mixed-shop2-m1"].1["status"];
    assert_eq!(status["set"], "by-user");
}

#[test]
fn a_version_that_is_not_served_becomes_one_that_is() {
    let (written, run) = Case::new("unserved-version").write("");
    let (text, widget) = &written["widget-p1-old-stored"];
    assert_eq!(widget["apiVersion"], "multi.io/v1");
    assert!(
        text.starts_with("# It was stored as multi.io/v1alpha1, which is not served."),
        "{text}"
    );
    // The definition exists.
    assert!(!run.stderr.contains("definition"), "{}", run.stderr);
    let (written, _) = Case::new("vac").write("");
    let (text, class) = &written["volumeattributesclass-vac"];
    assert_eq!(class["apiVersion"], "storage.k8s.io/v1");
    assert!(
        text.starts_with("# It was stored as storage.k8s.io/v1beta1,"),
        "{text}"
    );
}

#[test]
fn each_claim_says_what_became_of_its_volume() {
    let case = Case::new("volumes");
    let (written, run) = case.write("");
    let first_line = |name: &str| {
        let text = &written[&format!("persistentvolumeclaim-shop-{name}")].0;
        text.lines().next().unwrap().to_owned()
    };
    for (name, part) in [
        ("data-db-0", "the data was deleted with the old claim."),
        ("bare-scratch", "the data was deleted with the old claim."),
        (
            "data-kept-3",
            "still exists and is reserved for the old claim by its uid.",
        ),
        ("static-claim", "volume static-1, which still exists"),
        ("named-vol", "volume static-2, which still exists"),
        ("pending-sel", "apiVersion: v1"),
    ] {
        let line = first_line(name);
        assert!(line.contains(part), "{name}: {line}");
    }
    let volume_name = |name: &str| {
        let claim = &written[&format!("persistentvolumeclaim-shop-{name}")].1;
        claim["spec"].get("volumeName").cloned()
    };
    assert_eq!(volume_name("named-vol"), Some("static-2".into()));
    assert_eq!(volume_name("static-claim"), None);
    // Nobody makes storage anew for a volume that is written by hand.
    let reasons = case.left_out("");
    assert_eq!(reasons.len(), 3);
    assert!(
        reasons.values().all(|reason| reason == "volume"),
        "{reasons:?}"
    );
    has(
        &run,
        "3  --controlled=volume  volumes whose data was deleted with the claim",
    );
    assert_eq!(case.names("--controlled=volume").len(), 14);
    // The class without a provisioner, and the claim without a class.
    let text = &written["persistentvolumeclaim-shop-static-claim"].0;
    assert!(
        text.contains("the claim names no class and stays Pending until a volume fits."),
        "{text}"
    );
}
