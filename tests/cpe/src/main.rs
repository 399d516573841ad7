//! The program `cpe`: many simulated devices towards one ACS.
//!
//! It prints one line per session and ends with code 1 when any session failed, so that it can
//! stand in a script.

mod output;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use clap::Parser;
use tokio::task::JoinSet;
use trellis_cpe::{
    Cpe, CpeError, CwmpVersion, HttpOptions, Identity, Model, Options, SessionReport,
};

use crate::output::Output;

/// Simulated CPEs: sessions towards an ACS, checked against the rules of CWMP.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    /// The ACS URL
    #[arg(long, default_value = "http://127.0.0.1:7547/")]
    acs: String,
    /// tr181, tr098, tr181-mikrotik or a model file
    #[arg(long, default_value = "tr181")]
    model: String,
    /// How many devices
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// How many sessions each device has
    #[arg(long, default_value_t = 1)]
    sessions: u32,
    /// Start of the serial numbers; six digits follow
    #[arg(long)]
    serial_prefix: Option<String>,
    /// Number of the first device
    #[arg(long, default_value_t = 1)]
    first: u32,
    /// Seconds between the sessions of a device
    #[arg(long, default_value_t = 0.0)]
    interval: f64,
    /// How many sessions may run at once
    #[arg(long, default_value_t = 50)]
    concurrency: usize,
    /// The CWMP version, instead of that of the model
    #[arg(long, value_parser = version)]
    cwmp: Option<CwmpVersion>,
    /// Seconds to wait for an answer of the ACS
    #[arg(long, default_value_t = 30.0)]
    timeout: f64,
    /// Use a TCP connection of its own for each request
    #[arg(long)]
    reconnect: bool,
    /// Neither keep nor return cookies
    #[arg(long)]
    no_cookies: bool,
    /// Send bodies chunked
    #[arg(long)]
    chunked: bool,
    /// Send Expect: 100-continue
    #[arg(long)]
    expect_continue: bool,
    /// Ask the ACS for its methods in each session
    #[arg(long)]
    get_rpc_methods: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Print the requests of the ACS as well
    #[arg(long)]
    verbose: bool,
}

fn version(text: &str) -> Result<CwmpVersion, String> {
    CwmpVersion::parse(text).ok_or_else(|| "one of 1.0, 1.1, 1.2, 1.3 and 1.4".to_owned())
}

fn model(name: &str) -> anyhow::Result<Model> {
    if Model::BUILT_IN.contains(&name) {
        return Ok(Model::built_in(name)?);
    }
    let json = std::fs::read_to_string(name).with_context(|| format!("cannot read {name}"))?;
    Model::from_json(&json).with_context(|| format!("cannot use {name}"))
}

fn devices(arguments: &Arguments) -> anyhow::Result<Vec<Cpe>> {
    let model = Arc::new(model(&arguments.model)?);
    let http = HttpOptions {
        cookies: !arguments.no_cookies,
        reconnect: arguments.reconnect,
        chunked: arguments.chunked,
        expect_continue: arguments.expect_continue,
        timeout: Duration::try_from_secs_f64(arguments.timeout).context("--timeout")?,
        ..HttpOptions::default()
    };
    let options = Arc::new(Options {
        version: arguments.cwmp,
        http,
        get_rpc_methods: arguments.get_rpc_methods,
        ..Options::default()
    });
    let prefix = arguments
        .serial_prefix
        .clone()
        .unwrap_or_else(|| format!("{}-", arguments.model.to_ascii_uppercase()));
    let last = arguments.first.saturating_add(arguments.count);
    (arguments.first..last)
        .map(|number| {
            let identity = Identity::numbered(&model, &prefix, number);
            identity.check()?;
            Ok(Cpe::new(Arc::clone(&model), identity, Arc::clone(&options)))
        })
        .collect()
}

type Done = (Cpe, Result<SessionReport, CpeError>);

/// One session of every device, no more than `limit` at once.
async fn round(
    url: &Arc<str>,
    devices: Vec<Cpe>,
    limit: usize,
    number: u32,
    output: &mut Output,
) -> anyhow::Result<Vec<Cpe>> {
    let mut back = Vec::with_capacity(devices.len());
    let mut waiting = devices.into_iter();
    let mut running: JoinSet<Done> = JoinSet::new();
    loop {
        while running.len() < limit.max(1)
            && let Some(mut cpe) = waiting.next()
        {
            let url = Arc::clone(url);
            running.spawn(async move {
                let outcome = cpe.session(&url).await;
                (cpe, outcome)
            });
        }
        let Some(done) = running.join_next().await else {
            return Ok(back);
        };
        let (cpe, outcome) = done.context("a session panicked")?;
        output.session(&cpe, number, &outcome)?;
        back.push(cpe);
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<bool> {
    let mut devices = devices(&arguments)?;
    let pause = Duration::try_from_secs_f64(arguments.interval).context("--interval")?;
    let url: Arc<str> = arguments.acs.as_str().into();
    let mut output = Output::new(arguments.json, arguments.verbose);
    let started = Instant::now();
    for number in 1..=arguments.sessions {
        if number > 1 {
            tokio::time::sleep(pause).await;
        }
        devices = round(&url, devices, arguments.concurrency, number, &mut output).await?;
    }
    output.summary(started.elapsed())?;
    Ok(output.all_well())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Arguments::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("cpe: {error:#}");
            ExitCode::from(2)
        }
    }
}
