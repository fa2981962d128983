//! Keeps one player on the film's line: `sdk/follow.js` in Rust, constant by constant.
//!
//! Pure: it is told the time and what happened, moves the player it is handed and gives the frames it would send. Held to the SDK by `vectors`. What
//! is left out: a player's owner and their hands (but for the pause button of the page), autoplay rules, loading, and what is only shown to people.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Ms;
use super::clock::Clock;
use super::drift::{Action, Drift, Moment};
use super::line::{Line, Playback};
use super::media::{Event, Player};

const TICK_MS: Ms = 50.0;
const POLL_MS: Ms = 100.0;
const DECIDE_MS: Ms = 250.0;
const FRAMES_MS: Ms = 250.0;
const WHOLE_MS: Ms = 1.0;
const EXACT_MS: Ms = 20.0;
const EXACT_TRIES: u32 = 3;
const READY_EVERY_MS: Ms = 1_000.0;
const STILL_MS: Ms = 1_000.0;
const SEEK_LOST_MS: Ms = 5_000.0;
const START_MS: Ms = 40.0;
const START_GAIN: f64 = 0.5;
const START_MAX_MS: Ms = 500.0;
const LATE_MS: Ms = 100.0;
const EARLY_MS: Ms = 1_000.0;
const HELD_MS: Ms = 500.0;
const PLANS: u32 = 2;
const OWN_MS: Ms = 2_000.0;
const REPORT_MS: Ms = 5_000.0;
const REPORT_FAR_MS: Ms = 1_000.0;
const FAR_MS: Ms = 100.0;

/// What it acts on, at a moment.
pub(super) struct Around<'a> {
    /// The viewer's own time.
    pub(super) now: Ms,
    pub(super) clock: &'a mut Clock,
    pub(super) line: &'a Line,
    pub(super) player: &'a mut Player,
    /// Whether there is a connection that takes frames.
    pub(super) live: bool,
    /// Where frames go.
    pub(super) out: &'a mut Vec<Value>,
}

impl Around<'_> {
    fn cluster(&mut self) -> Ms {
        self.clock.now(self.now)
    }

    fn send(&mut self, frame: Value) -> bool {
        if self.live {
            self.out.push(frame);
        }
        self.live
    }
}

/// A start that was set: when it is made, and when it was to be.
#[derive(Debug, Clone, Copy)]
struct Start {
    due: Ms,
    then: Ms,
}

/// Follows the film with one player.
#[derive(Debug)]
pub(super) struct Follow {
    /// What it decides by.
    pub(super) control: Drift,
    /// The player's film position minus the room's as it believes; none when not measured.
    pub(super) drift: Option<Ms>,
    ticking: Ms,
    starting: Option<Start>,
    state: Option<Arc<Playback>>,
    rate: Option<f64>,
    start_ms: Ms,
    learn: bool,
    seeking: Option<Ms>,
    /// How often it sought.
    pub(super) seeks: u64,
    tries: u32,
    held: Ms,
    still: Ms,
    buffering: bool,
    own: Ms,
    polled: Ms,
    framed: Ms,
    decided: Ms,
    reported: Ms,
    told: Ms,
}

const LONG_AGO: Ms = f64::NEG_INFINITY;

impl Follow {
    /// Begins to follow at a moment.
    pub(super) fn begin(around: &mut Around<'_>) -> Self {
        let mut follow = Self {
            control: Drift::new(false, around.player.tells_frames()),
            drift: None,
            ticking: around.now,
            starting: None,
            state: None,
            rate: None,
            start_ms: START_MS,
            learn: false,
            seeking: None,
            seeks: 0,
            tries: 0,
            held: LONG_AGO,
            still: LONG_AGO,
            buffering: false,
            own: LONG_AGO,
            polled: LONG_AGO,
            framed: LONG_AGO,
            decided: LONG_AGO,
            reported: LONG_AGO,
            told: LONG_AGO,
        };
        follow.run(around);
        follow
    }

    /// When it wants to be run next.
    pub(super) fn due(&self) -> Ms {
        self.starting.map_or(self.ticking, |start| start.due.min(self.ticking))
    }

    /// Does what is due.
    pub(super) fn run(&mut self, around: &mut Around<'_>) {
        if let Some(start) = self.starting.filter(|start| start.due <= around.now) {
            self.play(around, start.then);
        }
        if self.ticking <= around.now {
            if around.now - self.ticking > LATE_MS {
                self.held = around.now;
            }
            self.ticking = around.now + TICK_MS;
            self.act(around);
            self.report(around);
        }
    }

