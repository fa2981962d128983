//! A pause, and what comes after it.

use super::*;

/// Feeds or resumes with a pause after the first event; the events said.
fn one(decoder: &mut Decoder, bytes: Option<&[u8]>) -> Vec<Said> {
    let mut said = Vec::new();
    let on = |event: Event<'_>| {
        said.push(event.into());
        Flow::Pause
    };
    match bytes {
        Some(bytes) => decoder.feed(&mut bytes.to_vec(), on),
        None => decoder.resume(on),
    }
    .expect("good frames");
    said
}

#[test]
fn a_pause_keeps_the_rest_and_resuming_goes_on_there() {
    let mut decoder = Decoder::new(LIMIT);
    let tail = frame(TEXT, b"four");
    let bytes =
        [frame(TEXT, b"one"), frame(FIRST, b"tw"), frame(LAST, b"o"), frame(PING, b"3"), tail[..5].to_vec()]
            .concat();
    assert_eq!(one(&mut decoder, Some(&bytes)), [text("one")]);
    assert!(!decoder.mid_message(), "it is we who wait");
    assert_eq!(one(&mut decoder, None), [text("two")]);
    assert_eq!(one(&mut decoder, None), [Said::Ping(b"3".to_vec())]);
    assert_eq!(one(&mut decoder, None), []);
    assert!(decoder.mid_message(), "now the client has to go on");
    assert_eq!(one(&mut decoder, Some(&tail[5..])), [text("four")]);
    assert_eq!(decoder.spilled_bytes(), 0);
    assert_eq!(one(&mut decoder, None), []);
}

#[test]
fn what_is_fed_during_a_pause_comes_after_what_was_kept() {
    let mut decoder = Decoder::new(LIMIT);
    assert_eq!(one(&mut decoder, Some(&[frame(TEXT, b"1"), frame(TEXT, b"2")].concat())), [text("1")]);
    assert_eq!(one(&mut decoder, Some(&frame(TEXT, b"3"))), [text("2")]);
    assert_eq!(one(&mut decoder, None), [text("3")]);
    assert_eq!(decoder.spilled_bytes(), 0);
}

#[test]
fn a_limit_raised_during_a_pause_holds_for_the_next_frame() {
    let after_hello = [frame(TEXT, b"hello"), frame(TEXT, &[b'x'; 5000])].concat();
    let mut decoder = Decoder::new(4096);
    assert_eq!(one(&mut decoder, Some(&after_hello)), [text("hello")]);
    decoder.set_message_limit(LIMIT);
    assert_eq!(one(&mut decoder, None), [text(&"x".repeat(5000))]);

    let unraised = decode(&mut Decoder::new(4096), &after_hello, &[]);
    assert_eq!(unraised, (vec![text("hello")], Err(Violation::TooBig)));
}

#[test]
fn a_close_ends_a_pause_for_good() {
    let mut decoder = Decoder::new(LIMIT);
    let bytes = [close(1000, b""), frame(TEXT, b"late")].concat();
    assert_eq!(one(&mut decoder, Some(&bytes)), [Said::Close(Some((1000, String::new())))]);
    assert_eq!(decoder.spilled_bytes(), 0);
    assert_eq!(one(&mut decoder, None), []);
}
