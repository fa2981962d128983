//! What a connection holds for life, in bytes: bounds, so that a field too many is somebody's decision (docs/SCALING.md has the sum).

use super::*;
use crate::ws::connection::{Arrival, serve};

type Nobody = std::future::Ready<Option<(TcpStream, Vec<u8>)>>;

fn task<F>(_: impl FnOnce(Arc<Sockets>, Nobody, Arrival) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn an_idle_connection_is_small() {
    let held = [("task", task(serve)), ("seated", size_of::<Live>()), ("outbox", size_of::<Outbox>())];
    let sum: usize = held.iter().map(|(_, bytes)| bytes).sum();
    assert!(sum <= 1344, "{sum} bytes, of which {held:?}");
    // One that has said something has spent of its limits.
    assert!(size_of::<Machine>() <= 264, "{} bytes", size_of::<Machine>());
}
