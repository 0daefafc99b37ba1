//! OpenShift: the columns of `oc get`, and the names that it takes.

use etcdive::k8s::columns::{Clock, builtin};
use serde_json::{Value, json};

use super::{Case, object, put};
use crate::support::synth::etcd::{Store, Version};

/// 2025-11-21T00:00:00Z.
const NOW: Clock = Clock {
    now: Some(1_763_683_200),
};

/// The cells of an object with this name and creation, by their columns.
fn cells(group: &str, kind: &str, mut object: Value) -> Vec<String> {
    object["metadata"]["name"] = "a".into();
    object["metadata"]["creationTimestamp"] = "2025-11-20T23:00:00Z".into();
    let table = builtin(group, kind);
    let cells = (table.cells)(&object, NOW);
    assert_eq!(cells.len(), table.columns.len(), "{kind}");
    assert_eq!(cells[0], "a", "{kind}");
    cells[1..].to_vec()
}

fn heads(group: &str, kind: &str) -> String {
    let columns = builtin(group, kind).columns.iter();
    let names: Vec<&str> = columns.map(|column| column.name.as_ref()).collect();
    names.join(",")
}

#[test]
fn each_stored_type_of_openshift_has_the_columns_of_oc_get() {
    for (group, kind, expected) in [
        (
            "apps",
            "DeploymentConfig",
            "Name,Revision,Desired,Current,Triggered By",
        ),
        ("authorization", "ClusterRole", "Name"),
        (
            "authorization",
            "RoleBinding",
            "Name,Role,Users,Groups,Service Accounts,Users",
        ),
        (
            "authorization",
            "RoleBindingRestriction",
            "Name,Subject Type,Subjects",
        ),
        ("build", "Build", "Name,Type,From,Status,Started,Duration"),
        ("build", "BuildConfig", "Name,Type,From,Latest"),
        ("image", "Image", "Name,Image Reference"),
        ("image", "ImageStream", "Name,Image Repository,Tags,Updated"),
        (
            "network",
            "ClusterNetwork",
            "Name,Cluster Network,Service Network,Plugin Name",
        ),
        (
            "network",
            "HostSubnet",
            "Name,Host,Host IP,Subnet,Egress CIDRs,Egress IPs",
        ),
        ("network", "NetNamespace", "Name,NetID,Egress IPs"),
        ("network", "EgressNetworkPolicy", "Name,Age"),
        (
            "oauth",
            "OAuthClient",
            "Name,Secret,WWW-Challenge,Token-Max-Age,Redirect URIs",
        ),
        (
            "oauth",
            "OAuthClientAuthorization",
            "Name,User Name,Client Name,Scopes",
        ),
        (
            "oauth",
            "OAuthAccessToken",
            "Name,User Name,Client Name,Created,Expires,Redirect URI,Scopes",
        ),
        ("project", "Project", "Name,Display Name,Status"),
        (
            "quota",
            "ClusterResourceQuota",
            "Name,Labels Selector,Annotations Selector",
        ),
        (
            "route",
            "Route",
            "Name,Host/Port,Path,Services,Port,Termination,Wildcard",
        ),
        ("security", "RangeAllocation", "Name,Range,Data"),
        (
            "security",
            "SecurityContextConstraints",
            "Name,Privileged,Capabilities,SELinux,RunAsUser,FSGroup,SupplementalGroups,Priority,ReadOnlyFS,Volumes",
        ),
        (
            "template",
            "Template",
            "Name,Description,Parameters,Objects",
        ),
        ("template", "TemplateInstance", "Name,Template"),
        (
            "template",
            "BrokerTemplateInstance",
            "Name,Template Instance",
        ),
        ("user", "User", "Name,UID,Full Name,Identities"),
        ("user", "Group", "Name,Users"),
        (
            "user",
            "Identity",
            "Name,IDP Name,IDP User Name,User Name,User UID",
        ),
        (
            "config",
            "ClusterVersion",
            "Name,Version,Available,Progressing,Since,Status",
        ),
        (
            "config",
            "ClusterOperator",
            "Name,Version,Available,Progressing,Degraded,Since",
        ),
    ] {
        let group = format!("{group}.openshift.io");
        assert_eq!(heads(&group, kind), expected, "{kind}");
        // Nothing in the object is a zero value of Go in each cell, and no panic.
        for empty in [json!({}), json!({"spec": [], "status": "x", "metadata": 1})] {
            let table = builtin(&group, kind);
            assert_eq!((table.cells)(&empty, NOW).len(), table.columns.len());
        }
    }
}

