//! What a round came to: each player's place against where the film was by the gateway's own states, at true time.
//!
//! Pure, over what was sampled. Steady means: the film plays, and for three seconds nobody moved it. A player that stands then, because it buffers or
//! was not told, is as far off as it is.

use super::Ms;
use super::line::{Playback, Truth};
use super::live::Lived;
use super::media::FRAMES;
use super::viewer::{SAMPLE_MS, Sample};

/// After a command nothing is judged for so long; nor is somebody who has just come.
pub(super) const QUIET_MS: Ms = 3_000.0;
/// Who came late is there once they are so near for so long.
const NEAR_MS: Ms = 100.0;
/// See `NEAR_MS`: samples.
const NEAR: usize = 10;
/// A pause is looked at so long after it came into force, and again before it ends.
const PAUSED_MS: Ms = 500.0;
/// Drift around a kill is that of so long after it.
const KILLED_MS: Ms = 10_000.0;

/// Frames after pauses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Frames {
    pub(super) players: u64,
    /// On the same frame or the one beside it half a second after the pause.
    pub(super) soon: u64,
    /// The same when the pause ends.
    pub(super) near: u64,
    /// Exactly the same then.
    pub(super) same: u64,
}

/// What a round came to.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Each sample of steady play: the player's place minus the film's.
    pub(super) drifts: Vec<Ms>,
    pub(super) frames: Frames,
    /// From setting out until in step, of those who came late; infinite for one that never was.
    pub(super) late: Vec<Ms>,
    /// From the kill to the welcome, of those who were on the node.
    pub(super) back: Vec<Ms>,
    /// Drifts of everybody in the seconds after the kill.
    pub(super) killed: Vec<Ms>,
    /// The sample of steady play that was farthest off.
    pub(super) farthest: Option<Farthest>,
}

/// Who was farthest off, and when: a largest drift is one sample, and without its circumstances it says nothing.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Farthest {
    pub(super) drift: Ms,
    /// The player's number, in order of coming.
    pub(super) player: usize,
    /// How long they had been there, and how long the film's state had been in force.
    pub(super) there: Ms,
    pub(super) steady: Ms,
    /// That state: its version, and what made it.
    pub(super) state: (u64, String),
}

impl std::fmt::Display for Farthest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { drift, player, there, steady, state: (version, reason) } = self;
        let (there, steady) = (there / 1000.0, steady / 1000.0);
        write!(
            out,
            "of player {player} ({drift:+.0} ms), {there:.1} s after it came, {steady:.1} s into version {version} ({reason})"
        )
    }
}

/// Judges a round. `people`: how many came before the film; `killed`: when a node was.
pub(super) fn judge(truth: &Truth, lived: &[Lived], people: usize, killed: Option<Ms>) -> Found {
    let mut found = Found { frames: frames(truth, &lived[..people.min(lived.len())]), ..Found::default() };
    for (player, one) in lived.iter().enumerate() {
        for sample in one.samples.iter().filter(|sample| sample.at >= one.came + QUIET_MS) {
            let Some(state) = truth.steady(sample.at, QUIET_MS) else { continue };
            let drift = off(sample, state);
            found.drifts.push(drift);
            if found.farthest.as_ref().is_none_or(|farthest| farthest.drift.abs() < drift.abs()) {
                let (there, steady) = (sample.at - one.came, sample.at - state.effective_at_ms);
                let state = (state.version, state.reason.clone());
                found.farthest = Some(Farthest { drift, player, there, steady, state });
            }
            if killed.is_some_and(|at| sample.at >= at && sample.at < at + KILLED_MS) {
                found.killed.push(drift);
            }
        }
        if let Some(at) = killed {
            let back = one.losses.iter().filter(|(lost, _)| *lost >= at).map(|(_, back)| back - at);
            found.back.extend(back);
        }
    }
    found.late = lived.iter().skip(people).map(|one| late(truth, one)).collect();
    found
}

fn off(sample: &Sample, state: &Playback) -> Ms {
    sample.position - state.position(sample.at)
}

fn late(truth: &Truth, one: &Lived) -> Ms {
    let near = |sample: &Sample| {
        truth.at(sample.at).is_some_and(|state| state.plays() && off(sample, state).abs() <= NEAR_MS)
    };
    let there = one.samples.windows(NEAR).find(|window| window.iter().all(near));
    there.map_or(f64::INFINITY, |window| window[0].at - one.came)
}

