//! `trellis`: the Auto Configuration Server.

mod cli;
mod client;
mod commands;
mod config;
mod logging;
mod output;
mod serve;

use std::process::ExitCode;

use clap::Parser;

use crate::cli::{Cli, Command};

/// Exit code for a configuration that cannot be used (`EX_CONFIG` of sysexits.h).
const EXIT_CONFIG: u8 = 78;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let Cli { command } = Cli::parse();
    match command {
        Command::Serve(arguments) => {
            let config = match config::load(&arguments) {
                Ok(config) => config,
                Err(error) => {
                    eprintln!("trellis: {error:#}");
                    return ExitCode::from(EXIT_CONFIG);
                }
            };
            // Held to the end: the last lines are written when it is dropped.
            let _log = match logging::start(&config.log) {
                Ok(guard) => guard,
                Err(error) => {
                    eprintln!("trellis: {error:#}");
                    return ExitCode::from(EXIT_CONFIG);
                }
            };
            finish(serve::serve(&config))
        }
        Command::Plugin { command, api } => tell(commands::plugin::run(&command, &api)),
        Command::Replay(arguments) => tell(commands::replay::run(&arguments)),
        Command::Device { command, api } => tell(commands::device::run(&command, &api)),
        Command::Faults(arguments) => tell(commands::faults::run(&arguments)),
        Command::Tag { command, api } => tell(commands::tag::run(&command, &api)),
        Command::Token { command, api } => tell(commands::token::run(&command, &api)),
        Command::DefaultConfig => {
            output::print(config::DEFAULT);
            ExitCode::SUCCESS
        }
    }
}

/// The end of a command that is not the server.
fn tell(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("trellis: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn finish(result: anyhow::Result<()>) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}
