//! The stored forms of domain values: record, seats, slots, lineage.
//!
//! Responsible for reading them from what scripts return, and for writing a new record's fields. The scripts keep the counters beside
//! them (`lua/fence.lua`).

use serde::Deserialize;
use std::collections::HashMap;
use std::time::Duration;

use super::reply::{Reply, parse, unreadable};
use crate::backend::error::BackendError;
use crate::model::entry::{Entry, Epoch, Seq};
use crate::model::history::History;
use crate::model::id::{ParticipantId, SessionId};
use crate::model::participant::{Color, DisplayName, Role};
use crate::model::record::Record;
use crate::model::seat::{Participant, Slot, Snapshot};
use crate::model::session::{Control, NewSession, SessionName, SessionRecord};
use crate::model::time::ClusterMs;

/// The fields of a hash.
pub(super) struct Fields(HashMap<String, String>);

impl Fields {
    pub(super) fn read(mut reply: Reply) -> Result<Self, BackendError> {
        let mut fields = HashMap::with_capacity(reply.left() / 2);
        while reply.left() > 0 {
            fields.insert(reply.next_text()?, reply.next_text()?);
        }
        Ok(Self(fields))
    }

    fn text(&self, name: &str) -> Result<&str, BackendError> {
        self.0.get(name).map(String::as_str).ok_or_else(|| unreadable("a field is missing"))
    }

    fn number(&self, name: &str) -> Result<u64, BackendError> {
        parse(self.text(name)?.as_bytes())
    }
}

/// The fields of a new session's record, as `lua/create.lua` takes them.
pub(super) fn new_record(new: &NewSession) -> [(&'static str, String); 5] {
    [
        ("name", new.name.as_str().to_owned()),
        ("host", new.host.to_string()),
        ("cap", new.capacity.to_string()),
        ("locked", flag(false).to_owned()),
        ("control", Control::default().as_str().to_owned()),
    ]
}

/// How a yes or no is stored.
pub(super) fn flag(on: bool) -> &'static str {
    if on { "1" } else { "0" }
}

pub(super) fn record(id: SessionId, fields: &Fields) -> Result<SessionRecord, BackendError> {
    let capacity = u32::try_from(fields.number("cap")?).map_err(|_| unreadable("a capacity"))?;
    let ttl = Duration::from_millis(fields.number("ttl")?);
    Ok(SessionRecord {
        id,
        name: SessionName::kept(fields.text("name")?).map_err(|_| unreadable("a session's name"))?,
        host: participant_id(fields.text("host")?)?,
        capacity,
        locked: fields.text("locked")? == flag(true),
        control: Control::parse(fields.text("control")?).ok_or_else(|| unreadable("a control"))?,
        created_at: ClusterMs(fields.number("created")?),
        expires_at: ClusterMs(fields.number("r")?).plus(ttl),
        version: fields.number("v")?,
    })
}

/// What `view` in `lua/view.lua` answers.
pub(super) fn snapshot(id: SessionId, mut reply: Reply) -> Result<Snapshot, BackendError> {
    let fields = Fields::read(reply.next_array()?)?;
    let first = Seq(reply.next_number()?);
    let participants_total = u32::try_from(reply.next_number()?).map_err(|_| unreadable("a count"))?;
    let record = record(id, &fields)?;
    let participants = participants(reply.next_array()?, record.host)?;
    let history = History {
        epoch: epoch(fields.text("e")?)?,
        head: Seq(fields.number("q")?),
        first,
        lineage: lineage(fields.text("l")?)?,
    };
    Ok(Snapshot { record, history, slots: slots(&fields)?, participants, participants_total })
}

fn slots(fields: &Fields) -> Result<Vec<Slot>, BackendError> {
    let named = fields.0.iter().filter_map(|(field, text)| Some((field.strip_prefix("slot:")?, text)));
    let mut slots = named
        .map(|(name, text)| {
            let (version, value) = text.split_once(' ').ok_or_else(|| unreadable("a slot"))?;
            let version = parse(version.as_bytes())?;
            Ok(Slot { name: name.to_owned(), version, value: value.to_owned() })
        })
        .collect::<Result<Vec<Slot>, BackendError>>()?;
    slots.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(slots)
}