fn frames(truth: &Truth, lived: &[Lived]) -> Frames {
    let mut frames = Frames::default();
    let states: Vec<_> = truth.all().collect();
    for (at, state) in states.iter().enumerate().filter(|(_, s)| s.phase == "paused" && s.reason == "pause") {
        let Some(next) = states.get(at + 1) else { continue };
        for one in lived {
            let soon = at_moment(one, state.effective_at_ms + PAUSED_MS);
            let last = at_moment(one, next.effective_at_ms - 2.0 * SAMPLE_MS);
            let (Some(soon), Some(last)) = (soon, last) else { continue };
            frames.players += 1;
            frames.soon += u64::from(apart(soon, state) <= 1.0);
            frames.near += u64::from(apart(last, state) <= 1.0);
            frames.same += u64::from(apart(last, state) < 1.0);
        }
    }
    frames
}

/// How many frames a player is from the one everybody should see.
fn apart(sample: &Sample, state: &Playback) -> f64 {
    let frame = |position: Ms| (position * FRAMES / 1000.0).floor();
    (frame(sample.position) - frame(state.position(sample.at))).abs()
}

fn at_moment(one: &Lived, moment: Ms) -> Option<&Sample> {
    let at = one.samples.partition_point(|sample| sample.at < moment);
    one.samples.get(at)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::engine::participant::Received;

    fn state(version: u64, phase: &str, reason: &str, from: Ms, position: Ms) -> Arc<Playback> {
        let json = serde_json::json!({"version": version, "phase": phase, "reason": reason, "media": {"duration_ms": 1e7},
            "position_ms": position, "anchor_ms": from, "rate": 1, "effective_at_ms": from});
        Arc::new(serde_json::from_value(json).expect("a state"))
    }

    fn lived(came: Ms, position: impl Fn(Ms) -> Ms) -> Lived {
        let samples = (0..300).map(|at| came + f64::from(at) * SAMPLE_MS);
        let samples = samples.map(|at| Sample { at, position: position(at) }).collect();
        Lived { came, samples, losses: Vec::new(), received: Received::new(), talked: (0, 0) }
    }

    /// Plays from 0 s, is paused at 10 s on 10 020 ms, plays on from 15 s.
    fn truth() -> Truth {
        let mut truth = Truth::default();
        truth.take(&state(1, "playing", "ready", 0.0, 0.0), 0.0);
        truth.take(&state(2, "paused", "pause", 10_000.0, 10_020.0), 10_000.0);
        truth.take(&state(3, "playing", "play", 15_000.0, 10_020.0), 15_000.0);
        truth
    }

    #[test]
    fn a_player_is_judged_where_nobody_moved_the_film() {
        let ahead = lived(0.0, |at| if at < 10_000.0 { at + 30.0 } else { 0.0 });
        let found = judge(&truth(), &[ahead], 1, None);
        let early: Vec<Ms> = found.drifts.iter().copied().take(70).collect();
        assert!(early.iter().all(|drift| (drift - 30.0).abs() < 1e-9), "{early:?}");
        let farthest = found.farthest.expect("somebody");
        assert_eq!((farthest.player, farthest.state), (0, (3, "play".to_owned())));
        assert!((farthest.there - 29_900.0).abs() < 1e-6 && (farthest.steady - 14_900.0).abs() < 1e-6);
        // 3.0 to 9.9 s, and 18.0 to 29.9 s.
        assert_eq!(found.drifts.len(), 70 + 120);
        assert!(found.drifts[70..].iter().all(|drift| *drift < -13_000.0), "a player that stands is off");
    }

    #[test]
    fn after_a_pause_frames_are_compared() {
        let at = |position: Ms| lived(0.0, move |_| position);
        let slow = lived(0.0, |at| if at < 11_000.0 { 10_300.0 } else { 10_020.0 });
        let found = judge(&truth(), &[at(10_020.0), at(10_045.0), at(10_085.0), slow], 4, None);
        assert_eq!(found.frames, Frames { players: 4, soon: 2, near: 3, same: 2 });
    }

    #[test]
    fn who_comes_late_is_there_when_they_stay_near() {
        let joins = lived(3_000.0, |at| if at < 4_200.0 { 0.0 } else { at - 60.0 });
        let never = lived(3_000.0, |at| at - 150.0);
        let found = judge(&truth(), &[joins, never], 0, None);
        assert_eq!(found.late, [1_200.0, f64::INFINITY]);
    }

    #[test]
    fn a_kill_is_counted_from_when_it_was() {
        let mut one = lived(0.0, |at| at);
        one.losses = vec![(100.0, 200.0), (5_050.0, 5_600.0)];
        let found = judge(&truth(), &[one], 1, Some(5_000.0));
        assert_eq!((found.back, found.killed.len()), (vec![600.0], 50));
    }
}
