//! Deployment configurations, builds and their configurations.

use std::collections::BTreeSet;

use serde_json::Value;

use super::super::fields::{at, digits, flag, given, int, list, name, text, texts};
use super::{Builtin, Column, ago, joined};
use crate::k8s::special::write_duration;

/// The tables of apps.openshift.io and build.openshift.io.
pub(super) fn table(kind: &str) -> Option<&'static Builtin> {
    match kind {
        "DeploymentConfig" => Some(&DEPLOYMENT_CONFIG),
        "Build" => Some(&BUILD),
        "BuildConfig" => Some(&BUILD_CONFIG),
        _ => None,
    }
}

static DEPLOYMENT_CONFIG: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Revision"),
        Column::new("Desired"),
        Column::new("Current"),
        Column::new("Triggered By"),
    ],
    cells: |object, _| {
        let mut desired = digits(object, "spec.replicas");
        if flag(object, "spec.test") {
            desired.push_str(" (during test)");
        }
        vec![
            name(object),
            digits(object, "status.latestVersion"),
            desired,
            digits(object, "status.updatedReplicas"),
            triggers(object),
        ]
    },
};

/// What makes a new deployment, each once.
fn triggers(config: &Value) -> String {
    let containers = list(config, "spec.template.spec.containers");
    let containers: BTreeSet<&str> = containers.iter().map(|one| text(one, "name")).collect();
    let mut triggers = BTreeSet::new();
    for trigger in list(config, "spec.triggers") {
        match text(trigger, "type") {
            "ConfigChange" => drop(triggers.insert("config".to_owned())),
            "ImageChange" => triggers.extend(image_trigger(trigger, &containers)),
            other => drop(triggers.insert(other.to_owned())),
        }
    }
    let triggers: Vec<&str> = triggers.iter().map(String::as_str).collect();
    joined(&triggers, ",")
}

/// The image that makes a new deployment by itself, with its containers if they are not clear.
fn image_trigger(trigger: &Value, containers: &BTreeSet<&str>) -> Option<String> {
    let image = given(trigger, "imageChangeParams").filter(|image| flag(image, "automatic"))?;
    let mut named = texts(image, "containerNames");
    let mut prefix = String::new();
    if containers.len() != 1 && !named.iter().all(|name| containers.contains(name)) {
        named.sort_unstable();
        prefix = joined(&named, ",") + ":";
    }
    let (kind, from) = (text(image, "from.kind"), text(image, "from.name"));
    let word = if kind == "ImageStreamTag" {
        "image"
    } else {
        kind
    };
    Some(format!("{word}({prefix}{from})"))
}

static BUILD: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Type"),
        Column::new("From"),
        Column::new("Status"),
        Column::new("Started"),
        Column::new("Duration"),
    ],
    cells: |object, clock| {
        let (mut status, reason) = (
            text(object, "status.phase").to_owned(),
            text(object, "status.reason"),
        );
        if !reason.is_empty() {
            status = format!("{status} ({reason})");
        }
        let mut duration = String::new();
        let nanos = int(object, "status.duration");
        if nanos > 0 {
            write_duration(nanos, &mut duration);
        }
        vec![
            name(object),
            strategy(object).to_owned(),
            source(object),
            status,
            ago(at(object, "status.startTimestamp").as_str(), clock),
            duration,
        ]
    },
};

static BUILD_CONFIG: Builtin = Builtin {
    columns: &[
        Column::new("Name"),
        Column::new("Type"),
        Column::new("From"),
        Column::new("Latest"),
    ],
    cells: |object, _| {
        let from = match given(object, "spec.strategy.customStrategy") {
            Some(custom) => text(custom, "from.name").to_owned(),
            None => source(object),
        };
        vec![
            name(object),
            strategy(object).to_owned(),
            from,
            digits(object, "status.lastVersion"),
        ]
    },
};

/// The name of the strategy of a build.
fn strategy(build: &Value) -> &'static str {
    let strategies = [
        ("dockerStrategy", "Docker"),
        ("customStrategy", "Custom"),
        ("sourceStrategy", "Source"),
        ("jenkinsPipelineStrategy", "JenkinsPipeline"),
    ];
    let spec = at(build, "spec.strategy");
    let mut given = strategies
        .into_iter()
        .filter(|(field, _)| given(spec, field).is_some());
    given.next().map_or("", |(_, name)| name)
}

/// Where the source of a build comes from, with its commit.
fn source(build: &Value) -> String {
    let has = |field| given(at(build, "spec.source"), field).is_some();
    let from = match (has("binary"), has("dockerfile"), has("git")) {
        (true, ..) => "Binary",
        (_, true, true) => "Dockerfile,Git",
        (_, true, false) => return "Dockerfile".to_owned(),
        (_, false, true) => "Git",
        (_, false, false) => return String::new(),
    };
    match commit(build) {
        "" => from.to_owned(),
        commit => format!("{from}@{commit}"),
    }
}

/// The commit of a build, the first seven digits of a long one; or else the branch or tag.
fn commit(build: &Value) -> &str {
    const LONG: usize = 20;
    const SHOWN: usize = 7;
    let commit = match text(build, "spec.revision.git.commit") {
        "" => text(build, "spec.source.git.ref"),
        commit => commit,
    };
    let is_hash = commit.len() > LONG && commit.bytes().all(|byte| byte.is_ascii_hexdigit());
    commit.get(..SHOWN).filter(|_| is_hash).unwrap_or(commit)
}
