//! The members of an archive, and the one that is taken.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};

use zip::ZipArchive;

use super::error::UnpackError;
use super::member::{Member, MemberKind};
use super::packing::{Content, Packing, peek};
use super::temporary::{Limited, Temporary, limit_of};
use super::{Counted, Unpacking};

/// How many bytes of a tar header that only has the name of the next member (GNU long name, pax) are read.
const NAME_UP_TO_BYTES: u64 = 1 << 16;

/// The format of an archive.
#[derive(Debug, Clone, Copy)]
pub(super) enum Archive {
    /// Compressed or not.
    Tar(Option<Packing>),
    Zip,
}

impl Archive {
    /// The name of the format.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Tar(_) => "tar",
            Self::Zip => "zip",
        }
    }
}

/// A reader of a head that was read already, and then of the rest. If reading the head failed, the same error follows
/// the head.
pub(super) fn rest_of<'r>(
    head: Vec<u8>,
    failed: Option<io::Error>,
    rest: impl Read + 'r,
) -> Box<dyn Read + 'r> {
    let head = Cursor::new(head);
    match failed {
        None => Box::new(head.chain(rest)),
        Some(error) => Box::new(head.chain(Failed(Some(error)))),
    }
}

/// A reader that fails once with this error, and then is at its end.
struct Failed(Option<io::Error>);

impl Read for Failed {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        self.0.take().map_or(Ok(0), Err)
    }
}

/// A reader that ends with an error if `inner` is shorter than the archive states. `left` is how many of the stated
/// bytes are still to come.
struct Whole<R> {
    inner: R,
    left: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let len = self.inner.read(buffer)?;
        self.left = self.left.saturating_sub(len as u64);
        if len == 0 && self.left > 0 && !buffer.is_empty() {
            self.left = 0;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(len)
    }
}

/// The member that was taken.
pub(super) struct Chosen {
    pub(super) path: String,
    pub(super) file: File,
    pub(super) damage: Option<String>,
    pub(super) log_files: usize,
    pub(super) deltas: usize,
}

/// What a visitor sees of a member.
struct Entry<'e> {
    path: String,
    len_bytes: u64,
    content: Result<&'e mut dyn Read, Closed>,
}

/// Why a member cannot be read.
enum Closed {
    /// It is protected by a password.
    Encrypted,
    /// It is stored in a way that cannot be read; how, as part of a sentence.
    Stored(String),
}

/// A member that was copied: its path, the file, and the damage.
type Copied = (String, File, Option<String>);

/// The choice of a member.
pub(super) struct Choice<'c> {
    pub(super) file: &'c File,
    pub(super) archive: Archive,
    /// The member that is asked for.
    pub(super) wanted: Option<String>,
    pub(super) unpacking: &'c Unpacking,
}

/// A pass over the members of an archive.
struct Pass<'p> {
    wanted: Option<&'p str>,
    unpacking: &'p Unpacking,
    members: Vec<Member>,
    copied: Option<Copied>,
}

