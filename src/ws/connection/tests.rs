//! What a connection holds for life: bounds in bytes, so that a field too many is somebody's decision (docs/SCALING.md).

use super::*;

/// The size of what a function makes.
fn made<A, B, C, D, F>(_: impl FnOnce(A, B, C, D) -> F) -> usize {
    size_of::<F>()
}

#[test]
fn an_idle_connection_is_small() {
    println!(
        "serve {} live {} outbox {} attached {} machine {}",
        made(serve),
        size_of::<Live>(),
        size_of::<Outbox>(),
        size_of::<Attached>(),
        size_of::<Machine>()
    );
    fn run<'a, F>(_: impl FnOnce(&'a mut Live<'a>, Vec<u8>) -> F) -> usize {
        size_of::<F>()
    }
    println!("run {}", run(Live::run));
}
