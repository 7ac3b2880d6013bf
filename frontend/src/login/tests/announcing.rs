//! What is announced, and when (design §5): the first answer, then changes; commands once.

use crate::login::{FailureKind, Input, Notice, Phase, TicketAnswer};
use shared::component::{Args, CommandName, KnownState};

use super::harness::{Bench, args, away, command, known, session, session_of};

#[test]
fn the_first_answer_is_announced_signed_out_included() {
    let mut bench = Bench::new();
    assert_eq!(bench.state(), "loading");
    let asked = bench.render(args());
    assert_eq!(asked.tickets[0].1.challenge, "C1");
    assert_eq!(asked.tickets[0].1.host_origin, super::harness::ORIGIN);
    assert_eq!(bench.state(), "loading");
    let told = bench.answer(&asked, TicketAnswer::SignedOut);
    assert_eq!(told.said(), ["onStatusUpdate Logged out"]);
    assert_eq!(bench.state(), "signed-out");
}

#[test]
fn a_session_is_announced_with_its_ticket_and_the_challenge_in_force() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    let told = bench.answer(&asked, session("r1"));
    let event = &told.events[0];
    assert_eq!(
        (event.name.as_str(), event.challenge.as_str()),
        ("onStatusUpdate", "C1")
    );
    let token = event
        .data
        .sessioninfo
        .as_ref()
        .and_then(|session| session.token.as_ref())
        .unwrap();
    assert_eq!((token.ticket.as_str(), token.expiry), ("T", 5_000));
    assert_eq!(told.expiries, [5_000]);
    assert_eq!(bench.state(), "signed-in");
}

#[test]
fn the_first_answer_is_not_announced_when_python_knows_it() {
    let mut bench = Bench::new();
    let asked = bench.render(Args {
        known: known(KnownState::SignedOut, None),
        ..args()
    });
    assert!(
        bench
            .answer(&asked, TicketAnswer::SignedOut)
            .events
            .is_empty()
    );

    let mut bench = Bench::new();
    let asked = bench.render(Args {
        known: known(KnownState::SignedIn, Some("r1")),
        ..args()
    });
    assert_eq!(
        asked.tickets[0].1.known_ref.as_deref(),
        Some("r1"),
        "no ticket need be minted"
    );
    let told = bench.answer(&asked, TicketAnswer::SignedIn(session_of("r1", None)));
    assert!(
        told.is_quiet(),
        "a page switch costs no redeem and no rerun"
    );
    assert_eq!(bench.state(), "signed-in");
}

#[test]
fn the_first_answer_is_announced_when_python_knows_otherwise() {
    for (python, answer, said) in [
        (
            known(KnownState::SignedIn, Some("r1")),
            session("r2"),
            "onStatusUpdate Logged in",
        ),
        (
            known(KnownState::SignedOut, None),
            session("r1"),
            "onStatusUpdate Logged in",
        ),
        (
            known(KnownState::SignedIn, Some("r1")),
            TicketAnswer::SignedOut,
            "onStatusUpdate Logged out",
        ),
    ] {
        let mut bench = Bench::new();
        let asked = bench.render(Args {
            known: python,
            ..args()
        });
        assert_eq!(bench.answer(&asked, answer).said(), [said]);
    }
}

#[test]
fn rerenders_and_a_changed_challenge_alone_are_no_change() {
    for mut bench in [Bench::signed_in(), Bench::signed_out()] {
        assert!(bench.render(args()).is_quiet());
        assert!(
            bench
                .render(Args {
                    challenge: "C2".to_owned(),
                    ..args()
                })
                .is_quiet()
        );
        assert!(
            bench
                .render(Args {
                    hostname: Some("x".to_owned()),
                    ..args()
                })
                .is_quiet()
        );
    }
}

#[test]
fn python_learning_what_was_announced_is_no_change() {
    let mut bench = Bench::signed_in();
    assert!(
        bench
            .render(Args {
                known: known(KnownState::SignedIn, Some("r1")),
                ..args()
            })
            .is_quiet()
    );
}

