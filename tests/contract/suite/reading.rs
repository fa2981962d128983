//! Reading: pages after and before a number, and what is kept.

use watchparty::backend::log::{Cut, Most, Page, READ_BYTES};
use watchparty::model::entry::Seq;

use crate::harness::{HISTORY_BYTES, HISTORY_ENTRIES, Harness};
use crate::party::{Party, ROOMY, data};

const NONE: [u64; 0] = [];

async fn read(party: &Party, cut: Cut, limit: usize) -> (Vec<u64>, Page) {
    let page = party.backend.log.read(party.id, cut, limit).await.expect("reads").expect("is there");
    (page.entries.iter().map(|entry| entry.seq.0).collect(), page)
}

pub(crate) async fn a_page_after_a_number_rises_from_it(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.fill(20).await;
    let after = |seq, limit| {
        let party = party.clone();
        async move { read(&party, Cut::After(Seq(seq)), limit).await.0 }
    };
    assert_eq!(after(0, 5).await, [1, 2, 3, 4, 5]);
    assert_eq!(after(13, 5).await, [14, 15, 16, 17, 18]);
    assert_eq!(after(17, 5).await, [18, 19, 20], "fewer only at the log's end");
    assert_eq!(after(20, 5).await, NONE);
    assert_eq!(after(999, 5).await, NONE);
    assert_eq!(after(3, 0).await, NONE);
    let (_, page) = read(&party, Cut::After(Seq(19)), 5).await;
    assert_eq!((page.history.head, page.history.first), (Seq(20), Seq(1)));
    assert_eq!(data(&page.entries[0].record)["body"], "19");
}

pub(crate) async fn a_page_before_a_number_ends_below_it(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    party.fill(20).await;
    let before = |seq, limit| {
        let party = party.clone();
        async move { read(&party, Cut::Before(Seq(seq)), limit).await.0 }
    };
    assert_eq!(before(21, 3).await, [18, 19, 20], "the newest, given in rising order");
    assert_eq!(before(9, 3).await, [6, 7, 8]);
    assert_eq!(before(3, 5).await, [1, 2]);
    assert_eq!(before(1, 5).await, NONE);
    assert_eq!(before(0, 5).await, NONE);
    assert_eq!(before(999, 2).await, [19, 20]);
    assert_eq!(before(9, 0).await, NONE);
}

pub(crate) async fn the_configured_number_of_entries_is_kept(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    // Enough for an adapter that trims in large steps.
    let total = HISTORY_ENTRIES * 6;
    party.fill(total).await;
    let (numbers, page) = read(&party, Cut::After(Seq::ZERO), total).await;
    let (first, head) = (page.history.first.0, page.history.head.0);
    assert_eq!(head, total as u64);
    assert!(head - first + 1 >= HISTORY_ENTRIES as u64, "at least: {first}..={head}");
    assert!(first > 1, "and not all");
    assert_eq!(numbers, (first..=head).collect::<Vec<_>>(), "a page begins at the oldest kept");
    assert_eq!(read(&party, Cut::Before(Seq(first)), 10).await.0, NONE);
    assert_eq!(read(&party, Cut::Before(Seq(first + 2)), 10).await.0, [first, first + 1]);
    assert_eq!(party.snapshot().await.history, page.history);
}

pub(crate) async fn young_entries_are_kept_beyond_the_number(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let seat = party.join(party.host).await.seat;
    let total = HISTORY_ENTRIES * 4;
    party.fill(total).await;
    let head = party.beat(&[seat]).await.head.expect("there is such a session");
    let entries = party.entries().await;
    assert_eq!((entries[0].seq, entries.len() as u64), (Seq(1), head.0), "none is ten minutes old");
}

pub(crate) async fn a_log_that_is_too_large_keeps_the_number_alone(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    let total = HISTORY_ENTRIES * 4;
    // Twice as much as may be there, all of it young.
    party.fill_with(total, HISTORY_BYTES * 2 / total).await;
    let history = party.snapshot().await.history;
    let kept = history.head.0 - history.first.0 + 1;
    let bytes = kept * (HISTORY_BYTES * 2 / total) as u64;
    assert!(kept >= HISTORY_ENTRIES as u64, "at least: {history:?}");
    // An adapter that trims in steps of 64 may be one step over.
    assert!(bytes <= HISTORY_BYTES as u64 * 3 / 2, "and no more than fit: {history:?}");
}

pub(crate) async fn a_page_of_large_entries_ends_early(harness: &Harness) {
    let party = Party::new(harness, ROOMY).await;
    // Three and a bit reach the bound.
    party.fill_with(10, READ_BYTES * 3 / 10).await;
    assert_eq!(read(&party, Cut::After(Seq(2)), 256).await.0, [3, 4, 5, 6], "with the entry that reaches it");
    assert_eq!(read(&party, Cut::Before(Seq(9)), 256).await.0, [5, 6, 7, 8]);
    assert_eq!(read(&party, Cut::After(Seq(2)), 3).await.0, [3, 4, 5]);
    assert_eq!(read(&party, Cut::After(Seq(8)), 256).await.0, [9, 10]);
    // Who can take less asks for less.
    for (bytes, expected) in
        [(0, &[3u64][..]), (1, &[3]), (READ_BYTES / 2, &[3, 4]), (READ_BYTES * 2, &[3, 4, 5, 6, 7, 8, 9])]
    {
        let most = Most { entries: 7, bytes };
        let page = party.backend.log.read_most(party.id, Cut::After(Seq(2)), most).await;
        let page = page.expect("reads").expect("is there");
        assert_eq!(
            page.entries.iter().map(|entry| entry.seq.0).collect::<Vec<_>>(),
            expected,
            "{bytes} bytes"
        );
    }
}
