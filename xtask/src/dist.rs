//! `cargo xtask dist`: the archive that is handed to users, with a static program, manual pages, completions and licences.
//!
//! Nothing is downloaded: licences come from the sources of the dependencies, which cargo has already.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::metadata::{Package, packages};

/// Where the archive is made.
const FOLDER: &str = "target/dist";

/// The largest program that is handed out, in bytes.
const MOST_BYTES: u64 = 12_000_000;

/// Files of the repository that go along.
const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE", "Containerfile"];

/// The completion scripts: the shell, and the file.
const COMPLETIONS: [(&str, &str); 4] = [
    ("bash", "etcdive.bash"),
    ("zsh", "_etcdive"),
    ("fish", "etcdive.fish"),
    ("powershell", "etcdive.ps1"),
];

/// Names of files with licences begin so, in any case of letters.
const LICENSE_FILES: [&str; 5] = ["license", "licence", "copying", "copyright", "notice"];

/// Makes the archive and its SHA-256 file.
///
/// # Errors
/// What failed.
pub fn dist() -> Result<(), String> {
    let target = static_target()?;
    let program = build(&target)?;
    let size = fs::metadata(&program).map_err(error(&program))?.len();
    if size > MOST_BYTES {
        return Err(format!(
            "{}: {size} bytes, more than {MOST_BYTES}",
            program.display()
        ));
    }
    is_static(&program)?;
    let name = format!("etcdive-{}-{target}", version()?);
    let folder = Path::new(FOLDER).join(&name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).map_err(error(&folder))?;
    copy(&program, &folder.join("etcdive"))?;
    for document in DOCUMENTS {
        copy(Path::new(document), &folder.join(document))?;
    }
    copy_folder(Path::new("docs"), &folder.join("docs"))?;
    let pages = man(&program, &folder.join("man/man1"))?;
    for (shell, file) in COMPLETIONS {
        let script = output(&program, &["completions", shell])?;
        write(&folder.join("completions").join(file), &script)?;
    }
    let licences = licences(&target, &folder.join("licences"))?;
    runs_alone(&program)?;
    let archive = pack(&name)?;
    eprintln!(
        "{}: program {size} bytes, {pages} manual pages, licences of {licences} packages",
        archive.display()
    );
    Ok(())
}

/// Writes the manual pages into a folder, with the program as cargo builds it for tests.
///
/// # Errors
/// What failed.
pub fn man_pages() -> Result<(), String> {
    let folder = Path::new("target/man/man1");
    cargo(&["build", "--locked", "--bin", "etcdive"], &[])?;
    let pages = man(Path::new("target/debug/etcdive"), folder)?;
    eprintln!(
        "{}: {pages} pages; `man -M target/man etcdive` shows the first",
        folder.display()
    );
    Ok(())
}

/// The target whose programs need no library: musl's if it is installed, else the one of this machine with a static
/// glibc.
fn static_target() -> Result<String, String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let about = output(Path::new(&rustc), &["-vV"])?;
    let about = String::from_utf8_lossy(&about).into_owned();
    let host = about.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or("rustc -vV names no host")?;
    if !host.contains("linux") {
        return Err(format!(
            "{host}: the archive is made on Linux; elsewhere `cargo install --path .`"
        ));
    }
    let musl = host.replace("-gnu", "-musl");
    let folder = output(
        Path::new(&rustc),
        &["--print", "target-libdir", "--target", &musl],
    )?;
    let folder = String::from_utf8_lossy(&folder).trim().to_owned();
    Ok(if Path::new(&folder).exists() {
        musl
    } else {
        host.to_owned()
    })
}

/// Builds the program; gives its path.
fn build(target: &str) -> Result<PathBuf, String> {
    let arguments = [
        "build",
        "--locked",
        "--profile",
        "dist",
        "--bin",
        "etcdive",
        "--target",
        target,
    ];
    // The linker of this target is LLD, which keeps equal functions once: 170 kB less.
    let flags = match target {
        "x86_64-unknown-linux-gnu" => "-C target-feature=+crt-static -C link-arg=-Wl,--icf=all",
        _ => "-C target-feature=+crt-static",
    };
    cargo(&arguments, &[("RUSTFLAGS", flags)])?;
    let folder = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    Ok(Path::new(&folder).join(target).join("dist/etcdive"))
}

