//! The parameters that the settings ask for.

use std::collections::BTreeMap;

use trellis_plugin::serde_json::Value as Json;
use trellis_plugin::{Cpe, Error, Result, Value, event, fault};

use crate::Settings;
use crate::facts::tell;
use crate::state::Config;

/// How long settings that failed are left alone, in seconds.
const RETRY_S: u64 = 86_400;

/// Faults that one setting among others may be to blame for.
const OF_ONE_SETTING: [u32; 5] = [
    fault::INVALID_ARGUMENTS,
    fault::INVALID_PARAMETER_NAME,
    fault::INVALID_PARAMETER_TYPE,
    fault::INVALID_PARAMETER_VALUE,
    fault::NON_WRITABLE_PARAMETER,
];

/// The last nodes of parameters that can be written and not read: they always look different.
const SECRETS: [&str; 9] = [
    "password",
    "passphrase",
    "presharedkey",
    "privatekey",
    "wepkey",
    "secret",
    "psk",
    "pincode",
    "credential",
];

/// What the device's parameters shall be.
#[derive(Debug)]
pub(crate) struct Desired {
    parameters: BTreeMap<String, String>,
    hash: u64,
}

/// Why the settings are applied in this session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Due {
    /// Nothing of it is known to be on the device.
    Everything,
    /// They were applied; somebody may have changed them since. What cannot be read cannot be
    /// compared, and is left alone.
    Readable,
}

impl Desired {
    /// Of these settings, of whose parameters this is the revision.
    pub(crate) fn new(
        root: &str,
        settings: &Settings,
        revision: &str,
        extra: BTreeMap<String, String>,
    ) -> Self {
        let mut parameters = BTreeMap::new();
        let interval = settings.periodic_inform_interval;
        if interval > 0 {
            let server = format!("{root}ManagementServer.");
            parameters.insert(format!("{server}PeriodicInformEnable"), "true".to_owned());
            parameters.insert(format!("{server}PeriodicInformInterval"), interval.to_string());
        }
        parameters.extend(extra);
        // Without the values that are set: in a replay their secrets are masked, and the revision is not.
        let mut hash = Hash::new(&parameters);
        hash.add(revision);
        for (name, value) in &settings.parameters {
            let name = match name.strip_prefix('.') {
                Some(below) => format!("{root}{below}"),
                None => name.clone(),
            };
            if let Some(text) = text(value).filter(|_| name.starts_with(root)) {
                parameters.insert(name, text);
            }
        }
        parameters.keys().for_each(|name| hash.add(name));
        Self { parameters, hash: hash.0 }
    }

    /// The names that can be compared, and so are worth watching, without those that were left
    /// out.
    pub(crate) fn watchable(&self, config: &Config) -> impl Iterator<Item = &String> {
        let names = self.parameters.keys();
        names.filter(|name| !is_secret(name) && !config.left_out.contains(name))
    }

    pub(crate) fn due(&self, cpe: &Cpe, last: Option<&Config>, fresh: bool) -> Option<Due> {
        let Some(last) = last.filter(|last| !fresh && last.hash == self.hash) else {
            return Some(Due::Everything);
        };
        if last.failed {
            let again = cpe.now().saturating_sub(last.tried_at) >= RETRY_S;
            return again.then_some(Due::Everything);
        }
        let changed = || {
            let inform = cpe.inform();
            inform.iter().any(|now| {
                let wanted = self.parameters.get(&now.name);
                wanted.is_some_and(|wanted| !same(wanted, &now.value)) && !is_secret(&now.name)
            })
        };
        let readable = cpe.has_event(event::BOOT)
            || cpe.changed_elsewhere()
            || cpe.has_event(event::VALUE_CHANGE) && changed();
        readable.then_some(Due::Readable)
    }

    /// Applies what is due and publishes how that went. Only a lost session is an error.
    pub(crate) fn apply(&self, cpe: &mut Cpe, due: Due, last: Option<&Config>) -> Result<Applied> {
        let left_out = last.filter(|_| due == Due::Readable).map(|last| last.left_out.as_slice());
        let left_out = left_out.unwrap_or_default();
        let wanted = self.parameters.iter();
        let wanted = wanted
            .filter(|(name, _)| due == Due::Everything || !is_secret(name))
            .filter(|(name, _)| !left_out.contains(name));
        let wanted: Vec<_> = wanted.map(|(name, text)| (name.clone(), text.clone())).collect();
        let mut outcome = Outcome { missing: left_out.to_vec(), ..Outcome::default() };
        let failure = match ensure(cpe, wanted, &mut outcome) {
            Err(error) if error.is_lost() => return Err(error),
            result => result.err(),
        };
        let failed = failure.is_some();
        publish(cpe, &outcome, failure)?;
        let mut left_out = outcome.missing;
        left_out.extend(outcome.refused);
        let config = Config { hash: self.hash, tried_at: cpe.now(), failed, left_out };
        Ok(Applied { config, wrote: outcome.written })
    }
}

/// What came of applying the settings.
pub(crate) struct Applied {
    pub(crate) config: Config,
    /// Whether the device had other values.
    pub(crate) wrote: bool,
}

#[derive(Default)]
struct Outcome {
    written: bool,
    missing: Vec<String>,
    refused: Vec<String>,
}

