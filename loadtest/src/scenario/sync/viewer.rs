//! One virtual viewer: a computer with a clock of its own, a network with delays of its own, a player, and what the SDK would do with them.
//!
//! Responsible for what happens inside, in true time, without I/O: bytes go in and out through `delay`, and the task in `live` is the socket.
//! Everything is drawn from the seed when the viewer is made.

use std::sync::Arc;

use serde_json::{Value, json};

use super::Ms;
use super::clock::Clock;
use super::delay::Way;
use super::follow::{Around, Follow};
use super::line::{Line, Playback};
use super::media::{Make, Player};

/// Between two looks at where the player is.
pub(super) const SAMPLE_MS: Ms = 100.0;
/// A screen shows a new picture so often.
const SCREEN_MS: Ms = 1000.0 / 60.0;

/// How bad networks, clocks and players may be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// The longest round trip, without jitter, and the most that is added to each message.
    pub(super) round_trip: Ms,
    pub(super) jitter: Ms,
}

/// Clocks differ by up to so many seconds,
const OFFSET_MS: Ms = 3_600_000.0;
/// and so much in speed.
const PPM: f64 = 100e-6;
/// Of a round trip one way takes at least this share.
const WAY_LEAST: f64 = 0.1;

/// A computer's clock: milliseconds that began somewhere and run a little fast or slow.
#[derive(Debug, Clone, Copy)]
pub(super) struct Computer {
    origin: Ms,
    speed: f64,
}

impl Computer {
    fn own(self, truth: Ms) -> Ms {
        self.origin + truth * self.speed
    }

    fn truth(self, own: Ms) -> Ms {
        (own - self.origin) / self.speed
    }
}

/// Where a player was at a moment of true time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) at: Ms,
    pub(super) position: Ms,
}

/// A viewer. All times that go in and out are true ones.
pub(super) struct Viewer {
    computer: Computer,
    clock: Clock,
    line: Line,
    player: Player,
    follow: Option<Follow>,
    frame: Option<(Ms, Ms)>,
    live: bool,
    out: Vec<Value>,
    sampled: Ms,
    /// Where its player was, ten times a second since it came.
    pub(super) samples: Vec<Sample>,
    /// Its network there and back.
    pub(super) up: Way,
    /// See `up`.
    pub(super) down: Way,
}

