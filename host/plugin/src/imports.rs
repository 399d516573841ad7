//! What a file wants from the host, and what of it there is.

use wasmtime::Engine;
use wasmtime::component::Component;

/// Interfaces of WASI that language toolchains link in and that are served.
const WASI: [&str; 18] = [
    "wasi:io/error",
    "wasi:io/poll",
    "wasi:io/streams",
    "wasi:clocks/monotonic-clock",
    "wasi:clocks/wall-clock",
    "wasi:random/random",
    "wasi:random/insecure",
    "wasi:random/insecure-seed",
    "wasi:cli/environment",
    "wasi:cli/exit",
    "wasi:cli/stdin",
    "wasi:cli/stdout",
    "wasi:cli/stderr",
    "wasi:cli/terminal-input",
    "wasi:cli/terminal-output",
    "wasi:cli/terminal-stdin",
    "wasi:cli/terminal-stdout",
    "wasi:cli/terminal-stderr",
];

/// The contract that this server has.
pub(crate) const CONTRACT: &str = "trellis:acs";
pub(crate) const CONTRACT_VERSION: &str = "0.1.0";

/// The names of what a component imports.
pub(crate) fn imports(engine: &Engine, component: &Component) -> Vec<String> {
    component.component_type().imports(engine).map(|(name, _)| name.to_owned()).collect()
}

/// Refuses what is not there, by name. The text says what to change.
pub(crate) fn check(engine: &Engine, component: &Component) -> Result<(), String> {
    for import in imports(engine, component) {
        let (interface, version) = import.split_once('@').unwrap_or((&import, ""));
        if let Some(name) = interface.strip_prefix(CONTRACT).and_then(|it| it.strip_prefix('/')) {
            if !is_compatible(version) {
                return Err(format!(
                    "it was built for version {version} of the contract {CONTRACT} (it imports \
                     {name}); this server has {CONTRACT_VERSION}: build it with the WIT of this \
                     server"
                ));
            }
        } else if interface.starts_with("wasi:http/") {
            // Whether that is granted is seen once its name is known.
        } else if !WASI.contains(&interface) {
            return Err(format!(
                "it imports {import}, which plugins do not get: of WASI there are clocks, random \
                 numbers, an empty environment and standard output, and {CONTRACT} for the rest"
            ));
        }
    }
    let kind = component.component_type();
    let missing: Vec<&str> = ["describe", "provision"]
        .into_iter()
        .filter(|wanted| kind.exports(engine).all(|(name, _)| name != *wanted))
        .collect();
    if !missing.is_empty() {
        return Err(format!(
            "it does not export {}: it is not of the world {CONTRACT}/vendor-plugin",
            missing.join(" and ")
        ));
    }
    Ok(())
}

/// Whether a plugin built for this version can run: a contract only grows.
fn is_compatible(version: &str) -> bool {
    let (Ok(theirs), Ok(ours)) =
        (semver::Version::parse(version), semver::Version::parse(CONTRACT_VERSION))
    else {
        return false;
    };
    // Below 1.0 every minor version is a contract of its own.
    theirs.major == ours.major && (ours.major > 0 || theirs.minor == ours.minor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_contract_of_another_major_version_is_another_contract() {
        assert!(is_compatible("0.1.0") && is_compatible("0.1.7"));
        assert!(!is_compatible("0.2.0") && !is_compatible("1.0.0") && !is_compatible(""));
    }
}
