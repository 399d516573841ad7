//! The sections of the configuration; `default.toml` says what each setting means.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::Deserialize;
use trellis_contact::IpNet;
use trellis_plugin_host::{Matcher, OwnLimits};

use crate::cli::LogFormat;

/// All settings. `default.toml` says what each one means.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) cwmp: CwmpConfig,
    pub(crate) operator: OperatorConfig,
    pub(crate) session: SessionConfig,
    pub(super) connection_request: ConnectionRequestConfig,
    #[serde(default)]
    pub(super) quirks: Vec<QuirkConfig>,
    pub(crate) store: StoreConfig,
    pub(crate) plugins: PluginsConfig,
    pub(crate) log: LogConfig,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct CwmpConfig {
    pub(crate) listen: SocketAddr,
    pub(super) authentication: AuthenticationConfig,
    #[serde(default)]
    pub(super) listeners: Vec<ListenerConfig>,
    pub(super) tls_reload_seconds: u64,
    pub(super) tls_handshake_seconds_max: u64,
    pub(super) body_bytes_max: usize,
    pub(super) first_body_bytes_max: usize,
    pub(super) small_body_bytes: usize,
    pub(super) large_bodies_bytes_max: usize,
    pub(super) body_seconds_max: u64,
    pub(super) body_bytes_per_second_min: u64,
    pub(super) body_idle_seconds_max: u64,
    pub(super) write_seconds_max: u64,
    pub(super) idle_seconds_max: u64,
    pub(super) headers_max: usize,
    pub(super) header_bytes_max: usize,
    pub(super) connections_max: usize,
    pub(super) retry_after_seconds: u64,
    pub(super) redirect_status: u16,
    #[serde(default)]
    pub(super) redirects: Vec<RedirectConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct AuthenticationConfig {
    pub(super) required: Required,
    pub(super) realm: String,
    pub(super) nonce_seconds: u64,
    pub(super) nonces_max: usize,
    pub(super) wrong_passwords_max: u32,
    pub(super) wrong_passwords_seconds: u64,
    pub(super) offer_sha256: bool,
    pub(super) onboard_again: bool,
    pub(super) basic: BasicConfig,
    #[serde(default)]
    pub(super) credentials: Vec<CredentialConfig>,
}

/// Devices that another server is to serve.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct RedirectConfig {
    pub(super) devices: String,
    pub(super) to: String,
}

/// One more address for devices.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ListenerConfig {
    pub(super) listen: SocketAddr,
    #[serde(default)]
    pub(super) required: Option<Required>,
    #[serde(default)]
    pub(super) basic: Option<BasicConfig>,
    #[serde(default)]
    pub(super) tls: Option<TlsConfig>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct TlsConfig {
    pub(super) certificate: PathBuf,
    pub(super) key: PathBuf,
    #[serde(default)]
    pub(super) client_ca: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BasicConfig {
    Never,
    Tls,
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Required {
    Auto,
    Always,
    Never,
}

/// A password. An error about it must not quote it, as serde's do.
#[derive(Clone)]
pub(super) struct Password(pub(super) String);

impl<'de> Deserialize<'de> for Password {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match serde_json::Value::deserialize(from) {
            Ok(serde_json::Value::String(text)) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("a password must be a text in quotes")),
        }
    }
}

/// A user name and its password. `Debug` shows only the former.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct CredentialConfig {
    pub(super) username: String,
    pub(super) password: Password,
    #[serde(default)]
    pub(super) onboarding: bool,
    #[serde(default)]
    pub(super) device: Option<String>,
}

