//! The members of a new cluster: reads `--initial-cluster`, and computes the ids that etcd would give.
//!
//! Upstream: `client/pkg/types/urlsmap.go` (the text), `server/etcdserver/api/membership/member.go` and `cluster.go`
//! (ids, JSON), `server/config/config.go` (`VerifyBootstrap`).

mod url;

use std::collections::{BTreeMap, BTreeSet};

use sha1::{Digest, Sha1};

use crate::arrange::Arrange as _;
use crate::bytes::u64_be;
use crate::go::value::Layout;

/// The most members of a new cluster. The etcd documentation advises at most 7; the limit bounds how much is written.
pub const MOST_MEMBERS: usize = 99;

/// A member of a cluster that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewMember {
    /// Its id.
    pub id: u64,
    /// Its name.
    pub name: String,
    /// Its addresses for other members, sorted.
    pub peer_urls: Vec<String>,
}

/// A cluster that does not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InitialCluster {
    /// Its id.
    pub id: u64,
    /// Its members, by ascending id; at least one.
    pub members: Vec<NewMember>,
}

/// Why a text is not an initial cluster, or a member does not fit into it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClusterError {
    /// It names no member.
    #[error("the initial cluster has no member")]
    Empty,
    /// It names too many.
    #[error("the initial cluster has more than {MOST_MEMBERS} members")]
    TooMany,
    /// A part of it is not `NAME=URL`.
    #[error("{0:?} in the initial cluster is not NAME=URL")]
    NotAPair(String),
    /// An address that etcd refuses.
    #[error("{url:?} is not a peer URL: {why}")]
    Url {
        /// The address as typed.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// This address is listed twice, for two members or for the same one.
    #[error("the initial cluster has {0} twice")]
    DuplicateUrl(String),
    /// The cluster has no member of this name.
    #[error("no member {0:?} in the initial cluster")]
    UnknownName(String),
    /// The addresses that the member advertises differ from those in the cluster.
    #[error(
        "the initial cluster has {listed} for {name:?}, and the member advertises {advertised}"
    )]
    Advertised {
        /// The member.
        name: String,
        /// Its addresses in the cluster.
        listed: String,
        /// The addresses that it advertises.
        advertised: String,
    },
}

/// The addresses in a list with commas, checked and sorted as etcd does it.
///
/// # Errors
/// [`ClusterError::Url`]: the first one that etcd refuses.
pub fn peer_urls(text: &str) -> Result<Vec<String>, ClusterError> {
    let urls = text.split(',').map(url::peer_url);
    let mut urls = urls.collect::<Result<Vec<_>, _>>()?;
    urls.sort_unstable();
    Ok(urls)
}

impl NewMember {
    /// A member with the id that etcd computes from its addresses and the token of the cluster.
    fn new(name: String, mut peer_urls: Vec<String>, token: &str) -> Self {
        peer_urls.sort_unstable();
        let id = id_of(&[&peer_urls.concat(), token].concat());
        Self {
            id,
            name,
            peer_urls,
        }
    }

    /// Its id in hex without leading zeros: its key in bucket `members`, and its name in the v2 store.
    pub fn hex_id(&self) -> String {
        format!("{:x}", self.id)
    }

    /// Its addresses as JSON, byte for byte as Go writes `RaftAttributes`.
    pub fn raft_attributes(&self) -> String {
        format!("{{\"peerURLs\":{}}}", json_list(&self.peer_urls))
    }

    /// The whole member as JSON, byte for byte as Go writes `Member`.
    pub fn json(&self) -> String {
        format!(
            "{{\"id\":{},\"peerURLs\":{},\"name\":{}}}",
            self.id,
            json_list(&self.peer_urls),
            json_text(&self.name)
        )
    }
}

