//! The settings: read once from a source into plain structs, with every mistake at once and no value in any message.
//!
//! One file per topic holds the struct, the rows of its settings (name, default, form, meaning) and what makes a
//! value a mistake. Nothing live is here (no pools, no sockets): tests write a [`source::MapSource`] or a literal
//! struct. The only things read besides the source are the files it names, the number of cores and, for a
//! development secret, the system's randomness. What the machine's file limit makes of `CONNECTIONS_MAX` is the
//! server's business, as raising that limit is an act.

pub mod build;
pub mod catalogue;
pub mod connections;
pub mod drain;
pub(crate) mod form;
pub mod identity;
pub mod limits;
pub mod logs;
pub mod mistake;
pub mod origins;
pub mod outbox;
pub mod passwords;
pub mod print;
pub mod proxies;
mod reader;
pub mod redis;
mod redis_url;
pub mod server;
pub mod sessions;
pub mod setting;
pub mod source;
pub mod turn;
mod typos;

#[cfg(test)]
mod tests;

use crate::model::origin::AllowedOrigins;
use mistake::{Mistakes, Warning};
use reader::Reader;
use setting::{Form, Preset, Setting};
use source::Source;

pub(crate) const ENVIRONMENT: Setting = Setting::open(
    "ENVIRONMENT",
    Preset::Text("development"),
    Form::Word(&["development", "production"]),
    "How strict the rest is; a .env file is read in development only.",
);

/// How strict the settings are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Environment {
    /// A machine of one's own: weak settings are warned of, a `.env` file is read.
    Development,
    /// Weak settings are mistakes.
    Production,
}

impl Environment {
    fn from_word(word: &str) -> Option<Self> {
        match word {
            "development" => Some(Self::Development),
            "production" => Some(Self::Production),
            _ => None,
        }
    }

    /// Whether the strict rules hold.
    pub fn is_production(self) -> bool {
        self == Self::Production
    }
}

/// Everything the gateway was told, by topic. Secrets in it print as `[REDACTED]`.
#[derive(Clone, Debug)]
pub struct Config {
    /// How strictly it was read.
    pub environment: Environment,
    /// Listeners, public address, workers.
    pub server: server::ServerConfig,
    /// Whose pages may talk to this gateway.
    pub origins: AllowedOrigins,
    /// Token secrets and server keys.
    pub identity: identity::IdentityConfig,
    /// What a session may be, and what is kept of it.
    pub sessions: sessions::SessionsConfig,
    /// Redis or memory, and what an ack promises.
    pub redis: redis::RedisConfig,
    /// Rates.
    pub limits: limits::LimitsConfig,
    /// How many connections, and how they are kept alive.
    pub connections: connections::ConnectionsConfig,
    /// What may wait for a slow reader.
    pub outbox: outbox::OutboxConfig,
    /// How the node leaves.
    pub drain: drain::DrainConfig,
    /// Hashing.
    pub passwords: passwords::PasswordsConfig,
    /// Which peers may speak for a client's address.
    pub proxies: proxies::ProxiesConfig,
    /// Lines and traces.
    pub logs: logs::LogsConfig,
    /// What `GET /api/sessions/{id}/ice` hands out.
    pub turn: Option<turn::TurnConfig>,
}

impl Config {
    /// Reads everything, and says everything that is wrong.
    ///
    /// # Errors
    /// [`Mistakes`]: all of them, sorted, one line each, none with a value in it.
    pub fn read(source: &dyn Source) -> Result<(Self, Vec<Warning>), Mistakes> {
        let mut reader = Reader::new(source);
        let server = server::read(&mut reader);
        let sessions = sessions::read(&mut reader);
        let config = Self {
            environment: reader.environment(),
            origins: origins::read(&mut reader, server.public_url.as_ref()),
            identity: identity::read(&mut reader),
            redis: redis::read(&mut reader),
            limits: limits::read(&mut reader, sessions.message_bytes),
            connections: connections::read(&mut reader),
            outbox: outbox::read(&mut reader, sessions.message_bytes),
            drain: drain::read(&mut reader),
            passwords: passwords::read(&mut reader),
            proxies: proxies::read(&mut reader),
            logs: logs::read(&mut reader),
            turn: turn::read(&mut reader),
            server,
            sessions,
        };
        typos::warn_of(&mut reader, source);
        if reader.mistakes.is_empty() {
            reader.warnings.sort();
            Ok((config, reader.warnings))
        } else {
            Err(Mistakes::new(reader.mistakes))
        }
    }
}
