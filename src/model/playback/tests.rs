//! The table of commands row by row, the barrier's rules and the JSON form; `interleaved` has what holds whatever the order of commands.

use std::time::Duration;

use proptest::prelude::*;

use super::barrier::{Tally, Verdict, start, verdict};
use super::command::{Command, Moment, Outcome, Refusal, apply};
use super::media::MediaKind;
use super::redate::rewrite;
use super::report::lead;
use super::*;

mod interleaved;

const NOW: ClusterMs = ClusterMs(1_700_000_000_000);
const LEAD: Duration = Duration::from_millis(200);

fn who(letter: char) -> ParticipantId {
    format!("{letter}f14e45f-ceea-467f-a9d1-0c5a3b1f7e42").parse().unwrap()
}

fn at(ms: u64) -> Moment {
    Moment { now: ClusterMs(NOW.0 + ms), clock: None, lead: LEAD }
}

fn clock(letter: char) -> Option<ClockName> {
    ClockName::of_branch(&String::from(letter).repeat(40))
}

fn after(ms: u64) -> ClusterMs {
    ClusterMs(NOW.0 + ms)
}

fn media() -> Media {
    let src = "https://films.example/a.webm".to_owned();
    Media { kind: MediaKind::Url, src, title: Some("A".to_owned()), duration_ms: Some(MediaMs(60_000)) }
}

/// A film of a minute at 10 s, put there by `a`.
fn film(phase: Phase, reason: Reason) -> Playback {
    let (position, anchor) = (MediaMs(10_000), NOW);
    let rate = RateMilli::NORMAL;
    let (actor, media, clock) = (who('a'), media(), None);
    Playback { version: 7, phase, media, position, anchor, rate, effective_at: anchor, actor, reason, clock }
}

fn waiting() -> Playback {
    let phase = Phase::Waiting(Waiting { version: 6, since_ms: NOW, deadline_ms: after(3000) });
    film(phase, Reason::Seek)
}

fn changed(film: &Playback, command: &Command, ms: u64) -> Playback {
    match apply(Some(film), command, who('b'), at(ms)) {
        Outcome::Changed(next) => {
            assert_eq!(next.version, film.version + 1);
            next
        }
        other => panic!("{command:?} on {film:?}: {other:?}"),
    }
}

fn unchanged(film: &Playback, command: &Command, ms: u64) {
    assert_eq!(apply(Some(film), command, who('b'), at(ms)), Outcome::Unchanged);
}

fn seek(position: u64) -> Command {
    Command::Seek { position: MediaMs(position) }
}

fn rate(factor: f64) -> Command {
    Command::Rate(RateMilli::from_factor(factor).unwrap())
}

const PLAY: Command = Command::Play { position: None };
const PAUSE: Command = Command::Pause { position: None, at: None };

#[test]
fn an_idle_session_takes_a_film_and_nothing_else() {
    for command in [PLAY, PAUSE, seek(1), rate(2.0)] {
        assert_eq!(apply(None, &command, who('b'), at(0)), Outcome::Refused(Refusal::NoFilm));
    }
    let load = Command::Load { media: media(), position: MediaMs(99_999) };
    let Outcome::Changed(next) = apply(None, &load, who('b'), at(5)) else { panic!("loaded") };
    assert_eq!(
        (next.version, next.phase, next.reason, next.actor),
        (1, Phase::Paused, Reason::Load, who('b'))
    );
    assert_eq!(next.position, MediaMs(60_000), "not past the end");
    assert_eq!((next.anchor, next.effective_at), (after(5), after(5)), "holds at once");
}