impl InitialCluster {
    /// Reads `NAME=URL,NAME=URL,...`. A name may appear more than once, with another address each time. The ids of
    /// the members depend on `token`, and the id of the cluster on those of the members.
    ///
    /// # Errors
    /// [`ClusterError`]: what etcd would refuse.
    pub fn parse(text: &str, token: &str) -> Result<Self, ClusterError> {
        let mut by_name: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let pair = part.split_once('=').filter(|(name, _)| !name.is_empty());
            let (name, url) = pair.ok_or_else(|| ClusterError::NotAPair(part.to_owned()))?;
            let url = url::peer_url(url)?;
            if !seen.insert(url.clone()) {
                return Err(ClusterError::DuplicateUrl(url));
            }
            by_name.entry(name).or_default().push(url);
        }
        match by_name.len() {
            0 => return Err(ClusterError::Empty),
            1..=MOST_MEMBERS => {}
            _ => return Err(ClusterError::TooMany),
        }
        let members = by_name.into_iter();
        let members = members.map(|(name, urls)| NewMember::new(name.to_owned(), urls, token));
        let mut members: Vec<NewMember> = members.collect();
        members.arrange_by_key(|member| member.id);
        let ids = members.iter().flat_map(|member| member.id.to_be_bytes());
        let id = first_eight(&Sha1::digest(ids.collect::<Vec<u8>>()));
        Ok(Self { id, members })
    }

    /// The member of this name, if it advertises exactly the addresses that the cluster has for it.
    ///
    /// # Errors
    /// [`ClusterError::UnknownName`], or [`ClusterError::Advertised`].
    pub fn member(&self, name: &str, advertised: &[String]) -> Result<&NewMember, ClusterError> {
        let member = self.members.iter().find(|member| member.name == name);
        let member = member.ok_or_else(|| ClusterError::UnknownName(name.to_owned()))?;
        if member.peer_urls != advertised {
            return Err(ClusterError::Advertised {
                name: name.to_owned(),
                listed: member.peer_urls.join(","),
                advertised: advertised.join(","),
            });
        }
        Ok(member)
    }

    /// The ids of the members, ascending. All of them vote.
    pub fn voters(&self) -> Vec<u64> {
        self.members.iter().map(|member| member.id).collect()
    }

    /// The index of the last entry in the log of a new member. The log has one entry for each member, which adds it.
    pub fn last_index(&self) -> u64 {
        self.members.len() as u64
    }

    /// The elements of bucket `members`, in key order.
    pub fn bucket(&self) -> Vec<(Vec<u8>, Vec<u8>)> {
        let element = |member: &NewMember| (member.hex_id().into(), member.json().into());
        let mut elements: Vec<(Vec<u8>, Vec<u8>)> = self.members.iter().map(element).collect();
        elements.sort_unstable();
        elements
    }

    /// The value of `confState` in bucket `meta`: the voters as JSON.
    pub fn conf_state(&self) -> String {
        let voters: Vec<String> = self.voters().iter().map(u64::to_string).collect();
        format!("{{\"voters\":[{}],\"auto_leave\":false}}", voters.join(","))
    }
}

/// A text as a JSON string, escaped as Go does it.
pub(super) fn json_text(text: &str) -> String {
    let mut out = Vec::new();
    // Writing to memory cannot fail.
    let _ = Layout::Json.text(text.as_bytes(), &mut out);
    String::from_utf8(out).unwrap_or_default()
}

/// Texts as a JSON array of strings.
fn json_list(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| json_text(text)).collect();
    format!("[{}]", texts.join(","))
}

/// The id of a member: the start of the SHA-1 of its addresses and the token.
fn id_of(text: &str) -> u64 {
    first_eight(&Sha1::digest(text.as_bytes()))
}

/// The first 8 bytes of a hash, big endian.
fn first_eight(hash: &[u8]) -> u64 {
    u64_be(hash, 0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_etcd_refuses_is_refused_with_the_part_that_is_wrong() {
        let refused = |text: &str| {
            InitialCluster::parse(text, "t")
                .err()
                .map(|e| e.to_string())
        };
        for (text, expected) in [
            ("", "the initial cluster has no member"),
            ("m1", "\"m1\" in the initial cluster is not NAME=URL"),
            (
                "=http://a:1",
                "\"=http://a:1\" in the initial cluster is not NAME=URL",
            ),
            (
                "m1=http://a:1,m2=http://a:1",
                "the initial cluster has http://a:1 twice",
            ),
        ] {
            assert_eq!(refused(text).as_deref(), Some(expected), "{text}");
        }
        assert!(refused("m1=http://a:1,,m2=http://a:2,m1=http://b:1").is_none());
        let many: Vec<String> = (1..=100).map(|n| format!("m{n}=http://a:{n}")).collect();
        assert_eq!(
            refused(&many.join(",")).as_deref(),
            Some("the initial cluster has more than 99 members")
        );
    }

    #[test]
    fn a_member_has_to_be_listed_with_the_addresses_that_it_advertises() {
        let cluster = InitialCluster::parse("m1=http://b:1,m1=http://a:1", "t").unwrap();
        let urls = peer_urls("http://b:1,http://a:1").unwrap();
        assert_eq!(cluster.member("m1", &urls).unwrap().name, "m1");
        let error = |name, urls: &str| cluster.member(name, &peer_urls(urls).unwrap()).err();
        assert_eq!(
            error("m2", "http://a:1").unwrap().to_string(),
            "no member \"m2\" in the initial cluster"
        );
        assert_eq!(
            error("m1", "http://a:1").unwrap().to_string(),
            "the initial cluster has http://a:1,http://b:1 for \"m1\", and the member advertises http://a:1"
        );
    }

    #[test]
    fn a_name_is_written_as_go_writes_it() {
        let cluster = InitialCluster::parse("a<\"\u{e9}&=http://a:1", "t").unwrap();
        let json = cluster.members[0].json();
        assert!(
            json.ends_with("\"name\":\"a\\u003c\\\"\u{e9}\\u0026\"}"),
            "{json}"
        );
    }
}
