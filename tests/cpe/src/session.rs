//! One whole session: Inform, the requests of the CPE, the empty POST, the requests of the ACS.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use crate::cpe::Cpe;
use crate::envelope::{Envelope, Message};
use crate::error::{CpeError, violation};
use crate::events::{CpeRequest, Event};
use crate::http::{Http, Response};
use crate::identity::now;
use crate::report::{Exchange, OwnRequest, SessionReport};
use crate::response::{AcsFault, AcsResponse};
use crate::version::CwmpVersion;
use crate::write::{Inform, TypedValue, envelope, inform_xml};

const REDIRECTS_MAX: u32 = 5;
const REPEATS_MAX: u32 = 3;

/// What lasts as long as a session.
struct Live {
    http: Http,
    version: CwmpVersion,
    seen_ids: HashSet<String>,
}

/// How the ACS took a request of the CPE.
enum Taken {
    Response(AcsResponse),
    Fault(AcsFault),
}

impl Cpe {
    /// Runs one session. A delayed transfer or inform counts as due, since whoever calls this
    /// decides what time it is; see [`Cpe::run`] for a device that keeps time itself.
    pub async fn session(&mut self, url: &str) -> Result<SessionReport, CpeError> {
        self.prepare(true);
        self.attempt(url).await
    }

    /// Runs one session with what is due now.
    pub(crate) async fn attempt(&mut self, url: &str) -> Result<SessionReport, CpeError> {
        if self.identity.acs_url.is_empty() {
            url.clone_into(&mut self.identity.acs_url);
        }
        let result = self.talk(url).await;
        match &result {
            Ok(_) => {
                self.retry_count = 0;
                self.failures_since_boot = 0;
                self.after_session();
            }
            Err(_) => {
                self.retry_count = self.retry_count.saturating_add(1);
                self.failures_since_boot = self.failures_since_boot.saturating_add(1);
                self.events.fail();
            }
        }
        result
    }

    async fn talk(&mut self, url: &str) -> Result<SessionReport, CpeError> {
        let started = Instant::now();
        let http = Http::new(url, self.options.http.clone())?;
        let mut live = Live { http, version: self.version(), seen_ids: HashSet::new() };
        let events = self.events_to_inform();
        let parameters = self.parameters_to_inform();
        let informed = parameters.iter().map(|(name, ..)| name.clone()).collect();
        let mut report = SessionReport {
            serial_number: self.identity.serial_number.clone(),
            version: live.version,
            events,
            informed,
            retry_count: self.retry_count,
            own_requests: Vec::new(),
            requests: Vec::new(),
            connections: 0,
            elapsed: Duration::ZERO,
        };
        self.inform(&mut live, &report.events, &parameters).await?;
        self.own_requests(&mut live, &mut report).await?;
        self.acs_requests(&mut live, &mut report).await?;
        report.version = live.version;
        report.connections = live.http.connections();
        report.elapsed = started.elapsed();
        Ok(report)
    }

    /// The events of the Inform. A session without a reason is a periodic one, unless it repeats
    /// one whose events were delivered.
    fn events_to_inform(&mut self) -> Vec<Event> {
        if !self.changed.is_empty() {
            self.queue_event("4 VALUE CHANGE", "");
        }
        if self.events.due().is_empty() && self.retry_count == 0 {
            self.queue_event("2 PERIODIC", "");
        }
        self.events.due().iter().take(64).cloned().collect()
    }

    fn parameters_to_inform(&self) -> Vec<TypedValue> {
        let forced = self.tree.model().forced_inform.iter().map(String::as_str);
        let forced_names: HashSet<&str> = forced.clone().collect();
        let changed = self.changed.iter().map(|path| &**path);
        forced
            .chain(changed.filter(|path| !forced_names.contains(path)))
            .filter_map(|path| self.typed_value(path))
            .collect()
    }

    async fn inform(
        &mut self,
        live: &mut Live,
        events: &[Event],
        parameters: &[TypedValue],
    ) -> Result<(), CpeError> {
        let id = self.next_id();
        let inform = Inform {
            identity: &self.identity,
            events,
            current_time: &now("%Y-%m-%dT%H:%M:%S%:z", self.options.utc_offset_hours),
            retry_count: self.retry_count,
            parameters,
        };
        let xml = inform_xml(live.version, &id, &inform);
        if let Taken::Fault(AcsFault { code, text }) = live.ask("Inform", &id, &xml).await? {
            return Err(CpeError::AcsFault { method: "Inform".to_owned(), code, text });
        }
        self.events.confirm_inform(events);
        for (name, ..) in parameters {
            self.changed.remove(name.as_str());
        }
        Ok(())
    }

    async fn own_requests(
        &mut self,
        live: &mut Live,
        report: &mut SessionReport,
    ) -> Result<(), CpeError> {
        if self.options.get_rpc_methods {
            self.requests.push_back(CpeRequest::new("GetRPCMethods", ""));
        }
        // A refused request stays for the next session, so each is tried once.
        for _ in 0..self.requests.len() {
            let Some(request) = self.requests.front().cloned() else {
                break;
            };
            let id = self.next_id();
            let xml = envelope(live.version.urn(), Some(&id), "", &request.xml());
            let taken = live.ask(&request.method, &id, &xml).await?;
            self.requests.pop_front();
            let method = request.method.clone();
            let answer = match taken {
                Taken::Response(response) => {
                    let last = self.requests.iter().all(|other| other.method != method);
                    self.events.confirm_request(&method, request.event.as_ref(), last);
                    Ok(response)
                }
                Taken::Fault(fault) => {
                    if request.method != "GetRPCMethods" {
                        self.requests.push_back(request);
                    }
                    Err(fault)
                }
            };
            report.own_requests.push(OwnRequest { method, answer });
        }
        Ok(())
    }

