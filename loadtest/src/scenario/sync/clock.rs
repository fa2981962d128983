//! The cluster's time on a viewer's own monotonic clock: `sdk/clock.js` in Rust, constant by constant.
//!
//! Pure: who has it tells it what time it is and sends the pings it asks for. Held to the SDK by `vectors`. What is left out: noticing that a
//! computer slept, because these do not. Times are milliseconds, `now` the viewer's own, everything else the cluster's.

use super::Ms;

const WINDOW_MS: Ms = 60_000.0;
const WINDOW: usize = 24;
const SETTLED: usize = 5;
const BURST: u32 = 10;
const BURST_GAP_MS: Ms = 100.0;
const EVERY_MS: Ms = 5_000.0;
const EXTRA: u32 = 4;
const EXTRA_EVERY_MS: Ms = 60_000.0;
const SLEW_MAX_MS: Ms = 50.0;
const SLEW: f64 = 0.005;
const OFF_MS: Ms = 250.0;

/// The value that so much of them (0 to 1) have at most; 0 of nothing.
pub(super) fn percentile(values: &[Ms], part: f64) -> Ms {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a place in a list"
    )]
    let at = (part * sorted.len() as f64) as usize;
    sorted.get(at.min(sorted.len().saturating_sub(1))).copied().unwrap_or(0.0)
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    at: Ms,
    rtt: Ms,
    offset: Ms,
}

/// The four time stamps of a ping, as far as a pong carries them: sent (own clock), received and answered (cluster's).
#[derive(Debug, Clone, Copy, serde::Deserialize)]
pub(super) struct Pong {
    pub(super) t0: Ms,
    pub(super) t1: Ms,
    pub(super) t2: Ms,
}

/// A viewer's idea of the cluster's time.
#[derive(Debug, Default)]
pub(super) struct Clock {
    samples: Vec<Sample>,
    offset: Ms,
    target: Ms,
    slewed: Ms,
    strange: u32,
    left: u32,
    extra: Ms,
    live: bool,
    /// When the next ping leaves; none without a connection.
    due: Option<Ms>,
    /// Pings to send: what each carries.
    pings: Vec<Ms>,
    stepped: Option<Ms>,
}

impl Clock {
    /// The cluster's time at a moment of the viewer's own.
    pub(super) fn at(&mut self, now: Ms, moment: Ms) -> Ms {
        let most = (now - self.slewed).max(0.0) * SLEW;
        self.offset += (self.target - self.offset).clamp(-most, most);
        self.slewed = now;
        moment + self.offset
    }

    /// The cluster's time now.
    pub(super) fn now(&mut self, now: Ms) -> Ms {
        self.at(now, now)
    }

    /// Whether there are samples enough to correct a player's speed by.
    pub(super) fn settled(&self) -> bool {
        self.samples.len() >= SETTLED
    }

    /// How far off it may be: half the quickest round trip.
    pub(super) fn bound(&self) -> Ms {
        self.samples.iter().map(|sample| sample.rtt).fold(f64::INFINITY, f64::min) / 2.0
    }

    /// The 95th percentile of the last minute's round trips; none before the first.
    pub(super) fn rtt(&self) -> Option<Ms> {
        let rtts: Vec<Ms> = self.samples.iter().map(|sample| sample.rtt).collect();
        (!rtts.is_empty()).then(|| percentile(&rtts, 0.95))
    }

    /// A connection lives; `now_ms`: the cluster's time when it was greeted.
    pub(super) fn welcome(&mut self, now: Ms, now_ms: Ms) {
        if !self.settled() {
            let way = if self.samples.is_empty() { 0.0 } else { self.bound() };
            self.step(now_ms + way - now);
        }
        self.live = true;
        self.burst(now);
    }

    /// It does not any more.
    pub(super) fn offline(&mut self) {
        self.live = false;
        self.due = None;
    }

    /// An answer came.
    pub(super) fn pong(&mut self, now: Ms, Pong { t0, t1, t2 }: Pong) {
        let rtt = now - t0 - (t2 - t1);
        if !(0.0..WINDOW_MS).contains(&rtt) {
            return;
        }
        let offset = f64::midpoint(t1 - t0, t2 - now);
        let off = (offset - self.target).abs() - rtt / 2.0 > OFF_MS;
        self.strange = if self.settled() && off { self.strange + 1 } else { 0 };
        if self.strange > 1 {
            self.restart(now);
        }
        self.samples.push(Sample { at: now, rtt, offset });
        self.samples.retain(|sample| now - sample.at <= WINDOW_MS);
        let old = self.samples.len().saturating_sub(WINDOW);
        self.samples.drain(..old);
        self.estimate(now);
    }

    /// The cluster's time moved by so much, as an entry of the time `ts` says.
    pub(super) fn moved(&mut self, now: Ms, by: Ms, ts: Ms) {
        let off = self.now(now) - ts;
        if (off + by).abs() >= off.abs() {
            return;
        }
        self.step(self.offset + by);
        self.restart(now);
    }

    /// When it wants to be run next.
    pub(super) fn due(&self) -> Option<Ms> {
        self.due
    }

    /// Its time has come.
    pub(super) fn run(&mut self, now: Ms) {
        if self.due.is_some_and(|due| due <= now) {
            self.ping(now);
        }
    }

    /// The next ping to send: its `t0`.
    pub(super) fn take_ping(&mut self) -> Option<Ms> {
        (!self.pings.is_empty()).then(|| self.pings.remove(0))
    }

    /// By how much the time jumped since this was asked, if it did.
    pub(super) fn take_step(&mut self) -> Option<Ms> {
        self.stepped.take()
    }

    fn burst(&mut self, now: Ms) {
        self.left = BURST;
        self.extra = now;
        self.due = None;
        if self.live {
            self.ping(now);
        }
    }

    fn estimate(&mut self, now: Ms) {
        let least = 2.0 * self.bound();
        let quick = self.samples.iter().filter(|sample| sample.rtt <= least + (0.1 * least).max(2.0));
        let offsets: Vec<Ms> = quick.map(|sample| sample.offset).collect();
        let median = percentile(&offsets, 0.5);
        self.now(now);
        if !self.settled() || (median - self.offset).abs() >= SLEW_MAX_MS {
            self.step(median);
        }
        self.target = median;
    }

    fn step(&mut self, offset: Ms) {
        let by = offset - self.offset;
        (self.offset, self.target) = (offset, offset);
        if by.abs() >= SLEW_MAX_MS {
            self.stepped = Some(by + self.stepped.unwrap_or(0.0));
        }
    }

    fn restart(&mut self, now: Ms) {
        self.samples.clear();
        self.strange = 0;
        self.burst(now);
    }

    fn ping(&mut self, now: Ms) {
        self.pings.push(now);
        if self.left > 0 {
            self.left -= 1;
        } else if now - self.extra >= EXTRA_EVERY_MS {
            self.left = EXTRA - 1;
            self.extra = now;
        }
        self.due = Some(now + if self.left > 0 { BURST_GAP_MS } else { EVERY_MS });
    }
}