    /// The line has another state.
    pub(super) fn changed_state(&mut self, around: &mut Around<'_>) {
        self.starting = None;
        self.own = LONG_AGO;
        self.act(around);
    }

    /// The player told of itself.
    pub(super) fn event(&mut self, around: &mut Around<'_>, event: Event) {
        match event {
            Event::Seeked => self.sought(around),
            Event::Waiting => {
                self.buffering = true;
                self.learn = false;
            }
            Event::Playing => {
                self.buffering = false;
                self.tries = 0;
                if self.seeking.is_none() {
                    self.still = LONG_AGO;
                }
            }
        }
    }

    /// The player shows a frame, at a moment of the viewer's own time.
    pub(super) fn frame(&mut self, around: &mut Around<'_>, position: Ms, moment: Ms) {
        self.framed = around.now;
        if self.seeking.is_none() && !self.buffering && around.now >= self.still {
            self.measure(around, position, moment);
        }
    }

    /// Its owner pauses: here at once, and everywhere on the frame that is shown here. Gives what the command says.
    pub(super) fn pause(&mut self, around: &mut Around<'_>) -> Value {
        if !around.player.paused() {
            around.player.pause(around.now);
        }
        let position = whole(around.player.position(around.now));
        let at = whole(around.cluster());
        self.starting = None;
        self.own = around.now + OWN_MS;
        json!({"position_ms": position, "at_ms": at})
    }

    /// A command of its owner was refused.
    pub(super) fn refused(&mut self) {
        self.own = LONG_AGO;
    }

    /// A state of the film came into force.
    fn enter(&mut self, around: &mut Around<'_>, state: &Playback) {
        self.tries = 0;
        self.told = LONG_AGO;
        let stood = around.player.paused() || !self.state.as_ref().is_some_and(|state| state.plays());
        self.control.forgive(stood);
        self.set_rate(around, state.rate);
        let off = around.player.position(around.now) - state.position(around.cluster());
        let hop = state.plays() && state.reason == "seek" && off.abs() > LATE_MS;
        if hop && !around.player.paused() && self.seeking.is_none() {
            self.jump(around, state);
        }
    }

    fn act(&mut self, around: &mut Around<'_>) {
        let now = around.now;
        let moment = around.cluster();
        let (Some(state), Some(newest)) = (around.line.at(moment), around.line.state.clone()) else { return };
        if self.state.as_ref() != Some(&state) {
            self.enter(around, &state);
        }
        self.state = Some(state.clone());
        if self.seeking.is_some_and(|at| now - at > SEEK_LOST_MS) {
            self.sought(around);
        }
        if self.seeking.is_some() || now < self.own {
            return;
        }
        let plays = !around.player.paused();
        if newest.plays() {
            if !plays {
                self.start(around, &newest);
            } else if state.plays() {
                self.steer(around, &state);
            }
            return;
        }
        if plays {
            around.player.pause(now);
        }
        self.hold(around, &state);
    }

    /// Starts a player that stands so that it moves when the film is where it stands, or puts it ahead of the film first.
    fn start(&mut self, around: &mut Around<'_>, state: &Playback) {
        if self.starting.is_some() {
            return;
        }
        let now = around.cluster();
        if state.position(now) >= state.end() {
            return;
        }
        let Playback { anchor_ms, position_ms, rate, .. } = *state;
        let due = anchor_ms + (around.player.position(around.now) - position_ms) / rate;
        let wait = due - self.start_ms - now;
        let fits =
            wait >= -LATE_MS && due >= anchor_ms - EXACT_MS / rate && due - now.max(anchor_ms) <= EARLY_MS;
        if fits || self.tries >= EXACT_TRIES {
            let due = around.now + wait.clamp(0.0, EARLY_MS);
            self.starting = Some(Start { due, then: around.now + wait });
            return;
        }
        self.tries += 1;
        let took = self.control.seek();
        let there = state.position(now + took.mean + took.sigma + self.start_ms);
        self.seek(around, there);
    }

    /// `then`: when it was to be. Only on time a start tells of the player alone, and a viewer that was held up plans anew.
    fn play(&mut self, around: &mut Around<'_>, then: Ms) {
        let late = (around.now - then).abs();
        self.starting = None;
        if late > LATE_MS && self.tries < PLANS {
            return self.act(around);
        }
        self.learn = late < EXACT_MS;
        self.still = around.now + STILL_MS;
        self.control.reset();
        around.player.play(around.now);
    }

