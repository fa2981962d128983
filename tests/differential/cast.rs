//! Who and what appears in a sequence: six people, some looks, texts and slots, all fixed so that a seed means the same sequence for ever.

use std::fmt;
use std::time::Duration;

use watchparty::model::id::{ParticipantId, SessionId};
use watchparty::model::participant::DisplayName;
use watchparty::model::seat::Profile;
use watchparty::model::session::{NewSession, SessionName};

/// A lease that does not run out during a sequence. The other one in use is zero, which has run out as soon as it is given: which of the two
/// clocks is asked decides nothing. Leases that run out by themselves are the contract suite's (`leases`).
pub(crate) const LONG: Duration = Duration::from_secs(3600);
/// A time to live that does not run out either.
pub(crate) const TTL: Duration = Duration::from_secs(24 * 3600);

/// Their ids do not sort in the order of their letters: where a tie goes by id, that must not look like the order of joining.
const PEOPLE: [&str; 6] = [
    "8f14e45f-ceea-467f-a9d1-0c5a3b1f7e42",
    "c9f0f895-fb98-4b91-b599-5b34b6e1a1c2",
    "1679091c-5a88-4faf-8fb5-e6087eb1b2dc",
    "e4da3b7f-bbce-4345-9777-2b0674a318d5",
    "45c48cce-2e2d-4fbd-aa1a-fc51c7c6ad26",
    "a87ff679-a2f3-471d-9181-a67b7542122c",
];

/// One of the six. Nobody but `A` creates sessions.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Who(pub(crate) usize);

impl Who {
    pub(crate) const HOST: Self = Self(0);
    pub(crate) const COUNT: usize = PEOPLE.len();

    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..Self::COUNT).map(Self)
    }

    pub(crate) fn id(self) -> ParticipantId {
        PEOPLE[self.0].parse().expect("an id")
    }
}

impl fmt::Debug for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", ["A", "B", "C", "D", "E", "F"][self.0])
    }
}

/// How somebody looks: names that could break a quotation, a pattern or a row of ours.
pub(crate) fn look(at: usize) -> Profile {
    let (name, color) = [
        ("Ada", None),
        ("Grace \"Amazing\" } {", Some("#00ff7f")),
        ("%d+ 7 %1 \\u0041 \\", None),
        ("Žofie \u{1f37f} 1-0", Some("#123456")),
    ][at % LOOKS];
    let color = color.map(|color| color.parse().expect("a colour"));
    Profile { name: DisplayName::new(name).expect("a name"), color }
}

/// How many looks there are.
pub(crate) const LOOKS: usize = 4;

/// What is said: JSON of every shape.
pub(crate) fn data(at: usize) -> &'static str {
    [r#"{"text":"hi"}"#, r#"{"text":"\"n\":1,\"data\":{} 5-0 \\"}"#, "[]", r#""12:x""#][at % DATA]
}

/// How many there are.
pub(crate) const DATA: usize = 4;

/// Names of slots.
pub(crate) const SLOTS: [&str; 2] = ["playback", "a:b c"];

/// Names of sessions.
pub(crate) const NAMES: [&str; 2] = ["Movie night", "%s \"films\" = {1}"];

/// What the creator asks for.
pub(crate) fn new_session(id: SessionId, capacity: u32) -> NewSession {
    NewSession {
        id,
        name: SessionName::parse(NAMES[0]).expect("a name"),
        password_hash: String::from("$2b$04$first"),
        host: Who::HOST.id(),
        capacity,
        ttl: TTL,
    }
}
