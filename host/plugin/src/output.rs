//! What a plugin prints: the last part is kept, for the log and for faults.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// How much is shown, in bytes.
const SHOWN_BYTES: usize = 8 << 10;

/// How much is kept: a secret that only ends in what is shown must be found as a whole.
const KEPT_BYTES: usize = 2 * SHOWN_BYTES;

/// Standard output and error of one run.
#[derive(Clone, Default)]
pub(crate) struct Output(Arc<Mutex<VecDeque<u8>>>);

impl Output {
    /// What was printed last, as text.
    pub(crate) fn shown(&self, mut without_secrets: impl FnMut(&str) -> String) -> String {
        let text = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            String::from_utf8_lossy(kept.make_contiguous()).into_owned()
        };
        if text.is_empty() {
            return text;
        }
        let whole = without_secrets(&text);
        let begin = text.ceil_char_boundary(text.len().saturating_sub(SHOWN_BYTES));
        if begin == 0 {
            return whole;
        }
        // What of the last part is the same by itself and in the whole holds no part of a secret that
        // begins before it.
        let last = without_secrets(text.get(begin..).unwrap_or_default());
        let same =
            last.chars().rev().zip(whole.chars().rev()).take_while(|(one, other)| one == other);
        let bytes: usize = same.map(|(one, _)| one.len_utf8()).sum();
        let last = last.get(last.len() - bytes..).unwrap_or_default();
        // Half a word may be half a secret, which nothing would find.
        last.split_once([' ', '\n']).map(|(_, whole)| whole.to_owned()).unwrap_or_default()
    }
}

impl IsTerminal for Output {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Output {
    fn async_stream(&self) -> Box<dyn tokio::io::AsyncWrite + Send + Sync> {
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[async_trait::async_trait]
impl Pollable for Output {
    async fn ready(&mut self) {}
}

impl OutputStream for Output {
    fn write(&mut self, bytes: bytes::Bytes) -> StreamResult<()> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unseen = bytes.len().saturating_sub(KEPT_BYTES);
        kept.extend(bytes.iter().copied().skip(unseen));
        let surplus = kept.len().saturating_sub(KEPT_BYTES);
        kept.drain(..surplus);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(KEPT_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(parts: &[&str]) -> Output {
        let mut output = Output::default();
        for part in parts {
            let written = output.write(bytes::Bytes::copy_from_slice(part.as_bytes()));
            assert!(written.is_ok());
        }
        output
    }

    #[test]
    fn a_secret_that_only_ends_in_what_is_shown_or_kept_is_not_shown() {
        let secret = format!("open {}sesame", "very ".repeat(600));
        let masked = |text: &str| text.replace(&secret, "(secret)");
        let rest = "x ".repeat(3_500);
        let shown = printed(&[&"before ".repeat(2_000), &secret, "\n", &rest]).shown(masked);
        assert!(!shown.contains("sesame") && shown.len() <= SHOWN_BYTES);
        assert!(shown.starts_with("x x"), "what comes after it is shown");
        // So often that what is kept begins within it, and that little is left without it.
        let shown = printed(&[&format!("{secret} and ").repeat(10)]).shown(masked);
        assert!(!shown.contains("very") && shown.contains("(secret) and"), "{shown}");
    }

    #[test]
    fn what_is_short_is_shown_as_it_is_and_what_is_long_from_a_whole_word_on() {
        let same = |text: &str| text.to_owned();
        assert_eq!(printed(&["a b\n", "c"]).shown(same), "a b\nc");
        assert_eq!(printed(&[]).shown(same), "");
        let shown = printed(&["word ".repeat(10_000).as_str()]).shown(same);
        assert!(shown.starts_with("word word") && shown.len() > SHOWN_BYTES - 10);
        assert_eq!(printed(&["x".repeat(20_000).as_str()]).shown(same), "");
    }
}
