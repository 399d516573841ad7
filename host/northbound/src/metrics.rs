//! The server's metrics, in the text format of Prometheus.

use std::time::Duration;

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

/// Collects what the rooms count.
#[derive(Clone)]
pub struct Metrics(PrometheusHandle);

/// The process collects metrics already.
#[derive(Debug, thiserror::Error)]
#[error("metrics cannot be collected: {0}")]
pub struct MetricsError(#[from] BuildError);

/// The borders of the histograms, in seconds: from one flush to a device that is waited for.
const BORDERS_S: [f64; 14] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];

/// How often samples are folded into the histograms: until then they take memory.
const UPKEEP: Duration = Duration::from_secs(5);

impl Metrics {
    /// Begins to collect, for the whole process. Once.
    pub fn install() -> Result<Self, MetricsError> {
        let suffix = Matcher::Suffix("_seconds".to_owned());
        let builder = PrometheusBuilder::new().set_buckets_for_metric(suffix, &BORDERS_S)?;
        let handle = builder.install_recorder()?;
        describe();
        Ok(Self(handle))
    }

    /// All metrics as text.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the memory of the histograms bounded, until `stop`.
    pub async fn keep_up(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(UPKEEP)).await.is_some() {
            self.0.run_upkeep();
        }
    }
}

/// What each metric means, for those who read `/metrics`.
fn describe() {
    describe_gauge!("trellis_sessions_open", "Sessions of devices that are open now.");
    describe_gauge!("trellis_connections_open", "Connections of devices that are open now.");
    describe_counter!("trellis_sessions_total", "Sessions that have ended, by outcome.");
    describe_histogram!("trellis_session_seconds", "How long sessions lasted.");
    describe_counter!("trellis_posts_total", "Answers to devices, by HTTP status.");
    describe_counter!("trellis_rpcs_total", "Requests to devices, by method and outcome.");
    describe_counter!("trellis_quirks_total", "Repairs of messages, by quirk and kind of device.");
    describe_counter!(
        "trellis_authentication_failures_total",
        "Wrong credentials that devices sent."
    );
    describe_counter!("trellis_onboarded_again_total", "Devices that lost their credential.");
    describe_counter!("trellis_handshake_failures_total", "Connections that TLS refused.");
    describe_counter!("trellis_firmware_unchanged_total", "Upgrades after which the old one runs.");
    describe_counter!("trellis_connection_requests_total", "Calls of devices, by outcome.");
    describe_counter!("trellis_api_refusals_total", "Requests to the API with a wrong token.");
    describe_counter!("trellis_limit_reached_total", "Limits that were reached, by limit.");
    describe_counter!(
        "trellis_plugin_sessions_total",
        "Sessions that have ended, by the plugin that served them and its version."
    );
    describe_counter!("trellis_plugin_runs_total", "Runs that have ended, by plugin and version.");
    describe_counter!("trellis_plugin_rpcs_total", "Requests to devices, by plugin and version.");
    describe_counter!("trellis_plugin_fuel_total", "CPU in fuel, by plugin and version.");
    describe_counter!("trellis_plugin_faults_total", "Runs that failed, by plugin and kind.");
    describe_counter!("trellis_plugin_trials_failed_total", "Versions on trial taken back.");
    describe_counter!("trellis_plugin_shadow_differences_total", "What shadows decide otherwise.");
    describe_histogram!("trellis_plugin_busy_seconds", "How long runs computed.");
    describe_histogram!("trellis_plugin_parked_seconds", "How long runs waited for devices.");
    describe_gauge!(
        "trellis_plugin_files_refused",
        "Files of the plugin folder that were not taken; GET /refused-files says why."
    );
    describe_gauge!(
        "trellis_plugin_files_unused",
        "Plugins of which the folder's newest file does not serve; GET /refused-files says why."
    );
    describe_gauge!(
        "trellis_plugin_versions_broken",
        "Versions that are to serve and cannot be run; GET /plugins says why."
    );
    describe_gauge!("trellis_plugin_memory_bytes_high", "The most memory that one run has had.");
    describe_counter!("trellis_plugin_ties_total", "Devices that two plugins fit equally well.");
    describe_histogram!("trellis_store_flush_seconds", "How long flushes to disk took.");
}
