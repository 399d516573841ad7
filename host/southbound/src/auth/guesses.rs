//! An end to guessing: after so many wrong passwords for a user name, its next ones from the same
//! source are not looked at for a while. Many devices may share a source, and whoever guesses must not
//! lock out the device that knows: both count together.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moka::sync::Cache;

/// Wrong passwords of late.
pub(crate) struct Guesses {
    wrong: Cache<(IpAddr, String), Arc<AtomicU32>>,
    wrong_max: u32,
}

/// Sources and user names that are remembered; those that were not seen for long go first.
const REMEMBERED_MAX: u64 = 100_000;

/// The longest that they are remembered.
const FORGET_MAX: Duration = Duration::from_secs(86_400);

/// As much of a user name as tells it from others, in bytes.
const USERNAME_BYTES_MAX: usize = 256;

impl Guesses {
    /// None yet. They are forgotten `forget` after the first of them.
    pub(crate) fn new(wrong_max: u32, forget: Duration) -> Self {
        let forget = forget.min(FORGET_MAX);
        let wrong = Cache::builder().max_capacity(REMEMBERED_MAX).time_to_live(forget).build();
        Self { wrong, wrong_max }
    }

    /// Whether another password is looked at.
    pub(crate) fn may_try(&self, source: IpAddr, username: &str) -> bool {
        let wrong = self.wrong.get(&key(source, username));
        self.wrong_max == 0 || wrong.is_none_or(|it| it.load(Ordering::Relaxed) < self.wrong_max)
    }

    /// One was wrong.
    pub(crate) fn note(&self, source: IpAddr, username: &str) {
        let wrong = self.wrong.get_with(key(source, username), Arc::default);
        wrong.fetch_add(1, Ordering::Relaxed);
    }
}

fn key(source: IpAddr, username: &str) -> (IpAddr, String) {
    let source = match source.to_canonical() {
        // Whoever has one such address has all of its network.
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    };
    let end = username.floor_char_boundary(USERNAME_BYTES_MAX);
    (source, username.get(..end).unwrap_or_default().to_owned())
}

#[cfg(test)]
#[allow(clippy::expect_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_name_from_the_same_source_has_to_wait() {
        let source = |text: &str| text.parse::<IpAddr>().expect("an address");
        let guesses = Guesses::new(2, Duration::from_secs(60));
        for _ in 0..2 {
            assert!(guesses.may_try(source("192.0.2.1"), "a"));
            guesses.note(source("192.0.2.1"), "a");
        }
        assert!(!guesses.may_try(source("192.0.2.1"), "a"));
        assert!(!guesses.may_try(source("::ffff:192.0.2.1"), "a"));
        assert!(guesses.may_try(source("192.0.2.1"), "b"));
        assert!(guesses.may_try(source("192.0.2.2"), "a"));
        let guesses = Guesses::new(1, Duration::from_secs(60));
        guesses.note(source("2001:db8::1"), "a");
        assert!(!guesses.may_try(source("2001:db8::ffff:2"), "a"));
        assert!(guesses.may_try(source("2001:db8:0:1::1"), "a"));
        assert!(Guesses::new(0, Duration::from_secs(1)).may_try(source("::1"), "a"));
    }
}