impl Viewer {
    /// One that comes in at a moment.
    pub(super) fn new(seed: u64, bounds: Bounds, at: Ms) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut between = |least: f64, most: f64| least + (most - least) * random.f64();
        let trip = bounds.round_trip * between(WAY_LEAST, 1.0);
        let there = trip * between(WAY_LEAST, 1.0 - WAY_LEAST);
        let jitter = bounds.jitter * between(0.0, 1.0);
        let origin = between(-OFFSET_MS, OFFSET_MS) - at;
        let computer = Computer { origin, speed: 1.0 + between(-PPM, PPM) };
        let speed = 1.0 + between(-PPM, PPM);
        let frames = random.bool();
        let (up, down, player) = (random.fork(), random.fork(), random.fork());
        let make = Make { speed, frames, seek: (250.0, 0.3), start: (40.0, 15.0) };
        Self {
            computer,
            clock: Clock::default(),
            line: Line::default(),
            player: Player::new(make, player),
            follow: None,
            frame: None,
            live: false,
            out: Vec::new(),
            sampled: (at / SAMPLE_MS).ceil() * SAMPLE_MS,
            samples: Vec::new(),
            up: Way::new(there, jitter, up),
            down: Way::new(trip - there, jitter, down),
        }
    }

    /// When something happens next, as far as is known now.
    pub(super) fn due(&self) -> Ms {
        let own = [
            self.clock.due(),
            self.player.due(),
            self.follow.as_ref().map(Follow::due),
            self.frame.map(|(due, _)| due),
        ];
        let own = own.into_iter().flatten().fold(f64::INFINITY, f64::min);
        self.computer.truth(own).min(self.sampled)
    }

    /// Does what is due by now, which is a little later than it was due, as with any program.
    pub(super) fn run(&mut self, truth: Ms) {
        while self.sampled <= truth {
            self.change(self.sampled);
            let position = self.player.position(self.computer.own(self.sampled));
            self.samples.push(Sample { at: self.sampled, position });
            self.sampled += SAMPLE_MS;
        }
        self.change(truth);
        let now = self.computer.own(truth);
        self.clock.run(now);
        self.follow(truth, |follow, around| follow.run(around));
        self.settle(truth);
    }

    /// What the player does by itself.
    fn change(&mut self, truth: Ms) {
        let now = self.computer.own(truth);
        if let Some((due, place)) = self.frame.filter(|(due, _)| *due <= now) {
            // A frame is seen with the next picture of the screen.
            let shown = (due / SCREEN_MS).ceil() * SCREEN_MS;
            self.follow(truth, |follow, around| follow.frame(around, place, shown));
            self.frame = None;
        }
        self.player.run(now);
        self.settle(truth);
    }

    /// Tells what the player has to tell, and asks what it shows next.
    fn settle(&mut self, truth: Ms) {
        while let Some(event) = self.player.events.pop_front() {
            self.follow(truth, |follow, around| follow.event(around, event));
        }
        if let Some(by) = self.clock.take_step() {
            let now = self.computer.own(truth);
            self.line.settle(self.clock.now(now) - by);
            self.follow.iter_mut().for_each(|follow| follow.control.reset());
        }
        while let Some(t0) = self.clock.take_ping() {
            self.out.push(json!({"type": "ping", "data": {"t0": t0}}));
        }
        let now = self.computer.own(truth);
        self.frame = if self.player.tells_frames() { self.player.frame_after(now) } else { None };
    }

    /// A frame of the gateway, as far as it concerns the film. Gives what its sender should know: a refusal of a numbered message.
    pub(super) fn hear(&mut self, truth: Ms, frame: &Value) {
        let now = self.computer.own(truth);
        let data = &frame["data"];
        match frame["type"].as_str().unwrap_or_default() {
            "pong" => {
                if let Ok(pong) = serde_json::from_value(data.clone()) {
                    self.clock.pong(now, pong);
                }
            }
            "playback" => self.film(truth, frame),
            "welcome" => {
                self.live = true;
                self.clock.welcome(now, data["now_ms"].as_f64().unwrap_or_default());
                self.snapshot(truth, data);
            }
            "reset" => self.snapshot(truth, data),
            "error" => {
                if let Some(follow) = self.follow.as_mut().filter(|_| frame["n"].is_u64()) {
                    follow.refused();
                }
            }
            _ => {}
        }
        self.settle(truth);
    }

    fn film(&mut self, truth: Ms, frame: &Value) {
        let Some(state) = state(&frame["data"]) else { return };
        let now = self.computer.own(truth);
        let before = self.line.state.clone();
        let at = self.clock.now(now);
        if !self.line.take(state.clone(), at) {
            return;
        }
        if let Some(before) = before.filter(|_| state.reason == "clock") {
            let ts = frame["ts"].as_f64().unwrap_or_default();
            self.clock.moved(now, state.anchor_ms - before.anchor_ms, ts);
        }
        self.settle(truth);
        self.follow(truth, |follow, around| follow.changed_state(around));
    }

    fn snapshot(&mut self, truth: Ms, data: &Value) {
        self.line.reset(state(&data["slots"]["playback"]));
        self.settle(truth);
        self.follow(truth, |follow, around| follow.changed_state(around));
    }

    /// The connection is gone, and with it what was on its way.
    pub(super) fn lost(&mut self) {
        self.live = false;
        self.clock.offline();
        self.out.clear();
    }

    /// Its owner presses pause: what the command says.
    pub(super) fn pause(&mut self, truth: Ms) -> Value {
        let said = self.follow(truth, |follow, around| follow.pause(around));
        self.settle(truth);
        said.unwrap_or_default()
    }

    /// Frames to send.
    pub(super) fn take_out(&mut self) -> Vec<Value> {
        std::mem::take(&mut self.out)
    }

    fn follow<T>(&mut self, truth: Ms, run: impl FnOnce(&mut Follow, &mut Around<'_>) -> T) -> Option<T> {
        let Self { computer, clock, line, player, follow, live, out, .. } = self;
        let now = computer.own(truth);
        let mut around = Around { now, clock, line, player, live: *live, out };
        let follow = follow.get_or_insert_with(|| Follow::begin(&mut around));
        Some(run(follow, &mut around))
    }
}

/// A state of the film, if this is one.
pub(super) fn state(data: &Value) -> Option<Arc<Playback>> {
    serde_json::from_value(data.clone()).ok().map(Arc::new)
}
