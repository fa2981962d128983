//! People who do not stay, while others talk: `churn` (they come and go), `recover` (connections are cut and take up where they were), `storm` (all
//! come at once, and all are cut at once) and `soak` (a little of all of it for long, with an eye on memory).

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::cli::load::Knobs;
use crate::engine::attend::visit;
use crate::engine::crowd::{Arrival, Hall, arrive, let_in};
use crate::engine::lane::Lane;
use crate::engine::lock;
use crate::engine::participant::Participant;
use crate::engine::scene::{Plan, Scene, Stage};
use crate::report::figures::{Own, Sample, Unit};
use crate::report::progress::{Extent, Phase};

use super::{Kind, Outcome};

/// How long a visitor stays, at least and at most.
const STAY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));
/// How long somebody who was cut off needs until they try again, at most.
const AWAY: Duration = Duration::from_millis(500);
/// Attempts of who was cut off.
const ATTEMPTS: u32 = 8;
/// Seats kept for those who are about to leave or whose leaving is not told yet.
const SEATS: u32 = 100;

/// Runs it.
pub(super) async fn play(kind: Kind, stage: &Stage, knobs: &Knobs) -> anyhow::Result<Outcome> {
    let mut scene = Scene::set(stage, knobs, plan(kind, knobs)).await?;
    let visitors = match kind {
        Kind::Churn | Kind::Soak => visitors(&scene, knobs).await?,
        _ => Vec::new(),
    };
    if kind == Kind::Storm {
        rush(&mut scene).await;
    } else {
        scene.arrive().await;
    }
    let change = Change {
        hall: scene.hall.clone(),
        lanes: scene.lanes.clone(),
        people: scene.people.clone(),
        visitors: visitors.clone(),
        every: every(knobs.turnover),
        random: Mutex::new(fastrand::Rng::with_seed(knobs.seed)),
    };
    let score = scene.score();
    scene.perform(vec![score], change.happens(kind, knobs.duration)).await;
    // Who came is held to what they got as long as they were there.
    scene.people.extend(visitors);
    scene.drain().await;
    let slope = slope(&scene.watch.book().samples);
    let mut outcome = Outcome::from(scene.finish());
    outcome.own.extend(slope.filter(|_| kind == Kind::Soak));
    Ok(outcome)
}

fn plan(kind: Kind, knobs: &Knobs) -> Plan {
    let Knobs { connections, sessions, .. } = *knobs;
    let speakers = match kind {
        // Whoever is cut off while speaking has something to say again; half of them do.
        Kind::Recover | Kind::Storm => (connections.div_ceil(sessions) / 2).max(1),
        _ => connections.div_ceil(sessions).min(4),
    };
    Plan { rooms: sessions, people: connections, speakers, spare: SEATS }
}

/// Tickets for all who will come while it runs, in time: making them meanwhile would measure that.
async fn visitors(scene: &Scene, knobs: &Knobs) -> anyhow::Result<Vec<Arc<Participant>>> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a rate and a duration that are bounded"
    )]
    let count = (knobs.turnover * knobs.duration.as_secs_f64()).ceil() as usize;
    let mut visitors = Vec::with_capacity(count);
    for at in 0..count {
        anyhow::ensure!(!scene.hall.stop.asked(), "stopped before the scene was set");
        visitors.push(Arc::new(scene.listener(at).await?));
    }
    Ok(visitors)
}

/// Everybody stands at the door at once.
async fn rush(scene: &mut Scene) {
    let people = scene.people.clone();
    scene.phase(Phase::Connect, Extent::Count(people.len() as u64));
    let how = Arrival { over: Duration::ZERO, attempts: ATTEMPTS, storm: true };
    arrive(&scene.hall, &scene.lanes, &people, how).await;
    scene.settled().await;
}

fn every(turnover: f64) -> Option<Duration> {
    (turnover > 0.0).then(|| Duration::from_secs_f64(1.0 / turnover))
}

/// What happens while others talk.
struct Change {
    hall: Arc<Hall>,
    lanes: Vec<Arc<Lane>>,
    people: Vec<Arc<Participant>>,
    visitors: Vec<Arc<Participant>>,
    every: Option<Duration>,
    random: Mutex<fastrand::Rng>,
}

impl Change {
    async fn happens(self, kind: Kind, length: Duration) {
        match kind {
            Kind::Churn => self.come_and_go().await,
            Kind::Recover => self.cuts().await,
            Kind::Storm => self.storm(length).await,
            _ => {
                tokio::join!(self.come_and_go(), self.cuts());
            }
        }
    }

