//! What this node knows of one room's film and viewers: enough to judge a wait, to choose a lead, and to show how people fare.
//!
//! It is hearsay. Commands are decided on the slot itself, so that a watch that is late or incomplete can only cost a wait its
//! deadline. No I/O: the barrier feeds it and acts on it.

use std::collections::{HashMap, HashSet};

use crate::model::entry::Seq;
use crate::model::id::{ConnectionId, ParticipantId};
use crate::model::playback::barrier::Tally;
use crate::model::playback::report::Report;
use crate::model::playback::{Playback, Waiting};
use crate::model::time::ClusterMs;
use crate::protocol::peers::{Connection, Peer, Peers};

/// People on other nodes that are remembered. Past it newcomers are unknown: they are waited for, at most to the deadline.
const REMEMBERED: usize = 4096;

/// A connection on this node, as it came.
#[derive(Debug, Clone, Copy)]
pub(in crate::gateway) struct Here {
    pub(in crate::gateway) connection: ConnectionId,
    /// Whether it can say `ready`: an event stream cannot, so it is never waited for.
    pub(in crate::gateway) speaks: bool,
    /// The log's head when it took its seat: a seat that went before is an older one.
    pub(in crate::gateway) since: Seq,
}

/// A participant on this node, by their newest connection: an older one that is about to close no longer speaks for them.
#[derive(Debug, Clone, Copy)]
struct Mine {
    here: Here,
    report: Report,
    ready: Option<u64>,
}

/// Whom a wait is for.
#[derive(Debug)]
struct Required {
    since: ClusterMs,
    who: HashSet<ParticipantId>,
}

/// Whether the other nodes were asked how their people fare. What they told before this one listened it cannot know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Question {
    /// The room has just been opened.
    #[default]
    Open,
    /// There is somebody to ask about.
    Wanted,
    /// It was put, or there was nobody: from then on this node has heard everything.
    Put,
}

/// One room, watched.
#[derive(Debug, Default)]
pub(in crate::gateway) struct Watch {
    film: Option<Playback>,
    mine: HashMap<ParticipantId, Mine>,
    theirs: HashMap<ParticipantId, Peer>,
    required: Option<Required>,
    /// Who has changed since the other nodes were told.
    changed: HashSet<ParticipantId>,
    question: Question,
    /// Whether a task attends to the wait.
    pub(super) attended: bool,
}

impl Watch {
    /// A state of the film was heard of; whether it was news.
    pub(in crate::gateway) fn film(&mut self, film: Playback) -> bool {
        let news = self.film.as_ref().is_none_or(|known| known.version < film.version);
        if news {
            self.film_is(Some(film));
        }
        news
    }

    /// The film is this, whatever was heard before.
    pub(in crate::gateway) fn film_is(&mut self, film: Option<Playback>) {
        self.film = film;
        if self.waiting().is_some() {
            let silent = self.mine.iter().filter(|(_, mine)| !mine.here.speaks);
            self.changed.extend(silent.map(|(participant, _)| *participant));
        } else {
            self.required = None;
        }
    }

    /// The film's version, if it is so.
    pub(super) fn is_film(&self, so: impl FnOnce(&Playback) -> bool) -> Option<u64> {
        self.film.as_ref().filter(|film| so(film)).map(|film| film.version)
    }

