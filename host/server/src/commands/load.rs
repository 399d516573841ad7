//! Plugins' files without a server.

use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, anyhow};
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

/// Loads a file as the server would. The error says what is wrong with it.
pub(crate) fn load(file: &Path, compiling: Compiling) -> anyhow::Result<Arc<Plugin>> {
    let shown = file.display();
    let wasm = std::fs::read(file).with_context(|| format!("cannot read {shown}"))?;
    let engine = EngineSettings { runs_max: 8, compile_on_all_cores: true };
    let engine = PluginEngine::new(&engine).map_err(|error| anyhow!("{shown}: {error:#}"))?;
    let opened = |data: &Path| {
        let settings = LoaderSettings {
            data: data.to_owned(),
            is_rehearsal: true,
            compiles_anew: compiling == Compiling::Anew,
            ..LoaderSettings::default()
        };
        Loader::new(engine.clone(), settings)
    };
    // Compiling a plugin in Python takes some 15 s, which nobody wants to wait for at each test.
    let kept = etcetera::choose_base_strategy().map(|it| it.cache_dir().join("trellis"));
    let kept = kept.ok().and_then(|folder| {
        std::fs::create_dir_all(&folder).ok()?;
        opened(&folder).ok()
    });
    let once;
    let loader = match kept {
        Some(loader) => loader,
        None => {
            once = tempfile::tempdir()?;
            opened(once.path())?
        }
    };
    let loaded = runtime()?.block_on(loader.load(wasm.into()));
    let plugin = loaded.map_err(|why| anyhow!("{shown}: {why}"))?;
    // What is left there is only ever compiled again.
    let _ = loader.sweep(&HashSet::new(), UNUSED);
    Ok(Arc::new(plugin))
}

pub(crate) fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}
