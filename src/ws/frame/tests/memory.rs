//! What the decoder promises about memory and borrowing.

use super::*;

#[test]
fn w4_a_declared_length_allocates_nothing() {
    let mut decoder = Decoder::new(LIMIT);
    let mut header = frame(TEXT, &[b'x'; LIMIT]);
    header.truncate(14 + 10);
    assert_eq!(decode(&mut decoder, &header, &[]), (Vec::new(), Ok(())));
    assert!(decoder.mid_message());
    assert!(decoder.spilled_bytes() < 512, "{} bytes for ten that came", decoder.spilled_bytes());
}

#[test]
fn an_idle_decoder_is_small_and_holds_nothing() {
    assert!(size_of::<Decoder>() <= 24, "{}", size_of::<Decoder>());
    let mut decoder = Decoder::new(LIMIT);
    let bytes = [frame(FIRST, &[b'x'; 5000]), frame(PING, b"p"), frame(LAST, &[b'y'; 5000])].concat();
    for cut in [1, 7, 3000, 5008, 5010, 5015, 9000] {
        assert_eq!(decode(&mut decoder, &bytes[..cut], &[]).1, Ok(()));
        assert!(decoder.mid_message(), "cut at {cut}");
        assert!(decoder.spilled_bytes() > 0, "cut at {cut}");
        assert_eq!(decode(&mut decoder, &bytes[cut..], &[]).1, Ok(()));
        assert!(!decoder.mid_message(), "cut at {cut}");
        assert_eq!(decoder.spilled_bytes(), 0, "cut at {cut}");
    }
}

#[test]
fn a_whole_frame_is_lent_from_the_bytes_it_came_in() {
    let mut decoder = Decoder::new(LIMIT);
    let mut bytes = [frame(TEXT, b"lent"), frame(PING, b"too")].concat();
    let place = bytes.as_ptr_range();
    let mut lent = 0;
    decoder
        .feed(&mut bytes, |event| {
            let at = match event {
                Event::Text(text) => text.as_ptr(),
                Event::Ping(payload) => payload.as_ptr(),
                other => panic!("unexpected {other:?}"),
            };
            assert!(place.contains(&at), "copied");
            lent += 1;
            Flow::Continue
        })
        .expect("two good frames");
    assert_eq!((lent, decoder.spilled_bytes()), (2, 0));
}
