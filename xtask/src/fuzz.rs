//! Inputs that nobody thought of, for the parts that read what devices send.

use std::fs;
use std::path::Path;

use anyhow::{Context, ensure};

use crate::steps::{announce, cargo, dim, green, root, run, target, works};

/// The targets, as `tests/fuzz/Cargo.toml` has them.
const TARGETS: [&str; 4] = ["decode", "cookie", "authorization", "http"];

/// The longest input, in bytes.
const INPUT_BYTES_MAX: usize = 64 << 10;

/// Feeds one target or all of them for so many seconds each.
pub(crate) fn run_targets(only: Option<&str>, seconds: u32) -> anyhow::Result<()> {
    if !works("cargo", &["fuzz", "--version"]) {
        announce("SKIPPED: fuzzing, since cargo-fuzz is not installed: cargo install cargo-fuzz");
        return Ok(());
    }
    let known = |name: &str| TARGETS.contains(&name);
    ensure!(only.is_none_or(known), "there are the targets {}", TARGETS.join(", "));
    for name in TARGETS.into_iter().filter(|name| only.is_none_or(|only| only == *name)) {
        announce(&format!("feeding {name} for {seconds} s"));
        let seeds = target().join("fuzz/seeds").join(name);
        gather(name, &seeds)?;
        let corpus = target().join("fuzz/corpus").join(name);
        fs::create_dir_all(&corpus)?;
        let folder = root().join("tests/fuzz");
        let mut command = cargo();
        // The sanitizers need a nightly compiler, and look for what safe Rust cannot do.
        command.current_dir(&folder).args([
            "fuzz",
            "run",
            "--sanitizer",
            "none",
            "--fuzz-dir",
            ".",
        ]);
        if name != "decode" {
            command.args(["--features", "front"]);
        }
        command.arg("--target-dir").arg(target().join("fuzz"));
        command.arg(name).arg(&corpus).arg(&seeds).arg("--");
        command.arg(format!("-max_total_time={seconds}"));
        command.arg(format!("-max_len={INPUT_BYTES_MAX}"));
        command.args(["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", "-verbosity=0"]);
        run(&mut command).with_context(|| {
            format!("{name} failed; the input is in {}", folder.join("artifacts").display())
        })?;
    }
    announce(&green("nothing was found"));
    Ok(())
}

/// Inputs to begin with: those of the repository, and messages of real devices where they are.
fn gather(name: &str, seeds: &Path) -> anyhow::Result<()> {
    fs::create_dir_all(seeds)?;
    let mut folders = vec![root().join("tests/fuzz/seeds").join(name)];
    if name == "decode" {
        let shared = root().join("../shared");
        folders.extend(["corpus", "cwmp/golden"].map(|folder| shared.join(folder)));
    }
    for folder in folders {
        let Ok(files) = fs::read_dir(&folder) else {
            eprintln!("{}", dim(&format!("there is no {}: fewer seeds", folder.display())));
            continue;
        };
        for file in files {
            let file = file?.path();
            let is_seed = file.extension().is_none_or(|it| it == "xml");
            if let Some(name) = file.file_name().filter(|_| is_seed && file.is_file()) {
                fs::copy(&file, seeds.join(name))?;
            }
        }
    }
    Ok(())
}
