//! A client's frame: what a browser would send, masked.

/// Some key; a real one is random, and no step depends on it.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
/// A whole text frame, and the bit that says it is masked.
const TEXT: u8 = 0x81;
const MASKED: u8 = 0x80;

/// One text frame around a payload.
pub(crate) fn masked(payload: &str) -> Vec<u8> {
    let length = payload.len();
    let mut frame = vec![TEXT];
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 126 => frame.push(MASKED | short),
        (_, Ok(middle)) => {
            frame.push(MASKED | 126);
            frame.extend(middle.to_be_bytes());
        }
        _ => {
            frame.push(MASKED | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    frame.extend(KEY);
    frame.extend(payload.bytes().zip(KEY.into_iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}
