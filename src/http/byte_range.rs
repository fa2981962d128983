//! Which bytes of something a `Range` header asks for (RFC 9110, 14.2), as far as players of films ask. Pure.
//!
//! One range is answered with that part. Several at once, other units and what does not parse are answered with the whole, which the RFC
//! allows and every client understands.

/// What to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// All of it.
    Whole,
    /// From the first byte to the last, both in it.
    Part(usize, usize),
    /// A range that begins after the end.
    Beyond,
}

/// Reads the header's value for something of `length` bytes.
#[must_use]
pub fn asked(range: Option<&str>, length: usize) -> Asked {
    parse(range, length).unwrap_or(Asked::Whole)
}

fn parse(range: Option<&str>, length: usize) -> Option<Asked> {
    let (from, to) = range?.strip_prefix("bytes=")?.split_once('-')?;
    let (from, to) = (from.trim(), to.trim());
    if from.is_empty() {
        // The last so many bytes.
        let last = number(to)?;
        return Some(if last == 0 || length == 0 {
            Asked::Beyond
        } else {
            Asked::Part(length.saturating_sub(last), length - 1)
        });
    }
    let from = number(from)?;
    let to = if to.is_empty() { usize::MAX } else { number(to)? };
    if to < from {
        return None;
    }
    Some(if from >= length { Asked::Beyond } else { Asked::Part(from, to.min(length - 1)) })
}

/// Digits alone: `parse` would take a sign too.
fn number(text: &str) -> Option<usize> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::Asked::{Beyond, Part, Whole};
    use super::*;

    #[test]
    fn one_range_is_a_part_and_anything_odd_the_whole() {
        for (range, expected) in [
            (None, Whole),
            (Some("bytes=0-"), Part(0, 99)),
            (Some("bytes=10-19"), Part(10, 19)),
            (Some("bytes=90-1000"), Part(90, 99)),
            (Some("bytes=99-"), Part(99, 99)),
            (Some("bytes=100-"), Beyond),
            (Some("bytes=99999999999999999999999-"), Beyond),
            (Some("bytes=-5"), Part(95, 99)),
            (Some("bytes=-500"), Part(0, 99)),
            (Some("bytes=-0"), Beyond),
            (Some("bytes=5-4"), Whole),
            (Some("bytes=0-1,5-6"), Whole),
            (Some("bytes=+1-2"), Whole),
            (Some("bytes=-"), Whole),
            (Some("lines=0-1"), Whole),
            (Some("bytes"), Whole),
        ] {
            assert_eq!(asked(range, 100), expected, "{range:?}");
        }
        assert_eq!(asked(Some("bytes=0-"), 0), Beyond);
    }
}