#[test]
fn load_pauses_or_waits_and_resets_the_rate() {
    let load = Command::Load { media: media(), position: MediaMs::ZERO };
    let mut before = film(Phase::Paused, Reason::Pause);
    before.rate = RateMilli::FASTEST;
    let next = changed(&before, &load, 5);
    assert_eq!((next.phase, next.rate, next.reason), (Phase::Paused, RateMilli::NORMAL, Reason::Load));
    let next = changed(&film(Phase::Playing, Reason::Play), &load, 5);
    let wait = Waiting { version: 8, since_ms: after(5), deadline_ms: after(3005) };
    assert_eq!((next.phase, next.actor), (Phase::Waiting(wait), who('b')));
    let next = changed(&waiting(), &load, 500);
    let wait = Waiting { version: 8, since_ms: NOW, deadline_ms: after(3500) };
    assert_eq!((next.phase, next.position), (Phase::Waiting(wait), MediaMs::ZERO));
}

#[test]
fn play_starts_what_was_paused_where_people_saw_it() {
    for reason in [Reason::Pause, Reason::Play, Reason::Ready, Reason::Rate] {
        let next = changed(&film(Phase::Paused, reason), &PLAY, 5);
        assert_eq!((next.phase, next.reason, next.actor), (Phase::Playing, Reason::Play, who('b')));
        assert_eq!((next.anchor, next.effective_at), (after(205), after(205)), "the lead ahead");
        assert_eq!(next.position, MediaMs(10_000));
    }
}

#[test]
fn play_after_a_move_waits_and_keeps_who_moved() {
    for reason in [Reason::Load, Reason::Seek] {
        let next = changed(&film(Phase::Paused, reason), &PLAY, 5);
        let wait = Waiting { version: 8, since_ms: after(5), deadline_ms: after(3005) };
        assert_eq!((next.phase, next.reason, next.actor), (Phase::Waiting(wait), reason, who('a')));
    }
}

#[test]
fn play_while_playing_is_nothing_and_while_waiting_forces_after_a_second() {
    unchanged(&film(Phase::Playing, Reason::Play), &PLAY, 500);
    unchanged(&waiting(), &PLAY, 999);
    let next = changed(&waiting(), &PLAY, 1000);
    assert_eq!((next.phase, next.reason, next.actor), (Phase::Playing, Reason::Forced, who('b')));
    assert_eq!((next.anchor, next.position), (after(1200), MediaMs(10_000)));
}

#[test]
fn play_from_a_place_or_at_the_end_is_a_seek_and_a_play() {
    let there = Command::Play { position: Some(MediaMs(30_000)) };
    let next = changed(&film(Phase::Paused, Reason::Pause), &there, 5);
    let wait = Waiting { version: 8, since_ms: after(5), deadline_ms: after(3005) };
    assert_eq!(
        (next.phase, next.position, next.reason),
        (Phase::Waiting(wait), MediaMs(30_000), Reason::Seek)
    );
    assert_eq!(next.actor, who('b'));
    let next = changed(&film(Phase::Playing, Reason::Play), &PLAY, 50_000);
    assert!(matches!(next.phase, Phase::Waiting(_)));
    assert_eq!(next.position, MediaMs::ZERO, "at the end it begins anew");
    let mut over = film(Phase::Paused, Reason::Pause);
    over.position = MediaMs(60_000);
    assert_eq!(changed(&over, &PLAY, 0).position, MediaMs::ZERO);
}

#[test]
fn pause_holds_the_frame_of_who_paused() {
    let playing = film(Phase::Playing, Reason::Play);
    let next = changed(&playing, &PAUSE, 5000);
    assert_eq!((next.phase, next.position, next.reason), (Phase::Paused, MediaMs(15_000), Reason::Pause));
    assert_eq!((next.anchor, next.effective_at, next.actor), (after(5000), after(5000), who('b')));
    // At 4.8 s the film was at 14.8 s: a frame within a second of it counts, another does not.
    for (shown, position) in [(14_000, 14_000), (15_800, 15_800), (13_799, 14_800), (15_801, 14_800)] {
        let pause = Command::Pause { position: Some(MediaMs(shown)), at: Some(after(4800)) };
        let next = changed(&playing, &pause, 5000);
        assert_eq!((next.position, next.anchor), (MediaMs(position), after(4800)), "{shown}");
        assert_eq!(next.effective_at, after(5000));
    }
    for (at, anchor) in [(0, 4500), (4500, 4500), (9000, 5000)] {
        let pause = Command::Pause { position: None, at: Some(after(at)) };
        assert_eq!(changed(&playing, &pause, 5000).anchor, after(anchor), "{at}");
    }
}

