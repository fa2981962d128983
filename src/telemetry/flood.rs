//! At most so many lines of one message in a period; the rest become one summary line.
//!
//! A peer that finds a loud mistake must not fill a disk with it. "One message" is one place in the code, as messages
//! are fixed phrases; so the memory here is bounded by the program's own size. The filter only counts and never looks
//! at a clock: whoever holds [`Flood`] ends the periods, a thread in the process and the test itself in a test. The
//! summary is an event like any other, said from there, since a filter must not log.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use tracing::callsite::Identifier;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::subscriber::Interest;
use tracing::{Event, Metadata, Subscriber};
use tracing_subscriber::layer::{Context, Filter};

/// Lines of one message written in a period (`OPERATIONS`, 4): enough to see what happens, too few to fill a disk.
pub const LINES_PER_PERIOD: u64 = 100;

/// The name of the field that holds an event's message.
const MESSAGE: &str = "message";

#[derive(Default)]
struct Message {
    /// The phrase, remembered when the first line is seen.
    phrase: String,
    /// Lines in the running period, those held back included.
    lines: AtomicU64,
}

type Messages = RwLock<HashMap<Identifier, Message>>;

/// The counters, and the right to end a period.
#[derive(Clone, Default)]
pub struct Flood(Arc<Messages>);

impl Flood {
    /// The filter that counts here and holds lines back.
    pub fn filter(&self) -> FloodFilter {
        FloodFilter(Arc::clone(&self.0))
    }

    /// Ends the period: every message may speak again, and each that was held back gets one line saying how often.
    pub fn end_period(&self) {
        for (phrase, lines) in self.held_back() {
            tracing::warn!(held_back = lines, of = phrase, "lines held back");
        }
    }

    /// What was held back since the last call. The lock is released before anything is said: saying is counted too.
    fn held_back(&self) -> Vec<(String, u64)> {
        let messages = self.0.read().unwrap_or_else(PoisonError::into_inner);
        messages
            .values()
            .map(|message| (&message.phrase, message.lines.swap(0, Ordering::Relaxed)))
            .filter(|(_, lines)| *lines > LINES_PER_PERIOD)
            .map(|(phrase, lines)| (phrase.clone(), lines - LINES_PER_PERIOD))
            .collect()
    }
}

/// Lets the first [`LINES_PER_PERIOD`] lines of each message through.
pub struct FloodFilter(Arc<Messages>);

impl FloodFilter {
    /// Counts one line and says whether it may be written.
    fn admit(&self, event: &Event<'_>) -> bool {
        let place = event.metadata().callsite();
        let messages = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(message) = messages.get(&place) {
            return message.lines.fetch_add(1, Ordering::Relaxed) < LINES_PER_PERIOD;
        }
        drop(messages);
        // Formatting the phrase runs other people's code, so it happens outside the lock.
        let phrase = Phrase::of(event);
        let mut messages = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let message = messages.entry(place).or_insert_with(|| Message { phrase, lines: AtomicU64::new(0) });
        message.lines.fetch_add(1, Ordering::Relaxed) < LINES_PER_PERIOD
    }
}

impl<S: Subscriber> Filter<S> for FloodFilter {
    fn enabled(&self, _metadata: &Metadata<'_>, _context: &Context<'_, S>) -> bool {
        true
    }

    fn callsite_enabled(&self, metadata: &'static Metadata<'static>) -> Interest {
        // Never `always` for an event: a line refused in `event_enabled` is only taken back correctly by a subscriber
        // that was asked `enabled` for the same line (tracing-subscriber 0.3 asserts it in debug builds).
        if metadata.is_event() { Interest::sometimes() } else { Interest::always() }
    }

    fn event_enabled(&self, event: &Event<'_>, _context: &Context<'_, S>) -> bool {
        self.admit(event)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::TRACE)
    }
}

/// Reads an event's message and nothing else of it.
#[derive(Default)]
struct Phrase(String);

impl Phrase {
    fn of(event: &Event<'_>) -> String {
        let mut phrase = Self::default();
        event.record(&mut phrase);
        phrase.0
    }
}

impl Visit for Phrase {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == MESSAGE {
            self.0 = format!("{value:?}");
        }
    }
}
