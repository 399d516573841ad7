//! Authentication of devices by HTTP (TR-069 3.4.4): Digest, and Basic where it is allowed.

mod authorization;
mod guesses;
mod nonce;

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use hyper::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use trellis_session::{Caller, Credential, Holder, limit_reached};

use self::authorization::Algorithm;
pub(crate) use self::authorization::Authorization;
use self::guesses::Guesses;
use self::nonce::{Nonces, Problem};

/// How devices prove who they are.
#[derive(Clone, Debug)]
pub struct AuthSettings {
    /// Whether they must. Default: as soon as there are credentials in the configuration.
    pub required: bool,
    /// The realm. Passwords are stored with it: another realm makes them useless. Default
    /// `trellis`.
    pub realm: String,
    /// How long a challenge may be answered, on whichever connection. Default 5 min.
    pub nonce_time: Duration,
    /// Challenges whose answers are remembered, so that none counts twice. Default 100,000.
    pub nonces_max: usize,
    /// Wrong passwords of one user name from one source; further ones are not looked at for
    /// `wrong_time`, and answered with 503. 0 is no limit. Default 10.
    pub wrong_max: u32,
    /// See `wrong_max`. Default 60 s.
    pub wrong_time: Duration,
    /// Whether SHA-256 is offered beside MD5, which most devices know alone. Default no: some
    /// devices give up on what they do not know.
    pub offer_sha256: bool,
    /// Where Basic is offered and accepted: without TLS it shows the password to everybody on the
    /// way. Default: over TLS.
    pub basic: Basic,
    /// Credentials beside those that the server gave to devices. Default none.
    pub credentials: Vec<Credential>,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self {
            required: false,
            realm: "trellis".to_owned(),
            nonce_time: Duration::from_secs(300),
            nonces_max: 100_000,
            wrong_max: 10,
            wrong_time: Duration::from_secs(60),
            offer_sha256: false,
            basic: Basic::OverTls,
            credentials: Vec::new(),
        }
    }
}

/// Where HTTP Basic is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basic {
    /// Nowhere.
    Never,
    /// Where nobody on the way can read along.
    OverTls,
    /// Everywhere.
    Always,
}

/// What a device sends to prove who it is.
pub(crate) struct Proof<'a> {
    pub(crate) headers: &'a HeaderMap,
    /// Where it comes from.
    pub(crate) source: IpAddr,
    /// Whether it comes over TLS.
    pub(crate) secure: bool,
    /// The common name of its certificate.
    pub(crate) certificate: Option<&'a str>,
}

/// Checks what devices send to prove who they are.
pub(crate) struct Authenticator {
    settings: AuthSettings,
    nonces: Nonces,
    guesses: Guesses,
}

/// Why a device is asked for its credentials, once more or for the first time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unproved {
    /// It sent none, or wrong ones.
    Wrong,
    /// They are right, and no more answers can be remembered for now.
    Busy,
    /// Too many wrong ones were sent.
    Guessed,
    /// They are right, and the challenge that they answer is over: the device can repeat them
    /// without asking anybody.
    Stale,
}

impl Authenticator {
    /// Fails when the system has no random numbers.
    pub(crate) fn new(settings: AuthSettings) -> std::io::Result<Self> {
        let nonces = Nonces::new(settings.nonce_time, settings.nonces_max)?;
        let guesses = Guesses::new(settings.wrong_max, settings.wrong_time);
        Ok(Self { settings, nonces, guesses })
    }

    /// Finds out who sent a POST that may begin a session. `given` finds the credentials that
    /// the server gave to devices.
    pub(crate) async fn check<F: Future<Output = Vec<Credential>>>(
        &self,
        method: &str,
        proof: Proof<'_>,
        given: impl FnOnce(String) -> F,
    ) -> Result<Caller, Unproved> {
        let headers = proof.headers.get_all(AUTHORIZATION).iter();
        let authorization =
            headers.filter_map(|it| it.to_str().ok()).find_map(Authorization::parse);
        let Some(authorization) = authorization else {
            // A certificate of a kind of devices says too little; such ones have a password as
            // well.
            return match proof.certificate.and_then(Caller::of_certificate) {
                Some(caller) => Ok(caller),
                None if self.settings.required => Err(Unproved::Wrong),
                None => Ok(Caller::Anonymous),
            };
        };
        if !self.settings.required && proof.certificate.is_none() {
            return Ok(Caller::Anonymous);
        }
        let username = authorization.username();
        let own = self.settings.credentials.iter().filter(|it| it.username == username).cloned();
        let mut credentials: Vec<Credential> = own.collect();
        // All new devices of a place share that one: one that has it wrong must not stop the others.
        let is_shared = credentials.iter().any(|it| it.holder == Holder::Onboarding);
        if !is_shared && !self.guesses.may_try(proof.source, username) {
            limit_reached("wrong_passwords");
            return Err(Unproved::Guessed);
        }
        credentials.extend(given(username.to_owned()).await);
        let mut holder = None;
        // All of them are tried, so that the time tells nothing of which one is right.
        for credential in credentials {
            if self.proves(&authorization, method, proof.secure, &credential) && holder.is_none() {
                holder = Some(credential);
            }
        }
        let holder = holder.ok_or_else(|| {
            metrics::counter!("trellis_authentication_failures_total").increment(1);
            // What answers another server, or in a way that is not asked for, is no guess.
            let is_guess = match &authorization {
                Authorization::Basic(_) => self.accepts_basic(proof.secure),
                Authorization::Digest(digest) => digest.realm == self.settings.realm,
            };
            if is_guess && !is_shared {
                self.guesses.note(proof.source, username);
            }
            Unproved::Wrong
        })?;
        if let Authorization::Digest(digest) = &authorization {
            self.nonces.take(&digest.nonce, digest.count).map_err(|problem| match problem {
                Problem::Full => {
                    limit_reached("nonces");
                    Unproved::Busy
                }
                Problem::Over | Problem::Replayed => Unproved::Stale,
            })?;
        }
        Ok(Caller::Holder(holder))
    }

    fn proves(
        &self,
        authorization: &Authorization,
        method: &str,
        secure: bool,
        credential: &Credential,
    ) -> bool {
        match authorization {
            Authorization::Basic(basic) => {
                self.accepts_basic(secure) && basic.proves(&self.settings.realm, credential)
            }
            Authorization::Digest(digest) => {
                digest.realm == self.settings.realm && digest.proves(method, credential)
            }
        }
    }

    fn accepts_basic(&self, secure: bool) -> bool {
        match self.settings.basic {
            Basic::Never => false,
            Basic::OverTls => secure,
            Basic::Always => true,
        }
    }

    /// The values of `WWW-Authenticate`, the one that all devices know first.
    pub(crate) fn challenges(&self, unproved: Unproved, secure: bool) -> Vec<HeaderValue> {
        let realm = &self.settings.realm;
        let stale = if unproved == Unproved::Stale { ", stale=true" } else { "" };
        let digest = |algorithm: Algorithm| {
            let nonce = self.nonces.issue();
            let algorithm = algorithm.as_str();
            format!(
                "Digest realm=\"{realm}\", qop=\"auth\", nonce=\"{nonce}\", \
                 algorithm={algorithm}{stale}"
            )
        };
        let mut challenges = vec![digest(Algorithm::Md5)];
        if self.settings.offer_sha256 {
            challenges.push(digest(Algorithm::Sha256));
        }
        if self.accepts_basic(secure) {
            challenges.push(format!("Basic realm=\"{realm}\""));
        }
        challenges.iter().filter_map(|it| HeaderValue::from_str(it).ok()).collect()
    }
}
