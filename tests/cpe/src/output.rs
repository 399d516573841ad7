//! What the program prints: a line per session and a summary, for people or as JSON.

use std::io::{self, Write};
use std::time::Duration;

use serde_json::{Value, json};
use trellis_cpe::{Cpe, CpeError, Exchange, SessionReport};

/// The printer and its counters.
#[derive(Debug)]
pub(crate) struct Output {
    json: bool,
    verbose: bool,
    failed: u64,
    violations: u64,
    requests: u64,
    times: Vec<Duration>,
}

impl Output {
    pub(crate) fn new(json: bool, verbose: bool) -> Self {
        Self { json, verbose, failed: 0, violations: 0, requests: 0, times: Vec::new() }
    }

    /// Whether no session failed so far.
    pub(crate) fn all_well(&self) -> bool {
        self.failed == 0
    }

    /// Counts and prints one session.
    pub(crate) fn session(
        &mut self,
        cpe: &Cpe,
        number: u32,
        outcome: &Result<SessionReport, CpeError>,
    ) -> io::Result<()> {
        let serial = cpe.identity().serial_number.as_str();
        let mut out = io::stdout().lock();
        match outcome {
            Ok(report) => {
                self.times.push(report.elapsed);
                let count = u64::try_from(report.requests.len()).unwrap_or(u64::MAX);
                self.requests = self.requests.saturating_add(count);
                if self.json {
                    return writeln!(out, "{}", self.session_json(serial, number, report));
                }
                writeln!(
                    out,
                    "{serial} session {number}: {} | {count} RPCs | ok in {} ms",
                    report.event_codes().join(", "),
                    report.elapsed.as_millis()
                )?;
                if self.verbose {
                    for own in &report.own_requests {
                        let fault = own.answer.as_ref().err().map(|fault| fault.code);
                        writeln!(out, "    > {}{}", own.method, suffix(fault))?;
                    }
                    for exchange in &report.requests {
                        let (method, fault) = (exchange.method(), exchange.fault_code());
                        let arguments = exchange.request.brief();
                        writeln!(out, "    < {method} {arguments}{}", suffix(fault))?;
                    }
                }
                Ok(())
            }
            Err(error) => {
                self.failed = self.failed.saturating_add(1);
                if error.is_violation() {
                    self.violations = self.violations.saturating_add(1);
                }
                if self.json {
                    let line = json!({
                        "serial": serial,
                        "session": number,
                        "ok": false,
                        "violation": error.is_violation(),
                        "error": error.to_string(),
                    });
                    writeln!(out, "{line}")
                } else {
                    writeln!(out, "{serial} session {number}: FAILED: {error}")
                }
            }
        }
    }

    fn session_json(&self, serial: &str, number: u32, report: &SessionReport) -> Value {
        let mut line = json!({
            "serial": serial,
            "session": number,
            "ok": true,
            "events": report.event_codes(),
            "retry_count": report.retry_count,
            "requests": report.requests.len(),
            "connections": report.connections,
            "micros": u64::try_from(report.elapsed.as_micros()).unwrap_or(u64::MAX),
        });
        if let (true, Some(fields)) = (self.verbose, line.as_object_mut()) {
            let exchanges = report.requests.iter().map(exchange_json).collect();
            fields.insert("exchanges".to_owned(), Value::Array(exchanges));
        }
        line
    }

    /// Prints the totals.
    pub(crate) fn summary(&mut self, elapsed: Duration) -> io::Result<()> {
        self.times.sort_unstable();
        let ok = u64::try_from(self.times.len()).unwrap_or(u64::MAX);
        let sessions = ok.saturating_add(self.failed);
        let (median, p95, longest) =
            (self.percentile(50), self.percentile(95), self.percentile(100));
        let mut out = io::stdout().lock();
        if self.json {
            let line = json!({
                "summary": true,
                "sessions": sessions,
                "failed": self.failed,
                "violations": self.violations,
                "requests": self.requests,
                "seconds": elapsed.as_secs_f64(),
                "p50_micros": median,
                "p95_micros": p95,
                "max_micros": longest,
            });
            return writeln!(out, "{line}");
        }
        writeln!(
            out,
            "{sessions} sessions, {} failed, {} by the ACS's fault; {} RPCs; {:.1} s; \
             p50 {} ms, p95 {} ms, max {} ms",
            self.failed,
            self.violations,
            self.requests,
            elapsed.as_secs_f64(),
            median / 1000,
            p95 / 1000,
            longest / 1000
        )
    }

    /// A percentile of the sorted times, in microseconds.
    fn percentile(&self, percent: usize) -> u64 {
        let last = self.times.len().saturating_sub(1);
        let time = self.times.get(last.saturating_mul(percent) / 100).copied().unwrap_or_default();
        u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
    }
}

fn exchange_json(exchange: &Exchange) -> Value {
    json!({
        "method": exchange.method(),
        "arguments": exchange.request.brief(),
        "fault": exchange.fault_code(),
    })
}

fn suffix(fault: Option<u16>) -> String {
    fault.map_or(String::new(), |code| format!(" -> fault {code}"))
}