    async fn acs_requests(
        &mut self,
        live: &mut Live,
        report: &mut SessionReport,
    ) -> Result<(), CpeError> {
        let mut response = live.post("").await?;
        while response.status != 204 {
            let answer = read_envelope(&response, "an ACS request or 204")?;
            let Message::Request(request) = answer.message else {
                return violation(format!("{} where an ACS request or 204 is due", answer.message));
            };
            live.check_urn(&answer.urn)?;
            let id = answer.id.unwrap_or_default();
            if !live.seen_ids.insert(id.clone()) {
                return violation(format!("the ID {id:?} is used twice in the session"));
            }
            if report.requests.len() >= self.options.requests_max {
                return violation(format!("more than {} requests", self.options.requests_max));
            }
            let answer = self.answer(&request);
            let body = match &answer {
                Ok(body) => body.clone(),
                Err(fault) => fault.xml(),
            };
            report.requests.push(Exchange { id: id.clone(), request, answer });
            let xml = envelope(live.version.urn(), Some(&id), "", &body);
            response = live.post(&xml).await?;
        }
        check_empty(&response)
    }

    fn next_id(&mut self) -> String {
        self.ids = self.ids.wrapping_add(1);
        format!("cpe-{}", self.ids)
    }
}

impl Live {
    /// Sends a request of the CPE until the ACS takes it or refuses it for good.
    async fn ask(&mut self, method: &str, id: &str, xml: &str) -> Result<Taken, CpeError> {
        for repeat in 0..=REPEATS_MAX {
            let response = self.post(xml).await?;
            let due = format!("{method}Response");
            let answer = read_envelope(&response, &due)?;
            let fits = match &answer.message {
                Message::Response(response) => response.method() == method,
                Message::Fault(_) => true,
                Message::Request(_) => false,
            };
            if !fits {
                return violation(format!("{} where {due} is due", answer.message));
            }
            if answer.id.as_deref() != Some(id) {
                return violation(format!(
                    "the answer to {method} has the ID {:?}, not {id:?}",
                    answer.id.unwrap_or_default()
                ));
            }
            if matches!(answer.message, Message::Response(AcsResponse::Inform)) {
                self.agree(answer.use_cwmp_version.as_deref())?;
            }
            self.check_urn(&answer.urn)?;
            match answer.message {
                Message::Response(response) => return Ok(Taken::Response(response)),
                Message::Fault(fault) if fault.code == 8005 && repeat < REPEATS_MAX => {}
                Message::Fault(fault) if fault.code == 8005 => {
                    return violation(format!(
                        "fault 8005 for {method} more than {REPEATS_MAX} times"
                    ));
                }
                Message::Fault(fault) => return Ok(Taken::Fault(fault)),
                Message::Request(_) => {}
            }
        }
        violation(format!("no answer to {method}"))
    }

    /// Settles the version of the session by the InformResponse.
    fn agree(&mut self, use_cwmp_version: Option<&str>) -> Result<(), CpeError> {
        match (self.version.supported_list(), use_cwmp_version) {
            (Some(list), Some(chosen)) => {
                let Some(version) = CwmpVersion::parse(chosen) else {
                    return violation(format!("UseCWMPVersion {chosen:?} is not in {list}"));
                };
                self.version = version;
            }
            (Some(_), None) => {
                return violation("the InformResponse lacks UseCWMPVersion, the Inform had a list");
            }
            (None, Some(_)) => {
                return violation("UseCWMPVersion for a CPE that sent no SupportedCWMPVersions");
            }
            (None, None) => {}
        }
        Ok(())
    }

    fn check_urn(&self, urn: &str) -> Result<(), CpeError> {
        if urn == self.version.urn() {
            return Ok(());
        }
        violation(format!("the namespace is {urn}, in this session it is {}", self.version.urn()))
    }

    /// Sends a POST, following redirects.
    async fn post(&mut self, xml: &str) -> Result<Response, CpeError> {
        for _ in 0..=REDIRECTS_MAX {
            let response = self.http.post(xml.as_bytes(), &[]).await?;
            if !matches!(response.status, 301 | 302 | 307) {
                return Ok(response);
            }
            let Some(location) = response.header("location").map(str::to_owned) else {
                return violation("a redirect without Location");
            };
            if !response.body.is_empty() {
                return violation("a redirect with a body");
            }
            self.http.redirect(&location)?;
        }
        violation(format!("more than {REDIRECTS_MAX} redirects in a row"))
    }
}

/// The envelope of a response that has to hold one.
pub fn read_envelope(response: &Response, due: &str) -> Result<Envelope, CpeError> {
    match response.status {
        200 => {}
        204 => return violation(format!("204 where {due} is due")),
        status => {
            let body = response.text().chars().take(200).collect();
            return Err(CpeError::Status { status, body });
        }
    }
    if response.body.is_empty() {
        return violation(format!("200 with an empty body where {due} is due"));
    }
    let content_type = response.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let mut parts = content_type.split(';').map(str::trim);
    if parts.next() != Some("text/xml") {
        return violation(format!("the Content-Type is {content_type:?}, not text/xml"));
    }
    for part in parts {
        if let Some(charset) = part.strip_prefix("charset=")
            && charset.trim_matches('"') != "utf-8"
        {
            return violation(format!("the charset is {charset}, not utf-8"));
        }
    }
    Envelope::parse(&response.body)
}

/// Checks the 204 that ends a session.
pub fn check_empty(response: &Response) -> Result<(), CpeError> {
    if response.status != 204 {
        return violation(format!("status {} where 204 is due", response.status));
    }
    if response.header("content-type").is_some() {
        return violation("a 204 response with a Content-Type");
    }
    Ok(())
}
