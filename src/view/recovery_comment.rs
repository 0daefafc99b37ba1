//! What a user has to know about a recovered manifest: the comments in its first lines, and the short form in a plan.

use crate::query::recovery::{ClaimVolume, NewVolume, Note, Remark, VolumeFate};
use crate::query::served_version::{StoredVersion, VersionChange};

use super::yaml::value_in_comment;

/// The first comment of a manifest that lacks the names of fields.
pub const INCOMPLETE: &str = "INCOMPLETE: a server does not take this manifest as it is.";

/// The comments in the first lines of a manifest, one for each line.
#[must_use]
pub fn comments(remark: &Remark) -> Vec<String> {
    match remark {
        Remark::Incomplete { notes, key } => incomplete(notes, key),
        // A notice counts them: nearly every manifest would have this comment.
        Remark::Owners => Vec::new(),
        Remark::Volume(volume) => of_volume(volume),
        Remark::ClusterAddresses(addresses) => vec![format!(
            "Its cluster address was {}. The server gives it another one (--keep-addresses keeps this one).",
            value_in_comment(&addresses.join(", "))
        )],
        Remark::HealthCheckPort(port) => vec![format!(
            "Its port for health checks was {port}. The server gives it another one (--keep-addresses keeps this one)."
        )],
        Remark::LoadBalancer(addresses) => vec![format!(
            "Its load balancer had the address {}. It may get another one.",
            value_in_comment(&addresses.join(", "))
        )],
        Remark::Suspended => vec![
            "This Job had ended. It comes back suspended: with spec.suspend: false it runs again."
                .to_owned(),
        ],
        Remark::DefaultAccount => vec![
            "The controller makes this account as soon as the namespace exists.".to_owned(),
            "If kubectl create says AlreadyExists: kubectl replace -f THIS_FILE".to_owned(),
        ],
        Remark::Version(version) => vec![of_version(version)],
    }
}

/// The comments in the first lines of a manifest that lacks the names of fields; none if it lacks nothing.
#[must_use]
pub fn incomplete(notes: &[Note], key: &[u8]) -> Vec<String> {
    if notes.is_empty() {
        return Vec::new();
    }
    let first = INCOMPLETE.to_owned();
    let notes = notes.iter().map(|note| sentence(note.text_of(key)) + ".");
    std::iter::once(first).chain(notes).collect()
}

/// The remark in a few words; none if a plan need not show it.
#[must_use]
pub fn short(remark: &Remark) -> Option<String> {
    Some(match remark {
        Remark::Incomplete { .. } => "incomplete: fields without names".to_owned(),
        Remark::Owners => "without references to owners".to_owned(),
        Remark::Volume(volume) => {
            let fate = match &volume.fate {
                VolumeFate::There { uid: Some(_) } => "exists: remove spec.claimRef.uid first",
                VolumeFate::There { uid: None } => "exists",
                VolumeFate::Taken(..) => "belongs to another claim",
                VolumeFate::ComesBack => "comes back too",
                VolumeFate::Deleted => "was deleted with its storage",
                VolumeFate::NotAsked => "was deleted",
                VolumeFate::Unknown => "is not in the file: remove spec.claimRef.uid if it exists",
            };
            format!("volume {} {fate}", value_in_comment(&volume.name))
        }
        Remark::ClusterAddresses(_) => "new cluster address".to_owned(),
        Remark::HealthCheckPort(_) => "new port for health checks".to_owned(),
        Remark::LoadBalancer(_) => "may get another load balancer address".to_owned(),
        Remark::Suspended => "suspended".to_owned(),
        Remark::DefaultAccount => "may exist already".to_owned(),
        Remark::Version(StoredVersion { stored, change }) => match change {
            VersionChange::To(_) | VersionChange::Fields(_) => {
                format!("stored as {}", value_in_comment(stored))
            }
            VersionChange::ByHand(_)
            | VersionChange::Removed
            | VersionChange::ByProgram(_)
            | VersionChange::NotServed => "version is not served".to_owned(),
        },
    })
}

/// The command that frees a volume for the claim of the same name: it removes the uid of the old claim, and nothing if
/// another claim has the volume by now. None if no volume has this name, or no claim this uid: a server would not take
/// them.
#[must_use]
pub fn free_volume(name: &str, uid: &str) -> Option<String> {
    let is_plain = |text: &str| {
        let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        !text.is_empty() && !text.starts_with('-') && text.chars().all(is_fit)
    };
    if !is_plain(name) || !is_plain(uid) {
        return None;
    }
    let path = "/spec/claimRef/uid";
    let patch = format!(
        r#"[{{"op":"test","path":"{path}","value":"{uid}"}},{{"op":"remove","path":"{path}"}}]"#
    );
    Some(format!(
        "kubectl patch persistentvolume {name} --type=json -p '{patch}'"
    ))
}

