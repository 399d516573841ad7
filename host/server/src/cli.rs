//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use serde::Deserialize;

use crate::client::ApiArguments;
use crate::commands::device::DeviceCommand;
use crate::commands::faults::FaultsArguments;
use crate::commands::plugin::PluginCommand;
use crate::commands::replay::ReplayArguments;
use crate::commands::tag::TagCommand;
use crate::commands::token::TokenCommand;

/// A TR-069 Auto Configuration Server whose vendor logic is plugins.
#[derive(Debug, Parser)]
#[command(version, about)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server.
    Serve(ServeArguments),
    /// Plugins: write, build, check and test them; load, list, show and roll them back.
    Plugin {
        #[command(subcommand)]
        command: PluginCommand,
        #[command(flatten)]
        api: ApiArguments,
    },
    /// Run a new version of a plugin over what the old one did, and print where it differs.
    Replay(ReplayArguments),
    /// Devices: list, show, have actions run.
    Device {
        #[command(subcommand)]
        command: DeviceCommand,
        #[command(flatten)]
        api: ApiArguments,
    },
    /// What went wrong, of all devices, oldest first.
    Faults(FaultsArguments),
    /// Tags: what holds for the devices that have them.
    Tag {
        #[command(subcommand)]
        command: TagCommand,
        #[command(flatten)]
        api: ApiArguments,
    },
    /// Tokens of the API.
    Token {
        #[command(subcommand)]
        command: TokenCommand,
        #[command(flatten)]
        api: ApiArguments,
    },
    /// Print the default configuration, with an explanation of every setting.
    DefaultConfig,
}

/// What the command line can say in place of the configuration file.
#[derive(Debug, Default, Args)]
pub(crate) struct ServeArguments {
    /// The configuration file (TOML). All settings have defaults.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Where devices connect.
    #[arg(long, value_name = "ADDR")]
    pub(crate) cwmp: Option<SocketAddr>,
    /// Where operators and their tools connect: `/metrics`, `/healthz`, `/readyz`.
    #[arg(long, value_name = "ADDR")]
    pub(crate) operator: Option<SocketAddr>,
    /// The folder of plugins.
    #[arg(long, value_name = "DIR")]
    pub(crate) plugins: Option<PathBuf>,
    /// How to write the log.
    #[arg(long, value_enum)]
    pub(crate) log_format: Option<LogFormat>,
    /// What to log: a level, or a filter such as `info,trellis_session=debug`.
    #[arg(long, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

/// A form of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}
