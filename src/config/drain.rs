//! How a node leaves: how long balancers get to notice, and how long connections are spread over.

use std::time::Duration;

use super::reader::Reader;
use super::setting::{Form, Preset, Setting};

pub(super) const DRAIN_DELAY: Setting = Setting::open(
    "DRAIN_DELAY",
    Preset::Split { development: "0", production: "5" },
    Form::seconds(0, 600),
    "Not ready, but still serving, for so long: balancers must notice first.",
);
pub(super) const DRAIN_WINDOW: Setting = Setting::open(
    "DRAIN_WINDOW",
    Preset::Split { development: "1", production: "20" },
    Form::seconds(0, 600),
    "Connections are told goaway and closed with 1012, spread over so long; stragglers get 5 s more.",
);

pub(super) const SETTINGS: &[&Setting] = &[&DRAIN_DELAY, &DRAIN_WINDOW];

/// How the node leaves.
#[derive(Clone, Debug)]
pub struct DrainConfig {
    /// Not ready, still serving.
    pub delay: Duration,
    /// The time all closes are spread over.
    pub window: Duration,
}

pub(super) fn read(reader: &mut Reader<'_>) -> DrainConfig {
    DrainConfig { delay: reader.span(&DRAIN_DELAY), window: reader.span(&DRAIN_WINDOW) }
}
