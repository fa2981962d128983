//! Compressed data from a stranger: whatever it is, inflating ends within its limit; and what we compress inflates to itself.

#![no_main]

use libfuzzer_sys::fuzz_target;
use watchparty::protocol::deflate::{COMPRESS_FROM, inflate, put_text_frame};

fuzz_target!(|bytes: &[u8]| {
    for limit in [0, 100, 64 * 1024] {
        if let Ok(out) = inflate(bytes, limit) {
            assert!(out.len() <= limit && out.capacity() <= limit + 1);
        }
    }
    let payload = bytes.repeat(COMPRESS_FROM.div_ceil(bytes.len().max(1)));
    let mut frame = Default::default();
    if put_text_frame(&payload, &mut frame) {
        let header = match frame[1] {
            126 => 4,
            127 => 10,
            _ => 2,
        };
        assert_eq!(inflate(&frame[header..], payload.len()).as_deref(), Ok(&payload[..]));
    }
});
