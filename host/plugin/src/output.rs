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
pub(crate) struct Output(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    bytes: VecDeque<u8>,
    /// Whether there was something before them.
    is_cut: bool,
}

impl Output {
    /// What was printed last, as text.
    pub(crate) fn shown(&self, without_secrets: impl FnOnce(&str) -> String) -> String {
        let (text, is_cut) = {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let text = String::from_utf8_lossy(kept.bytes.make_contiguous()).into_owned();
            (text, kept.is_cut)
        };
        if text.is_empty() {
            return text;
        }
        let text = without_secrets(&text);
        let surplus = text.len().saturating_sub(SHOWN_BYTES);
        // What is kept may begin within a secret, of which nothing finds the rest.
        let begin = if is_cut { surplus.max(text.len() / 2) } else { surplus };
        let last = text.get(text.ceil_char_boundary(begin)..).unwrap_or_default();
        match last.split_once([' ', '\n']) {
            Some((_, whole)) if begin > 0 => whole.to_owned(),
            _ if begin > 0 => String::new(),
            _ => last.to_owned(),
        }
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
        kept.bytes.extend(bytes.iter().copied().skip(unseen));
        let surplus = kept.bytes.len().saturating_sub(KEPT_BYTES);
        kept.bytes.drain(..surplus);
        kept.is_cut |= unseen + surplus > 0;
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
    fn a_secret_that_only_ends_in_what_is_shown_is_found_as_a_whole() {
        let secret = format!("open {}sesame", "very ".repeat(400));
        let rest = "x ".repeat(3_500);
        let output = printed(&[&"before ".repeat(2_000), &secret, "\n", &rest]);
        let shown = output.shown(|text| text.replace(&secret, "(secret)"));
        assert!(!shown.contains("sesame") && shown.contains("(secret)"));
        assert!(shown.len() <= SHOWN_BYTES);
    }

    #[test]
    fn what_is_short_is_shown_as_it_is_and_what_is_long_from_a_whole_word_on() {
        let same = |text: &str| text.to_owned();
        assert_eq!(printed(&["a b\n", "c"]).shown(same), "a b\nc");
        assert_eq!(printed(&[]).shown(same), "");
        let shown = printed(&["word ".repeat(10_000).as_str()]).shown(same);
        assert!(shown.starts_with("word word") && shown.len() > SHOWN_BYTES / 2);
        assert_eq!(printed(&["x".repeat(20_000).as_str()]).shown(same), "");
    }
}
