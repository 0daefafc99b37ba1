//! What a report on a file needs to name it: the file as it was opened, this run, and whether the file is
//! still the same at its end.

use std::time::SystemTime;

use crate::diag::{Code, Diagnostic, Locus};
use crate::source::Change;
use crate::view::evidence::{ArchiveCustody, Custody, hex};

use crate::query::Evidence;

/// Hashes a file once more and gathers everything. Call it after everything else was read: a change since
/// the file was opened becomes a finding.
pub fn of(evidence: &Evidence) -> Custody {
    let sha256_after = evidence.source().sha256();
    let sha256 = evidence.sha256().unwrap_or(sha256_after);
    gather(evidence, sha256, Some(sha256_after))
}

/// The same with one hash, the one at the beginning if there was one. Otherwise a second thread hashes the file while
/// `last` runs, which is the last to read it. A change is noticed by the length of the file, its modification time, and
/// the file at its path.
pub fn hashed_beside<T>(evidence: &Evidence, last: impl FnOnce() -> T) -> (T, Custody) {
    let hash = || {
        let known = evidence.sha256();
        known.unwrap_or_else(|| evidence.source().sha256_beside())
    };
    let (done, hashed) = std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().spawn_scoped(scope, hash);
        let done = last();
        (done, thread.ok().and_then(|thread| thread.join().ok()))
    });
    let sha256 = hashed.unwrap_or_else(hash);
    (done, gather(evidence, sha256, None))
}

fn gather(evidence: &Evidence, sha256: [u8; 32], sha256_after: Option<[u8; 32]>) -> Custody {
    let source = evidence.source();
    let change = match evidence.change() {
        Some(Change::Shorter) => Some("it became shorter"),
        Some(Change::Longer) => Some("it became longer"),
        Some(Change::Written) => Some("it was written"),
        Some(Change::Replaced) => Some("its path names another file now"),
        None => None,
    };
    let after = sha256_after.unwrap_or(sha256);
    if change.is_some() || after != sha256 {
        evidence.diagnostics().report(
            Diagnostic::new(Code::FileChanged, Locus::default())
                .expected(
                    format!("the file with the SHA-256 {}", hex(&sha256)),
                    format!(
                        "the SHA-256 {} at the end{}",
                        hex(&after),
                        change.map_or_else(String::new, |change| format!(": {change}"))
                    ),
                )
                .effect("the answer may mix two states"),
        );
    }
    Custody {
        given_path: source.given_path().as_os_str().as_encoded_bytes().to_vec(),
        path: source.path().as_os_str().as_encoded_bytes().to_vec(),
        len_bytes: source.len_bytes(),
        modified: source.modified(),
        file_id: source.file_id(),
        sha256,
        sha256_after,
        change,
        trailer: evidence.trailer().copied(),
        archive: source.unpacked().map(|unpacked| ArchiveCustody {
            len_bytes: unpacked.archive_len_bytes,
            sha256: unpacked.archive_sha256().ok(),
            layers: unpacked.layers.clone(),
        }),
        atime_untouched: source.atime_untouched(),
        tool: concat!("etcdive ", env!("CARGO_PKG_VERSION")),
        arguments: std::env::args_os()
            .map(|argument| argument.as_encoded_bytes().to_vec())
            .collect(),
        run_at: SystemTime::now(),
    }
}
