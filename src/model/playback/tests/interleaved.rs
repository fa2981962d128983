//! Any order of commands from several nodes, on clocks of their own, against one slot: one state everywhere, each told once.

use super::*;

fn any_command() -> impl Strategy<Value = Command> {
    let position = || prop_oneof![0u64..70_000, Just(u64::MAX), Just(0)].prop_map(MediaMs);
    let when = prop::option::of((0u64..40_000).prop_map(after));
    prop_oneof![
        (position(), prop::option::of(1u64..90_000)).prop_map(|(position, duration)| {
            let media = Media { duration_ms: duration.map(MediaMs), ..media() };
            Command::Load { media, position }
        }),
        prop::option::of(position()).prop_map(|position| Command::Play { position }),
        (prop::option::of(position()), when).prop_map(|(position, at)| Command::Pause { position, at }),
        position().prop_map(|position| Command::Seek { position }),
        (250u32..=4000).prop_map(|milli| rate(f64::from(milli) / 1000.0)),
    ]
}

/// What a node does next in the model below.
#[derive(Debug, Clone)]
enum Act {
    /// Looks at the slot, and keeps what it saw.
    Look,
    /// Decides a command on what it saw last, and tries to write it; once more when something came between.
    Command(Command),
    /// Believes that the wait it saw has ended.
    Start(Reason),
    /// Goes over to the clock that is the cluster's now, and tells the film it saw by it.
    Redate,
}

fn any_act() -> impl Strategy<Value = (usize, u64, Act)> {
    let reason = prop::sample::select(vec![Reason::Ready, Reason::Quorum, Reason::Deadline]);
    let act = prop_oneof![
        2 => Just(Act::Look),
        5 => any_command().prop_map(Act::Command),
        2 => reason.prop_map(Act::Start),
        1 => Just(Act::Redate),
    ];
    (0usize..3, 0u64..1500, act)
}

/// Milliseconds that the second clock is ahead of the first.
const AHEAD: i64 = -20_000;

/// A node: which clock it goes by, and the film as it saw it last.
#[derive(Clone, Default)]
struct Node {
    later: bool,
    seen: Option<Playback>,
}

impl Node {
    /// The moment as its clock shows it.
    fn at(&self, ms: u64) -> Moment {
        let (now, clock) =
            if self.later { (after(ms).shifted(AHEAD), clock('b')) } else { (after(ms), clock('a')) };
        Moment { now, clock, lead: LEAD }
    }

    /// How far its clock is ahead of a film's, when it knows: one that goes by the first knows of no second.
    fn ahead(&self, film: &Playback) -> Option<i64> {
        self.later.then_some(if film.clock == clock('a') { AHEAD } else { 0 })
    }

    /// What it would write, and whether that is said without a change.
    fn decide(&self, act: &Act, ms: u64) -> Option<(Playback, bool)> {
        let moment = self.at(ms);
        let told = self.seen.clone().map(|film| match self.ahead(&film) {
            Some(ahead) => film.told_by(moment.clock, ahead),
            None => film,
        });
        match act {
            Act::Look => None,
            Act::Command(command) => match apply(told.as_ref(), command, who('b'), moment) {
                Outcome::Changed(next) => Some((next, false)),
                Outcome::Unchanged => self.seen.clone().map(|film| (film, true)),
                Outcome::Refused(_) => None,
            },
            Act::Start(reason) => told
                .and_then(|film| start(&film, film.waiting()?.version, *reason, moment))
                .map(|next| (next, false)),
            Act::Redate => {
                let film = self.seen.as_ref()?;
                rewrite(film, moment.clock, self.ahead(film)?).map(|next| (next, false))
            }
        }
    }
}

/// The store as nodes see it: the slot, and every state that was said.
#[derive(Default)]
struct Store {
    slot: Option<Playback>,
    log: Vec<Playback>,
}

impl Store {
    /// Compare, and set unless it is only said.
    fn write(&mut self, next: Playback, unchanged: bool) -> bool {
        let version = self.slot.as_ref().map_or(0, |film| film.version);
        let fits = next.version == version + u64::from(!unchanged);
        if fits {
            self.log.push(next.clone());
            self.slot = Some(next);
        }
        fits
    }
}

