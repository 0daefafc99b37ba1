//! The flags of `restore` for a data directory, with the names and defaults of `etcdutl snapshot restore`, and those
//! for a write-ahead log as a source.

use std::path::PathBuf;

use crate::arrange::Arrange as _;
use crate::cli::export::member_dir::MemberFiles;
use crate::cli::failure::Failure;
use crate::query::membership::{
    ClusterError, InitialCluster, NewMember, log, peer_urls, snap, snap_name,
};
use crate::view::restore::directory::{Directory, StartedMember};

use super::typed::with_value;

/// The write-ahead log as a source.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LogArgs {
    /// Also apply the write-ahead log
    ///
    /// Gives every acknowledged write. It applies the entries that are not in the database yet, as etcd would at its
    /// next start. If the database cannot be used, or for a revision below its compaction, the log alone is used, if
    /// it goes back to the first entry of the cluster. The log is the one in the data directory, or the one in DIR.
    #[arg(
        long,
        value_name = "DIR",
        num_args = 0..=1,
        require_equals = true,
        help_heading = "More sources"
    )]
    pub(super) wal: Option<Option<PathBuf>>,
    /// With --wal: leave out entries that are not known to be committed
    ///
    /// The last acknowledged write is usually not recorded as committed yet. In a cluster of several members, later entries
    /// may or may not have been acknowledged; they are included and listed.
    #[arg(long, requires = "wal", help_heading = "More sources")]
    pub(super) committed_only: bool,
}

/// What is written instead of a snapshot file.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Data directory")]
pub(super) struct MemberArgs {
    /// Write a data directory on which etcd starts
    ///
    /// It must not exist, or be empty. It is the directory of one member of a new cluster.
    #[arg(long, value_name = "DIR", help_heading = None::<&str>)]
    pub(super) data_dir: Option<PathBuf>,
    /// Name of the member (default: default)
    #[arg(long, value_name = "NAME", requires = "data_dir")]
    name: Option<String>,
    /// Members of the new cluster: m1=http://10.0.0.1:2380,m2=... (default: the one member)
    #[arg(long, value_name = "MEMBERS", requires = "data_dir")]
    initial_cluster: Option<String>,
    /// Token of the new cluster (default: etcd-cluster)
    ///
    /// Members with another token never join it.
    #[arg(long, value_name = "TOKEN", requires = "data_dir")]
    initial_cluster_token: Option<String>,
    /// Addresses of the member for other members (default: http://localhost:2380)
    #[arg(long, value_name = "URLS", requires = "data_dir")]
    initial_advertise_peer_urls: Option<String>,
    /// Folder for the log (default: in the data directory)
    ///
    /// It must not exist.
    #[arg(long, value_name = "W", requires = "data_dir")]
    pub(super) wal_dir: Option<PathBuf>,
    /// Write the directories of all members, as DIR/NAME
    ///
    /// The source is read once. Copy each directory to its machine.
    #[arg(
        long,
        requires = "data_dir",
        requires = "initial_cluster",
        conflicts_with_all = ["name", "initial_advertise_peer_urls", "wal_dir"]
    )]
    all_members: bool,
    /// Raise the revision by N, so that clients never see it go back
    ///
    /// Needs --mark-compacted. N must be at least two more than the number of revisions that were written after the restored
    /// one: a client that has seen all of them watches from the revision after the last one.
    #[arg(
        long,
        value_name = "N",
        requires = "data_dir",
        requires = "mark_compacted",
        value_parser = clap::value_parser!(i64).range(1..)
    )]
    pub(super) bump_revision: Option<i64>,
    /// With --bump-revision: let etcd compact everything before the new revision
    ///
    /// Watches at older revisions fail, and their clients read everything again.
    #[arg(long, requires = "bump_revision")]
    mark_compacted: bool,
    /// Accept a snapshot whose SHA-256 is wrong
    ///
    /// Every page and record is still checked. A file without SHA-256 is always accepted.
    #[arg(long)]
    pub(super) skip_hash_check: bool,
}

/// The members to write, and their cluster.
#[derive(Debug)]
pub(super) struct Members {
    /// The new cluster with all of its members.
    pub(super) cluster: InitialCluster,
    /// The members whose directories are written.
    written: Vec<NewMember>,
    /// Whether each has a folder of its own in the new directory.
    has_folders: bool,
}

/// The defaults of etcdutl. They are not clap's, so that a flag that was typed with its default is known to be typed.
const NAME: &str = "default";
const TOKEN: &str = "etcd-cluster";
const PEER_URLS: &str = "http://localhost:2380";