/// The script that frees volumes, each for the claim of this uid. None if there is no volume to free.
#[must_use]
pub fn script(reserved: &[(String, String)]) -> Option<String> {
    let commands: Vec<String> = reserved
        .iter()
        .filter_map(|(name, uid)| free_volume(name, uid))
        .collect();
    if commands.is_empty() {
        return None;
    }
    let mut text = "#!/bin/sh\n\
        # Frees the volumes of the claims in this folder: run it before `kubectl create`, on the cluster that the file is\n\
        # of. It removes the uid of the old claim; a volume that has another claim by now stays as it is.\n"
        .to_owned();
    for command in commands {
        text.push_str(&command);
        text.push('\n');
    }
    Some(text)
}

fn of_volume(volume: &ClaimVolume) -> Vec<String> {
    let was = format!("It was bound to volume {}", value_in_comment(&volume.name));
    let new = sentence(of_new(&volume.new));
    let free = |uid: &str, when: &str| {
        let command = free_volume(&volume.name, uid);
        let lines = command.map(|command| [when.to_owned(), format!("  {command}")]);
        lines.into_iter().flatten()
    };
    let mut lines = match &volume.fate {
        VolumeFate::There { uid: Some(uid) } => {
            let when = "On the cluster that the file is of, run this first, and the claim gets the volume back:";
            let first =
                format!("{was}, which still exists and is reserved for the old claim by its uid.");
            let mut lines = vec![first];
            lines.extend(free(uid, when));
            lines.push(format!("On another cluster: {}", of_new(&volume.new)));
            lines
        }
        VolumeFate::There { uid: None } => vec![format!(
            "{was}, which still exists and is reserved for no other claim: it is bound again."
        )],
        VolumeFate::Taken(namespace, claim) => vec![
            format!(
                "{was}, which is reserved for claim {}/{}.",
                value_in_comment(namespace),
                value_in_comment(claim)
            ),
            new,
        ],
        VolumeFate::ComesBack => vec![format!(
            "{was}, which is among these manifests and is reserved for this claim."
        )],
        VolumeFate::Deleted => vec![
            format!(
                "{was}. Its reclaim policy was Delete: the data was deleted with the old claim."
            ),
            new,
        ],
        VolumeFate::NotAsked => vec![
            format!("{was}, which was deleted too and is not among these manifests."),
            new,
        ],
        VolumeFate::Unknown => {
            let when = "If it still exists (reclaim policy Retain), run this first, and the claim gets it back:";
            let mut lines = vec![format!("{was}, which is not in the file.")];
            lines.extend(free(&volume.claim_uid, when));
            lines.push(match lines.len() {
                1 => new,
                _ => format!("If not: {}", of_new(&volume.new)),
            });
            lines
        }
    };
    let exists = matches!(
        volume.fate,
        VolumeFate::There { .. } | VolumeFate::ComesBack
    );
    if volume.is_named && !exists {
        lines.push(
            "spec.volumeName names that volume: the claim stays Pending until it exists."
                .to_owned(),
        );
    }
    lines
}

fn of_new(new: &NewVolume) -> String {
    match new {
        NewVolume::ByClass(class) => format!(
            "the provisioner of class {} makes a new, empty volume.",
            value_in_comment(class)
        ),
        NewVolume::NoProvisioner(class) => format!(
            "class {} has no provisioner, so the claim stays Pending until a volume fits.",
            value_in_comment(class)
        ),
        NewVolume::UnknownClass(class) => format!(
            "class {} is not in the file; if the cluster has it, a new, empty volume may be made.",
            value_in_comment(class)
        ),
        NewVolume::NoClass => {
            "the claim names no class and stays Pending until a volume fits.".to_owned()
        }
    }
}

/// With a capital letter.
fn sentence(text: String) -> String {
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string());
    first.unwrap_or_default() + letters.as_str()
}

/// The comment about the version of an object.
#[must_use]
pub fn of_version(StoredVersion { stored, change }: &StoredVersion) -> String {
    let stored = value_in_comment(stored);
    match change {
        VersionChange::To(_) => format!(
            "It was stored as {stored}, which is not served. The version here has the same fields."
        ),
        VersionChange::ByProgram(versions) => format!(
            "{stored} is not served any more: convert it to {} before you create it.",
            value_in_comment(&versions.join(" or "))
        ),
        VersionChange::NotServed => {
            format!("{stored} is not served any more, and its definition serves no version.")
        }
        VersionChange::Fields(_) => format!(
            "It was stored as {stored}. Its fields have the names and places of the version here."
        ),
        VersionChange::ByHand(version) => format!(
            "{stored} is not served by that release: convert it to {} by hand. Its fields or their meaning differ.",
            value_in_comment(version)
        ),
        VersionChange::Removed => {
            format!("{stored} is not served by that release, which does not have the kind.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_patch_names_the_volume_and_tests_the_uid_before_it_removes_it() {
        let patch = r#"[{"op":"test","path":"/spec/claimRef/uid","value":"u-1"},{"op":"remove","path":"/spec/claimRef/uid"}]"#;
        let command = format!("kubectl patch persistentvolume pv-1 --type=json -p '{patch}'");
        assert_eq!(free_volume("pv-1", "u-1"), Some(command));
        for (name, uid) in [
            ("$(x)", "u"),
            ("pv", "'; x"),
            ("", "u"),
            ("pv", ""),
            ("-f", "u"),
        ] {
            assert_eq!(free_volume(name, uid), None, "{name} {uid}");
        }
    }
}
