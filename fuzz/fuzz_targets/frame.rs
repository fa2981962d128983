//! A client's bytes into the frame decoder, under any of its rules and in chops of any size: it never panics, holds no more than it may, and
//! hears the same however the bytes are cut. The first two bytes choose rules and size, the others are the client's.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchparty::protocol::deflate::most_deflated;
use watchparty::ws::frame::{Decoder, Event, Flow, Rules, Violation};

/// Small, so that limits are met.
const LIMIT: usize = 4096;

/// What a decoder holds beside a message: a header or a control frame that is not whole.
const BESIDE: usize = 512;

fn hear(rules: Rules, bytes: &[u8], chop: usize) -> (Vec<String>, Result<(), Violation>) {
    let mut decoder = Decoder::with(rules);
    let mut heard = Vec::new();
    for piece in bytes.chunks(chop.max(1)) {
        let result = decoder.feed(&mut piece.to_vec(), |event| {
            if let Event::Text(text) = event {
                assert!(text.len() <= LIMIT);
            }
            heard.push(format!("{event:?}"));
            Flow::Continue
        });
        assert!(decoder.spilled_bytes() <= most_deflated(LIMIT) + BESIDE);
        assert!(decoder.mid_message() || decoder.spilled_bytes() == 0);
        if result.is_err() {
            return (heard, result);
        }
    }
    (heard, Ok(()))
}

fuzz_target!(|input: &[u8]| {
    let [choice, chop, bytes @ ..] = input else { return };
    let (deflate, binary) = (choice & 1 != 0, choice & 2 != 0);
    let rules = Rules { message_bytes: LIMIT, fragments: 64, deflate, binary };
    assert_eq!(hear(rules, bytes, usize::from(*chop)), hear(rules, bytes, usize::MAX));
});
