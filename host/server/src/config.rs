//! The configuration: defaults, then the file, then the environment, then the command line.

mod sections;

use std::collections::{BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::Context;
use figment::Figment;
use figment::providers::{Env, Format, Toml};
use trellis_catalog::{CatalogSettings, TrialSettings};
use trellis_contact::{ContactSettings, Login, Networks};
use trellis_plugin_host::{
    EngineSettings, HttpLimits, Limits, LimitsMax, LoaderSettings, Pattern, check_origin,
};
use trellis_session::{
    Booleans, Credential, Holder, Quirk, Redirect, SessionSettings, UnknownDevices, device_named,
};
use trellis_southbound::{AuthSettings, Basic, SouthboundSettings, TlsSettings};
use trellis_store::{DeviceKey, SledSettings};

use self::sections::*;
pub(crate) use self::sections::{Config, LogConfig};
use crate::cli::ServeArguments;

/// The defaults, which are also the documentation of every setting.
pub(crate) const DEFAULT: &str = include_str!("default.toml");

/// What is known of models of devices, in the form of the configuration's [[quirks]].
const QUIRKS: &str = include_str!("quirks.toml");

/// The folder of plugins that is used when none is named.
pub(crate) const DEFAULT_PLUGINS: &str = "plugins";

/// Where operators connect when nothing else is said.
pub(crate) const DEFAULT_OPERATOR: SocketAddr =
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 7557);

/// Reads the configuration. The error says which setting of which file is wrong.
pub(crate) fn load(arguments: &ServeArguments) -> anyhow::Result<Config> {
    let mut figment = Figment::from(Toml::string(DEFAULT));
    if let Some(file) = &arguments.config {
        // figment takes a file that is not there for an empty one.
        let text = std::fs::read_to_string(file)
            .with_context(|| format!("cannot read the configuration {}", file.display()))?;
        figment = figment.merge(Toml::string(&text));
        toml_errors(&text, file)?;
    }
    // Others' variables may begin like ours: all of ours name a section and a setting.
    let environment = Env::prefixed("TRELLIS_")
        .filter(|name| name.as_str().contains("__"))
        .map(|name| name.as_str().to_ascii_lowercase().replace("__", ".").replace('_', "-").into());
    let mut config: Config =
        figment.merge(environment).extract().context("the configuration cannot be used")?;
    if let Some(folder) = &arguments.data {
        config.store.folder.clone_from(folder);
    }
    if let Some(address) = arguments.cwmp {
        config.cwmp.listen = address;
    }
    if let Some(address) = arguments.operator {
        config.operator.listen = address;
    }
    if let Some(folder) = &arguments.plugins {
        config.plugins.folder.clone_from(folder);
    }
    if let Some(format) = arguments.log_format {
        config.log.format = format;
    }
    if let Some(filter) = &arguments.log {
        config.log.filter.clone_from(filter);
    }
    config.check()?;
    Ok(config)
}

fn toml_errors(text: &str, file: &std::path::Path) -> anyhow::Result<()> {
    Figment::from(Toml::string(text))
        .extract::<serde_json::Value>()
        .map(|_| ())
        .with_context(|| format!("the configuration {} is not TOML", file.display()))
}

impl AuthenticationConfig {
    /// The devices that have a credential here.
    fn named_devices(&self) -> HashSet<String> {
        let own = self.credentials.iter().filter(|it| !it.onboarding);
        own.filter_map(|it| device_named(it.device.as_deref().unwrap_or(&it.username))).collect()
    }

