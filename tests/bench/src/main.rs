//! Measures `trellis serve` against the same HTTP front answering canned bytes: no decoding,
//! no plugin, no store. Absolute times belong to the machine; the ratios are the result.

mod canned;
mod client;
mod hostile;
mod measure;
mod messages;
mod process;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "trellis-bench", about = "Measures the server.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// CPU time and memory per session.
    Session {
        /// The server to measure.
        #[arg(long)]
        server: PathBuf,
        /// The folder with the plugin `scripted`.
        #[arg(long)]
        plugins: PathBuf,
        /// Sessions of each kind.
        #[arg(long, default_value_t = 20_000)]
        sessions: u32,
        /// Sessions parked at once.
        #[arg(long, default_value_t = 2_000)]
        parked: u32,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Latency of sessions while one in ten runs a plugin that misbehaves.
    Hostile {
        /// The server to measure.
        #[arg(long)]
        server: PathBuf,
        /// The folders with the plugins `scripted` and `bare`.
        #[arg(long)]
        plugins: Vec<PathBuf>,
        /// How long to measure each, in seconds.
        #[arg(long, default_value_t = 30)]
        seconds: u64,
    },
    /// Serve canned bytes until killed.
    Canned {
        /// Where.
        #[arg(long)]
        listen: SocketAddr,
    },
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Session { server, plugins, sessions, parked, json } => {
            measure::session(&server, &plugins, sessions, parked, json).await
        }
        Command::Hostile { server, plugins, seconds } => {
            hostile::hostile(&server, &plugins, seconds).await
        }
        Command::Canned { listen } => canned::serve(listen).await,
    }
}
