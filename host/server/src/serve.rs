//! `trellis serve`: wires the rooms, and takes them down in order.

use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::{JoinHandle, JoinSet};
use tokio_util::sync::CancellationToken;
use trellis_catalog::Catalog;
use trellis_contact::ConnectionRequests;
use trellis_northbound::{Calls, Metrics, Server, TokenChanges};
use trellis_plugin_host::{Loader, PluginEngine};
use trellis_session::{ConnectionRequestKey, SessionSettings, Sessions};
use trellis_southbound::Listener;
use trellis_store::{SledStore, Store};

use crate::config::{self, Config};

/// How long connections of devices without a session, and work for nobody, may take at the end.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// Runs until a signal says stop.
pub(crate) fn serve(config: &Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let result = runtime.block_on(run(config));
    runtime.shutdown_timeout(LAST_WAIT);
    result
}

async fn run(config: &Config) -> anyhow::Result<()> {
    tracing::info!(version = env!("CARGO_PKG_VERSION"), "trellis starts");
    let metrics = Metrics::install()?;
    let folder = &config.store.folder;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the data folder {}", folder.display()))?;
    // There are secrets of devices in it.
    std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o700))
        .with_context(|| format!("cannot make the data folder {} private", folder.display()))?;
    let settings = config.store();
    let store = tokio::task::spawn_blocking(move || SledStore::open(settings)).await??;
    let store: Arc<dyn Store> = Arc::new(store);
    let stop = CancellationToken::new();
    let catalog = open_catalog(config, Arc::clone(&store)).await?;
    let watching = watch_folder(config, &catalog, &stop).await?;
    let key = ConnectionRequestKey::new(store.secret().await?);
    let connection_request_key = config.gives_logins().then(|| key.clone());
    let settings = SessionSettings { connection_request_key, ..config.sessions()? };
    let sessions = Sessions::new(Arc::clone(&store), catalog.clone(), settings).await?;
    let contact =
        ConnectionRequests::new(Arc::clone(&store), sessions.clone(), key, config.contact());
    let mut listeners = Vec::new();
    let mut addresses = Vec::new();
    for (address, settings, tls) in config.listeners() {
        let listener = Listener::bind(address, settings, tls).await?;
        addresses.push(listener.address()?.to_string());
        listeners.push(listener);
    }
    let operators = bind_operators(config.operator.listen).await?;
    let operator = operators.as_ref().map(trellis_northbound::Listener::address).transpose()?;
    if operator.is_some() {
        // Not to the log: it is a secret.
        let show = |token: &str| {
            let mut output = std::io::stdout().lock();
            writeln!(output, "trellis: the first token of the API, shown only now: {token}")
        };
        trellis_northbound::first_token(store.as_ref(), show).await?;
    }
    tracing::info!(
        cwmp = addresses.join(", "),
        operator = operator.map(tracing::field::display),
        data = %folder.display(),
        sessions_max = config.sessions_max(),
        "trellis is ready"
    );

    let mut serving = JoinSet::new();
    for listener in listeners {
        serving.spawn(listener.serve(sessions.clone(), stop.clone()));
    }
    let mut working = JoinSet::new();
    working.spawn(sessions.clone().keep_deadlines(stop.clone()));
    // These keep what comes of everything else, and end after it.
    let last = CancellationToken::new();
    let mut keeping = JoinSet::new();
    keeping.spawn(catalog.clone().keep_up(last.clone()));
    keeping.spawn(sessions.clone().keep_transcripts(last.clone()));
    let server = Server {
        sessions: sessions.clone(),
        store: Arc::clone(&store),
        catalog,
        contact,
        metrics,
        calls: Calls::new(stop.clone()),
        tokens: TokenChanges::default(),
    };
    if let Some(operators) = operators {
        working.spawn(operators.serve(server, stop.clone()));
    }
    if let Some(watching) = watching {
        // It has the same end.
        working.spawn(async { drop(watching.await) });
    }
    tokio::select! {
        signal = stop_signal() => signal?,
        ended = serving.join_next() => anyhow::bail!("the listener for devices has failed: {ended:?}"),
    }
    // Whoever says it twice means it.
    tokio::spawn(async {
        if stop_signal().await.is_ok() {
            eprintln!("trellis: stopped at once; sessions in flight are lost");
            std::process::exit(1);
        }
    });
    tracing::info!(sessions = sessions.count(), "stopping; sessions in flight may finish");
    // Connections stay open while sessions finish: a session needs them.
    sessions.shutdown(config.stop_max()).await;
    stop.cancel();
    let hung_up = async { while serving.join_next().await.is_some() {} };
    if tokio::time::timeout(LAST_WAIT, hung_up).await.is_err() {
        tracing::debug!("some connections were still open");
    }
    let worked = async { while working.join_next().await.is_some() {} };
    let has_worked = tokio::time::timeout(config.stop_max(), worked).await.is_ok();
    last.cancel();
    let kept = async { while keeping.join_next().await.is_some() {} };
    let has_kept = tokio::time::timeout(config.stop_max(), kept).await.is_ok();
    if !has_worked || !has_kept {
        tracing::warn!(
            "what operators asked for, deadlines of plugins, transcripts or counters were cut off: \
             raise [session] stop-seconds-max if that happens again"
        );
    }
    store.flush().await.context("the last data could not be written")?;
    tracing::info!("trellis has stopped");
    Ok(())
}