#[test]
fn pause_in_a_wait_keeps_why_and_while_paused_is_nothing() {
    unchanged(&film(Phase::Paused, Reason::Seek), &PAUSE, 5);
    let next = changed(&waiting(), &PAUSE, 5);
    assert_eq!((next.phase, next.reason, next.actor), (Phase::Paused, Reason::Seek, who('a')));
    assert_eq!(next.position, MediaMs(10_000));
    assert!(matches!(changed(&next, &PLAY, 10).phase, Phase::Waiting(_)), "a later play waits again");
}

#[test]
fn seek_waits_but_for_a_hop() {
    let next = changed(&film(Phase::Paused, Reason::Pause), &seek(20_000), 5);
    assert_eq!((next.phase, next.position, next.reason), (Phase::Paused, MediaMs(20_000), Reason::Seek));
    assert_eq!((next.anchor, next.effective_at), (after(5), after(5)), "holds at once");
    let playing = film(Phase::Playing, Reason::Play);
    for position in [10_000, 14_000] {
        let next = changed(&playing, &seek(position), 2000);
        assert_eq!((next.phase, next.position), (Phase::Playing, MediaMs(position)));
        assert_eq!((next.anchor, next.effective_at), (after(2200), after(2200)));
    }
    for position in [9_999, 14_001] {
        let next = changed(&playing, &seek(position), 2000);
        let wait = Waiting { version: 8, since_ms: after(2000), deadline_ms: after(5000) };
        assert_eq!((next.phase, next.position), (Phase::Waiting(wait), MediaMs(position)));
    }
}

#[test]
fn a_seek_in_a_wait_moves_its_deadline_up_to_ten_seconds() {
    let next = changed(&waiting(), &seek(20_000), 2500);
    let wait = Waiting { version: 8, since_ms: NOW, deadline_ms: after(5500) };
    assert_eq!(next.phase, Phase::Waiting(wait));
    let next = changed(&next, &seek(30_000), 9000);
    let wait = Waiting { version: 9, since_ms: NOW, deadline_ms: after(10_000) };
    assert_eq!(next.phase, Phase::Waiting(wait));
}

#[test]
fn rate_bends_the_line_where_it_comes_into_force() {
    let playing = film(Phase::Playing, Reason::Play);
    let next = changed(&playing, &rate(1.5), 1000);
    assert_eq!((next.position, next.anchor, next.effective_at), (MediaMs(11_200), after(1200), after(1200)));
    assert_eq!((next.reason, next.actor), (Reason::Rate, who('b')));
    assert_eq!(next.position_at(after(3200)), MediaMs(14_200));
    unchanged(&playing, &rate(1.0), 1000);
    let mut soon = playing;
    soon.anchor = after(5000);
    assert_eq!(changed(&soon, &rate(2.0), 1000).anchor, after(5000), "a start is not brought forward");
    for still in [film(Phase::Paused, Reason::Seek), waiting()] {
        let next = changed(&still, &rate(2.0), 1000);
        let version = next.version;
        assert_eq!(next, Playback { version, rate: RateMilli::from_factor(2.0).unwrap(), ..still });
    }
}