#[test]
fn a_route_shows_where_it_was_admitted_and_its_services() {
    let of = |spec: Value, status: Value| {
        cells(
            "route.openshift.io",
            "Route",
            json!({"spec": spec, "status": status}),
        )
    };
    let admitted = |host: &str, status: &str| {
        json!({"host": host, "conditions": [
        {"type": "Admitted", "status": status, "reason": "HostAlreadyClaimed"}]})
    };
    let to = json!({"kind": "Service", "name": "web", "weight": 100});
    let spec = json!({"host": "h.example.com", "to": to, "wildcardPolicy": "None"});
    assert_eq!(
        of(spec.clone(), json!({})),
        ["h.example.com", "", "web", "<all>", "", "None"]
    );
    for (ingress, host) in [
        (json!([]), "Pending"),
        (json!([{"host": "h"}]), "Pending"),
        (json!([admitted("h.example.com", "True")]), "h.example.com"),
        (
            json!([admitted("other", "True"), admitted("h.example.com", "True")]),
            "h.example.com ... 1 more",
        ),
        (
            json!([admitted("h.example.com", "False")]),
            "HostAlreadyClaimed",
        ),
        (
            json!([admitted("h.example.com", "True"), admitted("x", "False")]),
            "h.example.com ... 1 rejected",
        ),
    ] {
        assert_eq!(of(spec.clone(), json!({"ingress": ingress}))[0], host);
    }
    let several = json!({"to": {"name": "a", "weight": 1}, "path": "/p", "port": {"targetPort": 8080},
        "alternateBackends": [{"name": "b", "weight": 2}, {"name": "c"}, {"name": "d", "weight": 0}],
        "tls": {"termination": "edge", "insecureEdgeTerminationPolicy": "Redirect"}});
    assert_eq!(
        of(several, json!({})),
        [
            "",
            "/p",
            "a(33%),b(66%),c,d(0%)",
            "8080",
            "edge/Redirect",
            ""
        ]
    );
    let zero = json!({"to": {"name": "a", "weight": 0}, "port": {"targetPort": "http"},
        "tls": {"insecureEdgeTerminationPolicy": "Allow"}});
    assert_eq!(
        of(zero, json!({}))[2..5],
        ["a(0%)", "http", "default/Allow"]
    );
}

