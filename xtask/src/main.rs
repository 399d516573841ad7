//! `cargo xtask`: the one entry point for building, testing, demonstrating and measuring.

mod bench;
mod conformance;
mod demo;
mod fuzz;
mod plugins;
mod steps;
mod table;
mod test;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::steps::build_programs;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Builds, tests, demonstrates and measures Trellis.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Start the server, let ten simulated devices come in, and show what happens.
    Demo(DemoArguments),
    /// Run all tests.
    Test,
    /// Prove the statements of the standard one by one; writes docs/conformance.md.
    Conformance,
    /// Feed what reads devices' messages with inputs that nobody thought of. Wants cargo-fuzz.
    Fuzz(FuzzArguments),
    /// Check formatting and lints.
    Lint,
    /// Build the plugins into target/plugins.
    Plugins {
        /// Build the examples in other languages too.
        #[arg(long)]
        all: bool,
    },
    /// Measure the server.
    Bench {
        #[command(subcommand)]
        what: BenchCommand,
    },
}

#[derive(Args)]
struct DemoArguments {
    /// Leave the server running at the end, and say where it is.
    #[arg(long)]
    keep: bool,
}

#[derive(Args)]
struct FuzzArguments {
    /// One of decode, cookie, authorization, http; all of them if none is named.
    target: Option<String>,
    /// How long each is fed, in seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u32,
}

#[derive(Subcommand)]
enum BenchCommand {
    /// CPU time and memory per session, against the same server answering canned bytes.
    Session {
        /// Sessions measured of each kind.
        #[arg(long, default_value_t = 20_000)]
        sessions: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Latency of sessions while one in ten runs a plugin that misbehaves.
    Hostile {
        /// How long to measure each, in seconds.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().command {
        Command::Demo(arguments) => demo::run_demo(arguments.keep),
        Command::Test => test::run_all(),
        Command::Conformance => conformance::run_all(),
        Command::Fuzz(arguments) => {
            fuzz::run_targets(arguments.target.as_deref(), arguments.seconds)
        }
        Command::Lint => test::lint(),
        Command::Plugins { all } => plugins::build().and_then(|_| {
            if all {
                build_programs()?;
                plugins::build_languages()?;
            }
            Ok(())
        }),
        Command::Bench { what: BenchCommand::Hostile { seconds } } => bench::hostile(seconds),
        Command::Bench { what: BenchCommand::Session { sessions, json } } => {
            bench::session(sessions, json)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
