//! The virtual players' clock, controller and follower do what the SDK's do: its own modules are run under Node and asked.
//!
//! So neither can be changed without the other. Numbers agree to a thousandth: JSON and two languages' rounding lie between them.

use std::process::Command;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::Ms;
use super::clock::{Clock, Pong};
use super::drift::{Action, Drift, Moment};
use super::follow::{Around, Follow};
use super::line::{Line, Playback};
use super::media::{Make, Player};

/// Times as large as the epoch's have no digits beyond.
const NEAR: f64 = 1e-3;

#[derive(Deserialize)]
struct Vectors {
    clock: Vec<OfClock>,
    drift: Vec<OfDrift>,
    follow: Vec<OfFollow>,
    line: Vec<Vec<Value>>,
    position: Vec<(Playback, Ms, Ms)>,
}

#[derive(Deserialize)]
struct OfClock {
    ops: Vec<Value>,
    pings: Vec<Ms>,
}

#[derive(Deserialize)]
struct OfDrift {
    discrete: bool,
    frames: bool,
    ops: Vec<Value>,
}

#[derive(Deserialize)]
struct OfFollow {
    ppm: f64,
    ahead: Ms,
    seek: Ms,
    start: Ms,
    /// When the page is not scheduled: from, to.
    held: Vec<(Ms, Ms)>,
    pause_at: Option<Ms>,
    states: Vec<Told>,
    /// Each 50 ms: where the player is, and whether it plays.
    places: Vec<(Ms, u8)>,
    sent: Vec<Value>,
}

#[derive(Deserialize)]
struct Told {
    at: Ms,
    state: Playback,
}

fn vectors() -> Vectors {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../sdk/test/vectors.js");
    let said =
        Command::new("node").arg(script).output().expect("node, which scripts/install-test-deps.sh installs");
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).expect("vectors")
}

fn near(found: Ms, wanted: &Value, what: impl std::fmt::Display) {
    let wanted = wanted.as_f64().unwrap_or_else(|| panic!("{what}: {wanted}"));
    assert!((found - wanted).abs() < NEAR, "{what}: {found}, the SDK has {wanted}");
}

fn number(op: &Value, name: &str) -> Ms {
    op[name].as_f64().unwrap_or_else(|| panic!("no {name} in {op}"))
}

#[test]
fn parts_do_what_those_of_the_sdk_do() {
    let vectors = vectors();
    assert!(vectors.clock.len() > 1 && vectors.drift.len() > 2 && vectors.follow.len() > 7, "too few");
    assert!(vectors.line.len() > 1 && vectors.position.len() > 5, "too few");
    vectors.clock.iter().for_each(clock_does);
    vectors.drift.iter().for_each(drift_does);
    vectors.follow.iter().enumerate().for_each(|(at, vector)| follow_does(at, vector));
    vectors.line.iter().for_each(|ops| line_does(ops));
    for (state, moment, position) in vectors.position {
        assert!((state.position(moment) - position).abs() < NEAR, "{state:?}");
    }
}

