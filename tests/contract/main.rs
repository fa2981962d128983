//! One suite over both adapters, and over redis again with a replica that acks wait for and by TLS as a user with few rights: each sentence of the four ports' contracts is a case, and each case runs on each backend.
//!
//! A case gets a [`harness::Harness`] and knows nothing of the adapter behind it. Cases are listed here once; one that is not listed is
//! dead code, which the lints refuse. Where a case needs time to pass it waits for the store's clock, which memory can turn by hand.

mod harness;
mod memory_harness;
mod party;
mod redis_harness;
mod suite;
#[path = "../it/support/mod.rs"]
mod support;

/// Makes one test of each case for one backend: `memory::capacity_is_never_exceeded`.
macro_rules! run {
    ($start:path; $($subject:ident: $($case:ident),+ $(,)?;)+) => {
        $($(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                let harness = $start().await;
                crate::suite::$subject::$case(&harness).await;
                harness.finish().await;
            }
        )+)+
    };
}

/// Every case, for one backend.
macro_rules! suite {
    ($backend:ident, $start:path) => {
        mod $backend {
            run! { $start;
                sessions:
                    a_new_session_is_found_as_created,
                    an_id_is_never_reused,
                    an_unknown_session_is_none_everywhere,
                    an_ended_session_is_none_but_its_log_can_be_read,
                    a_session_without_activity_runs_out,
                    its_life_starts_again_with_join_entry_and_beat;
                log_order:
                    a_hundred_publishers_keep_one_order_without_holes,
                    a_batch_is_answered_item_by_item,
                    batches_of_two_nodes_do_not_mix,
                    listeners_and_readers_get_the_same_entries;
                dedup:
                    a_number_makes_one_entry_on_any_node,
                    a_number_sent_at_once_from_many_sides_makes_one_entry,
                    an_older_number_gives_its_true_place,
                    numbers_go_on_after_the_seat_was_left,
                    a_gap_names_the_last_number_and_takes_nothing,
                    authors_count_apart,
                    a_key_makes_one_entry_on_any_node,
                    without_a_number_twice_is_two;
                fence:
                    a_seat_that_was_taken_over_writes_nothing,
                    a_seat_given_up_writes_nothing,
                    over_http_only_a_ban_is_checked,
                    an_outdated_record_version_is_a_conflict,
                    a_refused_number_can_be_used_again;
                epochs:
                    an_epoch_is_told_before_its_first_entry,
                    a_beat_begins_an_epoch_too,
                    seats_of_an_epoch_are_beyond_those_of_the_one_before,
                    an_ended_session_begins_no_epoch,
                    an_empty_batch_is_no_write;
                effects:
                    a_slot_changes_only_from_its_next_version,
                    what_is_said_of_a_slot_lands_only_while_it_is_so,
                    of_many_slot_writers_one_wins,
                    a_patch_changes_what_it_names,
                    a_profile_is_shown_from_then_on,
                    a_transfer_makes_another_host,
                    a_kick_takes_the_seat_and_bans,
                    a_ban_runs_out,
                    effects_on_the_unseated_are_refused;
                membership:
                    capacity_is_never_exceeded,
                    a_new_seat_appends_joined,
                    the_full_and_the_locked_refuse_strangers,
                    a_takeover_enters_the_full_and_locked,
                    a_takeover_is_told_to_every_node,
                    leaving_appends_left_and_frees_the_seat,
                    leaving_with_another_generation_is_ignored,
                    a_roster_is_paged_in_order_of_joining,
                    a_snapshot_is_the_session_at_its_head,
                    standing_says_what_holds_now;
                host:
                    the_creator_enters_as_host,
                    the_first_to_enter_an_empty_session_is_promoted,
                    an_empty_session_keeps_its_host,
                    the_longest_seated_follows_a_host_who_leaves,
                    a_host_lost_by_lease_reclaims,
                    a_lost_host_passes_the_lock_of_who_followed,
                    a_claim_makes_no_room_in_a_full_session,
                    a_host_absent_when_another_entered_reclaims,
                    a_host_who_left_does_not_reclaim,
                    a_transfer_ends_every_claim,
                    a_kicked_host_is_followed_in_the_same_step;
                leases:
                    counts_and_lists_leave_out_lapsed_seats,
                    a_join_frees_lapsed_seats_before_it_admits,
                    many_beats_reap_each_seat_once,
                    a_beat_renews_even_a_late_seat,
                    a_beat_names_the_lost_seats,
                    one_who_comes_back_late_gets_a_new_seat;
                listening:
                    what_follows_subscribe_is_announced_in_order,
                    nothing_is_announced_without_subscribe,
                    unsubscribe_stops_announcements,
                    subscribing_twice_announces_once,
                    every_listening_node_is_told,
                    a_frame_for_all_is_relayed_to_every_node,
                    a_frame_for_one_needs_a_seat,
                    nobody_sits_in_an_ended_session;
                limiter:
                    a_bucket_starts_full_and_ends_at_its_burst,
                    a_refusal_and_a_question_take_nothing,
                    a_bucket_fills_again,
                    scopes_and_keys_are_apart,
                    a_bucket_is_one_on_every_node,
                    more_than_the_burst_is_never_there;
                reading:
                    a_page_after_a_number_rises_from_it,
                    a_page_before_a_number_ends_below_it,
                    a_page_of_large_entries_ends_early,
                    the_configured_number_of_entries_is_kept;
            }
        }
    };
}

suite!(memory, crate::memory_harness::start);
suite!(redis, crate::redis_harness::start);
suite!(replicated, crate::redis_harness::start_replicated);
suite!(secured, crate::redis_harness::start_secured);
suite!(sentinel, crate::redis_harness::start_sentinel);
suite!(cluster, crate::redis_harness::start_cluster);

/// What would take ten minutes of real time.
mod memory_in_time {
    run! { crate::memory_harness::start;
        long: a_claim_runs_out, an_ended_log_is_forgotten, a_key_is_remembered_as_long_as_its_session_lives;
    }
}

/// Logs that keep what is young.
mod memory_aging {
    run! { crate::memory_harness::start_aging;
        reading: young_entries_are_kept_beyond_the_number, a_log_that_is_too_large_keeps_the_number_alone;
        long: entries_beyond_the_number_go_with_their_age;
    }
}

mod redis_aging {
    run! { crate::redis_harness::start_aging;
        reading: young_entries_are_kept_beyond_the_number, a_log_that_is_too_large_keeps_the_number_alone;
    }
}
