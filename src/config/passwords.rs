//! What hashing may cost: bcrypt's cost, its pool and its queue.

use super::form;
use super::reader::Reader;
use super::server::cores;
use super::setting::{Form, Preset, Setting};

/// Under this, guessing a stolen hash is too cheap for real people's passwords; tests may go down to bcrypt's floor.
const COST_MIN_PRODUCTION: u64 = 10;
/// The least bcrypt knows.
const COST_MIN_DEVELOPMENT: u64 = 4;
/// Over a second of a core for one join: more would only help whoever wants the node busy.
const COST_MAX: u64 = 14;

pub(super) const BCRYPT_COST: Setting = Setting::open(
    "BCRYPT_COST",
    Preset::Text("12"),
    Form::Other("a whole number from 10 to 14 (in development from 4)"),
    "Each step doubles the work; 12 is about 0.3 s of a core.",
);
pub(super) const BCRYPT_WORKERS: Setting = Setting::open(
    "BCRYPT_WORKERS",
    Preset::Derived("half the cores seen, at least 1"),
    Form::at_least(1),
    "Hashes at once; three joins a second each.",
);
pub(super) const BCRYPT_QUEUE: Setting = Setting::open(
    "BCRYPT_QUEUE",
    Preset::Text("16"),
    Form::at_least(1),
    "Hashes that may wait; over it, 503 with Retry-After.",
);

pub(super) const SETTINGS: &[&Setting] = &[&BCRYPT_COST, &BCRYPT_WORKERS, &BCRYPT_QUEUE];

/// Hashing.
#[derive(Clone, Debug)]
pub struct PasswordsConfig {
    /// bcrypt's cost, the logarithm of its rounds.
    pub cost: u32,
    /// Hashes at once.
    pub workers: usize,
    /// Hashes that may wait.
    pub queue: usize,
}

pub(super) fn read(reader: &mut Reader<'_>) -> PasswordsConfig {
    let min = if reader.production() { COST_MIN_PRODUCTION } else { COST_MIN_DEVELOPMENT };
    PasswordsConfig {
        cost: reader.required(&BCRYPT_COST, |text| {
            let cost = form::number(text).filter(|cost| (min..=COST_MAX).contains(cost))?;
            u32::try_from(cost).ok()
        }),
        workers: reader.count_or(&BCRYPT_WORKERS, (cores() / 2).max(1)),
        queue: reader.count(&BCRYPT_QUEUE),
    }
}