fn line_does(ops: &[Value]) {
    let (mut line, mut before) = (Line::default(), 0);
    for (at, op) in ops.iter().enumerate() {
        match op["op"].as_str() {
            Some("take") => {
                let state: Playback = serde_json::from_value(op["state"].clone()).expect("a state");
                assert_eq!(line.take(Arc::new(state), number(op, "now")), op["taken"], "op {at}");
            }
            Some("settle") => line.settle(number(op, "moment")),
            Some("at") => {
                let moment = number(op, "moment");
                assert_eq!(line.at(moment).map(|state| state.version), op["version"].as_u64(), "op {at}");
                assert_eq!(line.position(moment), op["position"].as_f64(), "op {at}");
                before += u32::from(line.at(moment) != line.state);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(before > 10, "a line on which nothing is yet to come shows little: {before}");
}

fn clock_does(vector: &OfClock) {
    let (mut clock, mut pings, mut steps) = (Clock::default(), Vec::new(), 0);
    for (at, op) in vector.ops.iter().enumerate() {
        let now = number(op, "now");
        while let Some(due) = clock.due().filter(|due| *due <= now) {
            clock.run(due);
        }
        match op["op"].as_str() {
            Some("welcome") => clock.welcome(now, number(op, "now_ms")),
            Some("pong") => {
                let pong: Pong = serde_json::from_value(op["pong"].clone()).expect("a pong");
                clock.pong(now, pong);
            }
            Some("moved") => clock.moved(now, number(op, "by"), number(op, "ts")),
            Some("offline") => clock.offline(),
            Some("read") => {
                near(clock.now(now), &op["gives"], format!("the time at op {at}"));
                assert_eq!(clock.settled(), op["settled"], "op {at}");
                match op["bound"].as_f64() {
                    Some(_) => near(clock.bound(), &op["bound"], format!("the bound at op {at}")),
                    None => assert!(clock.bound().is_infinite(), "op {at}"),
                }
                assert_eq!(clock.rtt().is_some(), op["rtt"].is_f64() || op["rtt"].is_u64(), "op {at}");
            }
            other => panic!("{other:?}"),
        }
        steps += u64::from(clock.take_step().is_some());
        if op["op"] == "read" {
            // Two in one go count as one here.
            let told = op["steps"].as_u64().expect("a count");
            assert!(steps <= told && (steps == 0) == (told == 0), "op {at}: {steps} of {told}");
        }
        while let Some(t0) = clock.take_ping() {
            pings.push(t0);
        }
    }
    // The SDK's last pings may lie beyond the last op.
    assert!(
        pings.len() > 40 && vector.pings.len() - pings.len() < 2,
        "{} of {}",
        pings.len(),
        vector.pings.len()
    );
    for (found, wanted) in pings.iter().zip(&vector.pings) {
        assert!((found - wanted).abs() < NEAR, "a ping at {found}, the SDK's at {wanted}");
    }
}

fn drift_does(vector: &OfDrift) {
    let mut control = Drift::new(vector.discrete, vector.frames);
    let (mut seeks, mut starts, mut lagged) = (0, 0, 0);
    for (at, op) in vector.ops.iter().enumerate() {
        match op["op"].as_str() {
            Some("add") => control.add(number(op, "drift")),
            Some("sought") => control.sought(number(op, "now"), number(op, "took")),
            Some("forgive") => control.forgive(op["starts"] == true),
            Some("decide") => {
                let (settled, unseen) = (op["settled"] == true, op["unseen"] == true);
                let moment = Moment { now: number(op, "now"), rate: number(op, "rate"), settled, unseen };
                match control.decide(moment) {
                    Action::Seek => assert_eq!(op["what"], "seek", "op {at}"),
                    Action::Start => assert_eq!(op["what"], "start", "op {at}"),
                    Action::Rate(rate) => near(rate, &op["what"], format!("the rate at op {at}")),
                }
                assert_eq!(op["lagging"], control.lagging, "op {at}");
                near(control.seek().mean, &op["mean"], "mean");
                near(control.seek().sigma, &op["sigma"], "sigma");
                seeks += u32::from(op["what"] == "seek");
                starts += u32::from(op["what"] == "start");
                lagged += u32::from(control.lagging);
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(
        seeks > 2 && starts > 0,
        "a player that never seeks nor starts anew shows little: {seeks}, {starts}, lagging {lagged}"
    );
}

/// A viewer without a network: the states come when the vector says.
struct Cinema {
    clock: Clock,
    line: Line,
    player: Player,
    follow: Option<Follow>,
    sent: Vec<Value>,
    held: Vec<(Ms, Ms)>,
}

impl Cinema {
    fn new(vector: &OfFollow) -> Self {
        let make = Make {
            speed: 1.0 + vector.ppm / 1e6,
            frames: false,
            seek: (vector.seek, 0.0),
            start: (vector.start, 0.0),
        };
        let mut clock = Clock::default();
        (0..5).for_each(|_| clock.pong(0.0, Pong { t0: 0.0, t1: vector.ahead, t2: vector.ahead }));
        let player = Player::new(make, fastrand::Rng::with_seed(1));
        let (line, sent, held) = (Line::default(), Vec::new(), vector.held.clone());
        let mut cinema = Self { clock, line, player, follow: None, sent, held };
        cinema.with(0.0, |_, _| ());
        cinema
    }

    fn with<T>(&mut self, now: Ms, run: impl FnOnce(&mut Follow, &mut Around<'_>) -> T) -> T {
        let Self { clock, line, player, follow, sent, .. } = self;
        let mut around = Around { now, clock, line, player, live: true, out: sent };
        let follow = follow.get_or_insert_with(|| Follow::begin(&mut around));
        run(follow, &mut around)
    }

    /// Turns the clock, and does what is due in between when it is due.
    fn turn(&mut self, until: Ms) {
        loop {
            let follow = self.follow.as_ref().map(|follow| self.held_up(follow.due()));
            let next = [follow, self.player.due()].into_iter().flatten().fold(f64::INFINITY, f64::min);
            if next > until {
                return;
            }
            self.player.run(next);
            self.tell(next);
            if follow.is_some_and(|due| due <= next) {
                self.with(next, |follow, around| follow.run(around));
            }
            self.tell(next);
        }
    }

    /// When what is due is done.
    fn held_up(&self, due: Ms) -> Ms {
        let during = |(from, to): &&(Ms, Ms)| due > *from && due < *to;
        self.held.iter().find(during).map_or(due, |(_, to)| *to)
    }

    fn tell(&mut self, now: Ms) {
        while let Some(event) = self.player.events.pop_front() {
            self.with(now, |follow, around| follow.event(around, event));
        }
    }
}

fn follow_does(number: usize, vector: &OfFollow) {
    let mut cinema = Cinema::new(vector);
    let (mut now, mut pause_at) = (7.3, vector.pause_at);
    cinema.turn(now);
    for (at, (position, plays)) in vector.places.iter().enumerate() {
        if pause_at.take_if(|due| now >= *due).is_some() {
            let mut said = cinema.with(now, |follow, around| follow.pause(around));
            cinema.tell(now);
            said = serde_json::json!({"type": "pause", "data": said});
            cinema.sent.push(said);
        }
        for told in vector.states.iter().filter(|told| told.at > now - 50.0 && told.at <= now) {
            let cluster = cinema.clock.now(now);
            if cinema.line.take(Arc::new(told.state.clone()), cluster) {
                cinema.with(now, |follow, around| follow.changed_state(around));
                cinema.tell(now);
            }
        }
        let here = cinema.player.position(now);
        assert!(
            (here - position).abs() < 0.01,
            "film {number}, step {at}, {now} ms: at {here}, the SDK's player at {position}"
        );
        assert_eq!(u8::from(!cinema.player.paused()), *plays, "film {number}, step {at}");
        now += 50.0;
        cinema.turn(now);
    }
    cinema.sent.retain(|frame| frame["type"] != "report");
    assert_eq!(cinema.sent.len(), vector.sent.len(), "{:?}, the SDK {:?}", cinema.sent, vector.sent);
    for (found, wanted) in cinema.sent.iter().zip(&vector.sent) {
        assert_eq!(found["type"], wanted["type"]);
        for (name, value) in wanted["data"].as_object().expect("an object") {
            near(found["data"][name].as_f64().expect("a number"), value, name);
        }
    }
}
