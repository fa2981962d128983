//! The data of what a client says about the film: five commands that become entries, and `ready` and `report`, which do not.
//!
//! What a value means is `model/playback`'s business; here is which values there are.

use serde::Deserialize;

use super::fields::ReadData;
use crate::model::playback::command::Command;
use crate::model::playback::media::{Media, MediaKind, MediaMs, RateMilli};
use crate::model::playback::report::{PlayerStatus, Report};
use crate::model::time::ClusterMs;
use crate::protocol::problem::Fault;

/// The largest drift that is kept, in milliseconds: a day, which no player is off by chance.
const DRIFT_MAX: f64 = 86_400_000.0;
/// The longest round trip that is kept, in milliseconds: past a minute the connection is over.
const RTT_MAX: f64 = 60_000.0;

impl ReadData<'_> {
    pub(super) fn play(&self) -> Result<Command, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Play {
            position_ms: Option<MediaMs>,
        }
        self.read_or_empty().map(|Play { position_ms }| Command::Play { position: position_ms })
    }

    pub(super) fn pause(&self) -> Result<Command, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Pause {
            position_ms: Option<MediaMs>,
            at_ms: Option<ClusterMs>,
        }
        let Pause { position_ms, at_ms } = self.read_or_empty()?;
        Ok(Command::Pause { position: position_ms, at: at_ms })
    }

    pub(super) fn seek(&self) -> Result<Command, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Seek {
            position_ms: MediaMs,
        }
        self.read().map(|Seek { position_ms }| Command::Seek { position: position_ms })
    }

    pub(super) fn rate(&self) -> Result<Command, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Rate {
            rate: f64,
        }
        let Rate { rate } = self.read()?;
        let rate = RateMilli::from_factor(rate).map_err(|rule| Fault::field("rate", rule.to_string()))?;
        Ok(Command::Rate(rate))
    }

    pub(super) fn load(&self) -> Result<Command, Fault> {
        /// As [`Media`], but with no member that is not of this version.
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct MediaData {
            kind: MediaKind,
            src: String,
            title: Option<String>,
            duration_ms: Option<MediaMs>,
        }
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Load {
            media: MediaData,
            position_ms: Option<MediaMs>,
        }
        let Load { media: MediaData { kind, src, title, duration_ms }, position_ms } = self.read()?;
        let media = Media { kind, src, title, duration_ms };
        media.check().map_err(|rule| Fault::field("media", rule.to_string()))?;
        Ok(Command::Load { media, position: position_ms.unwrap_or_default() })
    }

    pub(super) fn ready(&self) -> Result<u64, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Ready {
            version: u64,
        }
        self.read().map(|Ready { version }| version)
    }

    pub(super) fn report(&self) -> Result<Report, Fault> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct ReportData {
            drift_ms: Option<f64>,
            rtt_ms: Option<f64>,
            status: Option<String>,
        }
        let ReportData { drift_ms, rtt_ms, status } = self.read()?;
        if drift_ms.is_some_and(|drift| drift.abs() > DRIFT_MAX) {
            return Err(Fault::field("drift_ms", "at most a day"));
        }
        if rtt_ms.is_some_and(|rtt| !(0.0..=RTT_MAX).contains(&rtt)) {
            return Err(Fault::field("rtt_ms", "0 to 60000"));
        }
        let status = status.map(|word| word_of(&word)).transpose()?;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "bounded above")]
        let (drift_ms, rtt_ms) =
            (drift_ms.map(|drift| drift.round() as i64), rtt_ms.map(|rtt| rtt.round() as u32));
        Ok(Report { drift_ms, rtt_ms, status })
    }
}

fn word_of(word: &str) -> Result<PlayerStatus, Fault> {
    let word = serde::de::value::StrDeserializer::<serde::de::value::Error>::new(word);
    PlayerStatus::deserialize(word).map_err(|_| Fault::field("status", "one of the words of the protocol"))
}
