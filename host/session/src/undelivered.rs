//! What a device has told and no plugin has seen to its end: it is kept, since the device does not
//! repeat it.

use trellis_cwmp::{Envelope, EventStruct, Message, decode, encode};
use trellis_store::Undelivered;

use crate::metric::limit_reached;
use crate::sessions::Acs;
use crate::visit::Visit;

impl Visit {
    /// Keeps a message until a plugin has seen it. Where there is no room, the oldest go: what they
    /// told is still in the device's history.
    pub(crate) fn remember(&mut self, acs: &Acs, message: &Message) {
        let envelope = Envelope {
            namespace: self.version.namespace().to_owned(),
            header: trellis_cwmp::Header::default(),
            message: message.clone(),
        };
        let kept = &mut self.header.undelivered_messages;
        match encode(&envelope).map(Undelivered) {
            // A device that did not hear the answer tells it again.
            Ok(message) if kept.contains(&message) => {}
            Ok(message) => {
                kept.push(message);
                self.header_changed = true;
                let mut bytes: usize = kept.iter().map(|it| it.0.len()).sum();
                let mut dropped = 0;
                while bytes > acs.settings.undelivered_bytes_max && !kept.is_empty() {
                    bytes -= kept.remove(0).0.len();
                    dropped += 1;
                }
                if dropped > 0 {
                    limit_reached("undelivered_bytes");
                    tracing::warn!(dropped, "messages are dropped that no plugin has seen");
                }
            }
            Err(error) => tracing::warn!(%error, "a message of the device cannot be kept"),
        }
    }

    /// The messages that no plugin has seen to its end.
    pub(crate) fn undelivered(&self) -> impl Iterator<Item = Message> {
        let messages = self.header.undelivered_messages.iter();
        messages.filter_map(|it| Some(decode(&it.0, None).ok()?.envelope.message))
    }

    /// Adds the events of earlier Informs that no plugin has seen to its end: the device has been
    /// told that they arrived, and does not repeat them.
    pub(crate) fn add_undelivered_events(&mut self) {
        for (event_code, command_key) in &self.header.undelivered_events {
            let event =
                EventStruct { event_code: event_code.clone(), command_key: command_key.clone() };
            if !self.events.contains(&event) {
                self.events.push(event);
            }
        }
    }

    /// A plugin has seen everything.
    pub(crate) fn delivered(&mut self) {
        let header = &mut self.header;
        self.header_changed |= header.undelivered_change
            || !header.undelivered_events.is_empty()
            || !header.undelivered_messages.is_empty();
        header.undelivered_change = false;
        header.undelivered_events.clear();
        header.undelivered_messages.clear();
    }
}