#[test]
fn builds_and_deployment_configs_show_source_status_and_triggers() {
    let build = |object: Value| cells("build.openshift.io", "Build", object);
    let commit = "8a7f3e0c5d6b1a2f9e8d7c6b5a4f3e2d1c0b9a8f";
    assert_eq!(
        build(
            json!({"spec": {"strategy": {"dockerStrategy": {}}, "source": {"git": {"ref": "main"}},
                "revision": {"git": {"commit": commit}}},
            "status": {"phase": "Failed", "reason": "PushFailed", "duration": 95_000_000_000_i64,
                "startTimestamp": "2025-11-20T21:30:00Z"}})
        ),
        [
            "Docker",
            "Git@8a7f3e0",
            "Failed (PushFailed)",
            "3 hours ago",
            "1m35s"
        ]
    );
    for (source, from) in [
        (
            json!({"git": {"ref": "a-branch-with-a-long-name-that-is-no-hash"}}),
            "Git@a-branch-with-a-long-name-that-is-no-hash",
        ),
        (json!({"git": {}}), "Git"),
        (json!({"dockerfile": "FROM x"}), "Dockerfile"),
        (
            json!({"dockerfile": "FROM x", "git": {"ref": "v1"}}),
            "Dockerfile,Git@v1",
        ),
        (json!({"binary": {}, "git": {"ref": "v1"}}), "Binary@v1"),
        (json!({"type": "None"}), ""),
    ] {
        let row = build(json!({"spec": {"source": source, "strategy": {"sourceStrategy": {}}}}));
        assert_eq!(row, ["Source", from, "", "", ""]);
    }
    let custom = json!({"spec": {"strategy": {"customStrategy": {"from": {"name": "builder"}}}},
        "status": {"lastVersion": 7}});
    assert_eq!(
        cells("build.openshift.io", "BuildConfig", custom),
        ["Custom", "builder", "7"]
    );
    let image = |kind: &str, from: &str, automatic: bool, names: Value| {
        json!({"type": "ImageChange", "imageChangeParams": {"automatic": automatic,
            "containerNames": names, "from": {"kind": kind, "name": from}}})
    };
    for (containers, triggers, expected) in [
        (
            json!([{"name": "web"}]),
            json!([{"type": "ConfigChange"}, {"type": "ConfigChange"}]),
            "config",
        ),
        (
            json!([{"name": "web"}]),
            json!([image("ImageStreamTag", "web:latest", true, json!(["web"])), {"type": "Manual"}]),
            "Manual,image(web:latest)",
        ),
        (
            json!([{"name": "web"}, {"name": "db"}]),
            json!([image("ImageStreamTag", "x:1", true, json!(["web", "gone"]))]),
            "image(gone,web:x:1)",
        ),
        (
            json!([{"name": "web"}]),
            json!([
                image("DockerImage", "x", true, json!(["web"])),
                image("ImageStreamTag", "y", false, json!([]))
            ]),
            "DockerImage(x)",
        ),
    ] {
        let config = json!({"spec": {"replicas": 2, "test": true, "triggers": triggers,
            "template": {"spec": {"containers": containers}}}, "status": {"latestVersion": 4, "updatedReplicas": 1}});
        assert_eq!(
            cells("apps.openshift.io", "DeploymentConfig", config),
            ["4", "2 (during test)", "1", expected]
        );
    }
}

#[test]
fn an_image_stream_shows_its_newest_tags_first_as_far_as_they_fit() {
    let tag = |name: &str, created: &str| match created {
        "" => json!({"tag": name, "items": null}),
        created => {
            json!({"tag": name, "items": [{"created": created}, {"created": "2030-01-01T00:00:00Z"}]})
        }
    };
    let stream = |tags: Vec<Value>, status: Value| {
        let mut object = json!({"spec": {"dockerImageRepository": "spec"}, "status": status});
        object["status"]["tags"] = tags.into();
        cells("image.openshift.io", "ImageStream", object)
    };
    let times = ["2025-11-18T00:00:00Z", "2025-11-20T23:59:00Z", ""];
    let tags = |names: [&str; 3]| {
        names
            .iter()
            .zip(times)
            .map(|(name, at)| tag(name, at))
            .collect()
    };
    assert_eq!(
        stream(
            tags(["old", "new", "none"]),
            json!({"dockerImageRepository": "internal"})
        ),
        ["spec", "new,old,none", "About a minute ago"]
    );
    let public = json!({"publicDockerImageRepository": "public"});
    assert_eq!(stream(vec![], public), ["public", "", ""]);
    // 40 characters, one tag at least, and up to a quarter more to fill the line.
    for (lengths, expected) in [
        (vec![60, 3], 1),
        (vec![19, 19, 3], 2),
        (vec![20, 25, 3], 2),
        (vec![35, 20, 3], 1),
        (vec![9; 6], 4),
    ] {
        let tags: Vec<Value> = lengths
            .iter()
            .enumerate()
            .map(|(index, length)| tag(&format!("{index}{}", "x".repeat(length - 1)), ""))
            .collect();
        let count = tags.len();
        let cell = &stream(tags, json!({}))[1];
        let shown = cell.split(" + ").next().unwrap().split(',').count();
        assert_eq!(shown, expected, "{lengths:?}: {cell}");
        let more = format!(" + {} more...", count - expected);
        assert_eq!(cell.ends_with(&more), count > expected, "{cell}");
    }
}