/// Whether a program needs no loader: no segment of it is PT_INTERP.
fn is_static(program: &Path) -> Result<(), String> {
    const INTERPRETER: u32 = 3;
    let bytes = fs::read(program).map_err(error(program))?;
    let number = |at: usize, len: usize| -> Option<u64> {
        let part = bytes.get(at..at.checked_add(len)?)?;
        Some(
            part.iter()
                .rev()
                .fold(0, |number, byte| (number << 8) | u64::from(*byte)),
        )
    };
    let header = || {
        let (start, size, count) = (number(32, 8)?, number(54, 2)?, number(56, 2)?);
        Some((
            usize::try_from(start).ok()?,
            usize::try_from(size).ok()?,
            count,
        ))
    };
    let (start, size, count) = header().ok_or("the program is no ELF file of 64 bits")?;
    let starts = std::iter::successors(Some(start), |at| at.checked_add(size));
    let count = usize::try_from(count).unwrap_or_default();
    let mut kinds = starts.take(count).filter_map(|at| number(at, 4));
    if kinds.any(|kind| kind == u64::from(INTERPRETER)) {
        return Err(format!("{}: it needs a dynamic loader", program.display()));
    }
    Ok(())
}

/// Writes the manual pages that a program prints; gives how many there are.
fn man(program: &Path, folder: &Path) -> Result<usize, String> {
    let list = output(program, &["man", "--list"])?;
    let list = String::from_utf8_lossy(&list).into_owned();
    for name in list.lines() {
        let words: Vec<&str> = std::iter::once("man")
            .chain(name.split(' ').skip(1))
            .collect();
        let page = output(program, &words)?;
        write(&folder.join(format!("{}.1", name.replace(' ', "-"))), &page)?;
    }
    Ok(list.lines().count())
}

/// Copies the licences of everything that is linked into the program; gives of how many packages.
fn licences(target: &str, folder: &Path) -> Result<usize, String> {
    let packages = packages(Some(target))?;
    let linked = packages
        .iter()
        .filter(|package| package.is_in_program && !package.is_own);
    let mut list =
        "What is linked into etcdive, and under which licence. The texts are in the folders.\n\n"
            .to_owned();
    let mut count = 0_usize;
    for package in linked {
        let name = format!("{}-{}", package.name, package.version);
        let copied = copy_licences(package, &folder.join(&name))?;
        let note = match copied {
            0 => " (its package has no text; the expression above is its own statement)",
            _ => "",
        };
        let _ = writeln!(list, "{name}: {}{note}", package.license);
        count = count.saturating_add(1);
    }
    let _ = writeln!(
        list,
        "Rust standard library: MIT OR Apache-2.0, https://github.com/rust-lang/rust"
    );
    let libc = match target.contains("musl") {
        true => "musl: MIT, https://musl.libc.org",
        false => {
            "GNU C Library, linked statically: LGPL-2.1-or-later, https://sourceware.org/glibc; the source of etcdive is public, so that it can be linked again"
        }
    };
    let _ = writeln!(list, "{libc}");
    write(&folder.join("LIST.txt"), list.as_bytes())?;
    Ok(count)
}

/// Copies the files with licences of a package; gives how many there are.
fn copy_licences(package: &Package, folder: &Path) -> Result<usize, String> {
    let mut count = 0_usize;
    let entries = fs::read_dir(&package.folder).map_err(error(&package.folder))?;
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .collect();
    paths.sort();
    for path in paths.iter().filter(|path| path.is_file()) {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let lower = name.to_lowercase();
        if LICENSE_FILES.iter().any(|start| lower.starts_with(start)) {
            copy(path, &folder.join(name))?;
            count = count.saturating_add(1);
        }
    }
    Ok(count)
}

