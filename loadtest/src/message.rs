//! What the generator says and reads: the body that carries when it was meant to leave, and the few fields of a frame that are counted.
//!
//! Frames are not parsed as JSON: at tens of thousands a second that would measure the generator. The gateway writes `type` first and an
//! entry's `seq` after it, as its protocol shows; what a payload holds cannot look like that, because quotes in it are escaped.

use std::time::Duration;

/// A frame of the gateway, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame {
    /// An entry of the log.
    Entry {
        /// Its number.
        seq: u64,
        /// What it says, if this run said it.
        said: Option<Said>,
    },
    /// An entry is in the log.
    Ack {
        /// Its author's number.
        n: u64,
    },
    /// Something was refused.
    Error,
    /// Continuity broke.
    Reset,
    /// Anything else.
    Other,
}

/// One message of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    /// Its author's number.
    pub(crate) n: u64,
    /// When it was meant to leave, since the run began.
    pub(crate) meant: Duration,
}

/// The frame that says something: number `n` of run `run`, with a body of `length` bytes.
pub(crate) fn say(run: u32, n: u64, meant: Duration, length: usize) -> String {
    let stamp = format!("{run:08x} {} ", meant.as_micros());
    let filling = "x".repeat(length.saturating_sub(stamp.len()));
    format!(r#"{{"type":"event","n":{n},"data":{{"topic":"load","body":"{stamp}{filling}"}}}}"#)
}

/// Reads a frame. `run`: whose messages count.
pub(crate) fn read(text: &[u8], run: u32) -> Frame {
    let Some(rest) = text.strip_prefix(b"{\"type\":\"") else { return Frame::Other };
    let Some(end) = rest.iter().position(|byte| *byte == b'"') else { return Frame::Other };
    match &rest[..end] {
        b"ack" => number_after(rest, b"\"n\":").map_or(Frame::Other, |n| Frame::Ack { n }),
        b"error" => Frame::Error,
        b"reset" => Frame::Reset,
        kind => match rest[end..].strip_prefix(b"\",\"seq\":").and_then(number) {
            Some(seq) => Frame::Entry { seq, said: (kind == b"event").then(|| said(rest, run)).flatten() },
            None => Frame::Other,
        },
    }
}

fn said(entry: &[u8], run: u32) -> Option<Said> {
    let n = number_after(entry, b"\"n\":")?;
    let body = after(entry, b"\"body\":\"")?;
    let (tag, rest) = body.split_at_checked(9)?;
    let ours = std::str::from_utf8(tag).ok()?.strip_suffix(' ')?;
    (u32::from_str_radix(ours, 16).ok()? == run).then_some(())?;
    Some(Said { n, meant: Duration::from_micros(number(rest)?) })
}

fn after<'t>(text: &'t [u8], what: &[u8]) -> Option<&'t [u8]> {
    text.windows(what.len()).position(|window| window == what).map(|at| &text[at + what.len()..])
}

fn number_after(text: &[u8], what: &[u8]) -> Option<u64> {
    number(after(text, what)?)
}

fn number(text: &[u8]) -> Option<u64> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    std::str::from_utf8(&text[..digits]).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_reads_back_from_the_entry_it_becomes() {
        let meant = Duration::from_micros(1_234_567);
        let sent = say(0xab, 41, meant, 128);
        let body = sent.split(r#""body":""#).nth(1).expect("a body").trim_end_matches(r#""}}"#);
        assert_eq!(body.len(), 128);
        let data = sent.split(r#""n":41,"#).nth(1).expect("data");
        let entry = format!(r#"{{"type":"event","seq":77,"ts":1,"from":"somebody","n":41,{data}"#);
        let said = Some(Said { n: 41, meant });
        assert_eq!(read(entry.as_bytes(), 0xab), Frame::Entry { seq: 77, said });
        assert_eq!(read(entry.as_bytes(), 0xac), Frame::Entry { seq: 77, said: None }, "another run's");
    }

    #[test]
    fn other_frames_are_told_apart() {
        let read = |text: &str| read(text.as_bytes(), 1);
        assert_eq!(
            read(r#"{"type":"participant.joined","seq":3,"ts":1,"data":{}}"#),
            Frame::Entry { seq: 3, said: None }
        );
        assert_eq!(read(r#"{"type":"ack","n":9,"data":{"seq":12}}"#), Frame::Ack { n: 9 });
        assert_eq!(read(r#"{"type":"reset","data":{}}"#), Frame::Reset);
        assert_eq!(read(r#"{"type":"error","data":{"code":"gap"}}"#), Frame::Error);
        for other in [r#"{"type":"status","data":{}}"#, "", "[]", r#"{"type":"chat"#] {
            assert_eq!(read(other), Frame::Other, "{other}");
        }
    }
}