    /// The wait, if the film waits.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        self.film.as_ref().and_then(Playback::waiting)
    }

    /// The room was opened: what was heard before it was closed is old.
    pub(in crate::gateway) fn opened(&mut self) {
        self.theirs.clear();
        self.question = Question::Open;
    }

    /// So many were seated when somebody came. Who is alone in the session has nobody to ask about.
    pub(in crate::gateway) fn seated(&mut self, people: u32) {
        if self.question == Question::Open {
            self.question = if people > 1 { Question::Wanted } else { Question::Put };
        }
    }

    /// Whether the others are to be asked; then they have been.
    pub(super) fn asks(&mut self) -> bool {
        let asks = self.question == Question::Wanted;
        if asks {
            self.question = Question::Put;
        }
        asks
    }

    /// They could not be asked.
    pub(super) fn unasked(&mut self) {
        self.question = Question::Wanted;
    }

    /// How somebody fares, as far as this node knows: who was not heard of is connected.
    pub(in crate::gateway) fn fares(&self, who: ParticipantId) -> Peer {
        self.of(who).or_else(|| self.theirs.get(&who).copied()).unwrap_or_default()
    }

    /// A participant's connection came. Who had been missed is back.
    pub(in crate::gateway) fn arrived(&mut self, who: ParticipantId, here: Here) {
        let before = self.mine.insert(who, Mine { here, report: Report::default(), ready: None });
        let known = before.is_some_and(|mine| mine.ready.is_some() || mine.report != Report::default());
        let silent = !here.speaks && self.waiting().is_some();
        if self.theirs.remove(&who).is_some() || known || silent {
            self.changed.insert(who);
        }
    }

    /// A participant's connection went; they are away until another comes.
    pub(in crate::gateway) fn left(&mut self, who: ParticipantId, connection: ConnectionId) {
        if self.speaker(who, connection).is_some() {
            self.mine.remove(&who);
            self.remember(who, Peer { connection: Connection::Reconnecting, ..Peer::default() });
            self.changed.insert(who);
        }
    }

    /// A seat went by this entry, and its participant with it. Whoever came back after it has another seat.
    pub(super) fn gone(&mut self, participant: ParticipantId, at: Seq) {
        if self.mine.get(&participant).is_some_and(|mine| mine.here.since >= at) {
            return;
        }
        self.mine.remove(&participant);
        self.theirs.remove(&participant);
        self.changed.remove(&participant);
        if let Some(required) = &mut self.required {
            required.who.remove(&participant);
        }
    }

    /// A player is ready for a version.
    pub(super) fn ready(&mut self, who: ParticipantId, connection: ConnectionId, version: u64) {
        let Some(mine) = self.speaker(who, connection) else { return };
        if mine.ready.replace(version) != Some(version) {
            self.changed.insert(who);
        }
    }

    /// A player reported.
    pub(super) fn report(&mut self, who: ParticipantId, connection: ConnectionId, report: Report) {
        let Some(mine) = self.speaker(who, connection) else { return };
        if std::mem::replace(&mut mine.report, report) != report {
            self.changed.insert(who);
        }
    }

    /// A node told of its people, or asked for others'. Of those who are here, this node knows better.
    pub(super) fn heard(&mut self, peers: Peers) {
        if peers.is_empty() {
            self.tell_all();
        }
        for (participant, peer) in peers {
            if !self.mine.contains_key(&participant) {
                self.remember(participant, peer);
            } else if peer.connection == Connection::Reconnecting {
                self.changed.insert(participant);
            }
        }
    }

    /// What the other nodes have to be told, of at most `limit` people; then they have been.
    pub(super) fn news(&mut self, limit: usize) -> Peers {
        let some: Vec<ParticipantId> = self.changed.iter().take(limit).copied().collect();
        let mut news = Peers::new();
        for participant in some {
            self.changed.remove(&participant);
            let away =
                self.theirs.get(&participant).filter(|peer| peer.connection == Connection::Reconnecting);
            if let Some(peer) = self.of(participant).or(away.copied()) {
                news.insert(participant, peer);
            }
        }
        news
    }

    /// Whoever is not as everybody is thought to be has to be told of once more. Of who is away every node tells that knows it.
    fn tell_all(&mut self) {
        let mine = self.mine.keys().copied();
        let theirs = self.theirs.iter().filter(|(_, peer)| peer.connection == Connection::Reconnecting);
        let all: Vec<ParticipantId> = mine.chain(theirs.map(|(participant, _)| *participant)).collect();
        let notable = all.into_iter().filter(|participant| self.fares(*participant) != Peer::default());
        let notable: Vec<ParticipantId> = notable.collect();
        self.changed.extend(notable);
    }

    /// They could not be told.
    pub(super) fn untold(&mut self, news: &Peers) {
        self.changed.extend(news.keys());
    }

    /// Whether there is something to tell, or to ask.
    pub(super) fn has_news(&self) -> bool {
        !self.changed.is_empty() || self.question == Question::Wanted
    }

    /// Whether it is known whom a wait that began then is for.
    pub(super) fn knows_whom(&self, since: ClusterMs) -> bool {
        self.required.as_ref().is_some_and(|required| required.since == since)
    }

    /// Who was seated when a wait began.
    pub(super) fn wait_for(&mut self, since: ClusterMs, who: HashSet<ParticipantId>) {
        self.required = Some(Required { since, who });
    }

    /// How many of those waited for are ready; `None` when it is not known whom to wait for.
    pub(super) fn tally(&self, waiting: Waiting) -> Option<Tally> {
        let Required { who, .. } =
            self.required.as_ref().filter(|required| required.since == waiting.since_ms)?;
        let mut tally = Tally { required: 0, ready: 0 };
        for participant in who {
            let theirs = self.theirs.get(participant);
            let away = theirs.is_some_and(|peer| peer.connection == Connection::Reconnecting);
            let ready = match self.mine.get(participant) {
                None if away => continue,
                None => theirs.is_some_and(|peer| peer.ready == Some(waiting.version)),
                Some(mine) => !mine.here.speaks || mine.ready == Some(waiting.version),
            };
            tally.required += 1;
            tally.ready += usize::from(ready);
        }
        Some(tally)
    }

    /// The round trips that were reported, on whatever node.
    pub(super) fn round_trips(&self) -> impl Iterator<Item = u32> {
        let mine = self.mine.values().filter_map(|mine| mine.report.rtt_ms);
        mine.chain(self.theirs.values().filter_map(|peer| peer.rtt_ms))
    }

    /// A participant who is connected here, as the others are told of them.
    fn of(&self, participant: ParticipantId) -> Option<Peer> {
        let mine = self.mine.get(&participant)?;
        let silent = || self.waiting().map(|waiting| waiting.version);
        Some(Peer {
            connection: Connection::Connected,
            status: mine.report.status,
            drift_ms: mine.report.drift_ms,
            rtt_ms: mine.report.rtt_ms,
            ready: if mine.here.speaks { mine.ready } else { silent() },
        })
    }

    fn speaker(&mut self, who: ParticipantId, connection: ConnectionId) -> Option<&mut Mine> {
        self.mine.get_mut(&who).filter(|mine| mine.here.connection == connection)
    }

    fn remember(&mut self, participant: ParticipantId, peer: Peer) {
        if self.theirs.len() < REMEMBERED || self.theirs.contains_key(&participant) {
            self.theirs.insert(participant, peer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::playback::media::{Media, MediaKind, MediaMs, RateMilli};
    use crate::model::playback::{Phase, Reason};

    const SINCE: ClusterMs = ClusterMs(1000);
    const WAIT: Waiting = Waiting { version: 4, since_ms: SINCE, deadline_ms: ClusterMs(4000) };

    fn film(version: u64, phase: Phase) -> Playback {
        let media = Media { kind: MediaKind::Sample, src: "s".to_owned(), title: None, duration_ms: None };
        let (position, rate, actor) = (MediaMs(0), RateMilli::NORMAL, ParticipantId::new_random());
        let (anchor, effective_at, reason, clock) = (SINCE, SINCE, Reason::Seek, None);
        Playback { version, phase, media, position, anchor, rate, effective_at, actor, reason, clock }
    }

    fn here(connection: u64, speaks: bool) -> Here {
        Here { connection: ConnectionId(connection), speaks, since: Seq(5) }
    }

    /// Two people here, one elsewhere, and a film that waits for all three.
    fn waiting() -> (Watch, [ParticipantId; 3]) {
        let people = [(); 3].map(|()| ParticipantId::new_random());
        let mut watch = Watch::default();
        watch.arrived(people[0], here(1, true));
        watch.arrived(people[1], here(2, true));
        assert!(watch.film(film(4, Phase::Waiting(WAIT))));
        assert_eq!(watch.tally(WAIT), None, "nobody knows whom to wait for");
        watch.wait_for(SINCE, HashSet::from(people));
        (watch, people)
    }

    fn tally(watch: &Watch) -> (usize, usize) {
        let tally = watch.tally(WAIT).expect("it is known");
        (tally.ready, tally.required)
    }

    fn elsewhere(ready: u64) -> Peer {
        Peer { ready: Some(ready), ..Peer::default() }
    }

    const AWAY: Peer = Peer {
        connection: Connection::Reconnecting,
        status: None,
        drift_ms: None,
        rtt_ms: None,
        ready: None,
    };

    #[test]
    fn who_is_ready_counts_wherever_they_are() {
        let (mut watch, people) = waiting();
        assert_eq!(tally(&watch), (0, 3));
        watch.ready(people[0], ConnectionId(1), 4);
        watch.ready(people[1], ConnectionId(2), 3);
        watch.ready(people[1], ConnectionId(9), 4);
        watch.ready(people[2], ConnectionId(1), 4);
        assert_eq!(tally(&watch), (1, 3), "an older version and another's connection do not count");
        watch.heard(Peers::from([(people[2], elsewhere(4)), (ParticipantId::new_random(), elsewhere(4))]));
        assert_eq!(tally(&watch), (2, 3), "who joined later is not waited for");
        watch.gone(people[1], Seq(5));
        assert_eq!(tally(&watch), (2, 3), "an older seat of theirs");
        watch.gone(people[1], Seq(6));
        assert_eq!(tally(&watch), (2, 2));
        watch.news(8);
        watch.left(people[1], ConnectionId(2));
        assert!(!watch.has_news(), "who was kicked does not reconnect");
    }

    #[test]
    fn who_reconnects_is_not_waited_for_until_they_are_back() {
        let (mut watch, people) = waiting();
        watch.left(people[1], ConnectionId(2));
        assert_eq!(tally(&watch), (0, 2));
        assert_eq!(watch.news(8), Peers::from([(people[1], AWAY)]));
        assert!(!watch.has_news());
        watch.arrived(people[1], here(3, true));
        assert_eq!(tally(&watch), (0, 3));
        assert_eq!(watch.news(8), Peers::from([(people[1], Peer::default())]), "and the others are told");
    }

    #[test]
    fn a_newer_connection_speaks_for_its_participant() {
        let (mut watch, people) = waiting();
        watch.ready(people[0], ConnectionId(1), 4);
        watch.arrived(people[0], here(3, true));
        assert_eq!(tally(&watch), (0, 3), "it has loaded nothing yet");
        watch.left(people[0], ConnectionId(1));
        watch.ready(people[0], ConnectionId(1), 4);
        assert_eq!(tally(&watch), (0, 3));
        watch.ready(people[0], ConnectionId(3), 4);
        assert_eq!(tally(&watch), (1, 3));
    }

    #[test]
    fn a_node_knows_better_of_its_own_people() {
        let (mut watch, people) = waiting();
        watch.heard(Peers::from([(people[0], AWAY)]));
        assert_eq!(tally(&watch), (0, 3));
        assert_eq!(watch.news(8), Peers::from([(people[0], Peer::default())]), "it contradicts");
    }

    #[test]
    fn a_stream_that_cannot_speak_is_never_waited_for() {
        let (mut watch, people) = waiting();
        watch.arrived(people[1], here(3, false));
        assert_eq!(tally(&watch), (1, 3));
        assert_eq!(watch.news(8), Peers::from([(people[1], elsewhere(4))]));
        let mut idle = Watch::default();
        idle.arrived(people[1], here(3, false));
        assert!(!idle.has_news(), "nobody asks");
        idle.film(film(4, Phase::Waiting(WAIT)));
        assert_eq!(idle.news(8), Peers::from([(people[1], elsewhere(4))]));
    }

    #[test]
    fn a_node_that_opens_a_room_asks_once_and_the_others_tell_what_is_notable() {
        let (mut watch, people) = waiting();
        watch.seated(1);
        watch.seated(3);
        assert!(!watch.has_news() && !watch.asks(), "who was alone has heard everything since");
        watch.opened();
        watch.seated(3);
        assert!(watch.has_news() && watch.asks() && !watch.asks() && !watch.has_news());
        watch.unasked();
        assert!(watch.asks());

        let report = Report { rtt_ms: Some(80), ..Report::default() };
        watch.report(people[0], ConnectionId(1), report);
        watch.heard(Peers::from([(people[2], AWAY), (ParticipantId::new_random(), elsewhere(4))]));
        watch.news(8);
        watch.heard(Peers::new());
        let told =
            Peers::from([(people[0], Peer { rtt_ms: Some(80), ..Peer::default() }), (people[2], AWAY)]);
        assert_eq!(
            watch.news(8),
            told,
            "their own, and who is away; not who is as everybody is thought to be"
        );
    }

    #[test]
    fn people_fare_as_they_were_last_heard_of() {
        let (mut watch, people) = waiting();
        let report = Report { drift_ms: Some(-3), ..Report::default() };
        watch.report(people[0], ConnectionId(1), report);
        watch.heard(Peers::from([(people[0], AWAY), (people[2], elsewhere(4))]));
        assert_eq!(watch.fares(people[0]), Peer { drift_ms: Some(-3), ..Peer::default() }, "it is here");
        assert_eq!(watch.fares(people[2]), elsewhere(4));
        watch.left(people[0], ConnectionId(1));
        assert_eq!(watch.fares(people[0]), AWAY);
        assert_eq!(watch.fares(ParticipantId::new_random()), Peer::default());
        watch.opened();
        assert_eq!(watch.fares(people[2]), Peer::default(), "what was heard long ago does not count");
    }

    #[test]
    fn a_film_is_as_new_as_its_version_unless_the_past_was_lost() {
        let (mut watch, _) = waiting();
        assert!(!watch.film(film(4, Phase::Paused)) && !watch.film(film(3, Phase::Paused)));
        assert!(watch.waiting().is_some());
        watch.film_is(Some(film(2, Phase::Playing)));
        assert_eq!((watch.waiting(), watch.tally(WAIT)), (None, None));
        assert!(watch.film(film(3, Phase::Paused)));
    }

    #[test]
    fn news_is_what_changed_and_is_told_again_when_it_was_not_heard() {
        let (mut watch, people) = waiting();
        let report = Report { rtt_ms: Some(80), ..Report::default() };
        watch.report(people[0], ConnectionId(1), report);
        watch.heard(Peers::from([(people[2], Peer { rtt_ms: Some(300), ..Peer::default() })]));
        let news = watch.news(8);
        assert_eq!(news, Peers::from([(people[0], Peer { rtt_ms: Some(80), ..Peer::default() })]));
        watch.report(people[0], ConnectionId(1), report);
        assert!(!watch.has_news(), "nothing new");
        watch.untold(&news);
        assert_eq!(watch.news(8), news);
        assert_eq!(watch.round_trips().max(), Some(300));
    }
}
