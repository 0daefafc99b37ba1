//! OpenShift's types: the columns of `oc get`.
//!
//! Upstream: the printers of openshift/openshift-apiserver and openshift/oauth-apiserver (`pkg/*/printers`, as of 4.22),
//! and for the network types the columns of their definitions in openshift/api. Types that OpenShift defines by
//! CustomResourceDefinitions have the columns of the stored definition; a few are known without it.

mod access;
mod apps;
mod defined;
mod images;
mod network;
mod oauth;
mod routes;
mod templates;

use serde_json::Value;

use super::times::Instant;
use super::{Builtin, Clock, Column};

/// The table of a kind of OpenShift.
pub(super) fn table(group: &str, kind: &str) -> Option<&'static Builtin> {
    match group {
        "apps.openshift.io" | "build.openshift.io" => apps::table(kind),
        "authorization.openshift.io"
        | "quota.openshift.io"
        | "security.openshift.io"
        | "user.openshift.io" => access::table(kind),
        "config.openshift.io" | "machineconfiguration.openshift.io" => defined::table(kind),
        "image.openshift.io" => images::table(kind),
        "network.openshift.io" => network::table(kind),
        "oauth.openshift.io" => oauth::table(kind),
        "project.openshift.io" | "template.openshift.io" => templates::table(kind),
        "route.openshift.io" => routes::table(kind),
        _ => None,
    }
}

/// How long ago a time was, as github.com/docker/go-units has it: `3 weeks ago`; empty if there is none.
fn ago(time: Option<&str>, clock: Clock) -> String {
    let Some(then) = time.and_then(Instant::parse) else {
        return String::new();
    };
    match Instant::now(clock) {
        Some(now) => format!("{} ago", rough_duration(now.seconds_since(then))),
        None => "<unknown>".to_owned(),
    }
}

/// A duration in its largest unit.
fn rough_duration(seconds: i64) -> String {
    const DAY: i64 = 24;
    let minutes = seconds / 60;
    let hours = seconds.saturating_add(1800) / 3600;
    match (seconds, minutes, hours) {
        (..1, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, ..60, _) => format!("{minutes} minutes"),
        (_, _, 1) => "About an hour".to_owned(),
        (_, _, ..48) => format!("{hours} hours"),
        (_, _, ..336) => format!("{} days", hours / DAY),
        (_, _, ..1440) => format!("{} weeks", hours / DAY / 7),
        (_, _, ..17_520) => format!("{} months", hours / DAY / 30),
        _ => format!("{} years", seconds / 3600 / DAY / 365),
    }
}

/// The texts of a list of strings.
fn joined(texts: &[&str], between: &str) -> String {
    texts.join(between)
}

/// The texts of a list, the first so many of them, and how many more there are.
fn first_of(texts: &[String], shown: usize) -> Option<(String, usize)> {
    let more = texts.len().saturating_sub(shown);
    let first = texts.get(..shown).filter(|_| more > 0)?;
    Some((first.join(", "), more))
}

/// A number that may be absent.
fn given_number(value: &Value) -> Option<i64> {
    value.as_i64()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// From the tests of github.com/docker/go-units.
    #[test]
    fn a_rough_duration_has_one_unit() {
        let (hour, day) = (3600, 86_400);
        for (seconds, text) in [
            (0, "Less than a second"),
            (-5, "Less than a second"),
            (1, "1 second"),
            (45, "45 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (180, "3 minutes"),
            (3 * 60 + 59, "3 minutes"),
            (hour, "About an hour"),
            (hour + 29 * 60, "About an hour"),
            (hour + 31 * 60, "2 hours"),
            (36 * hour, "36 hours"),
            (2 * day, "2 days"),
            (7 * day, "7 days"),
            (14 * day, "2 weeks"),
            (59 * day, "8 weeks"),
            (60 * day, "2 months"),
            (23 * 30 * day, "23 months"),
            (2 * 365 * day, "2 years"),
        ] {
            assert_eq!(rough_duration(seconds), text, "{seconds}");
        }
    }
}
