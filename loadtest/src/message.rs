//! What the generator says and reads: bodies that carry who said them and when they were meant to leave, and the few fields that are counted.
//!
//! Frames are not parsed as JSON: at a million a second that would measure the generator. The gateway writes `type` first and an entry's
//! `seq` after it, as its protocol shows, so fields are found where they stand, one after the other. What a payload holds cannot look
//! like a field, because quotes in it are escaped.

use std::fmt::Write as _;

/// Microseconds since the run began.
pub(crate) type Micros = u64;

/// Longest `text` of a chat message that the gateway takes.
pub(crate) const CHAT_MAX: usize = 2000;
/// Longest stamp: the run, the sender, the number and the time, each with a blank after it.
pub(crate) const STAMP_MAX: usize = 9 + 11 + 21 + 21;

/// A frame of the gateway, as far as it is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Frame<'t> {
    /// An entry of the log.
    Entry {
        /// Its number.
        seq: u64,
        /// What it says, if this run said it.
        said: Option<Said>,
        /// Bytes of its body, if this run said it and nothing stands after it.
        body: Option<usize>,
    },
    /// A signal or a note that this run said: never in the log.
    Passing(Said),
    /// An entry is in the log.
    Ack {
        /// Its author's number.
        n: u64,
        /// Where.
        seq: u64,
    },
    /// Something was refused.
    Refused {
        /// The author's number, if it was a numbered message.
        n: Option<u64>,
        /// Why, in the gateway's word.
        code: &'t [u8],
    },
    /// The first frame.
    Welcome(Here<'t>),
    /// Continuity broke.
    Reset(Here<'t>),
    /// A new epoch begins after a number; or something else about the backend.
    Status(Option<Here<'t>>),
    /// Anything else.
    Other,
}

/// A position as a snapshot tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Here<'t> {
    /// The log's branch.
    pub(crate) epoch: &'t [u8],
    /// The newest number.
    pub(crate) head: u64,
    /// Whether what follows goes on from where the receiver was.
    pub(crate) recovered: bool,
}

/// One message of this run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Said {
    /// Who said it: senders of a run have numbers.
    pub(crate) sender: u32,
    /// Its author's number.
    pub(crate) n: u64,
    /// When it was meant to leave.
    pub(crate) meant: Micros,
}

/// Kinds of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    /// The application's own, in the log.
    Event,
    /// In the log.
    Chat,
    /// Moves the film, in the log, without a stamp.
    Seek,
    /// Gives the room its film, in the log, without a stamp.
    Load,
    /// To one, not in the log.
    Signal,
    /// To everybody, not in the log.
    Notify,
}

impl Verb {
    /// Whether it becomes an entry, with a number of its author's.
    pub(crate) fn lasts(self) -> bool {
        !matches!(self, Self::Signal | Self::Notify)
    }
}

