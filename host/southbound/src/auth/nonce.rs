//! Challenges: signed, so that none has to be remembered before it is answered, and good for one
//! answer each.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

const KEY_BYTES: usize = 64;
const RANDOM_BYTES: usize = 12;
const TIME_BYTES: usize = 8;
const SEAL_BYTES: usize = 16;

/// Issues challenges and takes their answers.
pub(crate) struct Nonces {
    key: [u8; KEY_BYTES],
    valid: Duration,
    /// The challenges that were answered: until when they are valid, and the highest count.
    answered: Mutex<Answered>,
    answered_max: usize,
}

#[derive(Default)]
struct Answered {
    nonces: HashMap<String, (u64, u32)>,
    /// When those that are over were last dropped, in seconds since 1970.
    swept_s: u64,
}

/// Why an answer is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Problem {
    /// The challenge is not one of this server's, or is over.
    Over,
    /// The answer has been seen.
    Replayed,
    /// No more answers can be remembered for now.
    Full,
}

impl Nonces {
    /// Fails when the system has no random numbers.
    pub(crate) fn new(valid: Duration, answered_max: usize) -> std::io::Result<Self> {
        let mut key = [0; KEY_BYTES];
        getrandom::fill(&mut key).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Self { key, valid, answered: Mutex::default(), answered_max })
    }

    /// A new challenge.
    pub(crate) fn issue(&self) -> String {
        self.issue_at(now_s())
    }

    fn issue_at(&self, now_s: u64) -> String {
        let until_s = now_s.saturating_add(self.valid.as_secs());
        let mut bytes = until_s.to_be_bytes().to_vec();
        let mut random = [0; RANDOM_BYTES];
        // Without random numbers two challenges of one second are the same: the second answer is
        // then refused as a replay, and no harm is done.
        let _ = getrandom::fill(&mut random);
        bytes.extend_from_slice(&random);
        let seal = self.seal(&bytes);
        bytes.extend_from_slice(seal.get(..SEAL_BYTES).unwrap_or_default());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Takes the answer number `count` to a challenge.
    pub(crate) fn take(&self, nonce: &str, count: u32) -> Result<(), Problem> {
        self.take_at(nonce, count, now_s())
    }

    fn take_at(&self, nonce: &str, count: u32, now_s: u64) -> Result<(), Problem> {
        let until_s = self.until(nonce).filter(|until_s| *until_s >= now_s).ok_or(Problem::Over)?;
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, highest)) = answered.nonces.get_mut(nonce) {
            if count <= *highest {
                return Err(Problem::Replayed);
            }
            *highest = count;
            return Ok(());
        }
        if answered.nonces.len() >= self.answered_max && answered.swept_s != now_s {
            answered.nonces.retain(|_, (until_s, _)| *until_s >= now_s);
            answered.swept_s = now_s;
        }
        if answered.nonces.len() >= self.answered_max {
            return Err(Problem::Full);
        }
        answered.nonces.insert(nonce.to_owned(), (until_s, count));
        Ok(())
    }

    /// Until when a challenge of this server is valid.
    fn until(&self, nonce: &str) -> Option<u64> {
        let bytes = URL_SAFE_NO_PAD.decode(nonce).ok()?;
        let (content, seal) = bytes.split_at_checked(TIME_BYTES + RANDOM_BYTES)?;
        let mut mac = self.mac();
        mac.update(content);
        mac.verify_truncated_left(seal).ok().filter(|()| seal.len() == SEAL_BYTES)?;
        Some(u64::from_be_bytes(content.get(..TIME_BYTES)?.try_into().ok()?))
    }

    fn seal(&self, content: &[u8]) -> Vec<u8> {
        let mut mac = self.mac();
        mac.update(content);
        mac.finalize().into_bytes().to_vec()
    }

    fn mac(&self) -> Hmac<Sha256> {
        Hmac::<Sha256>::new(&self.key.into())
    }
}

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nonces() -> Nonces {
        Nonces::new(Duration::from_secs(300), 2).expect("random numbers")
    }

    #[test]
    fn each_answer_counts_once_and_later_ones_of_the_same_challenge_do() {
        let nonces = nonces();
        let nonce = nonces.issue_at(1_000);
        assert_eq!(nonces.take_at(&nonce, 1, 1_100), Ok(()));
        assert_eq!(nonces.take_at(&nonce, 1, 1_100), Err(Problem::Replayed));
        assert_eq!(nonces.take_at(&nonce, 2, 1_100), Ok(()));
        assert_eq!(nonces.take_at(&nonce, 1, 1_100), Err(Problem::Replayed));
    }

    #[test]
    fn a_challenge_is_over_in_time_and_nobody_elses_is_taken() {
        let nonces = nonces();
        let nonce = nonces.issue_at(1_000);
        assert_eq!(nonces.take_at(&nonce, 1, 1_301), Err(Problem::Over));
        let other = super::tests::nonces().issue_at(1_000);
        assert_eq!(nonces.take_at(&other, 1, 1_000), Err(Problem::Over));
        assert_eq!(nonces.take_at("", 1, 1_000), Err(Problem::Over));
        assert_eq!(
            nonces.take_at(nonce.get(..30).unwrap_or_default(), 1, 1_000),
            Err(Problem::Over)
        );
    }

    #[test]
    fn what_is_remembered_is_bounded_and_what_is_over_makes_room() {
        let nonces = nonces();
        for _ in 0..2 {
            assert_eq!(nonces.take_at(&nonces.issue_at(1_000), 1, 1_000), Ok(()));
        }
        assert_eq!(nonces.take_at(&nonces.issue_at(1_000), 1, 1_000), Err(Problem::Full));
        assert_eq!(nonces.take_at(&nonces.issue_at(2_000), 1, 2_000), Ok(()));
    }
}
