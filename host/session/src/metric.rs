//! The metric of limits.

/// Counts a limit that was reached.
pub fn limit_reached(limit: &'static str) {
    metrics::counter!("trellis_limit_reached_total", "limit" => limit).increment(1);
}