#[test]
fn a_host_restarted_under_the_tab_is_told_again() {
    let mut bench = Bench::signed_in();
    bench.render(Args {
        known: known(KnownState::SignedIn, Some("r1")),
        ..args()
    });
    let asked = bench.render(Args {
        challenge: "C2".to_owned(),
        ..args()
    });
    assert_eq!(
        asked.tickets[0].1.known_ref, None,
        "a fresh host needs a ticket"
    );
    assert_eq!(
        bench.answer(&asked, session("r1")).said(),
        ["onStatusUpdate Logged in"]
    );
}

#[test]
fn an_end_that_only_python_has_seen_is_looked_up_and_not_echoed() {
    let mut bench = Bench::signed_in();
    bench.render(Args {
        known: known(KnownState::SignedIn, Some("r1")),
        ..args()
    });
    let asked = bench.render(Args {
        known: known(KnownState::SignedOut, None),
        ..args()
    });
    assert_eq!(asked.tickets[0].1.known_ref.as_deref(), Some("r1"));
    bench.answer(&asked, TicketAnswer::SignedOut);
    assert_eq!(
        *bench.phase(),
        Phase::SignedOut {
            notice: Some(Notice::SessionEnded)
        }
    );
}

#[test]
fn a_ticket_for_a_challenge_of_before_is_asked_for_again() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    bench.render(Args {
        challenge: "C2".to_owned(),
        ..args()
    });
    let again = bench.answer(&asked, session("r1"));
    assert!(again.events.is_empty());
    assert_eq!(again.tickets[0].1.challenge, "C2");
    assert_eq!(
        bench.answer(&again, session("r1")).events[0].challenge,
        "C2"
    );
}

#[test]
fn a_session_without_a_ticket_that_must_be_announced_is_asked_for_once_more_only() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    let again = bench.answer(&asked, TicketAnswer::SignedIn(session_of("r1", None)));
    assert_eq!(again.tickets.len(), 1);
    let told = bench.answer(&again, TicketAnswer::SignedIn(session_of("r1", None)));
    assert!(told.tickets.is_empty());
    assert_eq!(
        told.said(),
        ["onError The sign-in service refused the request"]
    );
}

#[test]
fn recheck_is_obeyed_once_and_answered_even_if_nothing_changed() {
    let mut bench = Bench::signed_in();
    let rechecking = Args {
        command: command("1", CommandName::Recheck),
        ..args()
    };
    let asked = bench.render(rechecking.clone());
    assert_eq!(asked.tickets[0].1.known_ref, None);
    assert_eq!(bench.state(), "signed-in", "nothing flickers");
    let told = bench.answer(&asked, session("r1"));
    assert_eq!(told.said(), ["onStatusUpdate Logged in"]);
    assert!(bench.render(rechecking).is_quiet());
    let again = bench.render(Args {
        command: command("2", CommandName::Recheck),
        ..args()
    });
    assert_eq!(again.tickets.len(), 1);
}

#[test]
fn every_event_has_its_own_id() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    let first = bench.answer(&asked, session("r1"));
    let asked = bench.render(Args {
        command: command("1", CommandName::Recheck),
        ..args()
    });
    let second = bench.answer(&asked, session("r1"));
    assert_ne!(first.events[0].id, second.events[0].id);
}

#[test]
fn a_silent_companion_is_announced_once_and_a_late_answer_still_counts() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    let number = asked.tickets[0].0;
    let told = bench.send(Input::TicketLate(number));
    assert_eq!(told.said(), ["onError The sign-in service does not answer"]);
    assert!(told.events[0].data.is_error);
    assert_eq!(bench.state(), "error");
    assert!(bench.send(Input::TicketLate(number)).is_quiet());
    assert_eq!(
        bench.answer(&asked, session("r1")).said(),
        ["onStatusUpdate Logged in"]
    );
    assert_eq!(bench.state(), "signed-in");
}

#[test]
fn the_silence_of_an_answered_request_is_nothing() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    bench.answer(&asked, TicketAnswer::SignedOut);
    assert!(bench.send(Input::TicketLate(asked.tickets[0].0)).is_quiet());
    assert_eq!(bench.state(), "signed-out");
}

