//! Where the primary is: at a fixed address, or where sentinels say.
//!
//! Not responsible for asking them (`sentinels`), nor for what is done when it is elsewhere (`supervisor`).

use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;

use super::cause::cause;
use super::dial::Dial;
use super::meters::Meters;
use super::sentinels::Sentinels;
use super::settings::{Address, RedisTarget, Topology};
use super::verify::Unfit;

/// Sentinels are asked this often even if none said anything: their word may have been lost with a connection.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// The place of a primary.
pub(super) struct Whereabouts {
    target: RedisTarget,
    place: Place,
}

enum Place {
    Fixed(Box<Dial>),
    Told(Arc<Sentinels>),
}

/// A primary's address, and how to get there.
#[derive(Clone)]
pub(super) struct Found {
    pub(super) dial: Dial,
    /// Where the sentinels named it; `None` where nobody can name another.
    address: Option<Address>,
}

impl Whereabouts {
    /// # Errors
    /// When the target cannot be used: a certificate that is none.
    pub(super) fn new(target: RedisTarget, meters: &Arc<Meters>) -> Result<Self, RedisError> {
        let place = match &target.topology {
            Topology::Standalone(address) => Place::Fixed(Box::new(Dial::new(&target, address)?)),
            Topology::Sentinel { hosts, master } => {
                Place::Told(Sentinels::new(&target, hosts, master, meters)?)
            }
            // Whoever asks for no slot in particular is served by any node.
            Topology::Cluster(seeds) => {
                let seed =
                    seeds.first().ok_or((redis::ErrorKind::InvalidClientConfig, "no node is named"))?;
                Place::Fixed(Box::new(Dial::new(&target, seed)?))
            }
        };
        Ok(Self { target, place })
    }

    /// That of a primary of a cluster.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub(super) fn at(target: RedisTarget, address: &Address) -> Result<Self, RedisError> {
        let place = Place::Fixed(Box::new(Dial::new(&target, address)?));
        Ok(Self { target, place })
    }

    /// Those who say where it is, if anybody does.
    pub(super) fn sentinels(&self) -> Option<&Arc<Sentinels>> {
        match &self.place {
            Place::Fixed(_) => None,
            Place::Told(sentinels) => Some(sentinels),
        }
    }

    /// Where it is now.
    pub(super) async fn find(&self) -> Result<Found, Unfit> {
        match &self.place {
            Place::Fixed(dial) => Ok(Found { dial: (**dial).clone(), address: None }),
            Place::Told(sentinels) => {
                let address = sentinels.ask().await?;
                let dial =
                    Dial::new(&self.target, &address).map_err(|error| Unfit::Unreachable(cause(&error)))?;
                Ok(Found { dial, address: Some(address) })
            }
        }
    }

    /// Returns when it is somewhere else than it was found, or is about to be.
    pub(super) async fn moved(&self, from: &Found) {
        let (Place::Told(sentinels), Some(from)) = (&self.place, &from.address) else {
            return std::future::pending().await;
        };
        let mut alarms = sentinels.alarms();
        tokio::select! {
            // At once, and without asking anybody: what is written from now on may be lost.
            _ = alarms.changed() => tracing::warn!(%from, "sentinels are replacing the primary"),
            () = named_elsewhere(sentinels, from) => {}
        }
    }

    /// Returns when it is worth looking again sooner than planned; never, where nobody would say so.
    pub(super) async fn news(&self) {
        if let Place::Told(sentinels) = &self.place
            && sentinels.news().changed().await.is_ok()
        {
            return;
        }
        std::future::pending().await
    }
}

/// Returns when sentinels name another primary, or none because they are replacing it.
async fn named_elsewhere(sentinels: &Sentinels, from: &Address) {
    let mut news = sentinels.news();
    loop {
        // At once, too: it may have moved since it was found.
        match sentinels.ask().await {
            Ok(now) if now != *from => return tracing::warn!(%from, %now, "sentinels name another primary"),
            Ok(_) => {}
            Err(Unfit::FailingOver) => return tracing::warn!(%from, "sentinels are replacing the primary"),
            Err(error) => tracing::debug!(%error, "sentinels do not answer"),
        }
        tokio::select! {
            _ = news.changed() => {}
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}

impl Found {
    /// For logs.
    pub(super) fn address(&self) -> Option<&Address> {
        self.address.as_ref()
    }
}