    fn hold(&mut self, around: &mut Around<'_>, state: &Playback) {
        let there = state.position(0.0);
        let off = (around.player.position(around.now) - there).abs();
        self.drift = None;
        if off > if self.tries > 0 { EXACT_MS } else { WHOLE_MS } && self.tries < EXACT_TRIES {
            self.tries += 1;
            self.seek(around, there);
            return;
        }
        let Some(waiting) = &state.waiting else { return };
        // These players have all of the film.
        if around.now - self.told >= READY_EVERY_MS
            && around.send(json!({"type": "ready", "data": {"version": waiting.version}}))
        {
            self.told = around.now;
        }
    }

    fn steer(&mut self, around: &mut Around<'_>, state: &Playback) {
        let now = around.now;
        if self.buffering || now < self.still {
            return;
        }
        if now - self.framed > FRAMES_MS && now - self.polled >= POLL_MS {
            self.polled = now;
            let position = around.player.position(now);
            self.measure(around, position, now);
        }
        if now - self.decided < DECIDE_MS {
            return;
        }
        self.decided = now;
        self.note(around, state.rate);
        let settled = around.clock.settled();
        match self.control.decide(Moment { now, rate: state.rate, settled, unseen: false }) {
            Action::Seek => self.jump(around, state),
            Action::Start if now - self.held > HELD_MS => around.player.pause(now),
            Action::Start => self.jump(around, state),
            Action::Rate(rate) => self.set_rate(around, rate),
        }
    }

    fn note(&mut self, around: &Around<'_>, rate: f64) {
        let Some(median) = self.control.median() else { return };
        self.drift = Some(median);
        if !self.learn || !around.clock.settled() {
            return;
        }
        self.learn = false;
        if median.abs() > START_MAX_MS {
            return;
        }
        self.start_ms = (self.start_ms - START_GAIN * median / rate).clamp(0.0, START_MAX_MS);
    }

    fn measure(&mut self, around: &mut Around<'_>, position: Ms, moment: Ms) {
        let at = around.clock.at(around.now, moment);
        if let Some(film) = around.line.position(at) {
            self.control.add(position - film);
        }
    }

    /// To where the film will be when the player is there.
    fn jump(&mut self, around: &mut Around<'_>, state: &Playback) {
        self.set_rate(around, state.rate);
        let there = state.position(around.cluster() + self.control.seek().mean);
        self.seek(around, there);
    }

    fn seek(&mut self, around: &mut Around<'_>, position: Ms) {
        self.seeks += 1;
        self.learn = false;
        self.seeking = Some(around.now);
        around.player.seek(around.now, position.max(0.0));
    }

    fn sought(&mut self, around: &mut Around<'_>) {
        let Some(at) = self.seeking.take() else { return };
        self.control.sought(around.now, around.now - at);
        self.still = around.now + STILL_MS;
        self.act(around);
    }

    fn set_rate(&mut self, around: &mut Around<'_>, rate: f64) {
        if self.rate != Some(rate) {
            self.rate = Some(rate);
            around.player.set_rate(around.now, rate);
        }
    }

    fn report(&mut self, around: &mut Around<'_>) {
        let far = self.drift.unwrap_or(0.0).abs() > FAR_MS;
        if around.now - self.reported < if far { REPORT_FAR_MS } else { REPORT_MS } {
            return;
        }
        let mut data = json!({"status": self.fares(around)});
        if let Some(drift) = self.drift {
            data["drift_ms"] = json!(drift);
        }
        if let Some(rtt) = around.clock.rtt() {
            data["rtt_ms"] = json!(rtt);
        }
        if around.send(json!({"type": "report", "data": data})) {
            self.reported = around.now;
        }
    }

    fn fares(&self, around: &Around<'_>) -> &'static str {
        let Some(state) = &self.state else { return "idle" };
        match (self.control.lagging, state.plays()) {
            (true, _) => "lagging",
            (_, true) if self.buffering || around.player.paused() => "buffering",
            (_, true) => "playing",
            (_, false) if self.seeking.is_some() => "loading",
            (_, false) => "ready",
        }
    }
}

/// The protocol knows no parts of a millisecond, nor numbers with a point where there are none.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "not negative, and far below 2^52"
)]
pub(super) fn whole(ms: Ms) -> u64 {
    ms.round().max(0.0) as u64
}
