//! `trellis plugin new`: a folder with a plugin that builds and whose test passes. The files are those
//! of the examples; what they need of this repository goes with them.

use std::borrow::Cow;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use rust_embed::{EmbeddedFile, RustEmbed};

use crate::output::{self, bold};

#[derive(Debug, Args)]
pub(crate) struct NewArguments {
    /// The plugin's name, which is also the folder's: lower-case letters, digits and dashes.
    name: String,
    /// What it is to be written in.
    #[arg(long, value_enum)]
    lang: Language,
    /// Where the folder is made.
    #[arg(long, value_name = "DIR", default_value = ".")]
    path: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Language {
    Rust,
    #[value(alias = "javascript")]
    Js,
    #[value(alias = "py")]
    Python,
    C,
}

/// The examples, without what building them leaves behind.
#[derive(RustEmbed)]
#[folder = "../../plugins/examples"]
#[include = "*/README.md"]
#[include = "*/.gitignore"]
#[include = "*/device.json"]
#[include = "*/expected.txt"]
#[include = "*/wit/world.wit"]
#[include = "rust/Cargo.*"]
#[include = "rust/src/*"]
#[include = "javascript/package*.json"]
#[include = "javascript/wifi.js"]
#[include = "python/Makefile"]
#[include = "python/requirements.txt"]
#[include = "python/wifi.py"]
#[include = "c/Makefile"]
#[include = "c/requirements.txt"]
#[include = "c/*.c"]
#[include = "c/*.h"]
#[include = "c/bindgen/Cargo.*"]
#[include = "c/bindgen/src/*"]
#[exclude = "*/node_modules/*"]
#[exclude = "*/.venv/*"]
#[exclude = "*/build/*"]
#[exclude = "*/target/*"]
struct Examples;

/// The contract.
#[derive(RustEmbed)]
#[folder = "../../wit"]
struct Contract;

/// What plugins in Rust are written with.
#[derive(RustEmbed)]
#[folder = "../../plugin-sdk"]
#[include = "src/*"]
#[include = "README.md"]
struct Sdk;

/// The SDK's own manifest belongs to this repository.
const SDK_MANIFEST: &str = "[package]\nname = \"trellis-plugin\"\n\
    description = \"Write a Trellis plugin in Rust\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\
    license = \"Apache-2.0\"\npublish = false\n\n[dependencies]\n\
    serde = { version = \"1\", features = [\"derive\"] }\nserde_json = \"1\"\n\
    wit-bindgen = { version = \"0.61\", default-features = false, features = \
    [\"macros\", \"realloc\", \"std\"] }\n";

impl Language {
    /// The example's folder, and the names in it that become the plugin's.
    fn example(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Rust => ("rust", &["wifi-rust", "trellis-example-wifi"]),
            Self::Js => ("javascript", &["wifi-javascript", "trellis-example-wifi"]),
            Self::Python => ("python", &["wifi-python"]),
            Self::C => ("c", &["wifi-c"]),
        }
    }
}

pub(crate) fn new(arguments: &NewArguments) -> anyhow::Result<()> {
    let name = arguments.name.as_str();
    let good = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let begins_well = name.starts_with(|first: char| first.is_ascii_lowercase());
    if !begins_well || name.len() > 64 || !name.bytes().all(good) {
        bail!(
            "the name {name:?} must begin with a letter and have 1 to 64 lower-case letters, digits and dashes"
        );
    }
    let folder = arguments.path.join(name);
    if folder.exists() {
        bail!("{} is there already; choose another name, or remove it", folder.display());
    }
    let (example, names) = arguments.lang.example();
    for path in Examples::iter().filter(|path| path.starts_with(&format!("{example}/"))) {
        let file = Examples::get(&path).context("an example is not complete")?;
        let place = path.strip_prefix(&format!("{example}/")).unwrap_or(&path);
        write(&folder.join(place), &renamed(&file, names, name))?;
    }
    let contract = match arguments.lang {
        Language::Rust => {
            for path in Sdk::iter() {
                let file = Sdk::get(&path).context("the SDK is not complete")?;
                write(&folder.join("trellis-plugin").join(&*path), &file.data)?;
            }
            write(&folder.join("trellis-plugin/Cargo.toml"), SDK_MANIFEST.as_bytes())?;
            folder.join("wit")
        }
        _ => folder.join("wit/deps/acs"),
    };
    for path in Contract::iter() {
        let file = Contract::get(&path).context("the contract is not complete")?;
        write(&contract.join(&*path), &file.data)?;
    }
    let shown = in_shell(&folder);
    let native = match arguments.lang {
        Language::Rust => format!("  (cd {shown} && cargo test)\n"),
        _ => String::new(),
    };
    output::print(&format!(
        "{} is a plugin that gives a device's first WiFi network a name.\n\n  \
         trellis plugin build {shown}\n{native}  \
         trellis plugin test {shown}/build/{name}.wasm --device {shown}/device.json \
         --action 'set-ssid={{\"ssid\":\"Guests\"}}' --expect {shown}/expected.txt\n  \
         trellis plugin load {shown}/build/{name}.wasm\n\n\
         {shown}/README.md says what to know.\n",
        bold(&folder.display().to_string()),
    ));
    Ok(())
}

/// A path as a shell takes it.
fn in_shell(path: &Path) -> String {
    let path = path.display().to_string();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(&byte);
    if path.bytes().all(is_plain) { path } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

/// A file of the example under the plugin's own name.
fn renamed<'a>(file: &'a EmbeddedFile, names: &[&str], name: &str) -> Cow<'a, [u8]> {
    let Ok(text) = std::str::from_utf8(&file.data) else { return Cow::Borrowed(&file.data) };
    let text = names.iter().fold(text.to_owned(), |text, known| text.replace(known, name));
    // The file that is built has the plugin's name; a crate's may not have dashes.
    let crate_name = format!("[lib]\nname = \"{}\"", name.replace('-', "_"));
    let text = text.replace("[lib]\nname = \"wifi\"", &crate_name);
    let text = text.replace("wifi.wasm", &format!("{name}.wasm"));
    // What the example finds in this repository is in the folder.
    let text = text.replace("../../../plugin-sdk", "trellis-plugin");
    Cow::Owned(text.into_bytes())
}

fn write(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let folder = path.parent().context("a file without a folder")?;
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
