//! How a connection ends: the close frame goes out, the peer's is awaited, and neither takes long.

use std::net::Shutdown;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::frame::{Decoder, Event, Flow, Violation};
use super::socket::{self, Read};
use crate::hub::outbox::{Closing, Outbox};
use crate::metrics::label::ClosedReason;
use crate::protocol::close::Ending;
use crate::protocol::framing::close_frame;

/// How long what is queued and the close frame may take to leave, then how long the peer's close frame may take to come.
const PATIENCE: Duration = Duration::from_secs(2);

/// Which ending a broken frame calls for.
pub(super) fn of(violation: Violation) -> Ending {
    match violation.code() {
        1003 => Ending::Binary,
        1007 => Ending::NotUtf8,
        1009 => Ending::TooBig(violation.reason()),
        _ => Ending::Protocol(violation.reason()),
    }
}

/// Waits a little for the answers that are owed: who was heard is told what became of it, and it lands before the seat goes.
pub(super) async fn settle(outbox: &Outbox) {
    let paid = async {
        while outbox.debts().owed() > 0 {
            outbox.debts().hold();
            // Paid between the two looks: nobody would wake us.
            if outbox.debts().owed() == 0 {
                return;
            }
            outbox.woken().await;
        }
    };
    let _ = timeout(PATIENCE, paid).await;
}

/// Says goodbye and waits a little for the answer: a socket dropped with unread bytes would be reset, and the close frame lost.
pub(super) async fn say_goodbye(
    socket: &TcpStream,
    outbox: &Outbox,
    decoder: &mut Decoder,
    closing: Closing,
) {
    let frame = match closing {
        Closing::Ours(ending) => close_frame(ending.code(), &ending.reason()),
        // The echo of RFC 6455, 5.5.1: our own normal close answers theirs, whatever its code.
        Closing::Client => close_frame(1000, ""),
        Closing::PeerLost => return,
    };
    outbox.seal(frame);
    let flushed = timeout(PATIENCE, outbox.flush()).await.is_ok_and(|sent| sent);
    if flushed && closing != Closing::Client {
        let _ = timeout(PATIENCE, until_closed(socket, decoder)).await;
    }
}

/// Reads and drops until the peer's close frame or the end of its stream. With both close frames said it is for the server to end
/// the connection (RFC 6455, 7.1.1): the client waits for that.
async fn until_closed(socket: &TcpStream, decoder: &mut Decoder) {
    let mut closed = false;
    let mut note = |event: Event<'_>| {
        closed |= matches!(event, Event::Close(_));
        Flow::Continue
    };
    let mut readable = decoder.resume(&mut note).is_ok() && !decoder.has_ended();
    while readable && socket.readable().await.is_ok() {
        match socket::read(socket, decoder, &mut note) {
            Ok(Read::Bytes(_)) => readable = !decoder.has_ended(),
            Ok(Read::Violation(_)) => readable = false,
            Ok(Read::End) | Err(_) => return,
        }
    }
    if !closed {
        until_ended(socket).await;
    }
}

/// What comes from a peer that broke the framing cannot be read: our end of the stream says that we are done, theirs is awaited.
async fn until_ended(socket: &TcpStream) {
    if SockRef::from(socket).shutdown(Shutdown::Write).is_err() {
        return;
    }
    let mut bytes = [0; 1024];
    while socket.readable().await.is_ok() {
        match socket.try_read(&mut bytes) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
    }
}

/// The label in metrics.
#[must_use]
pub fn label(closing: Closing) -> ClosedReason {
    match closing {
        Closing::Client => ClosedReason::ClientClosed,
        Closing::PeerLost => ClosedReason::PeerLost,
        Closing::Ours(ending) => match ending {
            Ending::Left => ClosedReason::Left,
            Ending::Protocol(_) => ClosedReason::Protocol,
            Ending::Binary => ClosedReason::Binary,
            Ending::NotUtf8 => ClosedReason::NotUtf8,
            Ending::TooBig(_) => ClosedReason::TooBig,
            Ending::Internal => ClosedReason::Internal,
            Ending::Draining(_) | Ending::SeatLost => ClosedReason::Draining,
            Ending::Overloaded(_) => ClosedReason::Overloaded,
            Ending::Malformed => ClosedReason::Malformed,
            Ending::Unauthorized(_) => ClosedReason::Unauthorized,
            Ending::Kicked => ClosedReason::Kicked,
            Ending::NoSession => ClosedReason::SessionNotFound,
            Ending::TooSlow => ClosedReason::TooSlow,
            Ending::Replaced => ClosedReason::Replaced,
            Ending::SessionEnded => ClosedReason::SessionEnded,
            Ending::RateAbused => ClosedReason::RateLimited,
            Ending::Full | Ending::Locked => ClosedReason::SessionFull,
        },
    }
}
