//! How long an HTTP connection is waited for: two times where hyper has one.
//!
//! hyper starts `header_read_timeout` when a connection is opened and again as soon as an answer is written, so 5 s for a head would
//! also be 5 s for keep-alive; proxies keep connections to us for 60 s and would send requests into a closed one. hyper asks a
//! timer of ours, though, and polls what it gave whenever a head is still not whole: here that future gives an idle
//! connection [`IDLE`], and from the first byte of a further head no more than [`HEAD`].

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use hyper::rt::{Sleep, Timer};
use tokio::time::{Instant, sleep_until};

use crate::ws::carrier::Spoke;

/// A request's head must be whole by then: header bytes one a second are an attack (slow loris). A new connection that says
/// nothing has the same.
pub(super) const HEAD: Duration = Duration::from_secs(5);

/// How long a connection may be silent between two requests: longer than proxies keep theirs to us (nginx, Envoy, AWS and Google
/// balancers: 60 s), so that it is they who close and no request meets a closed connection.
pub(super) const IDLE: Duration = Duration::from_secs(75);

/// The timer of one connection. hyper's HTTP/1 server asks it for nothing but the head's time.
pub(super) struct Patience {
    spoke: Spoke,
    opened: AtomicBool,
}

impl Patience {
    /// For the connection whose peer is noticed there.
    pub(super) fn new(spoke: Spoke) -> Self {
        Self { spoke, opened: AtomicBool::new(false) }
    }
}

impl Timer for Patience {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    /// `deadline` is [`HEAD`] from now.
    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn Sleep>> {
        let first = !self.opened.swap(true, Ordering::Relaxed);
        let until = if first {
            Instant::from_std(deadline)
        } else {
            // Its last request is answered. What it pipelined behind that counts as idle until it goes on.
            self.spoke.forget();
            Instant::now() + IDLE
        };
        Box::pin(Wait { until: Box::pin(sleep_until(until)), hurry: (!first).then(|| self.spoke.clone()) })
    }

    fn now(&self) -> std::time::Instant {
        Instant::now().into_std()
    }
}

struct Wait {
    until: Pin<Box<tokio::time::Sleep>>,
    /// Until the peer has begun a further head.
    hurry: Option<Spoke>,
}

impl Sleep for Wait {}

impl Future for Wait {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.hurry.take_if(|spoke| spoke.has()).is_some() {
            let until = self.until.deadline().min(Instant::now() + HEAD);
            self.until.as_mut().reset(until);
        }
        self.until.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ws::carrier::Carrier;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};

    /// Both ends of a connection, ours noticing.
    async fn connection(spoke: &Spoke) -> (Carrier, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (Carrier::new(listener.accept().await.unwrap().0, spoke.clone()), peer)
    }

    /// How long hyper would wait from now on.
    async fn waited(wait: Pin<Box<dyn Sleep>>) -> Duration {
        let since = Instant::now();
        wait.await;
        Instant::now() - since
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_connection_has_the_time_of_a_head_and_an_idle_one_longer() {
        let patience = Patience::new(Spoke::default());
        assert_eq!(waited(patience.sleep_until(patience.now() + HEAD)).await, HEAD);
        assert_eq!(waited(patience.sleep_until(patience.now() + HEAD)).await, IDLE);
        assert_eq!(waited(patience.sleep(HEAD)).await, IDLE);
    }

    #[tokio::test]
    async fn a_head_that_has_begun_has_the_time_of_a_head() {
        let spoke = Spoke::default();
        let (mut ours, mut peer) = connection(&spoke).await;
        let patience = Patience::new(spoke.clone());
        peer.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        ours.read_exact(&mut [0; 18]).await.unwrap();
        assert!(spoke.has());
        drop(patience.sleep_until(patience.now() + HEAD));
        let mut idle = patience.sleep_until(patience.now() + HEAD);
        assert!(!spoke.has(), "the answered request is forgotten");

        tokio::time::pause();
        assert!(futures_util::poll!(&mut idle).is_pending());
        tokio::time::advance(HEAD * 2).await;
        assert!(futures_util::poll!(&mut idle).is_pending(), "still idle");
        tokio::time::resume();
        peer.write_all(b"G").await.unwrap();
        ours.read_exact(&mut [0; 1]).await.unwrap();
        tokio::time::pause();
        let since = Instant::now();
        idle.await;
        let took = Instant::now() - since;
        assert!(took <= HEAD + Duration::from_millis(2), "{took:?}");
    }

    #[tokio::test]
    async fn speaking_late_does_not_add_time() {
        let spoke = Spoke::default();
        let (mut ours, mut peer) = connection(&spoke).await;
        let patience = Patience::new(spoke.clone());
        drop(patience.sleep(HEAD));
        let mut idle = patience.sleep(HEAD);
        assert!(futures_util::poll!(&mut idle).is_pending());
        tokio::time::pause();
        tokio::time::advance(IDLE - Duration::from_secs(1)).await;
        tokio::time::resume();
        peer.write_all(b"G").await.unwrap();
        ours.read_exact(&mut [0; 1]).await.unwrap();
        tokio::time::pause();
        assert!(waited(idle).await <= Duration::from_secs(1) + Duration::from_millis(2));
    }
}