impl Choice<'_> {
    /// Copies the member that is asked for, or the only database.
    pub(super) fn take(&self) -> Result<Chosen, UnpackError> {
        let (mut pass, damage) = self.pass(self.wanted.as_deref())?;
        if let Some(path) = &self.wanted {
            let Some(copied) = pass.copied else {
                let (path, members) = (path.clone(), pass.members);
                let inside = Vec::new();
                return Err(UnpackError::NoMember {
                    path,
                    members,
                    inside,
                });
            };
            return Ok(chosen(copied, damage, &pass.members));
        }
        let (path, kind) = self.only(&pass.members, damage.as_deref())?;
        let copied = match pass.copied.take() {
            Some(copied) if kind == MemberKind::Database => copied,
            // A member that is not a plain database was not copied in the first pass: only now it is clear that there
            // is no other candidate.
            _ => {
                let (again, _) = self.pass(Some(&path))?;
                let members = Vec::new();
                again.copied.ok_or(UnpackError::NoMember {
                    path,
                    members,
                    inside: Vec::new(),
                })?
            }
        };
        Ok(chosen(copied, damage, &pass.members))
    }

    /// The path and kind of the only member that can be meant, if none is asked for: the only database; if there is no
    /// database, the only delta snapshot; if there is none either, the only packed file; else the only member. `damage`
    /// is why the pass ended early.
    fn only(
        &self,
        members: &[Member],
        damage: Option<&str>,
    ) -> Result<(String, MemberKind), UnpackError> {
        let with_kind = |is_kind: &dyn Fn(MemberKind) -> bool| -> Vec<Member> {
            let found = members.iter().filter(|member| is_kind(member.kind));
            found.cloned().collect()
        };
        let candidates = [
            with_kind(&MemberKind::is_database),
            with_kind(&|kind| kind == MemberKind::Delta),
            with_kind(&|kind| matches!(kind, MemberKind::Packed(_))),
            with_kind(&|_| members.len() == 1),
        ];
        let first = candidates.into_iter().find(|found| !found.is_empty());
        match first.as_deref() {
            Some([one]) if one.kind == MemberKind::Encrypted => Err(UnpackError::Password {
                path: one.path.clone(),
            }),
            Some([one]) => Ok((one.path.clone(), one.kind)),
            Some(several) => Err(UnpackError::Several {
                members: several.to_vec(),
                inside: Vec::new(),
            }),
            None => match (
                members.iter().find(|m| m.kind == MemberKind::Encrypted),
                damage,
            ) {
                (Some(member), _) => Err(UnpackError::Password {
                    path: member.path.clone(),
                }),
                (None, Some(why)) if members.is_empty() => Err(UnpackError::Damaged {
                    packing: self.archive.name(),
                    why: why.to_owned(),
                }),
                _ => Err(UnpackError::NoDatabase {
                    members: members.to_vec(),
                }),
            },
        }
    }

    /// Goes through the members. With a member in `wanted`, only that one is copied and the pass ends after it.
    /// Otherwise each member is examined, and the first plain database is copied. The second part of the result is why
    /// the pass ended early.
    fn pass<'p>(
        &'p self,
        wanted: Option<&'p str>,
    ) -> Result<(Pass<'p>, Option<String>), UnpackError> {
        let mut pass = Pass {
            wanted,
            unpacking: self.unpacking,
            members: Vec::new(),
            copied: None,
        };
        let counted = self.unpacking.counted(self.file);
        let input = counted.map_err(UnpackError::Archive)?;
        let mut visit = |entry: Entry<'_>| pass.visit(entry);
        let damage = match self.archive {
            Archive::Zip => visit_zip(input, &mut visit)?,
            Archive::Tar(None) => visit_tar(BufReader::new(input), &mut visit)?,
            Archive::Tar(Some(packing)) => {
                let reader = packing.reader(BufReader::new(input));
                visit_tar(Limited::new(reader, self.unpacking.up_to_bytes), &mut visit)?
            }
        };
        Ok((pass, damage))
    }
}

/// The result for a copied member. Its own damage comes before `damage`, which is that of the archive.
fn chosen(
    (path, file, member_damage): Copied,
    damage: Option<String>,
    members: &[Member],
) -> Chosen {
    let count = |kind| members.iter().filter(|member| member.kind == kind).count();
    Chosen {
        log_files: count(MemberKind::Log),
        deltas: count(MemberKind::Delta),
        damage: member_damage.or(damage),
        path,
        file,
    }
}

impl Pass<'_> {
    /// Adds a member, and copies it if it is the wanted one or the first database. Returns whether the pass has to go
    /// on.
    fn visit(&mut self, entry: Entry<'_>) -> Result<bool, UnpackError> {
        let Entry {
            path,
            len_bytes,
            content,
        } = entry;
        let is_wanted = self.wanted == Some(path.as_str());
        let kind = match content {
            Err(Closed::Encrypted) if is_wanted => return Err(UnpackError::Password { path }),
            Err(Closed::Stored(how)) if is_wanted => {
                return Err(UnpackError::Method { path, how });
            }
            Err(Closed::Encrypted) => MemberKind::Encrypted,
            Err(Closed::Stored(_)) => MemberKind::Other,
            Ok(reader) if is_wanted => {
                self.copy(path, len_bytes, reader)?;
                return Ok(false);
            }
            Ok(_) if self.wanted.is_some() => MemberKind::Unknown,
            Ok(reader) => {
                let (head, failed) = peek(reader);
                let kind = MemberKind::from_content(Content::read(&head));
                if kind == MemberKind::Database && self.copied.is_none() {
                    let whole = rest_of(head, failed, reader);
                    self.copy(path.clone(), len_bytes, whole)?;
                }
                kind
            }
        };
        self.members.push(Member {
            path,
            len_bytes,
            kind,
        });
        Ok(true)
    }

    /// Copies a member to a temporary file. `len` is its stated length; a damaged member is copied up to the damage.
    fn copy(&mut self, path: String, len: u64, reader: impl Read) -> Result<(), UnpackError> {
        if len > self.unpacking.up_to_bytes {
            return Err(UnpackError::TooLong {
                up_to_bytes: self.unpacking.up_to_bytes,
            });
        }
        let mut copy = Temporary::create(self.unpacking, len)?;
        let damage = copy.fill(reader)?;
        let damage = damage.map(|why| format!("{path}: {why}"));
        self.copied = Some((path, copy.into_file(), damage));
        Ok(())
    }
}

/// A function that is called with each member. It returns whether to go on.
type Visit<'v> = dyn FnMut(Entry<'_>) -> Result<bool, UnpackError> + 'v;

