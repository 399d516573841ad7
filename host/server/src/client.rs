//! The command line's side of the API.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::Value;
use ureq::Agent;
use ureq::http::StatusCode;

use crate::output;

/// Where the server is, and who asks.
#[derive(Debug, Clone, Args)]
pub(crate) struct ApiArguments {
    /// Where the server's API is.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "TRELLIS_API",
        default_value = "http://127.0.0.1:7557"
    )]
    api: String,
    /// A file with a token of the API; without it the variable TRELLIS_TOKEN has the token.
    #[arg(long, global = true, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Print JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// Asks the API.
pub(crate) struct Client {
    agent: Agent,
    base: String,
    token: String,
    is_for_people: bool,
}

/// How long an answer may take: a large plugin is compiled before it comes.
const ANSWER_MAX: Duration = Duration::from_secs(300);

/// The largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 256 << 20;

impl Client {
    /// Reads the token. Nothing is asked yet.
    pub(crate) fn new(arguments: &ApiArguments) -> anyhow::Result<Self> {
        let token = match &arguments.token_file {
            Some(file) => std::fs::read_to_string(file)
                .with_context(|| format!("cannot read the token in {}", file.display()))?,
            None => std::env::var("TRELLIS_TOKEN").context(
                "the API asks for a token: set TRELLIS_TOKEN, or name a file with --token-file. The \
                 first start of the server shows one; `trellis token add NAME --data DIR` makes \
                 another while the server is stopped",
            )?,
        };
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(ANSWER_MAX))
            .build();
        let base = arguments.api.trim_end_matches('/').to_owned();
        let token = token.trim().to_owned();
        Ok(Self { agent: config.into(), base, token, is_for_people: !arguments.json })
    }

    /// Gives answers as they are, for whoever does more with them than print them.
    pub(crate) fn untamed(self) -> Self {
        Self { is_for_people: false, ..self }
    }

    pub(crate) fn get(&self, path: &[&str]) -> anyhow::Result<Value> {
        let request = self.agent.get(self.url(path)).header("Authorization", self.bearer());
        self.read(request.call())
    }

    /// The same; `null` where there is nothing.
    pub(crate) fn get_if_there(&self, path: &[&str]) -> anyhow::Result<Value> {
        match self.get(path) {
            Err(error) if error.is::<NotThere>() => Ok(Value::Null),
            answer => answer,
        }
    }

    /// Asks with the parameters that have a value.
    pub(crate) fn query(
        &self,
        path: &[&str],
        wanted: &[(&str, Option<&str>)],
    ) -> anyhow::Result<Value> {
        let wanted = wanted.iter().filter_map(|(name, value)| Some((name, (*value)?)));
        let query = wanted.map(|(name, value)| format!("{name}={}", encoded(value)));
        let query = query.collect::<Vec<_>>().join("&");
        let url = format!("{}?{query}", self.url(path));
        self.read(self.agent.get(url).header("Authorization", self.bearer()).call())
    }

    /// Asks for page after page, and hands over the list of this name that each has, as long as `take`
    /// wants more. Whether there is more.
    pub(crate) fn pages(
        &self,
        list: &str,
        wanted: &[(&str, Option<&str>)],
        mut take: impl FnMut(Value) -> anyhow::Result<bool>,
    ) -> anyhow::Result<bool> {
        let mut after: Option<String> = None;
        loop {
            let mut page =
                self.query(&[list], &[wanted, &[("after", after.as_deref())]].concat())?;
            let wants_more = take(page.get_mut(list).map(Value::take).unwrap_or_default())?;
            after = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if after.is_none() || !wants_more {
                return Ok(after.is_some());
            }
        }
    }

    pub(crate) fn delete(&self, path: &[&str]) -> anyhow::Result<Value> {
        let request = self.agent.delete(self.url(path)).header("Authorization", self.bearer());
        self.read(request.call())
    }

    pub(crate) fn put(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        let request = self.agent.put(self.url(path)).header("Authorization", self.bearer());
        self.read(request.send_json(body))
    }

    pub(crate) fn post(&self, path: &[&str], body: &Value) -> anyhow::Result<Value> {
        let request = self.agent.post(self.url(path)).header("Authorization", self.bearer());
        self.read(request.send_json(body))
    }

    /// Sends a file to be loaded.
    pub(crate) fn upload(&self, query: &str, file: &[u8]) -> anyhow::Result<Value> {
        let url = format!("{}{query}", self.url(&["plugins"]));
        let request = self.agent.post(url).header("Authorization", self.bearer());
        self.read(request.content_type("application/wasm").send(file))
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    fn url(&self, path: &[&str]) -> String {
        let path = path.iter().map(|part| format!("/{}", encoded(part)));
        format!("{}{}", self.base, path.collect::<String>())
    }

    fn read(
        &self,
        answer: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    ) -> anyhow::Result<Value> {
        let base = &self.base;
        let mut answer = answer.with_context(|| {
            format!("the server at {base} does not answer; is it running? (--api says where it is)")
        })?;
        let status = answer.status();
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
        let body = body.with_context(|| format!("the answer of {base} cannot be read"))?;
        let mut value: Value = serde_json::from_str(&body).unwrap_or(Value::Null);
        if self.is_for_people {
            output::tame(&mut value);
        }
        if status.is_success() {
            return Ok(value);
        }
        if status == StatusCode::NOT_FOUND {
            let detail = value.get("detail").and_then(Value::as_str).unwrap_or("it is not there");
            return Err(NotThere(detail.to_owned()).into());
        }
        match value.get("detail").and_then(Value::as_str) {
            Some(detail) => bail!("{detail}"),
            None if status == StatusCode::PAYLOAD_TOO_LARGE => bail!("the file is too large"),
            None => bail!("{base} answered with {status}; is it the API of trellis?"),
        }
    }
}

/// The server knows nothing of that name.
#[derive(Debug)]
struct NotThere(String);

impl std::fmt::Display for NotThere {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for NotThere {}

/// One part of a path, percent-encoded (RFC 3986).
fn encoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
