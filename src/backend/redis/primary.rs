//! The Redis that takes the writes, as the ports call it: one script, one answer.
//!
//! Responsible for handing a call to the current link, for a script that Redis has forgotten, and for timing. Not responsible for
//! opening links (`supervisor` puts them here). There is one of these, and one link pair, for each primary; a cluster will have several.

use std::sync::{Arc, PoisonError, RwLock};

use redis::Value;
use tokio::time::Instant;

use super::link::{Fault, Link};
use super::meters::Meters;
use super::scripts::{Call, Flags};
use crate::backend::error::BackendError;

/// The way to the primary, open or not.
pub(super) struct Primary {
    link: RwLock<Option<Arc<Link>>>,
    meters: Arc<Meters>,
}

impl Primary {
    pub(super) fn new(meters: Arc<Meters>) -> Self {
        Self { link: RwLock::new(None), meters }
    }

    /// Puts another link in place, or none.
    pub(super) fn replace(&self, link: Option<Arc<Link>>) {
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = link;
    }

    fn current(&self) -> Option<Arc<Link>> {
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs a script.
    pub(super) async fn run(&self, call: Call) -> Result<Value, BackendError> {
        let Some(link) = self.current() else {
            return Err(BackendError::Unavailable("no connection to Redis".into()));
        };
        let started = Instant::now();
        let answer = run_on(&link, &call).await;
        if let Some(command) = call.script.command {
            self.meters.duration(command).record(started.elapsed().as_secs_f64());
        }
        answer.map_err(|fault| fault.into_error(call.script.flags != Flags::Reads))
    }
}

/// Runs a script on a given link, handing it over first when Redis has forgotten it (a restart, `SCRIPT FLUSH`).
pub(super) async fn run_on(link: &Link, call: &Call) -> Result<Value, Fault> {
    match link.call(&call.command).await {
        Err(Fault::NoScript) => {
            link.call(&call.script.load()).await?;
            link.call(&call.command).await
        }
        answer => answer,
    }
}
