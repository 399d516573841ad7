//! `trellis token`: who may use the API.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use clap::Subcommand;
use serde_json::{Value, json};
use trellis_store::{SledSettings, SledStore, Store};

use crate::client::{ApiArguments, Client};
use crate::output::{self, table, text};

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it: it is shown only now.
    Add {
        /// Whose it is to be.
        name: String,
        /// The data folder of a server that is stopped, for whoever has no token.
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// List the tokens, without themselves.
    List,
    /// Revoke a token.
    Revoke {
        /// Whose it is.
        name: String,
    },
}

pub(crate) fn run(command: &TokenCommand, api: &ApiArguments) -> anyhow::Result<()> {
    let answer = match command {
        TokenCommand::Add { name, data: Some(data) } => add_to_folder(name, data)?,
        TokenCommand::Add { name, data: None } => {
            Client::new(api)?.post(&["tokens"], &json!({ "name": name }))?
        }
        TokenCommand::List => Client::new(api)?.get(&["tokens"])?,
        TokenCommand::Revoke { name } => Client::new(api)?.delete(&["tokens", name])?,
    };
    if api.json {
        return output::json(&answer);
    }
    output::print(&match command {
        TokenCommand::Add { .. } => format!("{}\n", text(&answer, "token")),
        TokenCommand::List => list(&answer),
        TokenCommand::Revoke { name } => format!("the token {name} is revoked\n"),
    });
    Ok(())
}

fn list(answer: &Value) -> String {
    let head = ["NAME", "CREATED"].map(str::to_owned).to_vec();
    let tokens = answer.as_array().map(Vec::as_slice).unwrap_or_default().iter();
    let rows = tokens.map(|it| vec![text(it, "name").to_owned(), text(it, "created").to_owned()]);
    table(&std::iter::once(head).chain(rows).collect::<Vec<_>>())
}

fn add_to_folder(name: &str, data: &Path) -> anyhow::Result<Value> {
    anyhow::ensure!(data.join("db").is_dir(), "{} is not a data folder", data.display());
    let store = SledStore::open(SledSettings::new(data.join("db")))
        .context("stop the server first, or ask it: without --data")?;
    let store: Arc<dyn Store> = Arc::new(store);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let token = runtime.block_on(trellis_northbound::add_token(store.as_ref(), name))?;
    Ok(json!({ "name": name, "token": token }))
}
