//! One way of a viewer's network: what goes in comes out later, in order, by a delay that is drawn anew for each message.
//!
//! Pure; in true time. In order, because TCP is: a message that was quick waits for one before it that was slow.

use std::collections::VecDeque;

use super::Ms;

/// One way.
#[derive(Debug)]
pub(super) struct Way {
    base: Ms,
    jitter: Ms,
    random: fastrand::Rng,
    last: Ms,
    queue: VecDeque<(Ms, Vec<u8>)>,
}

impl Way {
    /// A message takes `base` and anything up to `jitter` more.
    pub(super) fn new(base: Ms, jitter: Ms, random: fastrand::Rng) -> Self {
        Self { base, jitter, random, last: f64::NEG_INFINITY, queue: VecDeque::new() }
    }

    /// A message sets out.
    pub(super) fn put(&mut self, now: Ms, message: Vec<u8>) {
        let due = (now + self.takes()).max(self.last);
        self.last = due;
        self.queue.push_back((due, message));
    }

    /// How long one takes.
    pub(super) fn takes(&mut self) -> Ms {
        self.base + self.jitter * self.random.f64()
    }

    /// The next that has arrived.
    pub(super) fn take(&mut self, now: Ms) -> Option<Vec<u8>> {
        (self.due()? <= now).then(|| self.queue.pop_front()).flatten().map(|(_, message)| message)
    }

    /// When the next arrives.
    pub(super) fn due(&self) -> Option<Ms> {
        self.queue.front().map(|(due, _)| *due)
    }

    /// What is on its way is lost.
    pub(super) fn cut(&mut self) {
        self.queue.clear();
        self.last = f64::NEG_INFINITY;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_late_in_order_and_the_same_for_a_seed() {
        let run = |seed| {
            let mut way = Way::new(30.0, 20.0, fastrand::Rng::with_seed(seed));
            (0..100u8).for_each(|at| way.put(f64::from(at), vec![at]));
            let mut came = Vec::new();
            while let Some(due) = way.due() {
                assert_eq!(way.take(due - 0.001), None);
                let message = way.take(due).expect("due");
                let took = due - f64::from(message[0]);
                assert!(took >= 30.0, "{took}");
                came.push((due, message[0]));
            }
            came
        };
        let came = run(7);
        assert!(came.is_sorted_by(|one, other| one.0 <= other.0 && one.1 < other.1));
        assert!(came == run(7) && came != run(8));
        assert!(came.iter().all(|(due, at)| due - f64::from(*at) <= 70.0));
    }
}
