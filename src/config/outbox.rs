//! What may wait for a reader that is slower than its room: per connection, and over the whole node.

use std::time::Duration;

use super::reader::Reader;
use super::sessions::MESSAGE_BYTES;
use super::setting::{Form, Preset, Setting};

const HOLDS_A_MESSAGE: &str = "must be at least MESSAGE_BYTES";

pub(super) const OUTBOX_FRAMES: Setting = Setting::open(
    "OUTBOX_FRAMES",
    Preset::Text("256"),
    Form::at_least(1),
    "Frames that may wait for one connection; over it, it is behind and reads the log at its own pace.",
);
pub(super) const OUTBOX_BYTES: Setting = Setting::open(
    "OUTBOX_BYTES",
    Preset::Text("256KiB"),
    Form::Bytes { min: 1, max: Form::UNBOUNDED },
    "Bytes that may wait for one connection, at least MESSAGE_BYTES; over it, it is behind.",
);
pub(super) const OUTBOX_BEHIND: Setting = Setting::open(
    "OUTBOX_BEHIND",
    Preset::Text("30"),
    // The table gives no range: under a second a single lost packet would do, and after an hour nobody watches.
    Form::seconds(1, 3600),
    "How long a connection may take no byte of what waits for it before it is closed with 4408.",
);
pub(super) const OUTBOX_BYTES_TOTAL: Setting = Setting::open(
    "OUTBOX_BYTES_TOTAL",
    Preset::Text("256MiB"),
    Form::Bytes { min: 1, max: 1 << 40 },
    "Bytes that may wait on the whole node; over it, those longest behind are closed with 4408 first.",
);

pub(super) const SETTINGS: &[&Setting] =
    &[&OUTBOX_FRAMES, &OUTBOX_BYTES, &OUTBOX_BEHIND, &OUTBOX_BYTES_TOTAL];

/// What may wait for a slow reader.
#[derive(Clone, Debug)]
pub struct OutboxConfig {
    /// Frames waiting for one connection.
    pub frames: usize,
    /// Bytes waiting for one connection; at least one message.
    pub bytes: usize,
    /// How long a connection may take no byte while something waits for it. One that takes some, however slowly, is served at its own
    /// pace for as long as the log has what it lacks.
    pub behind: Duration,
    /// Bytes waiting on the node; at least one message.
    pub bytes_total: usize,
}

pub(super) fn read(reader: &mut Reader<'_>, message_bytes: usize) -> OutboxConfig {
    let bytes: usize = reader.count(&OUTBOX_BYTES);
    let bytes_total: usize = reader.count(&OUTBOX_BYTES_TOTAL);
    for (setting, size) in [(&OUTBOX_BYTES, bytes), (&OUTBOX_BYTES_TOTAL, bytes_total)] {
        reader.refuse_beside(setting, &MESSAGE_BYTES, size < message_bytes, HOLDS_A_MESSAGE);
    }
    OutboxConfig {
        frames: reader.count(&OUTBOX_FRAMES),
        bytes,
        behind: reader.span(&OUTBOX_BEHIND),
        bytes_total,
    }
}
