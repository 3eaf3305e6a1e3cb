//! The contract of the event store: the tests that every adapter passes.
//!
//! An adapter describes itself as a [`Fixture`] and calls
//! [`contract_tests!`](crate::contract_tests) once, which makes a test of each case.
//!
//! ```
//! use std::sync::Arc;
//!
//! use cim_core::id::AggregateKey;
//! use cim_core::subject::StoreTemplate;
//! use cim_host::memory::MemoryStore;
//! use cim_host::store::EventStore;
//! use cim_host::store::contract::Fixture;
//!
//! struct Memory(MemoryStore);
//!
//! impl Fixture for Memory {
//!     fn store(&self) -> Arc<dyn EventStore> {
//!         Arc::new(self.0.clone())
//!     }
//!
//!     async fn open_again(&self) -> Arc<dyn EventStore> {
//!         self.store()
//!     }
//!
//!     async fn break_head(&self, aggregate: &AggregateKey) {
//!         // Alter the body of the last event of `aggregate`.
//! #       let _ = aggregate;
//!     }
//! }
//!
//! async fn memory(template: StoreTemplate) -> Memory {
//!     Memory(MemoryStore::new(template))
//! }
//!
//! cim_host::contract_tests!(contract, memory);
//! # fn main() {}
//! ```

pub mod again;
pub mod appends;
pub mod broken;
pub mod given;
pub mod limits;
pub mod listings;
pub mod model;
pub mod races;
pub mod reads;
pub mod retries;
pub mod streams;
pub mod subscriptions;

use std::sync::Arc;
use std::time::Duration;

use cim_core::id::AggregateKey;

use super::EventStore;

/// How long a case may take: far longer than any does, so that one that waits for ever fails.
const DEADLINE: Duration = Duration::from_secs(120);

/// A fresh, empty store of an adapter, and what only the adapter knows to do with it.
///
/// Each case gets one of its own, and gives the template that its store is to have.
pub trait Fixture {
    /// A handle on the store; each time the same one, or a clone.
    fn store(&self) -> Arc<dyn EventStore>;

    /// Another handle on the same store, as far from the first as another process.
    fn open_again(&self) -> impl Future<Output = Arc<dyn EventStore>>;

    /// Alters the body of an aggregate's last event behind the store's back, and nothing else.
    fn break_head(&self, aggregate: &AggregateKey) -> impl Future<Output = ()>;
}

/// Makes a module of tests, one for each case of the contract.
///
/// It takes the module's name and an async function (or closure) that gets the
/// [`StoreTemplate`](cim_core::subject::StoreTemplate) and makes a
/// [`Fixture`](crate::store::contract::Fixture).
#[macro_export]
macro_rules! contract_tests {
    ($name:ident, $make:expr) => {
        $crate::contract_case_tests! { $name, $make,
            appends {
                a_new_history_begins_at_version_1
                exact_goes_behind_the_version_that_it_names
                any_goes_behind_whatever_is_there
                a_stale_expectation_is_a_conflict_with_the_winners
                a_conflict_shows_at_most_16_winners
                positions_increase_over_all_aggregates
                several_aggregates_are_appended_in_one_step
                one_stale_of_ten_aggregates_refuses_them_all
                events_are_read_as_they_were_given
                cids_are_those_of_the_core
                keys_that_look_alike_are_different_aggregates
                another_handle_goes_on_with_the_history
            }
            retries {
                exact_repeated_at_once_and_later
                no_stream_repeated_at_once_and_later
                any_repeated_at_once_and_later
                a_repeat_may_name_another_expectation_if_it_fits_the_place
                a_part_that_stands_where_it_is_expected_is_a_repeat
                a_part_that_stands_elsewhere_is_reused
                more_than_was_appended_is_reused
                another_order_is_reused
                events_that_do_not_stand_together_are_reused
                other_content_is_reused
                another_aggregate_is_reused
                another_trace_context_is_still_the_same_event
                a_refused_append_leaves_its_ids_free
                a_refused_append_leaves_no_aggregate
                append_many_repeated_whole
                append_many_of_old_and_new_parts_is_reused
                append_many_with_a_part_on_another_aggregate_is_reused
                a_retry_token_tells_how_it_ended
                a_repeat_through_another_handle
            }
            limits {
                a_thousand_events_are_the_most
                a_thousand_events_in_all_of_append_many
                an_event_fills_its_size_to_the_byte
                an_append_has_events
                an_aggregate_stands_once_in_an_append
                an_event_id_stands_once_in_an_append
                an_aggregate_fits_the_template
                a_reused_id_comes_before_a_conflict
                a_repeat_comes_before_a_conflict
                an_invalid_append_comes_before_a_repeat
            }
            races {
                one_of_64_wins_each_version
                all_of_64_get_in_with_retries
                all_of_64_get_in_with_any
                one_of_16_equal_appends_is_committed
                one_of_16_overlapping_append_many_wins_each_round
                two_handles_make_one_history
            }
            reads {
                an_empty_store_has_nothing
                heads_and_last_position_follow_the_appends
                versions_are_inclusive_and_positions_exclusive
                times_are_inclusive
                backwards_begins_with_the_newest
                by_correlation_type_and_id
                by_namespace_and_entity
                a_limit_counts_what_is_delivered
                any_combination_of_conditions
            }
            again {
                a_history_read_again_has_what_came_since
                a_history_read_again_ends_at_an_altered_head
            }
            streams {
                a_verified_history_is_verified_as_a_chain
                long_reads_have_no_seams
                a_read_among_writers_has_no_gaps
                a_stream_may_be_dropped_half_way
                closing_keeps_what_was_acknowledged
            }
            listings {
                aggregates_are_listed_in_the_order_of_their_keys
                stats_count_events_aggregates_types_and_times
            }
            subscriptions {
                an_empty_store_is_caught_up_at_once
                what_is_there_comes_before_what_is_new
                it_begins_behind_a_position
                it_delivers_what_its_filter_matches
                eight_writers_make_no_gap_and_no_repeat
                it_catches_up_while_others_write
                a_slow_subscriber_loses_nothing
                an_append_through_another_handle_wakes_it
                a_subscription_may_be_dropped
            }
            broken {
                a_broken_head_stops_its_aggregate_alone
                append_many_with_a_broken_head_is_refused_whole
                an_invalid_append_comes_before_a_broken_head
                a_broken_head_comes_before_a_repeat_and_a_conflict
                a_verified_read_ends_at_an_altered_event
                a_subscription_delivers_an_altered_event_as_invalid
            }
            model {
                random_operations_agree_with_a_simple_model
            }
        }
    };
}

/// Makes the tests of [`contract_tests!`](crate::contract_tests), which lists them.
#[doc(hidden)]
#[macro_export]
macro_rules! contract_case_tests {
    ($name:ident, $make:expr, $($group:ident { $($case:ident)* })*) => {
        mod $name {
            $(
                mod $group {
                    #[allow(unused_imports, reason = "the fixture may be named by its path")]
                    use super::super::*;
                    $(
                        #[test]
                        fn $case() {
                            $crate::store::contract::run(
                                $crate::store::contract::$group::$case($make),
                            );
                        }
                    )*
                }
            )*
        }
    };
}

/// Runs a case on a runtime of its own.
///
/// # Panics
///
/// When the case fails, or takes longer than two minutes.
pub fn run(case: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .expect("the system gives threads");
    runtime.block_on(async {
        tokio::time::timeout(DEADLINE, case)
            .await
            .expect("a case takes less than two minutes");
    });
}