#[test]
fn users_tokens_and_constraints_are_shown_as_oc_does() {
    for (age, expected) in [
        (json!(null), "default"),
        (json!(0), "unexpiring"),
        (json!(86_400), "24h0m0s"),
        (json!(90), "1m30s"),
    ] {
        let client = json!({"secret": "s", "respondWithChallenges": true,
            "accessTokenMaxAgeSeconds": age, "redirectURIs": ["https://a", "https://b"]});
        assert_eq!(
            cells("oauth.openshift.io", "OAuthClient", client),
            ["s", "true", expected, "https://a,https://b"]
        );
    }
    for (expires, expected) in [
        (json!(null), "never"),
        (json!(86_400), "2025-11-21 23:00:00 +0000 UTC"),
        (json!(30), "2025-11-20 23:00:30 +0000 UTC"),
    ] {
        let token = json!({"userName": "u", "clientName": "c", "expiresIn": expires,
            "redirectURI": "r", "scopes": ["user:full", "x"]});
        assert_eq!(
            cells("oauth.openshift.io", "OAuthAccessToken", token),
            ["u", "c", "60m", expected, "r", "user:full,x"]
        );
    }
    for (spec, expected) in [
        (
            json!({"userrestriction": {"users": ["a"], "groups": ["g"],
                "labels": [{"matchLabels": {"k": "v"}}]}}),
            ["User", "a, group(g), k=v"],
        ),
        (
            json!({"grouprestriction": {"groups": ["a", "b", "c", "d"]}}),
            ["Group", "a, b, c + 1 more..."],
        ),
        (
            json!({"serviceaccountrestriction": {"serviceaccounts": [{"namespace": "n", "name": "s"}],
                "namespaces": ["m"]}}),
            ["ServiceAccount", "n/s, m/*"],
        ),
        (json!({}), ["<unknown>", "<none>"]),
    ] {
        let object = json!({"spec": spec});
        let row = cells(
            "authorization.openshift.io",
            "RoleBindingRestriction",
            object,
        );
        assert_eq!(row, expected);
    }
    let subjects: Vec<Value> = (0..7)
        .map(|n| json!({"kind": "User", "name": format!("u{n}")}))
        .collect();
    let mut binding = json!({"roleRef": {"name": "edit"}, "subjects": subjects});
    binding["subjects"].as_array_mut().unwrap().extend([
        json!({"kind": "ServiceAccount", "namespace": "n", "name": "s"}),
        json!({"kind": "Group", "name": "g"}),
        json!({"kind": "X", "namespace": "n", "name": "x"}),
    ]);
    assert_eq!(
        cells("authorization.openshift.io", "RoleBinding", binding),
        ["/edit", "u0, u1, u2, u3, u4 (2 more)", "g", "n/s", "X/n/x"]
    );
    for (parameters, expected) in [
        (json!([]), "0 (all set)"),
        (
            json!([{"value": "x"}, {"generate": "expression"}]),
            "2 (1 generated)",
        ),
        (json!([{}, {"generate": "expression"}]), "2 (1 blank)"),
    ] {
        let mut template = json!({"parameters": parameters, "objects": [{}, {}]});
        template["metadata"]["annotations"] = json!({"description": "one\ntwo"});
        assert_eq!(
            cells("template.openshift.io", "Template", template),
            ["one...", expected, "2"]
        );
    }
    let range = json!({"range": "1-2/1", "data": "AP8="});
    assert_eq!(
        cells("security.openshift.io", "RangeAllocation", range),
        ["1-2/1", "0x00ff"]
    );
    let constraints = json!({"allowPrivilegedContainer": true, "allowedCapabilities": ["A", "*"],
        "seLinuxContext": {"type": "RunAsAny"}, "priority": 10, "volumes": ["*"]});
    assert_eq!(
        cells(
            "security.openshift.io",
            "SecurityContextConstraints",
            constraints
        ),
        ["true", "A,*", "RunAsAny", "", "", "", "10", "false", "*"]
    );
}

