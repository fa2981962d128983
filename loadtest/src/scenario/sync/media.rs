//! A player as bad as real ones: its own idea of speed, a start that takes a while, seeks that take longer. It does what `SimPlayer` of the SDK's
//! tests does (and so what an HTMLMediaElement does), and knows where it really is.
//!
//! Pure: changes fall due by the viewer's own clock and are made in `run`. Between them its position is a line, so it is known exactly at any
//! moment.

use std::collections::VecDeque;

use super::Ms;

/// What a player tells of itself, as far as somebody without hands needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Event {
    /// It moves again.
    Playing,
    /// It stopped to load.
    Waiting,
    /// A seek is done.
    Seeked,
}

/// What it is like.
#[derive(Debug, Clone)]
pub(super) struct Make {
    /// How much faster it runs than the computer's clock, as a factor.
    pub(super) speed: f64,
    /// Whether it tells of each frame.
    pub(super) frames: bool,
    /// The median of its seeks, and the spread of their logarithm.
    pub(super) seek: (Ms, f64),
    /// From `play` to the first moving frame, and its spread.
    pub(super) start: (Ms, Ms),
}

/// Frames a second of the film.
pub(super) const FRAMES: f64 = 25.0;
/// The least a start takes.
const START_LEAST_MS: Ms = 5.0;

/// A player.
#[derive(Debug)]
pub(super) struct Player {
    make: Make,
    random: fastrand::Rng,
    base: Ms,
    since: Ms,
    rate: f64,
    paused: bool,
    moving: bool,
    /// What it will do next: `true`: a seek ends.
    change: Option<(Ms, bool)>,
    /// What it has to tell.
    pub(super) events: VecDeque<Event>,
}

impl Player {
    /// One with a film in it, at its beginning.
    pub(super) fn new(make: Make, random: fastrand::Rng) -> Self {
        let events = VecDeque::new();
        Self {
            make,
            random,
            base: 0.0,
            since: 0.0,
            rate: 1.0,
            paused: true,
            moving: false,
            change: None,
            events,
        }
    }

    /// Where it is at a moment that no change lies before.
    pub(super) fn position(&self, now: Ms) -> Ms {
        self.base + if self.moving { self.speed() * (now - self.since) } else { 0.0 }
    }

    /// Whether it tells of each frame.
    pub(super) fn tells_frames(&self) -> bool {
        self.make.frames
    }

    /// Whether it stands because it was told to.
    pub(super) fn paused(&self) -> bool {
        self.paused
    }

    /// When it changes next.
    pub(super) fn due(&self) -> Option<Ms> {
        self.change.map(|(due, _)| due)
    }

    /// When it shows the next frame after a moment, and which place of the film that is; none while it stands.
    pub(super) fn frame_after(&self, now: Ms) -> Option<(Ms, Ms)> {
        let frame = 1000.0 / FRAMES;
        self.moving.then(|| {
            // One that is shown in this very moment was shown.
            let next = ((self.position(now) + 1e-6) / frame).floor() + 1.0;
            (self.since + (next * frame - self.base) / self.speed(), next * frame)
        })
    }

    pub(super) fn play(&mut self, now: Ms) {
        if !self.paused {
            return;
        }
        self.paused = false;
        let (mean, spread) = self.make.start;
        let took = (mean + spread * normal(&mut self.random)).max(START_LEAST_MS);
        self.change = Some((now + took, false));
    }

    pub(super) fn pause(&mut self, now: Ms) {
        if !self.paused {
            self.paused = true;
            self.halt(now);
        }
    }

    pub(super) fn seek(&mut self, now: Ms, position: Ms) {
        self.halt(now);
        self.base = position;
        let (median, spread) = self.make.seek;
        let took = median * (spread * normal(&mut self.random)).exp();
        if !self.paused {
            self.events.push_back(Event::Waiting);
        }
        self.change = Some((now + took, true));
    }

    pub(super) fn set_rate(&mut self, now: Ms, rate: f64) {
        self.base = self.position(now);
        self.since = now;
        self.rate = rate;
    }

    /// Makes the change that is due.
    pub(super) fn run(&mut self, now: Ms) {
        let Some((due, sought)) = self.change.filter(|(due, _)| *due <= now) else { return };
        self.change = None;
        if sought {
            self.events.push_back(Event::Seeked);
        }
        if !self.paused {
            self.moving = true;
            self.since = due;
            self.events.push_back(Event::Playing);
        }
    }

    fn speed(&self) -> f64 {
        self.rate * self.make.speed
    }

    fn halt(&mut self, now: Ms) {
        self.base = self.position(now);
        self.moving = false;
        self.change = None;
    }
}

/// Around 0 with a spread of 1 (Box and Muller).
pub(super) fn normal(random: &mut fastrand::Rng) -> f64 {
    (-2.0 * (1.0 - random.f64()).ln()).sqrt() * (std::f64::consts::TAU * random.f64()).cos()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn player() -> Player {
        let make = Make { speed: 1.0, frames: true, seek: (250.0, 0.0), start: (40.0, 0.0) };
        Player::new(make, fastrand::Rng::with_seed(1))
    }

    #[test]
    fn it_starts_late_seeks_slowly_and_is_where_it_says() {
        let mut player = player();
        player.play(1_000.0);
        assert_eq!((player.due(), player.position(1_030.0)), (Some(1_040.0), 0.0));
        player.run(1_041.0);
        assert_eq!(player.position(1_100.0), 60.0, "from when it moved, not from when it was looked at");
        player.set_rate(1_100.0, 2.0);
        assert_eq!(player.position(1_150.0), 160.0);
        assert_eq!(player.frame_after(1_150.0), Some((1_170.0, 200.0)));
        player.seek(1_150.0, 9_000.0);
        assert_eq!((player.position(1_300.0), player.frame_after(1_300.0)), (9_000.0, None));
        player.run(1_400.0);
        assert_eq!(player.position(1_450.0), 9_100.0);
        let told: Vec<Event> = player.events.drain(..).collect();
        assert_eq!(told, [Event::Playing, Event::Waiting, Event::Seeked, Event::Playing]);
        player.pause(1_450.0);
        assert_eq!((player.position(9_999.0), player.due()), (9_100.0, None));
    }
}
