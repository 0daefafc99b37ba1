//! `restore`: what is written equals what etcd itself answered at that revision, or nothing is written.

mod commands;
mod corrupt;
mod hashing;
mod losses;
mod marks;
mod outlook;
mod program;
mod refused_flags;
mod truth;

use std::path::Path;

use etcdive::query::evidence::{Evidence, Verify};
use etcdive::query::objects::Keyring;
use etcdive::query::restore::{
    RefusalDetails, Refused, Restore, RestoreError, RestoreRequest, Target, Verified,
};
use etcdive::query::revision::RevisionExpr;
use etcdive::query::{Notices, Origins, Question};

use crate::support::Scratch;
use crate::support::bolt_reader::{self, Buckets};

/// What a restore gave.
#[derive(Debug)]
pub struct Outcome {
    pub bytes: Vec<u8>,
    pub verified: Verified,
    pub at: i64,
    pub is_complete: bool,
    pub leases: Vec<(i64, i64)>,
    /// The reasons that were overruled, and what is missing, as text.
    pub losses: String,
}

impl Outcome {
    /// The buckets of the new file, by an independent reader.
    pub fn buckets(&self) -> Buckets {
        bolt_reader::read(&self.bytes, true).buckets
    }
}

/// A request for a revision.
pub fn request_at(at: i64) -> RestoreRequest {
    RestoreRequest {
        at: Some(RevisionExpr::Main(at)),
        lease_ttl: 3600,
        ..RestoreRequest::default()
    }
}

/// A request for the newest revision.
pub fn newest() -> RestoreRequest {
    RestoreRequest {
        lease_ttl: 3600,
        ..RestoreRequest::default()
    }
}

/// Restores a file by the library, and reads the result back.
pub fn restore(path: &Path, request: RestoreRequest) -> Result<Outcome, Refused> {
    let evidence = Evidence::open(path, Verify::AndHash)
        .and_then(|evidence| evidence.with_origins(Origins::new(request.carve, None)));
    // A file that is no database, or has no state at all, is a refusal too.
    let nothing = || Refused {
        reasons: Vec::new(),
        details: RefusalDetails::default(),
    };
    let evidence = evidence.map_err(|_| nothing())?;
    let (keyring, notices) = (Keyring::default(), Notices::default());
    let question = Question::open(&evidence, &keyring, &notices).map_err(|_| nothing())?;
    let restore = match Restore::read(&question, request) {
        Ok(restore) => restore,
        Err(RestoreError::Refused(refused)) => return Err(*refused),
        Err(RestoreError::NoAnswer(no)) => panic!("{}: {no:?}", path.display()),
    };
    let prepared = restore.prepare(Target::default()).unwrap();
    let mut bytes = Vec::new();
    let written = restore.write(&prepared, &mut bytes).unwrap();
    assert_eq!(bytes.len() as u64, prepared.len_bytes());
    let name = path.file_name().unwrap().to_str().unwrap();
    let scratch = Scratch::new(&format!(
        "restored-{name}-{:?}",
        std::thread::current().id()
    ));
    let file = scratch.file("new.db", &bytes);
    let verified = restore.verify(&prepared, &file, &written);
    let verified = verified.unwrap_or_else(|error| panic!("{}: {error:?}", path.display()));
    let missing = &restore.survey.missing;
    Ok(Outcome {
        verified,
        at: restore.at,
        is_complete: restore.is_complete(),
        leases: restore
            .leases
            .iter()
            .map(|lease| (lease.id, lease.ttl))
            .collect(),
        losses: format!("{:?} {missing:?}", restore.accepted),
        bytes,
    })
}

/// The main revision in a key of bucket `key`.
pub fn main_of(key: &[u8]) -> i64 {
    i64::from_be_bytes(key[..8].try_into().unwrap())
}