    fn settings(&self, required: Required, basic: BasicConfig) -> AuthSettings {
        let credential = |it: &CredentialConfig| {
            let holder = match &it.device {
                _ if it.onboarding => Holder::Onboarding,
                Some(device) => Holder::Device(DeviceKey::from_text(device.clone())),
                None => Holder::Username,
            };
            Credential::new(&it.username, &self.realm, &it.password.0, holder)
        };
        AuthSettings {
            required: match required {
                Required::Auto => !self.credentials.is_empty(),
                Required::Always => true,
                Required::Never => false,
            },
            realm: self.realm.clone(),
            nonce_time: Duration::from_secs(self.nonce_seconds),
            nonces_max: self.nonces_max,
            wrong_max: self.wrong_passwords_max,
            wrong_time: Duration::from_secs(self.wrong_passwords_seconds),
            offer_sha256: self.offer_sha256,
            basic: match basic {
                BasicConfig::Never => Basic::Never,
                BasicConfig::Tls => Basic::OverTls,
                BasicConfig::Always => Basic::Always,
            },
            credentials: self.credentials.iter().map(credential).collect(),
        }
    }
}

impl Config {
    fn check(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.session.silence_seconds >= 30,
            "[session] silence-seconds is {}; TR-069 3.7.2.4 wants at least 30",
            self.session.silence_seconds
        );
        anyhow::ensure!(
            self.connection_request.repeat_seconds_min >= 30,
            "[connection-request] repeat-seconds-min is {}; TR-069 3.2.2.1 wants at least 30",
            self.connection_request.repeat_seconds_min
        );
        anyhow::ensure!(
            (1..=100_000).contains(&self.connection_request.requests_max),
            "[connection-request] requests-max is {}; it must be 1 to 100000",
            self.connection_request.requests_max
        );
        for (section, bytes) in [
            ("plugins.limits", self.plugins.limits.memory_bytes),
            ("plugins.limits-max", self.plugins.limits_max.memory_bytes),
        ] {
            let cap = Limits::MEMORY_BYTES_CAP;
            anyhow::ensure!(
                bytes <= cap,
                "[{section}] memory-bytes is {bytes}; at most {cap} are possible"
            );
        }
        for (name, own) in &self.plugins.own {
            let bytes = own.limits.memory_bytes.unwrap_or_default();
            let cap = Limits::MEMORY_BYTES_CAP;
            anyhow::ensure!(
                bytes <= cap,
                "[plugins.for.{name}] memory-bytes is {bytes}; at most {cap} are possible"
            );
            for origin in &own.http {
                check_origin(origin)
                    .map_err(|why| anyhow::anyhow!("[plugins.for.{name}] http: {why}"))?;
            }
        }
        let realm = &self.cwmp.authentication.realm;
        anyhow::ensure!(
            !realm.is_empty() && realm.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"'),
            "[cwmp.authentication] realm is {realm:?}; it must be of letters, digits and signs"
        );
        for it in &self.cwmp.authentication.credentials {
            let username = &it.username;
            anyhow::ensure!(
                !username.is_empty() && !it.password.0.is_empty(),
                "[[cwmp.authentication.credentials]] of {username:?} has no user name or no password"
            );
            anyhow::ensure!(
                !it.onboarding || it.device.is_none() && device_named(username).is_none(),
                "[[cwmp.authentication.credentials]] of {username:?} is for onboarding, which is \
                 any device's, and names one"
            );
        }
        let status = self.cwmp.redirect_status;
        anyhow::ensure!(
            matches!(status, 302 | 307),
            "[cwmp] redirect-status is {status}; devices know 302 and 307"
        );
        self.sessions()?;
        let possible = trellis_plugin_host::mappings_max();
        anyhow::ensure!(
            self.session.sessions_max <= possible,
            "[session] sessions-max is {}, but the kernel's limit on memory mappings allows \
             {possible}: raise it with `sysctl -w vm.max_map_count=262144`",
            self.session.sessions_max
        );
        Ok(())
    }

    /// As many as were asked for, or as the kernel allows.
    pub(crate) fn sessions_max(&self) -> usize {
        match self.session.sessions_max {
            0 => EngineSettings::default().runs_max,
            sessions_max => sessions_max,
        }
    }

    pub(crate) fn engine(&self) -> EngineSettings {
        EngineSettings { runs_max: self.sessions_max(), ..EngineSettings::default() }
    }

    pub(crate) fn stop_max(&self) -> Duration {
        Duration::from_secs(self.session.stop_seconds_max)
    }

    pub(crate) fn southbound(&self) -> SouthboundSettings {
        let it = &self.cwmp;
        SouthboundSettings {
            auth: it.authentication.settings(it.authentication.required, it.authentication.basic),
            body_bytes_max: it.body_bytes_max,
            first_body_bytes_max: it.first_body_bytes_max,
            small_body_bytes: it.small_body_bytes,
            large_bodies_bytes_max: it.large_bodies_bytes_max,
            body_time: Duration::from_secs(it.body_seconds_max),
            body_rate_min: it.body_bytes_per_second_min,
            body_idle: Duration::from_secs(it.body_idle_seconds_max),
            write_time: Duration::from_secs(it.write_seconds_max),
            idle: Duration::from_secs(it.idle_seconds_max),
            // A device that is about to break its silence must find its connection.
            session_idle: Duration::from_secs(
                self.session.silence_seconds_max.saturating_add(30).max(it.idle_seconds_max),
            ),
            headers_max: it.headers_max,
            header_bytes_max: it.header_bytes_max,
            connections_max: it.connections_max,
            retry_after: Duration::from_secs(it.retry_after_seconds),
            redirect_status: it.redirect_status,
        }
    }

    /// The addresses for devices: how each behaves, and whether it has TLS.
    pub(crate) fn listeners(
        &self,
    ) -> impl Iterator<Item = (SocketAddr, SouthboundSettings, Option<TlsSettings>)> {
        let it = &self.cwmp;
        let first = (it.listen, self.southbound(), None);
        let more = it.listeners.iter().map(|listener| {
            let required = listener.required.unwrap_or(it.authentication.required);
            let basic = listener.basic.unwrap_or(it.authentication.basic);
            let auth = it.authentication.settings(required, basic);
            let tls = listener.tls.as_ref().map(|tls| TlsSettings {
                certificate: tls.certificate.clone(),
                key: tls.key.clone(),
                client_ca: tls.client_ca.clone(),
                reload: Duration::from_secs(it.tls_reload_seconds.max(1)),
                handshake_time: Duration::from_secs(it.tls_handshake_seconds_max),
            });
            (listener.listen, SouthboundSettings { auth, ..self.southbound() }, tls)
        });
        std::iter::once(first).chain(more)
    }

    fn redirects(&self) -> anyhow::Result<Vec<Redirect>> {
        let read = |it: &RedirectConfig| {
            let to = it.to.as_str();
            let is_http = ["http://", "https://"].iter().any(|scheme| to.starts_with(scheme));
            anyhow::ensure!(
                is_http && to.bytes().all(|byte| byte.is_ascii_graphic()) && !to.contains('#'),
                "[[cwmp.redirects]] to is {to:?}; it must be a URL that begins with http:// or \
                 https://"
            );
            let devices = Pattern::new(&it.devices).map_err(anyhow::Error::msg)?;
            Ok(Redirect { devices, to: it.to.clone() })
        };
        self.cwmp.redirects.iter().map(read).collect()
    }

    /// What is known of models of devices, and what the operator adds.
    fn quirks(&self) -> anyhow::Result<Vec<Quirk>> {
        let known: KnownQuirks = Figment::from(Toml::string(QUIRKS)).extract()?;
        let read = |it: &QuirkConfig| {
            if let Some(status) = it.end_with {
                anyhow::ensure!(
                    matches!(status, 200 | 204),
                    "[[quirks]] end-with is {status}; it must be 200 or 204"
                );
            }
            Ok(Quirk {
                devices: it.devices.compile().map_err(anyhow::Error::msg)?,
                ends_with_200: it.end_with.map(|status| status == 200),
                booleans: it.booleans.map(|booleans| match booleans {
                    BooleansConfig::Digits => Booleans::Digits,
                    BooleansConfig::Words => Booleans::Words,
                }),
                declaration: it.xml_declaration,
                self_closing: it.self_closing,
                names_by_level: it.names_by_level,
                names_max: it.names_max,
                values_max: it.values_max,
            })
        };
        known.quirks.iter().chain(&self.quirks).map(read).collect()
    }

    /// How devices are called.
    pub(crate) fn contact(&self) -> ContactSettings {
        let it = &self.connection_request;
        let login = |it: &LoginConfig| Login {
            username: it.username.clone(),
            password: it.password.0.clone(),
        };
        ContactSettings {
            request_max: Duration::from_secs(it.seconds_max),
            repeat: Duration::from_secs(it.repeat_seconds_min),
            requests_max: it.requests_max,
            networks: Networks { allow: it.allow.clone(), deny: it.deny.clone() },
            logins: it.logins.iter().map(login).collect(),
        }
    }

    /// Whether devices are given a login with which they are called.
    pub(crate) fn gives_logins(&self) -> bool {
        self.connection_request.give_logins
    }

    pub(crate) fn sessions(&self) -> anyhow::Result<SessionSettings> {
        let (it, transcripts) = (&self.session, &self.plugins.transcripts);
        Ok(SessionSettings {
            sessions_max: self.sessions_max(),
            silence: Duration::from_secs(it.silence_seconds),
            silence_max: Duration::from_secs(it.silence_seconds_max),
            unknown_devices: match it.unknown_devices {
                UnknownDevicesConfig::Accept => UnknownDevices::Accept,
                UnknownDevicesConfig::Quarantine => UnknownDevices::Quarantine,
                UnknownDevicesConfig::Refuse => UnknownDevices::Refuse,
            },
            named_devices: self.cwmp.authentication.named_devices(),
            quirks: self.quirks()?,
            models_max: it.models_max,
            redirects: self.redirects()?,
            onboard_again: self.cwmp.authentication.onboard_again,
            realm: self.cwmp.authentication.realm.clone(),
            connection_request_key: None,
            session_max: Duration::from_secs(it.session_seconds_max),
            answer: Duration::from_secs(it.answer_seconds_max),
            cpe_requests_max: it.cpe_requests_max,
            facts_max: it.facts_max,
            steps_max: it.steps_max,
            tree_changes_max: it.tree_changes_max,
            undelivered_bytes_max: it.undelivered_bytes_max,
            transfer_report: Duration::from_secs(it.transfer_report_seconds_max),
            record_bytes: match transcripts.hours {
                0 => 0,
                _ => transcripts.run_bytes_max,
            },
            transcript_queue_bytes: transcripts.queue_bytes_max,
            transcript_time: Duration::from_secs(transcripts.hours.saturating_mul(3_600)),
            lost_grace: Duration::from_secs(it.lost_seconds_max),
            metric_kinds_max: it.metric_kinds_max,
            decode_inline_bytes: it.decode_inline_bytes,
        })
    }

    pub(crate) fn store(&self) -> SledSettings {
        let it = &self.store;
        SledSettings {
            folder: it.folder.join("db"),
            cache_bytes: it.cache_bytes,
            tree_part_bytes: it.tree_part_bytes,
            tree_names_max: it.tree_names_max,
            tree_value_bytes_max: it.tree_value_bytes_max,
            informed_bytes_max: it.informed_bytes_max,
            commit_delay: Duration::from_micros(it.commit_delay_microseconds),
            commit_time_max: Duration::from_secs(it.commit_seconds_max),
            tasks_max: it.tasks_max,
            history_max: it.history_max,
        }
    }

    pub(crate) fn loader(&self) -> LoaderSettings {
        let (it, max) = (&self.plugins.limits, &self.plugins.limits_max);
        LoaderSettings {
            data: self.store.folder.clone(),
            file_bytes_max: self.plugins.file_bytes_max,
            limits: Limits {
                memory_bytes: it.memory_bytes,
                fuel: it.fuel,
                wall: Duration::from_secs(it.wall_seconds),
                rpcs: it.rpcs,
                memory_store_bytes: it.memory_store_bytes,
                deadlines: it.deadlines,
                facts: it.facts,
                fact_bytes: it.fact_bytes,
                log_lines: it.log_lines,
                log_line_bytes: it.log_line_bytes,
                log_bytes: it.log_bytes,
                list_items: it.list_items,
                host_calls: it.host_calls,
                host_call_bytes: it.host_call_bytes,
            },
            limits_max: LimitsMax {
                memory_bytes: max.memory_bytes,
                fuel: max.fuel,
                wall: Duration::from_secs(max.wall_seconds),
                rpcs: max.rpcs,
            },
            own_limits: self
                .plugins
                .own
                .iter()
                .map(|(name, own)| (name.clone(), own.limits.clone()))
                .collect(),
            http: self
                .plugins
                .own
                .iter()
                .map(|(name, own)| (name.clone(), own.http.clone()))
                .collect(),
            http_limits: HttpLimits {
                time: Duration::from_secs(self.plugins.http.seconds_max),
                body_bytes: self.plugins.http.body_bytes_max,
                requests: self.plugins.http.requests_max,
                heard_bytes: self.plugins.http.heard_bytes_max,
            },
            is_rehearsal: false,
            compiles_anew: false,
        }
    }

    /// The plugins that the configuration speaks of.
    pub(crate) fn named_plugins(&self) -> BTreeSet<&str> {
        let names = self.plugins.own.keys().chain(self.plugins.settings.0.keys());
        names.map(String::as_str).collect()
    }

    pub(crate) fn catalog(&self) -> CatalogSettings {
        let it = &self.plugins;
        CatalogSettings {
            versions_max: it.versions_max,
            plugins_max: it.plugins_max,
            trial: TrialSettings {
                runs_min: it.trial.runs_min,
                margin_percent: it.trial.margin_percent,
            },
            configured: it.settings.0.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_configuration_is_complete_and_is_what_the_crates_default_to() {
        let config = load(&ServeArguments::default()).expect("it loads");
        assert_eq!(
            format!("{:?}", config.southbound()),
            format!("{:?}", SouthboundSettings::default())
        );
        assert_eq!(config.loader().limits, Limits::default());
        assert_eq!(config.loader().limits_max, LimitsMax::default());
        assert_eq!(config.loader().http_limits, HttpLimits::default());
        assert_eq!(config.loader().file_bytes_max, LoaderSettings::default().file_bytes_max);
        let catalog = CatalogSettings::default();
        assert_eq!(format!("{:?}", config.catalog()), format!("{catalog:?}"));
        assert_eq!(config.plugins.folder, std::path::PathBuf::from(DEFAULT_PLUGINS));
        let store = SledSettings::new(config.store().folder);
        assert_eq!(format!("{:?}", config.store()), format!("{store:?}"));
        let contact = ContactSettings::default();
        assert_eq!(format!("{:?}", config.contact()), format!("{contact:?}"));
        let sessions = SessionSettings {
            sessions_max: config.sessions_max(),
            quirks: config.quirks().expect("usable"),
            ..SessionSettings::default()
        };
        assert_eq!(format!("{:?}", config.sessions().expect("usable")), format!("{sessions:?}"));
    }

    #[test]
    fn a_mistake_in_the_file_is_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("trellis.toml");
        for (text, wanted) in [
            ("[cwmp]\nlistne = \"x\"", "listne"),
            ("[session]\nsilence-seconds = 5", "silence-seconds"),
            ("[cwmp\n", "is not TOML"),
        ] {
            std::fs::write(&file, text).expect("written");
            let arguments =
                ServeArguments { config: Some(file.clone()), ..ServeArguments::default() };
            let error = load(&arguments).expect_err("it is refused");
            assert!(format!("{error:#}").contains(wanted), "{error:#}");
        }
    }
}