#[test]
fn a_wait_ends_when_all_are_ready_or_most_or_at_the_deadline() {
    let wait = Waiting { version: 6, since_ms: NOW, deadline_ms: after(3000) };
    let tally = |ready, required| Some(Tally { required, ready });
    let judge = |tally, ms| verdict(wait, tally, after(ms));
    assert_eq!(judge(tally(2, 2), 0), Verdict::Start(Reason::Ready));
    assert_eq!(judge(tally(1, 2), 0), Verdict::Until(after(3000)));
    assert_eq!(judge(tally(3, 4), 0), Verdict::Until(after(1000)));
    assert_eq!(judge(tally(3, 4), 999), Verdict::Until(after(1000)));
    assert_eq!(judge(tally(3, 4), 1000), Verdict::Start(Reason::Quorum));
    assert_eq!(judge(tally(2, 3), 2999), Verdict::Until(after(3000)));
    assert_eq!(judge(tally(2, 3), 3000), Verdict::Start(Reason::Deadline));
    // Nobody to wait for is no reason to hurry: this node may just not know them yet.
    assert_eq!(judge(tally(0, 0), 2000), Verdict::Until(after(3000)));
    assert_eq!(judge(None, 3000), Verdict::Start(Reason::Deadline));
}

#[test]
fn a_start_is_for_the_wait_that_was_judged() {
    let next = start(&waiting(), 6, Reason::Ready, at(500)).expect("it waits");
    assert_eq!((next.version, next.phase, next.reason), (8, Phase::Playing, Reason::Ready));
    assert_eq!((next.anchor, next.position, next.actor), (after(700), MediaMs(10_000), who('a')));
    assert_eq!(start(&waiting(), 5, Reason::Ready, at(500)), None);
    assert_eq!(start(&film(Phase::Playing, Reason::Play), 6, Reason::Ready, at(500)), None);
    let faster = changed(&waiting(), &rate(2.0), 100);
    assert!(start(&faster, 6, Reason::Ready, at(500)).is_some(), "the speed is nothing to load");
}

#[test]
fn a_clock_that_steps_moves_no_film() {
    for step in [-3_600_000, -251, 251, 10_000] {
        let playing = Playback { clock: clock('a'), ..film(Phase::Playing, Reason::Play) };
        let next = rewrite(&playing, clock('b'), step).expect("it is moved");
        assert_eq!((next.version, next.reason, next.clock), (8, Reason::Clock, clock('b')));
        assert_eq!(
            (next.position, next.rate, next.phase, next.actor),
            (playing.position, playing.rate, playing.phase, who('a'))
        );
        for ms in [0, 1, 5000, 49_999, 60_000] {
            // Each clock shows its own number in one and the same instant.
            assert_eq!(
                next.position_at(after(ms).shifted(step)),
                playing.position_at(after(ms)),
                "{step} {ms}"
            );
        }
        assert_eq!(rewrite(&next, clock('b'), 0), None, "once");
    }
}

#[test]
fn a_wait_goes_by_the_clock_that_is_and_what_stands_is_left_alone() {
    let next = rewrite(&waiting(), clock('b'), -3_600_000).expect("it is moved");
    let wait = Waiting {
        version: 6,
        since_ms: NOW.shifted(-3_600_000),
        deadline_ms: after(3000).shifted(-3_600_000),
    };
    assert_eq!((next.phase, next.reason, next.version), (Phase::Waiting(wait), Reason::Seek, 8));
    for step in [-250, 0, 250] {
        assert_eq!(
            rewrite(&film(Phase::Playing, Reason::Play), clock('b'), step),
            None,
            "players absorb {step}"
        );
    }
    assert_eq!(rewrite(&film(Phase::Paused, Reason::Pause), clock('b'), 10_000), None);
}

#[test]
fn a_command_after_a_step_is_decided_on_the_film_by_its_own_clock() {
    let playing = Playback { clock: clock('a'), ..film(Phase::Playing, Reason::Play) };
    let moment = Moment { now: after(5000).shifted(-9000), clock: clock('b'), lead: LEAD };
    let told = playing.told_by(clock('b'), -9000);
    let Outcome::Changed(paused) = apply(Some(&told), &PAUSE, who('b'), moment) else { panic!("it pauses") };
    assert_eq!((paused.position, paused.clock), (MediaMs(15_000), clock('b')), "where everybody saw it");
    let started = start(&waiting(), 6, Reason::Ready, moment).expect("it waits");
    assert_eq!(started.clock, clock('b'));
}

