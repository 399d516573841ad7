//! The plugin's turn: each of its calls is one request out and one answer in.

use std::sync::Arc;

use trellis_cwmp::{Message, is_secret_setting};
use trellis_plugin_host::{
    Ask, Context, FactValue, FaultKind, Finished, Hook, Next, PluginSettings, Run, RunFault,
};
use trellis_store::{FactValue as StoredFact, Fault, Notes as StoredNotes};

use crate::conversation::{Conversation, Lost};
use crate::learn::learn;
use crate::metric::limit_reached;
use crate::post::Content;
use crate::requests;
use crate::sessions::Acs;
use crate::transfers::told;
use crate::visit::{Visit, store_failed};

/// Runs of one session that are recorded: where many actions are queued, the first ones.
const RECORDINGS_MAX: usize = 8;

impl Visit {
    /// Runs the plugin's `provision` to its end.
    pub(crate) async fn provision(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
    ) -> Result<(), Lost> {
        if self.is_heartbeat() {
            return Ok(());
        }
        if self.plugin.is_none() {
            // There is nobody to tell.
            self.delivered();
            return Ok(());
        }
        let (finished, end) = self.run_hook(acs, cpe, Hook::Provision).await;
        if let Some(finished) = finished {
            // What a lost or failed run was told, the next one is told again.
            if end.is_ok() && finished.fault.is_none() {
                self.delivered();
            }
            self.take_in(acs, finished).await;
        }
        end
    }

    /// Calls a hook of the plugin that may speak to the device. When the session is lost while the
    /// plugin waits for the device, it is told, and has a moment to finish; when it computes or
    /// sleeps, it is ended. Without a plugin nothing is called.
    pub(crate) async fn run_hook(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
        hook: Hook,
    ) -> (Option<Finished>, Result<(), Lost>) {
        let Some(selected) = self.plugin.clone() else { return (None, Ok(())) };
        let name = selected.plugin.manifest.name.clone();
        let context = match self.context(acs).await {
            Ok(context) => context,
            Err(lost) => return (None, Err(lost)),
        };
        let mut run = Run::start(Arc::clone(&selected.plugin), hook, context);
        loop {
            let next = tokio::select! {
                next = run.next() => next,
                // A plugin that computes or sleeps must not hold up the device's next session.
                lost = cpe.interrupted() => {
                    if let Lost::TooSlow(_) = lost {
                        let message = format!("{lost}, in which the plugin asked for nothing");
                        let fault = RunFault { kind: FaultKind::WallTime, message, backtrace: Vec::new() };
                        run.end(fault.kind);
                        self.record_fault(fault, self.now_ms());
                    }
                    return (None, Err(lost));
                }
            };
            match next {
                Next::Finished(finished) => return (Some(*finished), Ok(())),
                Next::Ask(Ask { request, notes, reply }) => {
                    if let Some(notes) = notes {
                        self.note_down(&name, notes);
                    }
                    match self.carry(acs, cpe, request).await {
                        Ok(answer) => drop(reply.send(Ok(answer))),
                        Err(lost) => {
                            drop(reply.send(Err(lost.to_string())));
                            let rest = tokio::time::timeout(acs.settings.lost_grace, run.next());
                            let finished = match rest.await {
                                Ok(Next::Finished(finished)) => Some(*finished),
                                Ok(Next::Ask(_)) | Err(_) => None,
                            };
                            return (finished, Err(lost));
                        }
                    }
                }
            }
        }
    }

    /// What a plugin keeps has changed.
    fn note_down(&mut self, plugin: &str, notes: trellis_plugin_host::Notes) {
        let trellis_plugin_host::Notes { memory, deadlines } = notes;
        let notes = StoredNotes { memory, deadlines };
        self.notes = Some((plugin.to_owned(), notes.clone()));
        self.changes.notes = Some((plugin.to_owned(), notes));
    }

    /// Sends one request and takes in the answer. What the plugin remembers is kept before
    /// the request leaves.
    pub(crate) async fn carry(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
        request: Message,
    ) -> Result<Message, Lost> {
        if self.changes.notes.is_some() {
            self.keep(acs).await?;
        }
        let asked = cpe.ask(request)?;
        loop {
            match cpe.receive().await? {
                // A device should be done with its requests by now (TR-069 3.7.1.3); one that
                // is not gets its answer all the same (3.7.2.2).
                Content::Message(late) if late.message.is_request() => {
                    requests::answer(acs, cpe, self, *late).await?;
                }
                post => {
                    let answer = cpe.answer_to(&asked, post)?;
                    let now_ms = self.now_ms();
                    self.changes.tree.extend(learn(&asked.request, &answer, now_ms));
                    if self.changes.tree.len() > acs.settings.tree_changes_max {
                        self.keep_all(acs).await?;
                    }
                    let report = acs.settings.transfer_report;
                    let version = self.header.software_version.as_str();
                    let told = told(&asked.request, &answer, now_ms, report, version);
                    self.changes.transfers.extend(told);
                    self.note(&asked.request, &answer);
                    return Ok(answer);
                }
            }
        }
    }

    fn is_heartbeat(&self) -> bool {
        matches!(self.events.as_slice(), [event] if event.event_code == "14 HEARTBEAT")
    }

