//! Waiting for a condition under a deadline.
//!
//! The one place in the tests where time passes on purpose: `until` asks again and again, and the pause between
//! two questions only spares the processor. It never decides an outcome; the deadline does, and it is generous
//! because a busy machine is not a defect.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// How long a test waits for anything before it says that it will not come.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// Between two questions to another process: short against everything we wait for, long against a syscall.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks `condition` until it answers `Some`, and panics with `what` after [`DEADLINE`].
pub async fn until<T, F, Fut>(what: &str, condition: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    until_within(DEADLINE, what, condition).await
}

/// [`until`] with a deadline of its own, for promises that name one.
pub async fn until_within<T, F, Fut>(deadline: Duration, what: &str, mut condition: F) -> T
where
    F: FnMut() -> Fut,
    Fut: Future<Output = Option<T>>,
{
    let end = Instant::now() + deadline;
    loop {
        // A question may hang (a frozen process answers nothing), so it shares the deadline.
        if let Ok(Some(answer)) = tokio::time::timeout_at(end, condition()).await {
            return answer;
        }
        assert!(Instant::now() < end, "waited {deadline:?} in vain for {what}");
        // Not a synchronisation: the loop asks again, this pause only keeps it from spinning.
        tokio::time::sleep(PAUSE).await;
    }
}

/// Lets time pass where that is the fault itself: clocks that are not ours (the kernel's, a peer's patience) have to run out, or must not.
/// Never to wait for something to have happened.
pub async fn let_pass(time: Duration) {
    // Time passing is what is wanted: no outcome is decided by its end.
    tokio::time::sleep(time).await;
}

/// Awaits `future` under [`DEADLINE`], and panics with `what` past it.
pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {DEADLINE:?} in vain for {what}"),
    }
}
