//! What well-behaved sessions notice of plugins that are not.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::task::JoinSet;

use crate::client::Client;
use crate::messages::FOUR;
use crate::process::Process;

/// What plugins should not do: a manufacturer and a product class of the plugins that tests use, or
/// an action of the latter. Every hook is among them, and sleepers, whose devices hang up: of these the
/// server hears too late to count them here.
const HOSTILE: [(&str, &str, Option<&str>); 21] = [
    ("Guest", "loop", None),
    ("Guest", "recurse", None),
    ("Guest", "allocate", None),
    ("Guest", "flood", None),
    ("Guest", "chatter", None),
    ("Guest", "panic", None),
    ("Guest", "error", None),
    ("Guest", "sleep", None),
    ("Bare", "admit-loop", None),
    ("Bare", "admit-allocate", None),
    ("Bare", "admit-sleep", None),
    ("Bare", "admit-panic", None),
    ("Bare", "expired-loop", None),
    ("Bare", "expired-allocate", None),
    ("Bare", "expired-panic", None),
    ("Bare", "expired-flood", None),
    ("Bare", "quiet", Some("no-json")),
    ("Bare", "quiet", Some("loop")),
    ("Bare", "quiet", Some("flood")),
    ("Bare", "quiet", Some("allocate")),
    ("Bare", "quiet", Some("panic")),
];

/// The faults that must come of it. Calls without end are those of a deadline.
const FAULTS: [(&str, &[&str]); 2] = [
    ("scripted", &["fuel", "trap", "memory", "rpcs", "log", "panic", "error"]),
    ("bare", &["calls", "fuel", "memory", "panic", "rpcs"]),
];

/// How much the 99th percentile of the others may be beside them, in times of what it is alone.
const RATIO_MAX: f64 = 2.0;

/// Devices that behave, and the time between two sessions of each. The server is to be half idle:
/// where it is not, everybody waits for the processor, whoever uses it up.
const CLIENTS: u32 = 18;
const PAUSE: Duration = Duration::from_millis(600);

/// Of so many sessions one misbehaves.
const OF: usize = 10;

/// How long a device waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Measures the latency of sessions alone, and while one session in ten misbehaves. An error where it
/// is too much more, or where those that misbehave did not.
pub(crate) async fn hostile(
    server: &Path,
    plugins: &[PathBuf],
    seconds: u64,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let all = folder.path().join("plugins");
    gather(plugins, &all)?;
    let mut command = Command::new(server);
    command
        .env("TRELLIS_CONNECTION_REQUEST__GIVE_LOGINS", "false")
        .args(["serve", "--cwmp", "127.0.0.1:0", "--operator", "127.0.0.1:0"])
        .args(["--log-format", "json", "--plugins"])
        .arg(&all)
        .arg("--data")
        .arg(folder.path().join("data"));
    let server = Arc::new(Process::start(&mut command, &folder.path().join("log"))?);
    let length = Duration::from_secs(seconds);
    // A warm-up, so that nothing is measured that happens once.
    measure(&server, length / 4, false).await?;
    let (alone, _) = measure(&server, length, false).await?;
    let (beside, hostile) = measure(&server, length, true).await?;
    println!("{:<34} {:>10} {:>10} {:>8}", "sessions of four RPCs", "alone", "beside", "ratio");
    let mut ratio = 0.0;
    for (what, share) in [("p50", 50), ("p90", 90), ("p99", 99)] {
        let (alone, beside) = (percentile(&alone, share), percentile(&beside, share));
        ratio = beside.as_secs_f64() / alone.as_secs_f64();
        println!("{what:<34} {:>10} {:>10} {ratio:>8.2}", shown(alone), shown(beside));
    }
    let (alone, beside) = (alone.len(), beside.len());
    println!("{alone} sessions alone, {beside} beside {hostile} that misbehave");
    let metrics = server.operator_get("/metrics").await?;
    for (plugin, kinds) in FAULTS {
        let found = faults(&metrics, plugin);
        let missing: Vec<_> = kinds.iter().filter(|kind| !found.contains(**kind)).collect();
        ensure!(missing.is_empty(), "{plugin} had no fault of the kinds {missing:?}: {found:?}");
    }
    ensure!(ratio <= RATIO_MAX, "the p99 beside them is more than {RATIO_MAX} times that alone");
    Ok(())
}

/// The plugins of several folders in one.
fn gather(from: &[PathBuf], to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for folder in from {
        for file in std::fs::read_dir(folder).with_context(|| format!("{}", folder.display()))? {
            let file = file?.path();
            let name = file.file_name().context("a file without a name")?;
            std::fs::copy(&file, to.join(name))?;
        }
    }
    Ok(())
}

/// The kinds of faults that a plugin had.
fn faults(metrics: &str, plugin: &str) -> BTreeSet<String> {
    let of_plugin = format!("plugin=\"{plugin}\"");
    metrics
        .lines()
        .filter(|line| {
            line.starts_with("trellis_plugin_faults_total{") && line.contains(&of_plugin)
        })
        .filter_map(|line| line.split_once("kind=\"")?.1.split('"').next())
        .map(str::to_owned)
        .collect()
}

/// How long sessions took, in order, and how many misbehaved.
async fn measure(
    server: &Arc<Process>,
    length: Duration,
    is_hostile: bool,
) -> anyhow::Result<(Vec<Duration>, usize)> {
    let end = Instant::now() + length;
    let done = Arc::new(AtomicUsize::new(0));
    let mut good = JoinSet::new();
    for serial in 0..CLIENTS {
        let mut client = Client::connect(&server.address, "Guest", FOUR, serial).await?;
        let done = Arc::clone(&done);
        good.spawn(async move {
            let mut took = Vec::new();
            // Not all at once.
            tokio::time::sleep(PAUSE * serial / CLIENTS).await;
            while Instant::now() < end {
                let began = Instant::now();
                client.session().await?;
                took.push(began.elapsed());
                done.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(PAUSE).await;
            }
            anyhow::Ok(took)
        });
    }
    let mut bad = JoinSet::new();
    let (mut begun, mut habits) = (0, HOSTILE.into_iter().cycle());
    while is_hostile && Instant::now() < end {
        if begun * (OF - 1) < done.load(Ordering::Relaxed)
            && let Some(what) = habits.next()
        {
            let server = Arc::clone(server);
            let serial = 1_000 + u32::try_from(begun)?;
            // However it ends.
            bad.spawn(async move {
                let _ = tokio::time::timeout(PATIENCE, misbehave(&server, what, serial)).await;
            });
            begun += 1;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let mut took = Vec::new();
    while let Some(result) = good.join_next().await {
        took.extend(result??);
    }
    while bad.join_next().await.is_some() {}
    took.sort();
    Ok((took, begun))
}

async fn misbehave(
    server: &Process,
    (manufacturer, class, action): (&str, &str, Option<&str>),
    serial: u32,
) -> anyhow::Result<()> {
    let mut client = Client::connect(&server.address, manufacturer, class, serial).await?;
    client.session().await?;
    if let Some(action) = action {
        let path = format!("/devices/00D09E-{class}-B{serial}/actions/{action}");
        server.operator_post(&path).await?;
        client.session().await?;
    }
    Ok(())
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(place).copied().unwrap_or_default()
}

fn shown(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}
