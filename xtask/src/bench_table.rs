//! `cargo xtask bench-table [DB]`: the table of `docs/performance.md`, measured here.
//!
//! Each job runs five times, each time after `cat` of the same file, and the medians are printed: the time, how many
//! times that of `cat` it is, and the largest resident size. The store is generated into `target/bench` if DB is not
//! given, and stores of special shapes beside it. Programs that do the same job are measured if they are on the PATH.

use std::fs;
use std::io;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often each job runs.
const RUNS: usize = 5;

/// Where the stores are.
const FOLDER: &str = "target/bench";

/// The store of most jobs.
const STORE: &str = "2GB";

/// The stores of special shapes, as `generate_store` calls them.
const SHAPES: [&str; 4] = ["one-key", "tiny-records", "tombstones", "large-values"];

/// A command: its words, how many times `cat` of its files it may take (none: not bounded), and the same job by another
/// program. DB is the store, COPY another file with its bytes, KEY a key of it, NEW a file or folder that does not
/// exist.
struct Job {
    line: &'static str,
    most: Option<f64>,
    other: Option<&'static str>,
}

const fn job(line: &'static str, most: f64) -> Job {
    Job {
        line,
        most: Some(most),
        other: None,
    }
}

const fn against(line: &'static str, most: f64, other: &'static str) -> Job {
    Job {
        line,
        most: Some(most),
        other: Some(other),
    }
}

const JOBS: [Job; 26] = [
    against("get DB KEY", 0.6, "auger extract -f DB -k KEY"),
    job("log DB KEY", 1.0),
    against("ls DB", 1.0, "auger extract -f DB"),
    against("status DB", 2.0, "etcdutl snapshot status DB"),
    job("status DB -w json", 1.5),
    against("hashkv DB", 1.5, "etcdutl hashkv DB"),
    against(
        "dump-db iterate-bucket DB key --decode",
        3.0,
        "etcd-dump-db iterate-bucket DB key --decode",
    ),
    job("ls DB --kinds", 1.5),
    job("get DB /registry/ -o jsonl", 3.5),
    job("log DB --oneline", 12.0),
    job("log DB -n 10", 1.5),
    job("show DB @", 1.5),
    job("diff DB COPY", 1.5),
    job("diff DB @~45000..@", 2.0),
    job("recover DB", 6.0),
    job("fsck DB", 6.0),
    against("fsck DB --layer bbolt", 1.5, "bbolt check DB"),
    job("grep DB frobnicate", 2.0),
    job("grep DB [xyz][0-9]{3}[ab]q", 15.0),
    job("du DB", 3.0),
    job("compare DB COPY", 3.0),
    job("restore DB --out NEW", 6.0),
    Job {
        line: "verify DB",
        most: None,
        other: None,
    },
    Job {
        line: "churn DB",
        most: None,
        other: None,
    },
    Job {
        line: "hashkv DB --all",
        most: None,
        other: None,
    },
    Job {
        line: "hash DB",
        most: None,
        other: None,
    },
];

/// What is run on each store of a special shape.
const SHAPE_JOBS: [&str; 5] = [
    "ls DB",
    "log DB --oneline",
    "get DB /app/items/0000000",
    "status DB",
    "hashkv DB",
];

/// Measures all jobs, and prints the tables as Markdown.
///
/// # Errors
/// If the program cannot be built, or a store cannot be generated.
pub fn print(db: Option<&str>) -> Result<(), String> {
    build()?;
    let db = match db {
        Some(db) => PathBuf::from(db),
        None => store(STORE)?,
    };
    let copy = copy_of(&db)?;
    let key = middle_key(&db)?;
    println!(
        "`{}`, {} bytes; medians of {RUNS} runs",
        db.display(),
        length(&db)?
    );
    println!();
    println!("| command | time | x `cat` | at most | memory | another program |");
    println!("|---|---|---|---|---|---|");
    for job in &JOBS {
        row(job, &db, &copy, &key)?;
    }
    for shape in SHAPES {
        let db = store(shape)?;
        println!();
        println!("`{shape}`, {} bytes", length(&db)?);
        println!();
        println!("| command | time | x `cat` | at most | memory | another program |");
        println!("|---|---|---|---|---|---|");
        for line in SHAPE_JOBS {
            let job = Job {
                line,
                most: None,
                other: None,
            };
            row(&job, &db, &db, "")?;
        }
    }
    Ok(())
}

fn build() -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args("build --release --locked --bin etcdive --example generate_store".split(' '));
    let done = build.status().is_ok_and(|status| status.success());
    done.then_some(())
        .ok_or_else(|| "the program was not built".to_owned())
}

/// A generated store; it is made if it is not there.
fn store(name: &str) -> Result<PathBuf, String> {
    let path = Path::new(FOLDER).join(format!("{name}.db"));
    if path.exists() {
        return Ok(path);
    }
    fs::create_dir_all(FOLDER).map_err(|error| format!("{FOLDER}: {error}"))?;
    let mut generate = Command::new("target/release/examples/generate_store");
    generate.arg(&path).arg(name).stdout(Stdio::null());
    let done = generate.status().is_ok_and(|status| status.success());
    done.then_some(path)
        .ok_or_else(|| format!("no store {name} was generated"))
}