#[test]
fn the_lead_follows_the_farthest_who_counts() {
    let ms = |round_trips: &[u32]| lead(round_trips.iter().copied()).as_millis();
    assert_eq!(ms(&[]), 250);
    assert_eq!(ms(&[10]), 120);
    assert_eq!(ms(&[10, 300]), 210);
    assert_eq!(ms(&[800]), 460);
    assert_eq!(ms(&[300, 900]), 210, "who is too far catches up alone");
}

#[test]
fn the_slot_has_one_form() {
    let json = waiting().to_json();
    let expected = format!(
        concat!(
            r#"{{"version":7,"phase":"waiting","media":{{"kind":"url","src":"https://films.example/a.webm","#,
            r#""title":"A","duration_ms":60000}},"position_ms":10000,"anchor_ms":{0},"rate":1,"#,
            r#""effective_at_ms":{0},"actor":"{1}","reason":"seek","#,
            r#""waiting":{{"version":6,"since_ms":{0},"deadline_ms":{2}}}}}"#
        ),
        NOW.0,
        who('a'),
        NOW.0 + 3000
    );
    assert_eq!(json, expected);
    assert_eq!(Playback::from_json(&json), Some(waiting()));
    let named = Playback { clock: clock('a'), ..waiting() };
    assert_eq!(named.to_json(), json.replace(r#""seek","#, r#""seek","clock":"aaaaaaaaaaaaaaaa","#));
    assert_eq!(Playback::from_json(&named.to_json()), Some(named));
    let mut paused = film(Phase::Paused, Reason::Pause);
    paused.rate = RateMilli::from_factor(1.1).unwrap();
    assert!(paused.to_json().contains(r#""rate":1.1,"#) && !paused.to_json().contains("waiting"));
    assert_eq!(Playback::from_json(&paused.to_json()), Some(paused));
    assert_eq!(Playback::from_json(&json.replace("\"phase\":\"waiting\"", "\"phase\":\"playing\"")), None);
    assert_eq!(Playback::from_json("{}"), None);
}

#[test]
fn rates_are_thousandths_within_their_bounds() {
    for factor in [f64::NAN, f64::INFINITY, -1.0, 0.0, 0.2494, 4.0006, 1e300] {
        assert!(RateMilli::from_factor(factor).is_err(), "{factor}");
    }
    assert_eq!(RateMilli::from_factor(0.25), Ok(RateMilli::SLOWEST));
    assert_eq!(RateMilli::from_factor(4.0), Ok(RateMilli::FASTEST));
    assert_eq!(RateMilli::from_factor(1.000_4), Ok(RateMilli::NORMAL));
}

#[test]
fn media_keep_their_rules() {
    let with = |kind, src: &str| Media { kind, src: src.to_owned(), ..media() }.check().is_ok();
    assert!(media().check().is_ok() && with(MediaKind::Url, "HTTPS://a.example"));
    for src in ["", "https://", "https:///x", "http://a.example/x", "javascript:1", "https://a b", "é", "//a"]
    {
        assert!(!with(MediaKind::Url, src), "{src}");
    }
    assert!(with(MediaKind::Sample, "sample") && with(MediaKind::File, "1048576:abc"));
    assert!(!with(MediaKind::File, "") && !with(MediaKind::File, "a\nb"));
    assert!(with(MediaKind::File, &"é".repeat(2048)) && !with(MediaKind::File, &"x".repeat(2049)));
    assert!(Media { title: Some("x".repeat(201)), ..media() }.check().is_err());
    assert!(Media { duration_ms: Some(MediaMs(0)), ..media() }.check().is_err());
}
