//! Makes a large etcd store for benchmarks:
//! `cargo run --release --example generate_store -- OUT.db 200MB [SEED]`

#[path = "../benches/support/store.rs"]
mod store;
#[path = "../tests/support/synth/mod.rs"]
mod synth;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let parsed = match arguments.as_slice() {
        [out, size] => Some((out, store::parse_size(size), Some(1))),
        [out, size, seed] => Some((out, store::parse_size(size), seed.parse().ok())),
        _ => None,
    };
    let Some((out, Some(size), Some(seed))) = parsed else {
        eprintln!("usage: generate_store OUT.db SIZE(200MB, 2GB) [SEED]");
        return ExitCode::from(2);
    };
    match store::generate(Path::new(out), size, seed) {
        Ok(summary) => {
            println!("{summary:#?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("{out}: {error}");
            ExitCode::from(2)
        }
    }
}