#[test]
fn an_unreachable_companion_is_an_error_with_a_retry_that_tells_the_same_only_once() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    let told = bench.answer(&asked, away());
    assert_eq!(
        told.said(),
        ["onError The sign-in service cannot be reached"]
    );
    let asked = bench.send(Input::RetryClicked);
    assert_eq!(bench.state(), "loading");
    assert!(bench.answer(&asked, away()).events.is_empty());
    assert_eq!(bench.state(), "error");
    let asked = bench.send(Input::RetryClicked);
    assert_eq!(
        bench.answer(&asked, TicketAnswer::SignedOut).said(),
        ["onStatusUpdate Logged out"]
    );
}

#[test]
fn a_host_that_the_companion_refuses_gets_words_and_no_retry() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    let code = "unknown_host_origin".to_owned();
    let told = bench.answer(&asked, TicketAnswer::Refused { code });
    assert_eq!(
        told.events[0].data.error.as_ref().unwrap().code,
        "unknown_host_origin"
    );
    let Phase::Failed(failure) = bench.phase() else {
        panic!("{:?}", bench.phase())
    };
    assert_eq!(failure.kind, FailureKind::HostRefused);
}

#[test]
fn a_page_that_may_not_use_the_frame_is_told_nothing_and_causes_no_request() {
    let mut bench = Bench::new();
    assert!(bench.send(Input::HostRefused).is_quiet());
    assert_eq!(bench.state(), "error");
    let asked = bench.render(args());
    assert_eq!(asked.tickets.len(), 1, "an admitted page gets its answer");
    bench.answer(&asked, TicketAnswer::SignedOut);
    bench.send(Input::HostRefused);
    assert_eq!(bench.state(), "signed-out", "a stranger cannot disturb it");
}

#[test]
fn a_page_opened_by_itself_says_so() {
    let mut bench = Bench::new();
    assert!(bench.send(Input::NotEmbedded).is_quiet());
    assert_eq!(bench.state(), "error");
}

#[test]
fn coming_back_to_sight_asks_only_when_the_answer_is_stale() {
    let mut bench = Bench::signed_in();
    bench.pass(59_000);
    assert!(bench.send(Input::VisibilityChanged).is_quiet());
    bench.pass(2_000);
    bench.now.hidden = true;
    assert!(bench.send(Input::VisibilityChanged).is_quiet());
    bench.now.hidden = false;
    let asked = bench.send(Input::VisibilityChanged);
    assert_eq!(asked.tickets[0].1.known_ref.as_deref(), Some("r1"));
    assert!(
        bench
            .answer(&asked, TicketAnswer::SignedIn(session_of("r1", None)))
            .is_quiet()
    );
}

#[test]
fn trouble_with_a_check_that_nobody_waits_for_changes_nothing() {
    let mut bench = Bench::signed_in();
    bench.pass(61_000);
    let asked = bench.send(Input::VisibilityChanged);
    assert!(bench.send(Input::TicketLate(asked.tickets[0].0)).is_quiet());
    assert!(bench.answer(&asked, away()).is_quiet());
    assert_eq!(bench.state(), "signed-in");
}

#[test]
fn a_login_in_another_tab_is_found_when_this_one_comes_back() {
    let mut bench = Bench::signed_out();
    bench.pass(61_000);
    let asked = bench.send(Input::VisibilityChanged);
    assert_eq!(
        bench.answer(&asked, session("r9")).said(),
        ["onStatusUpdate Logged in"]
    );
}

#[test]
fn the_end_of_the_session_is_looked_up_and_announced() {
    let mut bench = Bench::signed_in();
    let asked = bench.send(Input::SessionLapsed);
    let told = bench.answer(&asked, TicketAnswer::SignedOut);
    assert_eq!(told.said(), ["onStatusUpdate Logged out"]);
    assert_eq!(
        *bench.phase(),
        Phase::SignedOut {
            notice: Some(Notice::SessionEnded)
        }
    );
    assert!(bench.send(Input::SessionLapsed).is_quiet());
}