/// Pairs of participant and seat, `<generation> <joined at> <node> <profile>`.
pub(super) fn participants(mut reply: Reply, host: ParticipantId) -> Result<Vec<Participant>, BackendError> {
    #[derive(Deserialize)]
    struct Stored {
        name: DisplayName,
        color: Option<Color>,
    }
    let mut found = Vec::with_capacity(reply.left() / 2);
    while reply.left() > 0 {
        let id = participant_id(&reply.next_text()?)?;
        let seat = reply.next_text()?;
        let mut parts = seat.splitn(4, ' ').skip(1);
        let joined_at = parts.next().ok_or_else(|| unreadable("a seat"))?;
        let profile = parts.nth(1).ok_or_else(|| unreadable("a seat"))?;
        let Stored { name, color } =
            serde_json::from_str(profile).map_err(|_| unreadable("a seat's profile"))?;
        let role = if id == host { Role::Host } else { Role::Member };
        found.push(Participant { id, name, color, role, joined_at: ClusterMs(parse(joined_at.as_bytes())?) });
    }
    Ok(found)
}

/// One entry of the stream: `<seq>-0` and the field `r` with `<ts> <record>`.
pub(super) fn entry(mut reply: Reply) -> Result<Entry, BackendError> {
    let ours = || unreadable("a log entry that is not ours");
    let id = reply.next_text()?;
    let seq = parse(id.strip_suffix("-0").ok_or_else(ours)?.as_bytes())?;
    let mut fields = reply.next_array()?;
    if fields.left() != 2 || fields.next_bytes()? != "r" {
        return Err(ours());
    }
    let mut text = fields.next_bytes()?;
    let space = text.iter().position(|byte| *byte == b' ').ok_or_else(ours)?;
    let ts = ClusterMs(parse(&text.split_to(space))?);
    let record = Record::from_stored(text.slice(1..)).ok_or_else(ours)?;
    Ok(Entry { seq: Seq(seq), ts, record })
}

pub(super) fn epoch(text: &str) -> Result<Epoch, BackendError> {
    Epoch::parse(text).ok_or_else(|| unreadable("an epoch"))
}

pub(super) fn participant_id(text: &str) -> Result<ParticipantId, BackendError> {
    text.parse().map_err(|_| unreadable("a participant"))
}

/// `<epoch>=<last seq>` each, oldest first.
pub(super) fn lineage(text: &str) -> Result<Vec<(Epoch, Seq)>, BackendError> {
    text.split_whitespace()
        .map(|mark| {
            let (old, last) = mark.split_once('=').ok_or_else(|| unreadable("a lineage"))?;
            Ok((epoch(old)?, Seq(parse(last.as_bytes())?)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::Value;

    fn text(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    #[test]
    fn an_entry_of_somebody_else_is_told() {
        let row = |id: &str, field: &str, value: &str| {
            let fields = Value::Array(vec![text(field), text(value)]);
            entry(Reply::array(Value::Array(vec![text(id), fields])).unwrap())
        };
        let ours = row("7-0", "r", "123 chat \"from\":null,\"data\":{}}").unwrap();
        assert_eq!((ours.seq, ours.ts, ours.record.data()), (Seq(7), ClusterMs(123), "{}"));
        for (id, field, value) in [
            ("7-1", "r", "123 chat \"from\":null,\"data\":{}}"),
            ("7", "r", "123 chat \"from\":null,\"data\":{}}"),
            ("7-0", "data", "123 chat \"from\":null,\"data\":{}}"),
            ("7-0", "r", "chat"),
            ("7-0", "r", "now chat \"from\":null,\"data\":{}}"),
            ("7-0", "r", "123 gossip \"from\":null,\"data\":{}}"),
        ] {
            assert!(
                matches!(row(id, field, value), Err(BackendError::Unreadable(_))),
                "{id} {field} {value}"
            );
        }
    }

    #[test]
    fn a_lineage_reads_in_order() {
        let (one, two) = (Epoch::new_random(), Epoch::new_random());
        let read = lineage(&format!("{one}=5 {two}=9")).unwrap();
        assert_eq!(read, [(one, Seq(5)), (two, Seq(9))]);
        assert_eq!(lineage("").unwrap(), []);
        assert!(lineage("x=1").is_err());
        assert!(lineage(&format!("{one}")).is_err());
    }

    #[test]
    fn a_profile_may_hold_spaces_and_braces() {
        let id = ParticipantId::new_random();
        let seat = r##"3 99 node {"name":"A b } {","color":"#00ff00"}"##;
        let rows = Reply::array(Value::Array(vec![text(&id.to_string()), text(seat)])).unwrap();
        let found = participants(rows, id).unwrap();
        assert_eq!(found[0].name.as_str(), "A b } {");
        assert_eq!((found[0].role, found[0].joined_at), (Role::Host, ClusterMs(99)));
    }
}
