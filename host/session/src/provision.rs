//! The plugin's turn: each of its calls is one request out and one answer in.

use trellis_cwmp::Message;
use trellis_plugin_host::{Ask, Context, FactValue, FaultKind, Finished, Next, Run, RunFault};
use trellis_store::{FactValue as StoredFact, Fault, Memory};

use crate::conversation::{Conversation, Lost};
use crate::learn::learn;
use crate::metric::limit_reached;
use crate::post::Content;
use crate::requests;
use crate::sessions::Acs;
use crate::transfers::told;
use crate::visit::{Visit, lost};

impl Visit {
    /// Runs the plugin to its end. When the session is lost while the plugin waits for the
    /// device, it is told, and has a moment to finish; when it computes or sleeps, it is ended.
    pub(crate) async fn provision(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
    ) -> Result<(), Lost> {
        if self.is_heartbeat() {
            return Ok(());
        }
        let Some(plugin) = self.plugin.clone() else {
            // There is nobody to tell.
            self.delivered();
            return Ok(());
        };
        let name = plugin.manifest.name.clone();
        let memory = acs.store.memory(&self.key, &name).await.map_err(lost)?;
        let mut run = Run::start(plugin, self.context(acs, memory));
        let mut end = Ok(());
        let finished = loop {
            let next = tokio::select! {
                next = run.next() => next,
                // A plugin that computes or sleeps must not hold up the device's next session.
                lost = cpe.interrupted() => {
                    if let Lost::TooSlow(_) = lost {
                        let message = format!("{lost}, in which the plugin asked for nothing");
                        let fault = RunFault { kind: FaultKind::WallTime, message, backtrace: Vec::new() };
                        self.record_fault(fault, self.now_ms());
                    }
                    return Err(lost);
                }
            };
            match next {
                Next::Finished(finished) => break *finished,
                Next::Ask(Ask { request, memory, reply }) => {
                    if let Some(memory) = memory {
                        self.changes.memory = Some((name.clone(), Memory(memory)));
                    }
                    match self.carry(acs, cpe, request).await {
                        Ok(answer) => drop(reply.send(Ok(answer))),
                        Err(lost) => {
                            drop(reply.send(Err(lost.to_string())));
                            end = Err(lost);
                            let rest = tokio::time::timeout(acs.settings.lost_grace, run.next());
                            match rest.await {
                                Ok(Next::Finished(finished)) => break *finished,
                                Ok(Next::Ask(_)) | Err(_) => return end,
                            }
                        }
                    }
                }
            }
        };
        // What a lost or failed run was told, the next one is told again.
        if end.is_ok() && finished.fault.is_none() {
            self.delivered();
        }
        let names_learned = finished.names_learned;
        self.take_in(acs, &name, finished);
        if let Some(names_max) = names_learned
            && let Err(error) =
                acs.portions.learn(acs.store.as_ref(), &self.model(), names_max).await
        {
            // It will be learned again.
            tracing::warn!(%error, "what a model can tell at once was not kept");
        }
        end
    }

    /// Sends one request and takes in the answer. What the plugin remembers is kept before
    /// the request leaves.
    pub(crate) async fn carry(
        &mut self,
        acs: &Acs,
        cpe: &mut Conversation,
        request: Message,
    ) -> Result<Message, Lost> {
        if self.changes.memory.is_some() {
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

    fn context(&mut self, acs: &Acs, memory: Memory) -> Context {
        let mut portions = self.habits.portions;
        // What the table says goes before what devices have shown: it is the way out of that.
        portions.names_max = portions.names_max.or_else(|| acs.portions.names_max(&self.model()));
        let (mut transfers, mut operations) = (Vec::new(), Vec::new());
        let mut wanted = Vec::new();
        for message in self.undelivered() {
            match message {
                Message::DUStateChangeComplete(it) => {
                    let key = it.command_key;
                    operations.extend(it.results.into_iter().map(|result| (key.clone(), result)));
                }
                Message::AutonomousDUStateChangeComplete(it) => {
                    operations.extend(it.results.into_iter().map(|it| (String::new(), it)));
                }
                Message::RequestDownload(it) => wanted.push(it),
                message => transfers.push(message),
            }
        }
        Context {
            device: self.key.to_string(),
            device_id: self.device_id.clone(),
            cwmp_version: self.version,
            events: self.events.clone(),
            inform_parameters: std::mem::take(&mut self.inform_parameters),
            root: self.header.root.clone(),
            changed_elsewhere: self.header.undelivered_change,
            retry_count: self.retry_count,
            transfers,
            requested_downloads: wanted,
            operations,
            portions,
            methods_lacking: self.header.methods_lacking.clone(),
            now_seconds: u64::try_from(self.began.as_second()).unwrap_or_default(),
            memory: memory.0,
        }
    }

    fn take_in(&mut self, acs: &Acs, plugin: &str, finished: Finished) {
        let now_ms = self.now_ms();
        if let Some(memory) = finished.memory {
            self.changes.memory = Some((plugin.to_owned(), Memory(memory)));
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
            let shown = value.to_string();
            if self.header.publish(&name, value, now_ms) {
                self.header_changed = true;
                self.news.push((name, shown));
            }
        }
        if let Some(fault) = finished.fault {
            self.record_fault(fault, now_ms);
        }
        metrics::counter!("trellis_plugin_fuel_total", "plugin" => plugin.to_owned())
            .increment(finished.fuel);
        if finished.log_lines_dropped > 0 {
            limit_reached("plugin_log_lines");
        }
    }

    fn record_fault(&mut self, fault: RunFault, now_ms: i64) {
        let RunFault { kind, message, backtrace } = fault;
        tracing::warn!(
            device = %self.key,
            plugin = self.header.plugin.as_ref().map(|it| it.0.as_str()),
            kind = kind.name(),
            fault = message,
            backtrace = backtrace.join(" < "),
            "the plugin failed"
        );
        let plugin = self.header.plugin.as_ref().map_or("", |it| it.0.as_str()).to_owned();
        let labels = [("plugin", plugin), ("kind", kind.name().to_owned())];
        metrics::counter!("trellis_plugin_faults_total", &labels).increment(1);
        self.plugin_fault = Some(format!("{}: {message}", kind.name()));
        self.changes.faults.push(Fault {
            at_ms: now_ms,
            blame: "plugin".to_owned(),
            plugin: self.header.plugin.clone(),
            kind: kind.name().to_owned(),
            message,
            backtrace,
        });
    }
}

fn stored(value: FactValue) -> StoredFact {
    match value {
        FactValue::Text(text) => StoredFact::Text(text),
        FactValue::Number(number) => StoredFact::Number(number),
        FactValue::Flag(flag) => StoredFact::Flag(flag),
    }
}
