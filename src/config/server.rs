//! Where the gateway listens, what it calls itself in public, and what it serves besides the API.

use std::net::{IpAddr, SocketAddr};
use std::thread::available_parallelism;

use super::form;
use super::reader::Reader;
use super::setting::{Form, Preset, Setting};
use crate::model::origin::Origin;

pub(super) const HOST: Setting = Setting::open(
    "HOST",
    Preset::Text("0.0.0.0"),
    Form::Other("an IP address such as 0.0.0.0 or ::, not a host name"),
    "The address of the public listener.",
);
pub(super) const PORT: Setting = Setting::open(
    "PORT",
    Preset::Text("8080"),
    Form::Count { min: 0, max: 65_535 },
    "The port of the public listener; 0 takes a free one and prints it.",
);
pub(super) const ADMIN_ADDR: Setting = Setting::open(
    "ADMIN_ADDR",
    Preset::Unset,
    Form::Other("an IP address and a port such as 127.0.0.1:9090"),
    "A second listener, with its own thread, for health, metrics and debugging; metrics then leave the public one.",
);
pub(super) const PUBLIC_URL: Setting = Setting::open(
    "PUBLIC_URL",
    Preset::Unset,
    Form::Other("an http or https origin without a path, such as https://watch.example.org"),
    "The base of share links and socket addresses; unset, the request's own host is used.",
);
pub(super) const WEB: Setting = Setting::open(
    "WEB",
    Preset::Text("true"),
    Form::Flag,
    "Serve the page (`/`, share links) and the SDK (`/sdk/index.js`).",
);
pub(super) const READY_REQUIRES_BACKEND: Setting = Setting::open(
    "READY_REQUIRES_BACKEND",
    Preset::Text("true"),
    Form::Flag,
    "Not ready while Redis is away; false for balancers that cut the sockets of nodes that are not ready.",
);
pub(super) const WORKER_THREADS: Setting = Setting::open(
    "WORKER_THREADS",
    Preset::Derived("the cores seen"),
    Form::Count { min: 1, max: 256 },
    "Threads of the runtime; a container without a CPU limit sees the whole machine, so set it there.",
);

pub(super) const SETTINGS: &[&Setting] =
    &[&HOST, &PORT, &ADMIN_ADDR, &PUBLIC_URL, &WEB, &READY_REQUIRES_BACKEND, &WORKER_THREADS];

/// Listeners, public address, workers.
#[derive(Clone, Debug)]
pub struct ServerConfig {
    /// The public listener; port 0 takes a free one.
    pub public_addr: SocketAddr,
    /// The second listener, for operators.
    pub admin_addr: Option<SocketAddr>,
    /// The origin clients reach us under, where it was told.
    pub public_url: Option<Origin>,
    /// Whether the page, `/sdk` and `/docs` are served.
    pub web: bool,
    /// Whether readiness falls while the backend is away.
    pub ready_requires_backend: bool,
    /// Threads of the runtime.
    pub worker_threads: usize,
}

pub(super) fn read(reader: &mut Reader<'_>) -> ServerConfig {
    let host: IpAddr = reader.required(&HOST, |text| text.parse().ok());
    let public_addr = SocketAddr::new(host, reader.count(&PORT));
    let admin_addr: Option<SocketAddr> = reader.optional(&ADMIN_ADDR, |text| text.parse().ok());
    let collides = admin_addr.is_some_and(|admin| overlap(admin, public_addr));
    reader.refuse_beside(&ADMIN_ADDR, &PORT, collides, "must not be the public listener of HOST and PORT");
    let public_url = reader.optional(&PUBLIC_URL, web_origin);
    if public_url.is_none() && reader.production() && !reader.given(&PUBLIC_URL) {
        reader.warn(PUBLIC_URL.name, "is unset: share links carry whatever host a request names");
    }
    ServerConfig {
        public_addr,
        admin_addr,
        public_url,
        web: reader.flag(&WEB),
        ready_requires_backend: reader.flag(&READY_REQUIRES_BACKEND),
        worker_threads: reader.count_or(&WORKER_THREADS, cores()),
    }
}

/// The cores this process may use, at most what `WORKER_THREADS` accepts; one where the system does not say.
pub(super) fn cores() -> usize {
    available_parallelism().map_or(1, usize::from).min(256)
}

/// Whether two listeners would want the same port of the same address; an unspecified address wants them all.
fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() == other.port() && one.port() != 0 && same_ip
}

fn web_origin(text: &str) -> Option<Origin> {
    let is_web =
        |origin: &Origin| ["http://", "https://"].iter().any(|scheme| origin.as_str().starts_with(scheme));
    form::origin(text).filter(is_web)
}