/// Writes what differs. A device takes all or nothing, and one setting that it refuses must not
/// hold up the others: those that its fault names are left out, and where it names none the
/// settings are split until they are found.
fn ensure(cpe: &mut Cpe, mut wanted: Vec<(String, String)>, outcome: &mut Outcome) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let values = wanted.iter().map(|(name, text)| (name.clone(), Value::untyped(text.as_str())));
    let fault = match cpe.ensure(values.collect::<Vec<_>>()) {
        Ok(ensured) => {
            outcome.written |= !ensured.written.is_empty();
            outcome.missing.extend(ensured.missing);
            return Ok(());
        }
        Err(Error::Fault(fault)) if OF_ONE_SETTING.contains(&fault.code) => fault,
        Err(error) => return Err(error),
    };
    let named: Vec<&str> = fault.parameters.iter().map(|it| it.name.as_str()).collect();
    let (refused, rest): (Vec<_>, Vec<_>) =
        wanted.drain(..).partition(|(name, _)| named.contains(&name.as_str()));
    if !refused.is_empty() {
        outcome.refused.extend(refused.into_iter().map(|(name, _)| name));
        return ensure(cpe, rest, outcome);
    }
    let mut left = rest;
    if left.len() == 1 {
        outcome.refused.extend(left.into_iter().map(|(name, _)| name));
        return Ok(());
    }
    let right = left.split_off(left.len() / 2);
    ensure(cpe, left, outcome)?;
    ensure(cpe, right, outcome)
}

fn publish(cpe: &mut Cpe, outcome: &Outcome, failure: Option<Error>) -> Result<()> {
    let mut problems = Vec::new();
    if !outcome.missing.is_empty() {
        problems.push(format!("the device does not have {}", outcome.missing.join(", ")));
    }
    if !outcome.refused.is_empty() {
        problems.push(format!("the device refuses {}", outcome.refused.join(", ")));
    }
    let state = match &failure {
        Some(_) => "failed",
        None if problems.is_empty() => "applied",
        None => "incomplete",
    };
    problems.extend(failure.map(|error| error.to_string()));
    tell(cpe, "config.state", state)?;
    if problems.is_empty() {
        cpe.withdraw_fact("config.fault");
        return Ok(());
    }
    let problems = problems.join("; ");
    cpe.log().warn(format_args!("settings {state}: {problems}"));
    tell(cpe, "config.fault", problems.as_str())
}

/// A setting as the device takes it; `None` leaves the parameter alone.
fn text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.clone()),
        Json::Bool(_) | Json::Number(_) => Some(value.to_string()),
        Json::Array(items) => {
            let items: Vec<_> = items.iter().filter_map(text).collect();
            Some(items.join(","))
        }
        Json::Null | Json::Object(_) => None,
    }
}

fn is_secret(name: &str) -> bool {
    let node = name.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    node.ends_with("pin") || SECRETS.iter().any(|secret| node.contains(secret))
}

fn same(wanted: &str, now: &Value) -> bool {
    if now.text() == wanted {
        return true;
    }
    let wanted = Value::untyped(wanted).parse::<bool>();
    now.type_name() == "boolean" && wanted.is_ok() && wanted == now.parse()
}

/// FNV-1a: stable from build to build, unlike the standard library's.
struct Hash(u64);

impl Hash {
    fn new(parameters: &BTreeMap<String, String>) -> Self {
        let mut hash = Self(0xcbf2_9ce4_8422_2325);
        parameters.iter().flat_map(|(name, value)| [name, value]).for_each(|text| hash.add(text));
        hash
    }

    fn add(&mut self, text: &str) {
        // 0xff is in no UTF-8 text, so that the texts' borders count.
        for byte in text.bytes().chain([0xff]) {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use trellis_plugin::serde_json::json;

    #[test]
    fn settings_become_the_devices_texts() {
        assert_eq!(text(&json!("x")), Some("x".to_owned()));
        assert_eq!(text(&json!(true)), Some("true".to_owned()));
        assert_eq!(text(&json!(3600)), Some("3600".to_owned()));
        assert_eq!(text(&json!(["a", "b"])), Some("a,b".to_owned()));
        assert_eq!(text(&json!(null)), None);
    }

    #[test]
    fn names_are_of_the_devices_root() {
        let settings = Settings {
            parameters: [
                (".Time.Enable".to_owned(), json!(true)),
                ("InternetGatewayDevice.Time.Enable".to_owned(), json!(true)),
            ]
            .into(),
            periodic_inform_interval: 0,
            ..Settings::default()
        };
        let desired = Desired::new("Device.", &settings, "1", BTreeMap::new());
        assert_eq!(desired.parameters.keys().collect::<Vec<_>>(), ["Device.Time.Enable"]);
    }

    #[test]
    fn the_hash_tells_settings_apart_by_their_revision() {
        let of = |pairs: &[(&str, &str)]| {
            let pairs = pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned()));
            Hash::new(&pairs.collect()).0
        };
        assert_ne!(of(&[("a", "bc")]), of(&[("ab", "c")]));
        assert_eq!(of(&[]), 0xcbf2_9ce4_8422_2325);
        let set = |value: &str, revision: &str| {
            let parameters = [("Device.WiFi.KeyPassphrase".to_owned(), json!(value))].into();
            let settings = Settings { parameters, ..Settings::default() };
            Desired::new("Device.", &settings, revision, BTreeMap::new()).hash
        };
        assert_ne!(set("one", "1"), set("two", "2"));
        assert_eq!(set("one", "1"), set("masked-0a0b0c0d", "1"), "as in a replay");
    }

    #[test]
    fn secrets_are_known_by_their_last_node() {
        assert!(is_secret("Device.WiFi.AccessPoint.1.Security.KeyPassphrase"));
        assert!(is_secret("Device.ManagementServer.ConnectionRequestPassword"));
        assert!(is_secret("Device.WiFi.AccessPoint.1.WPS.PIN"));
        assert!(!is_secret("Device.NAT.PortMappingNumberOfEntries"));
        assert!(!is_secret("Device.ManagementServer.ConnectionRequestUsername"));
    }
}