    /// What a run of the plugin is about.
    pub(crate) async fn context(&mut self, acs: &Acs) -> Result<Context, Lost> {
        let (plugin, settings) = match &self.plugin {
            Some(it) => (it.plugin.manifest.name.clone(), it.settings.clone()),
            None => (String::new(), PluginSettings::default()),
        };
        let notes = match &self.notes {
            Some((whose, notes)) if *whose == plugin => notes.clone(),
            _ => acs.store.notes(&self.key, &plugin).await.map_err(store_failed)?,
        };
        let StoredNotes { memory, deadlines } = notes.clone();
        self.notes = Some((plugin, notes));
        let mut portions = self.habits.portions;
        // What the table says goes before what devices have shown: it is the way out of that.
        portions.names_max = portions.names_max.or_else(|| acs.portions.names_max(&self.model()));
        let mut context = Context {
            device: self.key.to_string(),
            device_id: self.device_id.clone(),
            cwmp_version: self.version,
            events: self.events.clone(),
            inform_parameters: Arc::clone(&self.inform_parameters),
            root: self.header.root.clone(),
            changed_elsewhere: self.header.undelivered_change,
            retry_count: self.retry_count,
            transfers: Vec::new(),
            requested_downloads: Vec::new(),
            operations: Vec::new(),
            portions,
            methods_lacking: self.header.methods_lacking.clone(),
            now_seconds: u64::try_from(self.began.as_second()).unwrap_or_default(),
            notes: trellis_plugin_host::Notes { memory, deadlines },
            settings,
            seed: rand::random(),
            record_bytes: acs.settings.record_bytes,
            is_rehearsal: false,
            recorded_http: Vec::new(),
            limits: None,
            http_limits: None,
        };
        self.undelivered().for_each(|message| context.add_message(message));
        Ok(context)
    }

    /// Takes in what a run leaves behind.
    pub(crate) async fn take_in(&mut self, acs: &Acs, finished: Finished) {
        let now_ms = self.now_ms();
        if self.recordings.len() < RECORDINGS_MAX {
            self.recordings.extend(finished.recording);
        }
        if let Some(notes) = finished.notes
            && let Some(plugin) = self.plugin.as_ref().map(|it| it.plugin.manifest.name.clone())
        {
            self.note_down(&plugin, notes);
        }
        for (name, value) in finished.facts {
            let Some(value) = value else {
                self.header_changed |= self.header.facts.remove(&name).is_some();
                continue;
            };
            let facts = &self.header.facts;
            if facts.len() >= acs.settings.facts_max && !facts.contains_key(&name) {
                limit_reached("facts");
                tracing::warn!(name, limit = acs.settings.facts_max, "no room for another fact");
                continue;
            }
            let value = stored(value);
            let shown =
                if is_secret_setting(&name) { "(secret)".to_owned() } else { value.to_string() };
            if self.header.publish(&name, value, now_ms) {
                self.header_changed = true;
                self.news.push((name, shown));
            }
        }
        if let Some(fault) = finished.fault {
            self.record_fault(fault, now_ms);
        }
        for overrun in finished.overruns {
            self.record_overrun(overrun, now_ms);
        }
        if finished.log_lines_dropped > 0 {
            limit_reached("plugin_log_lines");
        }
        if let Some(names_max) = finished.names_learned
            && let Err(error) =
                acs.portions.learn(acs.store.as_ref(), &self.model(), names_max).await
        {
            // It will be learned again.
            tracing::warn!(%error, "what a model can tell at once was not kept");
        }
    }

    /// Keeps why a run of the plugin ended early. Of several, the session ends with the first.
    pub(crate) fn record_fault(&mut self, fault: RunFault, now_ms: i64) {
        self.plugin_fault.get_or_insert_with(|| fault_text(&fault));
        self.keep_fault(fault, now_ms);
    }

    /// Keeps that a run reached a limit and went on.
    pub(crate) fn record_overrun(&mut self, overrun: RunFault, now_ms: i64) {
        self.plugin_overrun.get_or_insert_with(|| fault_text(&overrun));
        self.keep_fault(overrun, now_ms);
    }

    fn keep_fault(&mut self, fault: RunFault, now_ms: i64) {
        let RunFault { kind, message, backtrace } = fault;
        tracing::warn!(
            device = %self.key,
            plugin = self.plugin_used().map(|it| it.0),
            kind = kind.name(),
            fault = message,
            backtrace = backtrace.join(" < "),
            "the plugin failed"
        );
        self.changes.faults.push(Fault {
            at_ms: now_ms,
            blame: "plugin".to_owned(),
            plugin: self.plugin_used(),
            kind: kind.name().to_owned(),
            message,
            backtrace,
        });
    }
}

/// What the session says of a fault.
fn fault_text(fault: &RunFault) -> String {
    format!("{}: {}", fault.kind.name(), fault.message)
}

fn stored(value: FactValue) -> StoredFact {
    match value {
        FactValue::Text(text) => StoredFact::Text(text),
        FactValue::Number(number) => StoredFact::Number(number),
        FactValue::Flag(flag) => StoredFact::Flag(flag),
    }
}