impl MemberArgs {
    /// The target with its flags, each with its value.
    pub(super) fn typed(&self) -> Vec<String> {
        let target = self.data_dir.as_ref();
        let target = target.map(|path| with_value("--data-dir", &path.display().to_string()));
        target.into_iter().chain(self.of_directory()).collect()
    }

    /// The flags that were typed and that only a data directory has.
    pub(super) fn of_directory(&self) -> Vec<String> {
        let path = |path: &PathBuf| path.display().to_string();
        let flags = [
            ("--name", self.name.clone()),
            ("--initial-cluster", self.initial_cluster.clone()),
            (
                "--initial-cluster-token",
                self.initial_cluster_token.clone(),
            ),
            (
                "--initial-advertise-peer-urls",
                self.initial_advertise_peer_urls.clone(),
            ),
            ("--wal-dir", self.wal_dir.as_ref().map(path)),
            (
                "--bump-revision",
                self.bump_revision.map(|by| by.to_string()),
            ),
        ];
        let flags = flags.into_iter();
        let mut words: Vec<String> = flags
            .filter_map(|(flag, value)| Some(with_value(flag, &value?)))
            .collect();
        let switches = [
            ("--mark-compacted", self.mark_compacted),
            ("--all-members", self.all_members),
        ];
        let switches = switches.into_iter().filter(|(_, is_on)| *is_on);
        words.extend(switches.map(|(flag, _)| flag.to_owned()));
        words
    }

    /// The new cluster, and the members of it to write: the one of `--name`, or all. Without `--initial-cluster` the
    /// member is alone.
    ///
    /// # Errors
    /// What etcd refuses: a cluster without the member, a member that advertises other addresses, or a text that is
    /// no peer URL. With `--all-members` also a name that cannot be that of a folder.
    pub(super) fn members(&self) -> Result<Members, Failure> {
        let refuse = |error: ClusterError| {
            Failure::cannot(error.to_string())
                .hint("etcd names members so: `--name m1 --initial-advertise-peer-urls http://10.0.0.1:2380 --initial-cluster m1=http://10.0.0.1:2380,m2=http://10.0.0.2:2380`")
        };
        let token = self.initial_cluster_token.as_deref().unwrap_or(TOKEN);
        let name = self.name.as_deref().unwrap_or(NAME);
        let urls = self.initial_advertise_peer_urls.as_deref();
        let advertised = peer_urls(urls.unwrap_or(PEER_URLS)).map_err(refuse)?;
        let own = |url: &String| format!("{name}={url}");
        let own: Vec<String> = advertised.iter().map(own).collect();
        let text = self.initial_cluster.clone().unwrap_or(own.join(","));
        let cluster = InitialCluster::parse(&text, token).map_err(refuse)?;
        if !self.all_members {
            let member = cluster.member(name, &advertised).map_err(refuse)?;
            return Ok(Members {
                written: vec![member.clone()],
                cluster,
                has_folders: false,
            });
        }
        let unfit = cluster
            .members
            .iter()
            .find(|member| !is_folder_name(&member.name));
        if let Some(member) = unfit {
            return Err(Failure::cannot(format!(
                "{:?} cannot be the name of a folder",
                member.name
            ))
            .hint("without --all-members, --data-dir names the folder of one member"));
        }
        let mut written = cluster.members.clone();
        written.arrange_by(|a, b| a.name.cmp(&b.name));
        Ok(Members {
            written,
            cluster,
            has_folders: true,
        })
    }
}

/// Whether a member name can be used as the name of a folder: no separators, nothing hidden, nothing that a shell
/// interprets.
fn is_folder_name(name: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    !name.starts_with('.') && name.chars().all(is_plain)
}

impl Members {
    /// The files of each member that is written, besides its database.
    pub(super) fn files(&self) -> Vec<MemberFiles> {
        let files = self.written.iter().map(|member| MemberFiles {
            folder: self.has_folders.then(|| member.name.clone()),
            snap_name: snap_name(&self.cluster),
            snap: snap(&self.cluster),
            log: log(&self.cluster, member),
        });
        files.collect()
    }

    /// The cluster and the written members as the answer shows them.
    pub(super) fn shown(&self, wal_dir: Option<&std::path::Path>, bump: Option<i64>) -> Directory {
        let members = self.written.iter().map(|member| StartedMember {
            name: member.name.clone(),
            id: member.id,
            peer_urls: member.peer_urls.clone(),
            folder: self.has_folders.then(|| member.name.clone()),
        });
        Directory {
            cluster_id: self.cluster.id,
            size: self.cluster.members.len(),
            members: members.collect(),
            wal_dir: wal_dir.map(std::path::Path::to_path_buf),
            bump,
        }
    }
}
