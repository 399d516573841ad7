//! Plugins' files without a server.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use etcetera::BaseStrategy;
use trellis_plugin_host::{EngineSettings, Loader, LoaderSettings, Plugin, PluginEngine};

/// Whether a file is compiled that was compiled before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compiling {
    /// It is: that it can be is what is asked, and how long it takes.
    Anew,
    /// It is not.
    Once,
}

/// How long what was compiled is kept after it was last used.
const UNUSED: Duration = Duration::from_hours(48);

pub(crate) fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Loads a file as the server would. The error says what is wrong with it.
pub(crate) fn load(wasm: Vec<u8>, compiling: Compiling) -> Result<Arc<Plugin>, String> {
    let engine = PluginEngine::new(&EngineSettings { runs_max: 8, compile_on_all_cores: true });
    let engine = engine.map_err(|error| format!("{error:#}"))?;
    let is_rehearsal = true;
    let compiles_anew = compiling == Compiling::Anew;
    let settings = LoaderSettings { is_rehearsal, compiles_anew, ..LoaderSettings::default() };
    let opened = |data: &Path| {
        Loader::new(engine.clone(), LoaderSettings { data: data.to_owned(), ..settings.clone() })
    };
    // Compiling a plugin in Python takes some 15 s, which nobody wants to wait for at each test.
    let kept = etcetera::choose_base_strategy().map(|it| it.cache_dir().join("trellis"));
    let kept = kept.ok().and_then(|folder| {
        std::fs::create_dir_all(&folder).ok()?;
        opened(&folder).ok()
    });
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let loader = match kept {
        Some(loader) => loader,
        None => opened(folder.path()).map_err(|error| error.to_string())?,
    };
    let runtime = runtime().map_err(|error| error.to_string())?;
    let plugin = runtime.block_on(loader.load(wasm.into()))?;
    // What is left there is only ever compiled again.
    let _ = loader.sweep(&HashSet::new(), UNUSED);
    Ok(Arc::new(plugin))
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