/// Runs the program in a root folder in which nothing else is.
fn runs_alone(program: &Path) -> Result<(), String> {
    let root = Path::new(FOLDER).join("empty-root");
    let _ = fs::remove_dir_all(&root);
    copy(program, &root.join("etcdive"))?;
    let db = Path::new("testdata/healthy/talk/3.6/01-talk.live.db");
    copy(db, &root.join("db"))?;
    let mut command = Command::new("unshare");
    command
        .args(["-r", "chroot"])
        .arg(&root)
        .args(["/etcdive", "ls", "/db"]);
    let ran = command.output();
    let _ = fs::remove_dir_all(&root);
    match ran {
        Ok(ran) if ran.status.success() && !ran.stdout.is_empty() => {
            eprintln!("the program runs in an empty root");
            Ok(())
        }
        Ok(ran) if String::from_utf8_lossy(&ran.stderr).contains("etcdive:") => Err(format!(
            "in an empty root: {}",
            String::from_utf8_lossy(&ran.stderr)
        )),
        _ => {
            eprintln!("not checked: this machine has no `unshare -r chroot`");
            Ok(())
        }
    }
}

/// Packs the folder, and writes the SHA-256 file beside the archive.
fn pack(name: &str) -> Result<PathBuf, String> {
    let archive = format!("{name}.tar.gz");
    let mut tar = Command::new("tar");
    tar.current_dir(FOLDER)
        .args([
            "--sort=name",
            "--owner=0",
            "--group=0",
            "--numeric-owner",
            "--mtime=@0",
        ])
        .args(["-I", "gzip -n", "-cf", &archive, name]);
    succeed(&mut tar)?;
    let mut sum = Command::new("sha256sum");
    let sum = sum.current_dir(FOLDER).arg(&archive).output();
    let sum = sum.map_err(|error| format!("sha256sum: {error}"))?;
    if !sum.status.success() {
        return Err("sha256sum failed".to_owned());
    }
    write(
        &Path::new(FOLDER).join(format!("{archive}.sha256")),
        &sum.stdout,
    )?;
    Ok(Path::new(FOLDER).join(archive))
}

/// The version of the program.
fn version() -> Result<String, String> {
    let packages = packages(None)?;
    let ours = packages
        .into_iter()
        .find(|package| package.name == "etcdive");
    ours.map(|package| package.version)
        .ok_or_else(|| "no package etcdive".to_owned())
}

fn cargo(arguments: &[&str], environment: &[(&str, &str)]) -> Result<(), String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    succeed(
        Command::new(cargo)
            .args(arguments)
            .envs(environment.iter().copied()),
    )
}

fn succeed(command: &mut Command) -> Result<(), String> {
    let status = command
        .status()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("{command:?} failed"))
    }
}

/// What a program prints.
fn output(program: &Path, arguments: &[&str]) -> Result<Vec<u8>, String> {
    let run = Command::new(program)
        .args(arguments)
        .output()
        .map_err(error(program))?;
    if run.status.success() {
        return Ok(run.stdout);
    }
    let said = String::from_utf8_lossy(&run.stderr).into_owned();
    Err(format!(
        "{} {}: {said}",
        program.display(),
        arguments.join(" ")
    ))
}

fn write(path: &Path, content: &[u8]) -> Result<(), String> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(error(folder))?;
    }
    fs::write(path, content).map_err(error(path))
}

fn copy(from: &Path, to: &Path) -> Result<(), String> {
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).map_err(error(folder))?;
    }
    fs::copy(from, to).map(drop).map_err(error(from))
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    for entry in fs::read_dir(from).map_err(error(from))? {
        let path = entry.map_err(error(from))?.path();
        let into = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() {
            copy_folder(&path, &into)?;
        } else {
            copy(&path, &into)?;
        }
    }
    Ok(())
}

/// An error with the path that it is about.
fn error(path: &Path) -> impl Fn(std::io::Error) -> String {
    let path = path.display().to_string();
    move |error| format!("{path}: {error}")
}