/// Another file with the bytes of a store.
fn copy_of(db: &Path) -> Result<PathBuf, String> {
    let copy = Path::new(FOLDER).join("copy.db");
    fs::create_dir_all(FOLDER).map_err(|error| format!("{FOLDER}: {error}"))?;
    fs::copy(db, &copy).map_err(|error| format!("{}: {error}", copy.display()))?;
    Ok(copy)
}

/// The key in the middle of the list.
fn middle_key(db: &Path) -> Result<String, String> {
    let mut ls = Command::new("target/release/etcdive");
    let run = ls.arg("ls").arg(db).output();
    let run = run.map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&run.stdout);
    let middle = text.lines().nth(text.lines().count() / 2);
    middle
        .map(str::to_owned)
        .ok_or_else(|| format!("{} has no key", db.display()))
}

fn length(path: &Path) -> Result<u64, String> {
    fs::metadata(path)
        .map(|metadata| metadata.len())
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// Measures a job, and prints its row.
fn row(job: &Job, db: &Path, copy: &Path, key: &str) -> Result<(), String> {
    let new = Path::new(FOLDER).join("new");
    let words = |line: &str| -> Vec<String> {
        let word = |word: &str| match word {
            "DB" => db.display().to_string(),
            "COPY" => copy.display().to_string(),
            "KEY" => key.to_owned(),
            "NEW" => new.display().to_string(),
            other => other.to_owned(),
        };
        line.split(' ').map(word).collect()
    };
    let files: Vec<&Path> = match job.line.contains("COPY") {
        true => vec![db, copy],
        false => vec![db],
    };
    let ours = median(
        Path::new("target/release/etcdive"),
        &words(job.line),
        &files,
        &new,
    )?;
    let other = job.other.and_then(|line| {
        let words = words(line);
        let (name, rest) = words.split_first()?;
        let program = on_path(name)?;
        let other = median(&program, rest, &files, &new).ok()?;
        Some(format!(
            "{name} {:.2} s, {} MB",
            other.seconds, other.megabytes
        ))
    });
    let most = job.most.map_or_else(String::new, |most| {
        let mark = if ours.times_cat <= most {
            ""
        } else {
            " **missed**"
        };
        format!("{most}{mark}")
    });
    println!(
        "| `etcdive {}` | {:.2} s | {:.1} | {most} | {} MB | {} |",
        job.line,
        ours.seconds,
        ours.times_cat,
        ours.megabytes,
        other.unwrap_or_default()
    );
    Ok(())
}

/// The file of a program that is on the PATH.
fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut files = std::env::split_paths(&path).map(|folder| folder.join(name));
    files.find(|file| file.is_file())
}

/// The medians of several runs.
struct Median {
    seconds: f64,
    times_cat: f64,
    megabytes: u64,
}

fn median(program: &Path, words: &[String], files: &[&Path], new: &Path) -> Result<Median, String> {
    let mut times = Vec::new();
    let mut cats = Vec::new();
    let mut largest = 0;
    for _ in 0..RUNS {
        let _ = fs::remove_file(new);
        let _ = fs::remove_file(new.with_extension("restore.json"));
        let mut cat = Command::new("cat");
        cats.push(measured(cat.args(files))?.0);
        let mut command = Command::new(program);
        let (time, kilobytes) = measured(command.args(words))?;
        times.push(time);
        largest = largest.max(kilobytes);
    }
    times.sort_unstable();
    cats.sort_unstable();
    let middle = |times: &[Duration]| times.get(RUNS / 2).map_or(0.0, Duration::as_secs_f64);
    let (seconds, cat) = (middle(&times), middle(&cats));
    Ok(Median {
        seconds,
        times_cat: seconds / cat.max(f64::MIN_POSITIVE),
        megabytes: largest / 1024,
    })
}

/// How long a command takes, and its largest resident size in kB. Its output is dropped.
fn measured(command: &mut Command) -> Result<(Duration, u64), String> {
    let begun = Instant::now();
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let child = child.map_err(|error| format!("{command:?}: {error}"))?;
    let id = libc::pid_t::try_from(child.id()).map_err(|error| error.to_string())?;
    let (status, usage) = wait(id).map_err(|error| format!("{command:?}: {error}"))?;
    let time = begun.elapsed();
    // 1 and 3 are answers: a difference, a finding.
    match status.code() {
        Some(0 | 1 | 3) => Ok((time, usage)),
        _ => Err(format!("{command:?}: {status}")),
    }
}

/// Waits for a child of this process.
fn wait(id: libc::pid_t) -> io::Result<(ExitStatus, u64)> {
    let mut status = 0;
    // SAFETY: rusage is a plain C struct, for which all bytes zero are a value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to local variables that live until the call returns.
    let waited = unsafe { libc::wait4(id, &raw mut status, 0, &raw mut usage) };
    if waited != id {
        return Err(io::Error::last_os_error());
    }
    let kilobytes = u64::try_from(usage.ru_maxrss).unwrap_or_default();
    Ok((ExitStatus::from_raw(status), kilobytes))
}