/// Visits the regular files of a tar archive. Returns why it ended before the archive's end, if it did.
///
/// The members are read raw: the tar crate would collect names of any length in memory, and fill the holes of sparse
/// files.
fn visit_tar(input: impl Read, visit: &mut Visit<'_>) -> Result<Option<String>, UnpackError> {
    let mut archive = tar::Archive::new(input);
    let entries = archive.entries().map_err(UnpackError::Archive)?;
    let mut long_name: Option<Vec<u8>> = None;
    for entry in entries.raw(true) {
        let mut entry = match entry {
            Ok(entry) => entry,
            Err(error) => return limit_or_damage(error).map(Some),
        };
        let kind = entry.header().entry_type();
        let len_bytes = entry.header().entry_size().unwrap_or_default();
        if kind.is_gnu_longname() || kind.is_pax_local_extensions() {
            let mut text = Vec::new();
            let read = entry.by_ref().take(NAME_UP_TO_BYTES).read_to_end(&mut text);
            if let Err(error) = read {
                return limit_or_damage(error).map(Some);
            }
            if kind.is_gnu_longname() {
                let end = text.iter().position(|byte| *byte == 0);
                text.truncate(end.unwrap_or(text.len()));
                long_name = Some(text);
            } else if let Some(path) = pax_path(&text) {
                long_name = Some(path);
            }
            continue;
        }
        // A name in a header of its own belongs to the next member only.
        let name = long_name.take();
        let name = name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let name = name.strip_prefix(b"./").unwrap_or(&name);
        let path = String::from_utf8_lossy(name).into_owned();
        let mut whole = Whole {
            inner: &mut entry,
            left: len_bytes,
        };
        let content: Result<&mut dyn Read, Closed> = if kind.is_gnu_sparse() {
            Err(Closed::Stored("sparsely (tar -S)".to_owned()))
        } else if kind.is_file() || kind.is_contiguous() {
            Ok(&mut whole)
        } else {
            continue;
        };
        let entry = Entry {
            path,
            len_bytes,
            content,
        };
        if !visit(entry)? {
            return Ok(None);
        }
    }
    // A checksum of the compressed data is after the end of the archive.
    match io::copy(&mut archive.into_inner(), &mut io::sink()) {
        Ok(_) => Ok(None),
        Err(error) => limit_or_damage(error).map(Some),
    }
}

/// The path in the records `LENGTH NAME=VALUE` of a pax header (POSIX, pax Extended Header).
fn pax_path(text: &[u8]) -> Option<Vec<u8>> {
    let records = tar::PaxExtensions::new(text).flatten();
    let mut paths = records.filter(|record| record.key_bytes() == b"path");
    paths.next().map(|record| record.value_bytes().to_vec())
}

/// The text of an error of a reader: the reason why an archive ends early. The limit for unpacked bytes is an error
/// instead.
fn limit_or_damage(error: io::Error) -> Result<String, UnpackError> {
    match limit_of(&error) {
        Some(up_to_bytes) => Err(UnpackError::TooLong { up_to_bytes }),
        None => Ok(error.to_string()),
    }
}

/// Visits the files of a zip archive. Returns the first damage of a member, if there is one; the other members are
/// still visited.
fn visit_zip(input: Counted, visit: &mut Visit<'_>) -> Result<Option<String>, UnpackError> {
    let mut archive =
        ZipArchive::new(BufReader::new(input)).map_err(|error| UnpackError::Damaged {
            packing: "zip",
            why: error.to_string(),
        })?;
    let mut damage = None;
    for index in 0..archive.len() {
        // Raw: a header can be read even if the member is encrypted or compressed by an unknown method.
        let (path, len_bytes, is_encrypted, method) = match archive.by_index_raw(index) {
            Ok(member) if member.is_file() => (
                String::from_utf8_lossy(member.name_raw()).into_owned(),
                member.size(),
                member.encrypted(),
                member.compression(),
            ),
            Ok(_) => continue,
            Err(error) => {
                damage = damage.or(Some(error.to_string()));
                continue;
            }
        };
        let goes_on = if is_encrypted {
            let content = Err(Closed::Encrypted);
            visit(Entry {
                path,
                len_bytes,
                content,
            })?
        } else {
            match archive.by_index(index) {
                Ok(mut member) => {
                    let content: Result<&mut dyn Read, Closed> = Ok(&mut member);
                    visit(Entry {
                        path,
                        len_bytes,
                        content,
                    })?
                }
                Err(_) => {
                    let content = Err(Closed::Stored(format!("by the method {method}")));
                    visit(Entry {
                        path,
                        len_bytes,
                        content,
                    })?
                }
            }
        };
        if !goes_on {
            break;
        }
    }
    Ok(damage)
}
