//! What every message and every arrival passes, piece by piece and without a socket: frames, JSON, tokens, encoding.
//!
//! Each is the function that the gateway itself calls. Hashing a password is not here: it is slow on purpose.

use std::hint::black_box;
use std::time::Duration;

use watchparty::auth::token::{Claims, Keys};
use watchparty::hub::run::Encoder;
use watchparty::model::entry::{Entry, Epoch, Position, Seq};
use watchparty::model::id::{ParticipantId, SessionId, TokenId};
use watchparty::model::participant::{DisplayName, Role};
use watchparty::model::record::Record;
use watchparty::model::time::{ClusterMs, UnixSeconds};
use watchparty::protocol::framing::Framing;
use watchparty::protocol::inbound;
use watchparty::ws::frame::{Decoder, Event, Flow};

use crate::masked::masked;
use crate::rounds::{Cost, of, of_prepared};

/// Payloads of the frames that are decoded, in bytes; the last is the largest message by default.
pub(crate) const FRAMES: [usize; 5] = [16, 128, 1024, 16 * 1024, 64 * 1024];
/// Entries in the runs that are encoded.
pub(crate) const RUNS: [usize; 2] = [1, 32];
/// Bytes of frames in a window, which a second-level cache holds, and frames at most.
const FRAME_BYTES: usize = 256 * 1024;
const FRAMES_MOST: usize = 4096;
/// Steps of a window for pieces that need nothing prepared.
const STEPS: u64 = 256;

/// A whole masked text frame: header, unmasking, UTF-8.
pub(crate) fn decode(size: usize) -> Cost {
    let pristine = masked(&"x".repeat(size));
    let frames = (FRAME_BYTES / size).clamp(4, FRAMES_MOST);
    let mut decoder = Decoder::new(64 * 1024);
    let mut bytes = 0;
    let cost = of_prepared(
        frames as u64,
        // Decoding writes where it reads: a frame can be decoded once.
        || vec![pristine.clone(); frames],
        |mut all| {
            for frame in &mut all {
                let fed = decoder.feed(frame, |event| {
                    let Event::Text(text) = event else { panic!("a text frame, not {event:?}") };
                    bytes += black_box(text).len();
                    Flow::Continue
                });
                fed.expect("a good frame");
            }
        },
    );
    assert!(bytes >= frames * size, "every frame was delivered");
    cost
}

/// A message, from JSON to what it asks for.
pub(crate) fn parse(text: &str) -> Cost {
    of(STEPS, || drop(black_box(inbound::parse(black_box(text)).expect("a good message"))))
}

/// A token: signed, and checked.
pub(crate) fn token() -> (Cost, Cost) {
    let keys = Keys::new(b"a secret of at least 32 bytes, to measure", None);
    let now = UnixSeconds(1_800_000_000);
    let claims = Claims {
        sub: ParticipantId::new_random(),
        sid: SessionId::new_random(),
        role: Role::Member,
        name: Some(DisplayName::new("Ada").expect("a good name")),
        iat: now,
        exp: now.plus(Duration::from_secs(3600)),
        jti: TokenId::new_random(),
    };
    let token = keys.issue(&claims);
    let issue = of(STEPS, || drop(black_box(keys.issue(black_box(&claims)))));
    let check = of(STEPS, || {
        let said = keys.verify(black_box(&token), now).expect("a good token");
        assert_eq!(black_box(said).sub, claims.sub);
    });
    (issue, check)
}

/// An entry of a run of so many, as the bytes that listeners are given.
pub(crate) fn encode(framing: Framing, record: &Record, entries: usize) -> Cost {
    let epoch = Epoch::new_random();
    let at = Position { epoch, seq: Seq(1_000_000) };
    let seqs = (at.seq.0 + 1..).take(entries);
    let run: Vec<_> = seqs
        .map(|seq| (epoch, Entry { seq: Seq(seq), ts: ClusterMs(1_800_000_000_000), record: record.clone() }))
        .collect();
    let windows = STEPS as usize / entries;
    of_prepared(
        (windows * entries) as u64,
        || (),
        |()| {
            for _ in 0..windows {
                let run = Encoder::run(framing, at, black_box(&run)).expect("entries");
                drop(black_box(run));
            }
        },
    )
}