/// The definition of a type of OpenShift with one column.
fn definition(group: &str, kind: &str, plural: &str, short_names: &[&str]) -> Value {
    json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": format!("{plural}.{group}"), "uid": plural},
        "spec": {"group": group, "scope": "Cluster",
            "names": {"plural": plural, "kind": kind, "shortNames": short_names},
            "versions": [{"name": "v1", "served": true, "storage": true,
                "additionalPrinterColumns": [{"name": "Stored", "type": "integer", "jsonPath": ".spec.a"}]}]}})
}

#[test]
fn types_that_openshift_defines_in_its_store_have_their_short_names_and_columns() {
    let (config, machine) = ("config.openshift.io", "machineconfiguration.openshift.io");
    let types = [
        (
            config,
            "ClusterOperator",
            "clusteroperators",
            "co",
            "VERSION",
        ),
        (
            machine,
            "MachineConfig",
            "machineconfigs",
            "mc",
            "IGNITIONVERSION",
        ),
        (
            machine,
            "MachineConfigPool",
            "machineconfigpools",
            "mcp",
            "MACHINECOUNT",
        ),
        (
            config,
            "ClusterVersion",
            "clusterversions",
            "clusterversion",
            "PROGRESSING",
        ),
    ];
    for with_definitions in [false, true] {
        let mut store = Store::new(Version::V3_6);
        // Its own API server shows that it is OpenShift's.
        put(
            &mut store,
            "/openshift.io/users/alice",
            &object("user.openshift.io/v1", "User", "", "alice"),
        );
        for (group, kind, plural, short, _) in types {
            let key = format!("/kubernetes.io/{group}/{plural}/one");
            put(
                &mut store,
                &key,
                &object(&format!("{group}/v1"), kind, "", "one"),
            );
            if with_definitions {
                let folder = "/kubernetes.io/apiextensions.k8s.io/customresourcedefinitions";
                let definition = definition(group, kind, plural, &[short]);
                put(
                    &mut store,
                    &format!("{folder}/{plural}.{group}"),
                    &definition,
                );
            }
        }
        let case = Case::new("openshift-defined", &store, 4096);
        for (group, kind, _, short, column) in types {
            let name = format!("{}.{group}/one", kind.to_lowercase());
            assert_eq!(case.names(short), [name], "{short}");
            let table = case.run(&format!("get DB {short}"));
            let expected = if with_definitions { "STORED" } else { column };
            assert!(table.text().contains(expected), "{short}: {}", table.text());
        }
    }
    // Elsewhere the words mean nothing.
    let mut store = Store::new(Version::V3_6);
    put(
        &mut store,
        "/registry/pods/shop/web",
        &object("v1", "Pod", "shop", "web"),
    );
    let case = Case::new("openshift-elsewhere", &store, 4096);
    for word in ["co", "mcp", "scc", "bc"] {
        assert_eq!(case.run(&format!("get DB {word}")).code, 2, "{word}");
    }
}

#[test]
fn the_tables_of_an_openshift_store_are_those_of_oc() {
    let case = Case::fixture("openshift");
    for (line, heads) in [
        (
            "get DB routes -n shop --at 12",
            "NAME HOST/PORT PATH SERVICES PORT TERMINATION WILDCARD",
        ),
        ("get DB bc -n shop", "NAME TYPE FROM LATEST"),
        ("get DB is -n shop", "NAME IMAGE REPOSITORY TAGS UPDATED"),
        (
            "get DB dc -n shop",
            "NAME REVISION DESIRED CURRENT TRIGGERED BY",
        ),
        ("get DB users", "NAME UID FULL NAME IDENTITIES"),
        ("get DB projects", "NAME DISPLAY NAME STATUS"),
        ("get DB ns", "NAME STATUS AGE"),
        (
            "get DB oauthaccesstokens",
            "NAME USER NAME CLIENT NAME CREATED EXPIRES REDIRECT URI SCOPES",
        ),
    ] {
        let run = case.run(line);
        let first = run.text().lines().next().unwrap_or_default();
        let words: Vec<&str> = first.split_whitespace().collect();
        assert_eq!(words.join(" "), heads, "{line}: {}", run.stderr);
        assert!(run.text().lines().count() > 1, "{line}");
    }
}
