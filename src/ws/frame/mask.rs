//! The client's mask (RFC 6455, 5.3), applied in place.
//!
//! Responsible for the exclusive or and for where in the key a split payload goes on; not for where keys come
//! from. Eight bytes at a time, because every byte a client sends passes here once and the compiler makes
//! wide instructions of it.

/// A masking key, turned so that its first byte belongs to the next byte of payload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Mask([u8; 4]);

impl Mask {
    pub(super) fn new(key: [u8; 4]) -> Self {
        Self(key)
    }

    /// Unmasks the next bytes of the payload.
    pub(super) fn apply(&mut self, bytes: &mut [u8]) {
        let [a, b, c, d] = self.0;
        let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ wide).to_ne_bytes();
        }
        for (byte, key) in rest.iter_mut().zip(self.0.into_iter().cycle()) {
            *byte ^= key;
        }
        // Whole words leave the key where it was: only what is left over turns it.
        let turned = rest.len() % 4;
        self.0.rotate_left(turned);
    }
}

#[cfg(test)]
mod tests {
    use super::Mask;

    #[test]
    fn a_payload_in_pieces_is_unmasked_as_in_one() {
        let key = [0x11, 0x22, 0x44, 0x88];
        let plain: Vec<u8> = (0..61).collect();
        let masked: Vec<u8> = plain.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
        for cut in 0..=masked.len() {
            let mut bytes = masked.clone();
            let mut mask = Mask::new(key);
            let (left, right) = bytes.split_at_mut(cut);
            mask.apply(left);
            mask.apply(right);
            assert_eq!(bytes, plain, "cut at {cut}");
        }
    }
}
