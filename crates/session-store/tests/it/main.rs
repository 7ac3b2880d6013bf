//! What every store must do, whatever it is made of, and what each does when that fails it.
//!
//! Each case of `conformance!` runs against each implementation; a new one joins by one
//! module there. The other modules break SQLite's file and Redis's connection for real.
#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a failed step of a test ends the test"
)]

mod handles;
mod leases;
mod races;
mod redis_faults;
mod redis_lost_replies;
mod redis_notices;
mod redis_replicas;
mod redis_tls;
mod sessions;
mod sqlite_cache;
mod sqlite_disk;
mod sqlite_faults;
mod support;

macro_rules! conformance {
    ($($module:ident::$case:ident)*) => {
        mod sqlite_store { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let fresh = crate::support::Fresh::sqlite();
                crate::$module::$case(fresh.store.clone()).await;
            }
        )* }
        mod redis_store { $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $case() {
                let fresh = crate::support::Fresh::redis().await;
                crate::$module::$case(fresh.store.clone()).await;
            }
        )* }
    };
}

conformance! {
    sessions::a_created_session_is_found_through_its_handle
    sessions::any_bytes_come_back_as_they_were
    sessions::an_id_that_is_taken_is_refused_and_its_session_stays
    sessions::an_update_of_an_older_version_is_refused
    sessions::an_ended_session_keeps_its_reason_and_loses_its_payload
    sessions::ending_a_session_twice_tells_the_second_caller
    sessions::a_session_is_found_by_provider_session_and_by_subject_until_it_ends
    sessions::touching_moves_the_expiry_only
    sessions::touching_revives_nothing
    sessions::live_sessions_are_counted_without_the_ended_and_the_expired
    sessions::purge_removes_only_what_nobody_needs
    sessions::purge_is_bounded_and_leaves_nothing_to_be_found
    sessions::a_purged_session_leaves_its_neighbours_in_the_indexes
    sessions::subscribers_hear_of_the_end_of_a_session
    sessions::a_working_store_is_ready
    handles::a_lapsed_handle_cannot_be_taken
    handles::an_unknown_handle_is_unknown
    handles::kinds_do_not_answer_for_each_other
    handles::a_second_handle_of_the_same_key_is_refused
    handles::a_taken_handle_is_still_seen_with_its_mark
    handles::a_handle_to_no_session_leads_nowhere
    leases::a_lease_has_one_holder_until_it_is_given_back
    leases::the_lease_of_a_dead_holder_frees_itself
    leases::a_holder_prolongs_its_lease
    races::one_of_a_hundred_takers_gets_the_handle
    races::one_of_a_hundred_callers_puts_a_handle
    races::one_of_fifty_writers_a_version_succeeds
    races::one_of_fifty_enders_gets_the_session_and_one_notice_goes_out
    races::no_write_brings_an_ended_session_back
}