proptest! {
    /// Three nodes with old views of the slot, commands in any order, and a clock that becomes another's at a different moment for each: one
    /// state, everywhere; no version is skipped or made twice, and none follows a newer one.
    #[test]
    fn any_interleaving_ends_in_one_state(acts in prop::collection::vec(any_act(), 1..60)) {
        let mut store = Store::default();
        let mut nodes = vec![Node::default(); 3];
        let mut now = 0;
        for (node, later, act) in acts {
            now += later;
            let node = &mut nodes[node];
            node.later |= matches!(act, Act::Redate);
            if let Some((next, unchanged)) = node.decide(&act, now) && !store.write(next, unchanged) {
                node.seen = store.slot.clone();
                if let Some((next, unchanged)) = node.decide(&act, now) {
                    prop_assert!(store.write(next, unchanged), "decided on the newest state");
                }
            }
            if matches!(act, Act::Look) {
                node.seen = store.slot.clone();
            }
        }
        let mut last: Option<&Playback> = None;
        for film in &store.log {
            let version = last.map_or(0, |last| last.version);
            prop_assert!(film.version == version + 1 || Some(film) == last, "{:?} after {:?}", film, last);
            let read = Playback::from_json(&film.to_json());
            prop_assert_eq!(read.as_ref(), Some(film));
            last = Some(film);
        }
        // A client that joined at any point takes what is newer than what it has, and ends where all do.
        for from in 0..store.log.len() {
            let mut client = store.log.get(from).cloned();
            for film in store.log.iter().rev().chain(&store.log) {
                if client.as_ref().is_none_or(|mine| mine.version < film.version) {
                    client = Some(film.clone());
                }
            }
            prop_assert_eq!(client.as_ref(), store.slot.as_ref());
        }
    }

    /// However many nodes find that a film was dated by a clock that is gone, and whenever, it is told anew once and nobody's film moves.
    #[test]
    fn a_film_is_told_anew_once(finders in prop::collection::vec((0usize..3, 1u64..400), 1..20), played in 0u64..30_000) {
        let playing = Playback { version: 1, clock: clock('a'), ..film(Phase::Playing, Reason::Play) };
        let mut store = Store { slot: Some(playing.clone()), log: vec![playing.clone()] };
        let mut nodes = vec![Node { later: false, seen: store.slot.clone() }; 3];
        let mut now = played;
        for (node, later) in finders {
            now += later;
            let node = &mut nodes[node];
            node.later = true;
            if let Some((next, unchanged)) = node.decide(&Act::Redate, now) {
                store.write(next, unchanged);
            }
            node.seen = store.slot.clone();
            let film = store.slot.as_ref().expect("it plays");
            prop_assert_eq!(film.position_at(node.at(now).now), playing.position_at(after(now)));
        }
        prop_assert_eq!(store.log.len(), 2);
    }

    /// Whatever is asked, no film is ever before its beginning or past its end, and no change is dated into the past or beyond the lead.
    #[test]
    fn the_film_stays_within_itself(
        commands in prop::collection::vec((any_command(), 0u64..5000), 1..40),
        look in any::<u64>(),
    ) {
        let (mut film, mut now) = (None, 0);
        for (command, later) in commands {
            now += later;
            if let Outcome::Changed(next) = apply(film.as_ref(), &command, who('b'), at(now)) {
                let end = next.media.duration_ms.unwrap_or(MediaMs::MAX);
                prop_assert!(next.position <= end);
                prop_assert!([now, now + 1, look].iter().all(|ms| next.position_at(ClusterMs(*ms)) <= end));
                prop_assert!(next.position_at(ClusterMs(u64::MAX)) <= end);
                prop_assert!(next.position_at(after(now)) <= next.position_at(after(now + 1000)));
                // A command alone decides when it comes into force; a speed in a standing film changes nothing of when.
                let dated = matches!(next.phase, Phase::Playing) || !matches!(command, Command::Rate(_));
                prop_assert!(!dated || (after(now)..=at(now).ahead()).contains(&next.effective_at));
                let ahead = matches!(next.reason, Reason::Pause) || next.anchor == next.effective_at;
                prop_assert!(ahead, "{:?}", next);
                film = Some(next);
            }
        }
    }
}
