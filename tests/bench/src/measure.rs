//! The measurement and its table.

use std::path::Path;
use std::process::Command;

use anyhow::ensure;

use crate::client::Client;
use crate::messages::{FOUR, NO_OP};
use crate::process::Process;

/// Devices that call at the same time.
const CLIENTS: u32 = 16;

/// What one server needed.
struct Figures {
    no_op_us: f64,
    four_us: f64,
    parked_kib: f64,
    parked_mappings: f64,
}

/// Measures a server and the canned one, in turn.
pub(crate) async fn session(
    server: &Path,
    plugins: &Path,
    sessions: u32,
    parked: u32,
    json: bool,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut canned = Command::new(std::env::current_exe()?);
    canned.args(["canned", "--listen", "127.0.0.1:0"]);
    let canned = figures(&mut canned, &folder.path().join("canned"), sessions, parked).await?;
    let mut trellis = Command::new(server);
    // A login is given once in a device's life: it is no part of what is measured.
    trellis.env("TRELLIS_CONNECTION_REQUEST__GIVE_LOGINS", "false");
    trellis
        .args([
            "serve",
            "--cwmp",
            "127.0.0.1:0",
            "--operator",
            "127.0.0.1:0",
            "--log-format",
            "json",
            "--plugins",
        ])
        .arg(plugins)
        .arg("--data")
        .arg(folder.path().join("data"));
    let trellis = figures(&mut trellis, &folder.path().join("trellis"), sessions, parked).await?;
    let rows = [
        ("CPU per no-op periodic session", "us", trellis.no_op_us, canned.no_op_us),
        ("CPU per session of four RPCs", "us", trellis.four_us, canned.four_us),
        ("resident memory per parked session", "KiB", trellis.parked_kib, canned.parked_kib),
        ("memory mappings per parked session", "", trellis.parked_mappings, canned.parked_mappings),
    ];
    if json {
        let rows = rows.map(|(what, unit, trellis, canned)| {
            serde_json::json!({ "what": what, "unit": unit, "trellis": trellis, "canned": canned })
        });
        println!("{}", serde_json::json!({ "sessions": sessions, "parked": parked, "rows": rows }));
        return Ok(());
    }
    println!("{sessions} sessions of each kind by {CLIENTS} devices at a time; {parked} parked");
    println!("{:<36} {:>12} {:>12} {:>8}", "", "trellis", "canned", "ratio");
    for (what, unit, trellis, canned) in rows {
        let ratio = if canned > 0.0 { format!("{:.1}", trellis / canned) } else { "-".to_owned() };
        let (trellis, canned) = (format!("{trellis:.1} {unit}"), format!("{canned:.1} {unit}"));
        println!("{what:<36} {trellis:>12} {canned:>12} {ratio:>8}");
    }
    Ok(())
}

async fn figures(
    command: &mut Command,
    log: &Path,
    sessions: u32,
    parked: u32,
) -> anyhow::Result<Figures> {
    let server = Process::start(command, log)?;
    // A warm-up, so that nothing is measured that happens once.
    run(&server, NO_OP, sessions / 10, 0).await?;
    run(&server, FOUR, sessions / 10, 4).await?;
    let no_op_us = run(&server, NO_OP, sessions, 0).await?;
    let four_us = run(&server, FOUR, sessions, 4).await?;
    let (parked_kib, parked_mappings) = park(&server, parked).await?;
    Ok(Figures { no_op_us, four_us, parked_kib, parked_mappings })
}

/// Runs sessions and returns the server's CPU time for each, in microseconds.
async fn run(server: &Process, class: &str, sessions: u32, rpcs: u32) -> anyhow::Result<f64> {
    let before = server.cpu_seconds()?;
    let each = (sessions / CLIENTS).max(1);
    let mut clients = tokio::task::JoinSet::new();
    for serial in 0..CLIENTS {
        let mut client = Client::connect(&server.address, "Guest", class, serial).await?;
        clients.spawn(async move {
            for _ in 0..each {
                let answered = client.session().await?;
                ensure!(answered == rpcs, "{answered} requests instead of {rpcs}");
            }
            Ok(())
        });
    }
    while let Some(result) = clients.join_next().await {
        result??;
    }
    let seconds = server.cpu_seconds()? - before;
    Ok(seconds * 1e6 / f64::from(each * CLIENTS))
}

/// Parks sessions in their first request and returns memory and mappings for each.
async fn park(server: &Process, parked: u32) -> anyhow::Result<(f64, f64)> {
    let (memory, mappings) = (server.resident_kib()?, server.mappings()?);
    let mut clients = Vec::new();
    for serial in 0..parked {
        let mut client = Client::connect(&server.address, "Guest", FOUR, 100_000 + serial).await?;
        let status = client.begin().await?;
        ensure!(status == 200, "a session that should wait ended with {status}");
        clients.push(client);
    }
    let memory = server.resident_kib()? - memory;
    let mappings = server.mappings()?.saturating_sub(mappings);
    Ok((memory / f64::from(parked), f64::from(mappings) / f64::from(parked)))
}
