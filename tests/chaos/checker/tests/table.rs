//! The figures of the table, on stories short enough to count by hand.

use std::time::Duration;

use super::story::*;
use crate::checker::Spread;
use crate::happening::*;

#[test]
fn times_are_measured_where_the_fault_was() {
    let mut story = Story::with(&[1, 2]);
    let id = story.fault(FaultKind::LinkCut, &[1]);
    story.wait(1);
    story.line(None, What::Ready { node: Node(0), status: Some(503) });
    story.told(1, What::Status { degraded: true, begins: None });
    story.wait(4);
    story.line(None, What::FaultEnded { id });
    story.wait(1);
    story.say(2);
    let counts = story.verdict().counts;
    // Only participant 1 is on node 1; each line takes a millisecond.
    assert_eq!(counts.notice.0, [Duration::from_millis(1002)]);
    assert_eq!(counts.heal.0, [Duration::from_millis(1002)]);
    assert!(counts.resume.0.is_empty());
}

#[test]
fn coming_back_is_measured_from_the_end_of_a_connection() {
    let mut story = Story::with(&[1, 2]);
    story.cut(2);
    story.wait(2);
    story.resume(2);
    assert_eq!(story.verdict().counts.resume.0, [Duration::from_millis(2002)]);
}

#[test]
fn a_quantile_is_a_value_that_was_measured() {
    let spread = Spread((1..=100).map(Duration::from_millis).collect());
    assert_eq!(spread.quantile(0.5), Some(Duration::from_millis(50)));
    assert_eq!(spread.quantile(0.99), Some(Duration::from_millis(99)));
    assert_eq!(spread.quantile(0.0), Some(Duration::from_millis(1)));
    assert_eq!(spread.max(), Some(Duration::from_millis(100)));
    assert_eq!(Spread::default().quantile(0.5), None);
}