/// Appends the text of a message to `out`, which is cleared. `length`: bytes of the body; `to`: who a signal is for.
pub(crate) fn say(out: &mut String, verb: Verb, run: u32, said: Said, (length, to): (usize, &str)) {
    out.clear();
    let Said { sender, n, meant } = said;
    let (head, tail) = match verb {
        Verb::Event => (r#"{"type":"event","n":"#, r#"}}"#),
        Verb::Chat => (r#"{"type":"chat","n":"#, r#"}}"#),
        Verb::Seek => (r#"{"type":"seek","n":"#, r#"}}"#),
        Verb::Load => (r#"{"type":"load","n":"#, r#"}}"#),
        Verb::Signal => (r#"{"type":"signal","to":""#, r#"}}"#),
        Verb::Notify => (r#"{"type":"notify""#, r#"}}"#),
    };
    out.push_str(head);
    // Writing to a String cannot fail.
    let _ = match verb {
        Verb::Event => write!(out, r#"{n},"data":{{"topic":"load","body":""#),
        Verb::Chat => write!(out, r#"{n},"data":{{"text":""#),
        // Anywhere in the film, another place each time.
        Verb::Seek => write!(out, r#"{n},"data":{{"position_ms":{}"#, n * 1009 % 600_000),
        Verb::Load => write!(
            out,
            r#"{n},"data":{{"media":{{"kind":"sample","src":"sample","title":"Load","duration_ms":600000}},"position_ms":0"#
        ),
        Verb::Signal => write!(out, r#"{to}","data":{{"kind":"candidate","link":"load","payload":""#),
        Verb::Notify => write!(out, r#","data":{{"topic":"load","body":""#),
    };
    if !matches!(verb, Verb::Seek | Verb::Load) {
        let body = out.len();
        let _ = write!(out, "{run:08x} {sender} {n} {meant} ");
        let length = if verb == Verb::Chat { length.min(CHAT_MAX) } else { length };
        let written = out.len() - body;
        out.extend(std::iter::repeat_n('x', length.saturating_sub(written)));
        out.push('"');
    }
    out.push_str(tail);
}

/// Reads a frame. `run`: whose messages count.
pub(crate) fn read(text: &[u8], run: u32) -> Frame<'_> {
    let Some(rest) = text.strip_prefix(b"{\"type\":\"") else { return Frame::Other };
    let Some(end) = rest.iter().position(|byte| *byte == b'"') else { return Frame::Other };
    let (kind, rest) = (&rest[..end], &rest[end + 1..]);
    if let Some(rest) = rest.strip_prefix(b",\"seq\":") {
        let Some((seq, rest)) = number(rest) else { return Frame::Other };
        let found = matches!(kind, b"event" | b"chat").then(|| entry(kind, rest, run)).flatten();
        return Frame::Entry {
            seq,
            said: found.map(|(said, _)| said),
            body: found.and_then(|(_, body)| body),
        };
    }
    match kind {
        b"ack" => ack(rest).unwrap_or(Frame::Other),
        b"error" => {
            let n = rest.strip_prefix(b",\"n\":").and_then(number).map(|(n, _)| n);
            Frame::Refused { n, code: text_after(rest, b"\"code\":\"").unwrap_or_default() }
        }
        b"signal" => stamp_after(rest, b"\"payload\":\"", run).map_or(Frame::Other, Frame::Passing),
        b"notify" => stamp_after(rest, b"\"body\":\"", run).map_or(Frame::Other, Frame::Passing),
        b"welcome" => here(rest).map_or(Frame::Other, Frame::Welcome),
        b"reset" => Frame::Reset(here(rest).unwrap_or(Here { epoch: b"", head: 0, recovered: false })),
        b"status" => Frame::Status(here(rest)),
        _ => Frame::Other,
    }
}

/// `,"n":3,"data":{"epoch":"…","seq":41…`, perhaps with an `id` before.
fn ack(rest: &[u8]) -> Option<Frame<'static>> {
    let (n, rest) = number(after(rest, b"\"n\":")?)?;
    let (seq, _) = number(after(rest, b"\"seq\":")?)?;
    Some(Frame::Ack { n, seq })
}

/// The rest of an entry after its number: `,"ts":…,"from":"…","n":7,"data":{"topic":"load","body":"…` in this order, which costs no
/// search; in any other it is searched for.
fn entry(kind: &[u8], rest: &[u8], run: u32) -> Option<(Said, Option<usize>)> {
    let field: &[u8] = if kind == b"event" { b"\"body\":\"" } else { b"\"text\":\"" };
    let body = in_order(kind, rest).or_else(|| after(rest, field))?;
    // The body is the last of a frame, so its length costs no search.
    Some((stamp(body, run)?, body.strip_suffix(b"\"}}").map(<[u8]>::len)))
}

fn in_order<'t>(kind: &[u8], rest: &'t [u8]) -> Option<&'t [u8]> {
    let (_, rest) = number(rest.strip_prefix(b",\"ts\":")?)?;
    let rest = rest.strip_prefix(b",\"from\":\"")?.get(36..)?;
    let (_, rest) = number(rest.strip_prefix(b"\",\"n\":")?)?;
    let data: &[u8] = if kind == b"event" {
        b",\"data\":{\"topic\":\"load\",\"body\":\""
    } else {
        b",\"data\":{\"text\":\""
    };
    rest.strip_prefix(data)
}

fn stamp_after(text: &[u8], field: &[u8], run: u32) -> Option<Said> {
    stamp(after(text, field)?, run)
}

/// `0000abcd 3 41 1234567 `: run, sender, number, time.
fn stamp(body: &[u8], run: u32) -> Option<Said> {
    let (tag, rest) = body.split_at_checked(9)?;
    let mut ours = 0u32;
    for byte in &tag[..8] {
        ours = ours << 4 | char::from(*byte).to_digit(16)?;
    }
    (ours == run && tag[8] == b' ').then_some(())?;
    let (sender, rest) = number(rest)?;
    let (n, rest) = number(rest.get(1..)?)?;
    let (meant, _) = number(rest.get(1..)?)?;
    Some(Said { sender: u32::try_from(sender).ok()?, n, meant })
}

/// `"epoch":"…","head":42`, in this order, and whether `"recovered":true` follows. A session's name is ours and holds neither.
fn here(text: &[u8]) -> Option<Here<'_>> {
    let rest = after(text, b"\"epoch\":\"")?;
    let epoch = rest.get(..36)?;
    let (head, rest) = number(after(rest, b"\"head\":")?)?;
    Some(Here { epoch, head, recovered: rest.starts_with(b",\"recovered\":true") })
}

fn after<'t>(text: &'t [u8], what: &[u8]) -> Option<&'t [u8]> {
    text.windows(what.len()).position(|window| window == what).map(|at| &text[at + what.len()..])
}

fn text_after<'t>(text: &'t [u8], what: &[u8]) -> Option<&'t [u8]> {
    let rest = after(text, what)?;
    rest.iter().position(|byte| *byte == b'"').map(|end| &rest[..end])
}

/// The number at the head of a text, and what follows it.
fn number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let value = |value: u64, byte: &u8| value.checked_mul(10)?.checked_add(u64::from(byte - b'0'));
    (digits > 0).then_some(())?;
    Some((text[..digits].iter().try_fold(0, value)?, &text[digits..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: Said = Said { sender: 12, n: 41, meant: 1_234_567 };
    const FROM: &str = "c9f0f895-fb98-4b91-99f2-f4a1b2c3d4e5";

    fn said(verb: Verb) -> String {
        let mut out = String::from("what was there before");
        say(&mut out, verb, 0xab, SAID, (128, FROM));
        let parsed: serde_json::Value = serde_json::from_str(&out).expect("JSON");
        assert!(parsed["data"].is_object(), "{out}");
        out
    }

    #[test]
    fn what_is_said_reads_back_from_the_entry_it_becomes() {
        for (verb, kind) in [(Verb::Event, "event"), (Verb::Chat, "chat")] {
            let sent = said(verb);
            let data = sent.split(r#""n":41,"#).nth(1).expect("data");
            let entry = format!(r#"{{"type":"{kind}","seq":77,"ts":1,"from":"{FROM}","n":41,{data}"#);
            let told = Frame::Entry { seq: 77, said: Some(SAID), body: Some(128) };
            assert_eq!(read(entry.as_bytes(), 0xab), told);
            assert_eq!(
                read(entry.as_bytes(), 0xac),
                Frame::Entry { seq: 77, said: None, body: None },
                "another run's"
            );
            let other = format!(r#"{{"type":"{kind}","seq":77,"new":true,"from":"{FROM}","n":41,{data}"#);
            assert_eq!(read(other.as_bytes(), 0xab), told, "in another order");
        }
    }

    #[test]
    fn a_body_has_the_length_asked_for() {
        let sent: serde_json::Value = serde_json::from_str(&said(Verb::Event)).expect("JSON");
        assert_eq!(sent["data"]["body"].as_str().map(str::len), Some(128));
    }

    #[test]
    fn what_passes_is_read_too() {
        for (verb, kind) in [(Verb::Signal, "signal"), (Verb::Notify, "notify")] {
            let sent = said(verb);
            let data = sent.split(r#","data""#).nth(1).expect("data");
            let frame = format!(r#"{{"type":"{kind}","from":"{FROM}","ts":1767225643000,"data"{data}"#);
            assert_eq!(read(frame.as_bytes(), 0xab), Frame::Passing(SAID), "{frame}");
            assert!(!verb.lasts());
        }
        assert!(said(Verb::Seek).contains("position_ms") && said(Verb::Load).contains("sample"));
    }

    #[test]
    fn positions_are_read_from_snapshots() {
        let epoch = "6c8349cc-7260-4e62-a3b1-1396831a8398";
        let welcome = format!(
            r#"{{"type":"welcome","data":{{"session":{{"name":"Load"}},"epoch":"{epoch}","head":42,"recovered":true,"reason":null}}}}"#
        );
        let here = Here { epoch: epoch.as_bytes(), head: 42, recovered: true };
        assert_eq!(read(welcome.as_bytes(), 1), Frame::Welcome(here));
        let status = format!(r#"{{"type":"status","data":{{"backend":"up","epoch":"{epoch}","head":42}}}}"#);
        assert_eq!(read(status.as_bytes(), 1), Frame::Status(Some(Here { recovered: false, ..here })));
        assert!(matches!(read(br#"{"type":"reset","data":{}}"#, 1), Frame::Reset(_)));
    }

    #[test]
    fn other_frames_are_told_apart() {
        let read = |text: &'static str| read(text.as_bytes(), 1);
        assert_eq!(
            read(r#"{"type":"participant.joined","seq":3,"ts":1,"data":{}}"#),
            Frame::Entry { seq: 3, said: None, body: None }
        );
        assert_eq!(
            read(r#"{"type":"ack","n":9,"data":{"epoch":"x","seq":12}}"#),
            Frame::Ack { n: 9, seq: 12 }
        );
        assert_eq!(
            read(r#"{"type":"error","n":7,"data":{"code":"gap","message":"A number"}}"#),
            Frame::Refused { n: Some(7), code: b"gap" }
        );
        assert_eq!(read(r#"{"type":"error","data":{"code":"x"}}"#), Frame::Refused { n: None, code: b"x" });
        assert_eq!(read(r#"{"type":"status","data":{"backend":"degraded"}}"#), Frame::Status(None));
        for other in [r#"{"type":"notify","data":{}}"#, "", "[]", r#"{"type":"chat"#, r#"{"type":"ack"}"#] {
            assert_eq!(read(other), Frame::Other, "{other}");
        }
    }
}
