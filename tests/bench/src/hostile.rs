//! What well-behaved sessions notice of plugins that are not.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::messages::FOUR;
use crate::process::Process;

/// What plugins should not do: product classes of the plugin `scripted`. One that sleeps is among
/// them; its device hangs up.
const HOSTILE: [&str; 8] =
    ["loop", "recurse", "allocate", "flood", "chatter", "panic", "error", "sleep"];

/// Devices that behave, and the time between two sessions of each. The server is to be half idle:
/// where it is not, everybody waits for the processor, whoever uses it up.
const CLIENTS: u32 = 18;
const PAUSE: Duration = Duration::from_millis(300);

/// How long a device waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Measures the latency of sessions alone, and while one session in ten misbehaves.
pub(crate) async fn hostile(server: &Path, plugins: &Path, seconds: u64) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut command = Command::new(server);
    command
        .env("TRELLIS_CONNECTION_REQUEST__GIVE_LOGINS", "false")
        .args(["serve", "--cwmp", "127.0.0.1:0", "--operator", "127.0.0.1:0"])
        .args(["--log-format", "json", "--plugins"])
        .arg(plugins)
        .arg("--data")
        .arg(folder.path().join("data"));
    let server = Process::start(&mut command, &folder.path().join("log"))?;
    let length = Duration::from_secs(seconds);
    // A warm-up, so that nothing is measured that happens once.
    measure(&server, length / 4, 0).await?;
    let alone = measure(&server, length, 0).await?;
    // Two of twenty.
    let beside = measure(&server, length, CLIENTS / 9).await?;
    println!("{:<34} {:>10} {:>10} {:>8}", "sessions of four RPCs", "alone", "beside", "ratio");
    for (what, share) in [("p50", 50), ("p90", 90), ("p99", 99)] {
        let (alone, beside) = (percentile(&alone, share), percentile(&beside, share));
        let ratio = beside.as_secs_f64() / alone.as_secs_f64();
        println!("{what:<34} {:>10} {:>10} {ratio:>8.2}", shown(alone), shown(beside));
    }
    println!(
        "{} sessions alone, {} beside {} that misbehave",
        alone.len(),
        beside.len(),
        CLIENTS / 9
    );
    Ok(())
}

/// How long sessions took, in order.
async fn measure(
    server: &Process,
    length: Duration,
    hostile: u32,
) -> anyhow::Result<Vec<Duration>> {
    let end = Instant::now() + length;
    let mut good = tokio::task::JoinSet::new();
    for serial in 0..CLIENTS {
        let mut client = Client::connect(&server.address, FOUR, serial).await?;
        good.spawn(async move {
            let mut took = Vec::new();
            // Not all at once.
            tokio::time::sleep(PAUSE * serial / CLIENTS).await;
            while Instant::now() < end {
                let began = Instant::now();
                client.session().await?;
                took.push(began.elapsed());
                tokio::time::sleep(PAUSE).await;
            }
            anyhow::Ok(took)
        });
    }
    let mut bad = tokio::task::JoinSet::new();
    for serial in 0..hostile {
        let address = server.address.clone();
        bad.spawn(async move {
            let classes =
                HOSTILE.iter().cycle().skip(usize::try_from(serial).unwrap_or_default() * 3);
            for class in classes {
                if Instant::now() >= end {
                    break;
                }
                let visit = async {
                    let mut client = Client::connect(&address, class, 1_000 + serial).await?;
                    client.session().await
                };
                // However it ends.
                let _ = tokio::time::timeout(PATIENCE, visit).await;
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
    let mut took = Vec::new();
    while let Some(result) = good.join_next().await {
        took.extend(result??);
    }
    bad.abort_all();
    took.sort();
    Ok(took)
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let place = sorted.len().saturating_sub(1) * percent / 100;
    sorted.get(place).copied().unwrap_or_default()
}

fn shown(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}
