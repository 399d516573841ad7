//! A device that lives on its own: sessions for new events and for the periodic interval, and
//! retries with the standard's waiting times, all at the speed of the options.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::cpe::Cpe;
use crate::error::CpeError;
use crate::report::SessionReport;

/// What a test tells a running device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Restart.
    Boot,
    /// Change a value as something other than the ACS would.
    ValueChange(String, String),
    /// Set a value silently.
    Set(String, String),
    /// Queue an event and start a session for it.
    Event(String),
    /// End [`Cpe::run`] after the session that is going on.
    Stop,
}

impl Cpe {
    /// Runs sessions until [`Command::Stop`] comes or the sender of the commands is gone. Every
    /// outcome is sent to `reports`; a slow reader holds the device up.
    pub async fn run(
        &mut self,
        url: &str,
        commands: &mut mpsc::Receiver<Command>,
        reports: &mpsc::Sender<Result<SessionReport, CpeError>>,
    ) {
        let mut last_periodic = Instant::now();
        let mut retry_at: Option<Instant> = None;
        // What comes up anew calls for an attempt at once, even while a retry waits.
        let mut fresh = true;
        loop {
            let known = self.events().len();
            self.prepare(false);
            fresh |= self.events().len() > known;
            let periodic_at = self.periodic(last_periodic);
            if periodic_at.is_some_and(|at| at <= Instant::now()) {
                last_periodic = Instant::now();
                self.queue_event("2 PERIODIC", "");
                fresh = true;
            }
            let retry_due = retry_at.is_some_and(|at| at <= Instant::now());
            if fresh || retry_due {
                let outcome = self.attempt(url).await;
                (fresh, retry_at) = match &outcome {
                    // What the session left behind, such as a reboot, is new; what the ACS
                    // refused is not, and waits for the next occasion.
                    Ok(report) => (self.events().iter().any(|e| !report.events.contains(e)), None),
                    Err(_) => (false, Instant::now().checked_add(self.back_off())),
                };
                if reports.send(outcome).await.is_err() {
                    return;
                }
                continue;
            }
            let far = Duration::from_secs(3600);
            let wake = [retry_at, periodic_at, self.next_due()].into_iter().flatten().min();
            let wait = wake.map_or(far, |at| at.saturating_duration_since(Instant::now()));
            tokio::select! {
                () = tokio::time::sleep(wait.min(far)) => {}
                command = commands.recv() => match command {
                    None | Some(Command::Stop) => return,
                    Some(command) => fresh |= self.obey(command),
                },
            }
        }
    }

    /// Carries out a command; true when it calls for a session.
    fn obey(&mut self, command: Command) -> bool {
        match command {
            Command::Boot => self.boot(),
            Command::ValueChange(name, value) => return self.value_change(&name, &value),
            Command::Set(name, value) => {
                self.set(&name, &value);
                return false;
            }
            Command::Event(code) => self.queue_event(&code, ""),
            Command::Stop => return false,
        }
        true
    }

    /// When the next periodic inform is due, if they are on.
    fn periodic(&self, last: Instant) -> Option<Instant> {
        let enabled = self.get(&self.tree.path("ManagementServer.PeriodicInformEnable"))?;
        if !matches!(enabled.as_str(), "1" | "true") {
            return None;
        }
        let interval = self.management_number("PeriodicInformInterval")?.max(1);
        last.checked_add(self.scaled(f64::from(interval)))
    }

    /// How long to wait before the next retry: a random time in the range the standard gives for
    /// the number of failures since the last boot.
    #[must_use]
    pub fn back_off(&self) -> Duration {
        let (low, high) = self.back_off_range();
        self.scaled(low + (high - low) * rand::random::<f64>())
    }

    /// The range of the next waiting time in unscaled seconds.
    #[must_use]
    pub fn back_off_range(&self) -> (f64, f64) {
        let m = self.management_number("CWMPRetryMinimumWaitInterval").unwrap_or(5);
        let k = self.management_number("CWMPRetryIntervalMultiplier").unwrap_or(2000);
        let factor = f64::from(k) / 1000.0;
        let mut low = f64::from(m);
        for _ in 1..self.failures_since_boot.clamp(1, 10) {
            low *= factor;
        }
        (low, low * factor)
    }
}