/// Binds the operator's address. Two servers on one machine that were both left at the default
/// start all the same; an address that somebody chose must be there.
async fn bind_operators(
    address: SocketAddr,
) -> anyhow::Result<Option<trellis_northbound::Listener>> {
    match trellis_northbound::Listener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) if address == config::DEFAULT_OPERATOR => {
            tracing::warn!(%error, "there are no metrics; choose an address with --operator");
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn open_catalog(config: &Config, store: Arc<dyn Store>) -> anyhow::Result<Catalog> {
    let engine = PluginEngine::new(&config.engine()).context(
        "cannot reserve address space for plugins; lower [session] sessions-max, or raise the \
         limit on virtual memory",
    )?;
    let settings = config.loader();
    let loader = tokio::task::spawn_blocking(move || Loader::new(engine, settings)).await?;
    let loader = loader.context("cannot keep compiled plugins in the data folder")?;
    Ok(Catalog::open(store, loader, config.catalog()).await?)
}

/// Loads what is in the plugin folder, and goes on watching it.
async fn watch_folder(
    config: &Config,
    catalog: &Catalog,
    stop: &CancellationToken,
) -> anyhow::Result<Option<JoinHandle<()>>> {
    let folder = &config.plugins.folder;
    if folder == Path::new(config::DEFAULT_PLUGINS) && !folder.exists() {
        // A first try should start; a folder that somebody named and that is not there should not.
        tracing::warn!("there is no folder `plugins` here, and none was named: none is watched");
    }
    let watching = if folder.exists() || folder != Path::new(config::DEFAULT_PLUGINS) {
        let watching = trellis_catalog::watch(catalog.clone(), folder.clone(), stop.clone()).await;
        Some(
            watching
                .with_context(|| format!("cannot read the plugin folder {}", folder.display()))
                .context("make it, or name another one with --plugins or [plugins] folder")?,
        )
    } else {
        None
    };
    let plugins = catalog.plugins().await;
    for plugin in &plugins {
        let version = plugin.active.as_deref().and_then(|digest| plugin.version(digest));
        if let Some(version) = version {
            let (plugin, sha256) = (&plugin.name, &version.digest);
            tracing::info!(plugin, version = version.version, sha256, "plugin serves");
        }
    }
    for name in config.named_plugins() {
        if plugins.iter().all(|plugin| plugin.name != name) {
            tracing::warn!(
                plugin = name,
                "the configuration speaks of a plugin that is not there: is its name right?"
            );
        }
    }
    if plugins.is_empty() {
        tracing::warn!(
            folder = %folder.display(),
            "there are no plugins: devices are recorded, but nothing is asked of them"
        );
    }
    Ok(watching)
}

async fn stop_signal() -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