impl std::fmt::Debug for CredentialConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.username)
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum UnknownDevicesConfig {
    Accept,
    Quarantine,
    Refuse,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct OperatorConfig {
    pub(crate) listen: SocketAddr,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct SessionConfig {
    pub(super) sessions_max: usize,
    pub(super) silence_seconds: u64,
    pub(super) silence_seconds_max: u64,
    pub(super) unknown_devices: UnknownDevicesConfig,
    pub(super) session_seconds_max: u64,
    pub(super) answer_seconds_max: u64,
    pub(super) cpe_requests_max: u32,
    pub(super) facts_max: usize,
    pub(super) steps_max: usize,
    pub(super) tree_changes_max: usize,
    pub(super) undelivered_bytes_max: usize,
    pub(super) models_max: usize,
    pub(super) transfer_report_seconds_max: u64,
    pub(super) lost_seconds_max: u64,
    pub(super) metric_kinds_max: usize,
    pub(super) decode_inline_bytes: usize,
    pub(super) stop_seconds_max: u64,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct ConnectionRequestConfig {
    pub(super) give_logins: bool,
    pub(super) seconds_max: u64,
    pub(super) repeat_seconds_min: u64,
    pub(super) requests_max: usize,
    pub(super) allow: Vec<IpNet>,
    pub(super) deny: Vec<IpNet>,
    #[serde(default)]
    pub(super) logins: Vec<LoginConfig>,
}

/// The table that ships.
#[derive(Deserialize)]
pub(super) struct KnownQuirks {
    pub(super) quirks: Vec<QuirkConfig>,
}

/// What devices want that contradict others.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct QuirkConfig {
    pub(super) devices: Matcher,
    #[serde(default)]
    pub(super) end_with: Option<u16>,
    #[serde(default)]
    pub(super) booleans: Option<BooleansConfig>,
    #[serde(default)]
    pub(super) xml_declaration: Option<bool>,
    #[serde(default)]
    pub(super) self_closing: Option<bool>,
    #[serde(default)]
    pub(super) names_by_level: Option<bool>,
    #[serde(default)]
    pub(super) names_max: Option<usize>,
    #[serde(default)]
    pub(super) values_max: Option<usize>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum BooleansConfig {
    Digits,
    Words,
}

/// A user name and its password. `Debug` shows only the former.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LoginConfig {
    pub(super) username: String,
    pub(super) password: Password,
}

impl std::fmt::Debug for LoginConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.username)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct StoreConfig {
    pub(crate) folder: PathBuf,
    pub(super) cache_bytes: u64,
    pub(super) tree_part_bytes: usize,
    pub(super) tree_names_max: usize,
    pub(super) tree_value_bytes_max: usize,
    pub(super) informed_bytes_max: usize,
    pub(super) commit_delay_microseconds: u64,
    pub(super) commit_seconds_max: u64,
    pub(super) tasks_max: usize,
    pub(super) history_max: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct PluginsConfig {
    pub(crate) folder: PathBuf,
    pub(super) file_bytes_max: u64,
    pub(super) plugins_max: usize,
    pub(super) versions_max: usize,
    pub(super) trial: TrialConfig,
    pub(super) http: HttpConfig,
    pub(super) transcripts: TranscriptsConfig,
    pub(super) limits: LimitsConfig,
    pub(super) limits_max: LimitsMaxConfig,
    /// What holds for single plugins, by name.
    #[serde(default, rename = "for")]
    pub(super) own: BTreeMap<String, OwnConfig>,
    #[serde(default)]
    pub(super) settings: PluginSettings,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct TrialConfig {
    pub(super) runs_min: u64,
    pub(super) margin_percent: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct TranscriptsConfig {
    pub(super) hours: u64,
    pub(super) run_bytes_max: usize,
    pub(super) queue_bytes_max: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct HttpConfig {
    pub(super) seconds_max: u64,
    pub(super) body_bytes_max: usize,
    pub(super) requests_max: u32,
    pub(super) heard_bytes_max: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct OwnConfig {
    #[serde(default)]
    pub(super) limits: OwnLimits,
    #[serde(default)]
    pub(super) http: Vec<String>,
}

/// What operators set of plugins, by their names. `Debug` shows only those: there are secrets in it.
#[derive(Clone, Default, Deserialize)]
pub(super) struct PluginSettings(
    pub(super) BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
);

impl std::fmt::Debug for PluginSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LimitsMaxConfig {
    pub(super) memory_bytes: usize,
    pub(super) fuel: u64,
    pub(super) wall_seconds: u64,
    pub(super) rpcs: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) struct LimitsConfig {
    pub(super) memory_bytes: usize,
    pub(super) fuel: u64,
    pub(super) wall_seconds: u64,
    pub(super) rpcs: u32,
    pub(super) memory_store_bytes: usize,
    pub(super) deadlines: usize,
    pub(super) facts: usize,
    pub(super) fact_bytes: usize,
    pub(super) log_lines: u32,
    pub(super) log_line_bytes: usize,
    pub(super) log_bytes: usize,
    pub(super) list_items: usize,
    pub(super) host_calls: u32,
    pub(super) host_call_bytes: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct LogConfig {
    pub(crate) format: LogFormat,
    pub(crate) filter: String,
}