    async fn come_and_go(&self) {
        let Some(every) = self.every else { return };
        for who in &self.visitors {
            if !self.hall.stop.pause(every).await {
                return;
            }
            let stay = self.between(STAY.0, STAY.1);
            let lane = self.lanes[who.lane % self.lanes.len()].clone();
            self.hall.expected.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            who.attended_by(lane.run(visit(self.hall.clone(), who.clone(), lane.clone(), stay)));
        }
    }

    async fn cuts(&self) {
        let Some(every) = self.every else { return };
        while self.hall.stop.pause(every).await {
            let at = lock(&self.random).usize(..self.people.len());
            self.cut(&self.people[at], self.between(Duration::ZERO, AWAY));
        }
    }

    /// Half way, all at once: what a balancer that restarts does.
    async fn storm(&self, length: Duration) {
        if self.hall.stop.pause(length / 2).await {
            self.people.iter().for_each(|who| self.cut(who, Duration::ZERO));
        }
    }

    /// Cuts somebody off, who tries to come back after a while.
    fn cut(&self, who: &Arc<Participant>, away: Duration) {
        if !who.cut(self.hall.clock.now()) {
            return;
        }
        if away.is_zero() {
            return let_in(&self.hall, &self.lanes, who.clone(), ATTEMPTS);
        }
        let (hall, lanes, who) = (self.hall.clone(), self.lanes.clone(), who.clone());
        let lane = lanes[who.lane % lanes.len()].clone();
        // Counted from now on, so that nobody believes that all are in while somebody waits to come back.
        hall.expected.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        lane.run(async move {
            tokio::time::sleep(away).await;
            let_in(&hall, &lanes, who, ATTEMPTS);
            hall.expected.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
        });
    }

    fn between(&self, least: Duration, most: Duration) -> Duration {
        least + (most - least).mul_f64(lock(&self.random).f64())
    }
}

/// How fast memory grows: the slope of the line that fits its samples best, without the first third, in which rooms and logs fill.
#[expect(clippy::cast_precision_loss, reason = "bytes of memory are far below 2^52")]
fn slope(samples: &[Sample]) -> Option<Own> {
    let settled = &samples[samples.len() / 3..];
    let points: Vec<(f64, f64)> =
        settled.iter().filter_map(|sample| Some((sample.at_s, sample.server_rss_bytes? as f64))).collect();
    let value = fitted(&points)? * 3600.0;
    let what =
        "how much the gateway's memory grows in an hour, by the line that fits the last two thirds best";
    Some(Own { name: "memory.slope".to_owned(), what: what.to_owned(), value, unit: Unit::Bytes })
}

/// The slope of the line with the least squares; none of fewer than two points.
#[expect(clippy::cast_precision_loss, reason = "a count of samples")]
fn fitted(points: &[(f64, f64)]) -> Option<f64> {
    let count = points.len() as f64;
    let mean = |value: fn(&(f64, f64)) -> f64| points.iter().map(value).sum::<f64>() / count;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let spread: f64 = points.iter().map(|point| (point.0 - x).powi(2)).sum();
    let together: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    (spread > 0.0).then(|| together / spread)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slope_is_that_of_the_line() {
        let line: Vec<(f64, f64)> = (0..10).map(|x| (f64::from(x), 5.0 + 3.0 * f64::from(x))).collect();
        assert!(fitted(&line).is_some_and(|slope| (slope - 3.0).abs() < 1e-9));
        assert_eq!((fitted(&line[..1]), fitted(&[])), (None, None));
        let sample = |second: u32, rss: u64| Sample {
            at_s: f64::from(second),
            server_rss_bytes: Some(rss),
            ..Sample::default()
        };
        let samples: Vec<Sample> = (0..30)
            .map(|second| sample(second, if second < 10 { 9_000_000 } else { 5000 + u64::from(second) }))
            .collect();
        let own = slope(&samples).expect("two points");
        assert!((own.value - 3600.0).abs() < 1e-3, "a byte a second: {}", own.value);
    }

    #[test]
    fn half_of_those_who_are_cut_off_speak() {
        let knobs = Knobs { connections: 200, sessions: 20, ..Knobs::default() };
        assert_eq!(plan(Kind::Recover, &knobs).speakers, 5);
        assert_eq!(plan(Kind::Churn, &knobs).speakers, 4);
        assert_eq!((every(0.0), every(20.0)), (None, Some(Duration::from_millis(50))));
    }
}
