//! A login under way: polls, claims, refusals, cancels.

use crate::login::{FailureKind, HandoffAnswer, Input, Notice, Phase, TicketAnswer};
use shared::component::{Args, CommandName};

use super::harness::{Bench, args, command, session, session_of};

fn claimed(ticket: Option<&str>) -> HandoffAnswer {
    HandoffAnswer::Claimed(session_of("r1", ticket))
}

fn pending() -> HandoffAnswer {
    HandoffAnswer::Pending {
        retry_after_s: None,
    }
}

#[test]
fn a_click_waits_and_polls_at_once_with_the_frames_own_verifier() {
    let (mut bench, polled) = Bench::waiting();
    assert_eq!(bench.state(), "waiting");
    assert!(polled.events.is_empty(), "waiting is not announced");
    let (number, after_ms) = polled.polls[0];
    assert_eq!(after_ms, 0);
    let claim = bench.login.claim(number, bench.now).unwrap();
    assert_eq!(claim.challenge.as_deref(), Some("C1"));
    assert_eq!(claim.host_origin.as_deref(), Some(super::harness::ORIGIN));
    let Phase::Waiting {
        handoff_challenge,
        blocked: false,
    } = bench.phase()
    else {
        panic!("{:?}", bench.phase())
    };
    assert_ne!(
        *handoff_challenge, claim.verifier,
        "the form carries the challenge only"
    );
}

#[test]
fn a_claim_signs_in_with_the_ticket_that_came_along() {
    let (mut bench, polled) = Bench::waiting();
    let told = bench.poll(&polled, claimed(Some("T1")));
    assert_eq!(told.said(), ["onStatusUpdate Logged in"]);
    assert!(
        told.tickets.is_empty(),
        "it works where the frame keeps no cookie"
    );
    assert_eq!(bench.state(), "signed-in");
}

#[test]
fn a_pending_poll_is_repeated_and_only_the_newest_may_be_sent_or_answered() {
    let (mut bench, polled) = Bench::waiting();
    let old = polled.polls[0].0;
    let next = bench.poll(&polled, pending());
    assert_eq!(next.polls[0].1, 0, "it had been held");
    assert!(bench.login.claim(old, bench.now).is_none());
    assert!(
        bench
            .send(Input::HandoffAnswered(old, HandoffAnswer::Gone))
            .is_quiet()
    );
    assert_eq!(bench.state(), "waiting");
    assert_eq!(
        bench.poll(&next, claimed(Some("T1"))).said(),
        ["onStatusUpdate Logged in"]
    );
}

#[test]
fn a_challenge_that_changes_while_waiting_renews_the_poll_and_never_announces_a_dead_ticket() {
    let (mut bench, polled) = Bench::waiting();
    let (number, _) = polled.polls[0];
    bench.login.claim(number, bench.now).unwrap();
    let changed = Args {
        challenge: "C2".to_owned(),
        ..args()
    };
    let renewed = bench.render(changed);
    let claim = bench.login.claim(renewed.polls[0].0, bench.now).unwrap();
    assert_eq!(claim.challenge.as_deref(), Some("C2"));
    bench.render(Args {
        challenge: "C3".to_owned(),
        ..args()
    });
    let newest = bench.render(Args {
        challenge: "C4".to_owned(),
        ..args()
    });
    let told = bench.poll(&newest, claimed(Some("T1")));
    assert_eq!(told.events[0].challenge, "C4");
}

#[test]
fn a_claim_without_a_usable_ticket_asks_for_one() {
    let (mut bench, polled) = Bench::waiting();
    let asked = bench.poll(&polled, claimed(None));
    assert!(asked.events.is_empty());
    assert_eq!(
        bench.answer(&asked, session("r1")).said(),
        ["onStatusUpdate Logged in"]
    );
}

#[test]
fn a_blocked_window_waits_for_the_person_to_press_the_form() {
    let mut bench = Bench::signed_out();
    let clicked = bench.click_login(false);
    assert!(clicked.is_quiet(), "nothing to poll for yet");
    assert!(matches!(
        bench.phase(),
        Phase::Waiting { blocked: true, .. }
    ));
    assert!(bench.send(Input::VisibilityChanged).is_quiet());
    bench.pass(9 * 60_000);
    let polled = bench.send(Input::LoginFormSubmitted);
    assert!(matches!(
        bench.phase(),
        Phase::Waiting { blocked: false, .. }
    ));
    bench.pass(9 * 60_000);
    let next = bench.poll(&polled, pending());
    assert_eq!(
        next.polls.len(),
        1,
        "the ten minutes began when the window opened"
    );
}

#[test]
fn cancel_ends_it_quietly_and_a_late_claim_is_not_taken() {
    let (mut bench, polled) = Bench::waiting();
    bench.pass(3_000);
    let cancelled = bench.send(Input::CancelClicked);
    assert_eq!((cancelled.stops, cancelled.events.len()), (1, 0));
    assert_eq!(bench.state(), "signed-out");
    assert!(
        bench
            .send(Input::HandoffAnswered(
                polled.polls[0].0,
                claimed(Some("T"))
            ))
            .is_quiet()
    );
    assert_eq!(bench.state(), "signed-out");
}

#[test]
fn the_second_click_of_a_double_click_does_not_cancel() {
    let (mut bench, _) = Bench::waiting();
    bench.pass(200);
    assert!(bench.send(Input::CancelClicked).is_quiet());
    assert_eq!(bench.state(), "waiting");
}

#[test]
fn a_second_login_click_while_waiting_changes_nothing() {
    let (mut bench, polled) = Bench::waiting();
    assert!(bench.click_login(true).is_quiet());
    assert_eq!(
        bench.poll(&polled, claimed(Some("T"))).said(),
        ["onStatusUpdate Logged in"]
    );
}

#[test]
fn a_refused_login_is_an_error_from_which_a_click_starts_again() {
    let (mut bench, polled) = Bench::waiting();
    let told = bench.poll(&polled, HandoffAnswer::Refused);
    assert_eq!(told.said(), ["onError The sign-in was refused"]);
    assert_eq!(
        told.events[0].data.error.as_ref().unwrap().code,
        "login_refused"
    );
    assert_eq!(bench.state(), "error");
    let polled = bench.click_login(true);
    assert_eq!(
        bench.poll(&polled, claimed(Some("T"))).said(),
        ["onStatusUpdate Logged in"]
    );
}

#[test]
fn a_second_refusal_is_told_again_and_a_cancel_after_a_refusal_says_signed_out() {
    let (mut bench, polled) = Bench::waiting();
    bench.poll(&polled, HandoffAnswer::Refused);
    let polled = bench.click_login(true);
    assert_eq!(bench.poll(&polled, HandoffAnswer::Refused).events.len(), 1);
    bench.click_login(true);
    bench.pass(3_000);
    assert_eq!(
        bench.send(Input::CancelClicked).said(),
        ["onStatusUpdate Logged out"]
    );
}

#[test]
fn a_definite_rejection_is_an_error_with_the_companions_code() {
    let (mut bench, polled) = Bench::waiting();
    let code = "forbidden_origin".to_owned();
    let told = bench.poll(&polled, HandoffAnswer::Rejected { code });
    assert_eq!(
        told.events[0].data.error.as_ref().unwrap().code,
        "forbidden_origin"
    );
    let Phase::Failed(failure) = bench.phase() else {
        panic!("{:?}", bench.phase())
    };
    assert_eq!(failure.kind, FailureKind::Other);
}

#[test]
fn a_handoff_that_is_gone_asks_for_a_ticket_once_and_else_for_a_click() {
    let (mut bench, polled) = Bench::waiting();
    let asked = bench.poll(&polled, HandoffAnswer::Gone);
    assert_eq!((asked.tickets.len(), asked.stops), (1, 1));
    let told = bench.answer(&asked, TicketAnswer::SignedOut);
    assert!(told.is_quiet());
    assert_eq!(
        *bench.phase(),
        Phase::SignedOut {
            notice: Some(Notice::ClickAgain)
        }
    );

    // G05: the claim's answer was lost on the way, but its cookie was not.
    let (mut bench, polled) = Bench::waiting();
    let asked = bench.poll(&polled, HandoffAnswer::Gone);
    assert_eq!(
        bench.answer(&asked, session("r1")).said(),
        ["onStatusUpdate Logged in"]
    );
}

#[test]
fn after_ten_minutes_the_person_is_asked_to_click_again() {
    let (mut bench, polled) = Bench::waiting();
    bench.pass(10 * 60_000);
    let asked = bench.poll(&polled, pending());
    assert!(asked.polls.is_empty());
    bench.answer(&asked, TicketAnswer::SignedOut);
    assert_eq!(
        *bench.phase(),
        Phase::SignedOut {
            notice: Some(Notice::ClickAgain)
        }
    );
}

#[test]
fn network_trouble_while_waiting_backs_off_and_ends_nothing() {
    let (mut bench, mut polled) = Bench::waiting();
    let mut pauses = Vec::new();
    for _ in 0..3 {
        polled = bench.poll(
            &polled,
            HandoffAnswer::Unreachable {
                retry_after_s: None,
            },
        );
        pauses.push(polled.polls[0].1);
    }
    assert_eq!(pauses, [1_000, 2_000, 4_000]);
    assert_eq!(bench.state(), "waiting");
    assert_eq!(
        bench.poll(&polled, claimed(Some("T"))).said(),
        ["onStatusUpdate Logged in"]
    );
}

#[test]
fn retry_after_is_honoured() {
    let (mut bench, polled) = Bench::waiting();
    let next = bench.poll(
        &polled,
        HandoffAnswer::Pending {
            retry_after_s: Some(5),
        },
    );
    assert_eq!(next.polls[0].1, 5_000);
}

// The popup closes, the person changes tabs: the login may come in any such moment.
#[test]
fn a_superseded_poll_that_brings_the_login_is_taken() {
    let (mut bench, first) = Bench::waiting();
    let first = first.polls[0].0;
    bench.login.claim(first, bench.now).unwrap();
    bench.now.hidden = true;
    let hidden = bench.send(Input::VisibilityChanged);
    assert_eq!(hidden.stops, 0, "it is not abandoned");
    let late = HandoffAnswer::Pending {
        retry_after_s: None,
    };
    assert!(bench.send(Input::HandoffAnswered(first, late)).is_quiet());
    let told = bench.send(Input::HandoffAnswered(first, claimed(Some("T"))));
    assert_eq!(told.said(), ["onStatusUpdate Logged in"]);
    assert_eq!(bench.state(), "signed-in");
}

#[test]
fn a_claim_of_a_login_before_is_not_taken() {
    let (mut bench, first) = Bench::waiting();
    bench.pass(1_000);
    bench.send(Input::CancelClicked);
    bench.click_login(true);
    let late = Input::HandoffAnswered(first.polls[0].0, claimed(Some("T")));
    assert!(bench.send(late).is_quiet());
    assert_eq!(bench.state(), "waiting");
}

#[test]
fn a_superseded_poll_of_a_challenge_of_before_brings_no_ticket() {
    let (mut bench, first) = Bench::waiting();
    let first = first.polls[0].0;
    bench.login.claim(first, bench.now).unwrap();
    let renewed = bench.render(Args {
        challenge: "C2".to_owned(),
        ..args()
    });
    bench.login.claim(renewed.polls[0].0, bench.now).unwrap();
    let told = bench.send(Input::HandoffAnswered(first, claimed(Some("T"))));
    assert!(told.events.is_empty(), "nobody can redeem it");
    assert_eq!(told.tickets[0].1.challenge, "C2");
}

#[test]
fn the_companion_is_asked_to_hold_a_hidden_pages_poll_for_a_moment_only() {
    for (hidden, hold) in [(false, 25_000), (true, 1_500)] {
        let (mut bench, polled) = Bench::waiting();
        bench.now.hidden = hidden;
        let claim = bench.login.claim(polled.polls[0].0, bench.now).unwrap();
        assert_eq!(claim.hold, Some(hold));
    }
}

#[test]
fn a_hidden_page_gives_its_connection_back_and_asks_at_once_when_seen_again() {
    let (mut bench, _) = Bench::waiting();
    bench.now.hidden = true;
    let hidden = bench.send(Input::VisibilityChanged);
    assert!(hidden.polls[0].1 > 0);
    bench.now.hidden = false;
    let seen = bench.send(Input::VisibilityChanged);
    assert_eq!(seen.polls[0].1, 0);
    assert!(bench.login.claim(hidden.polls[0].0, bench.now).is_none());
}

#[test]
fn recheck_while_waiting_answers_without_ending_the_wait() {
    let (mut bench, polled) = Bench::waiting();
    let asked = bench.render(Args {
        command: command("1", CommandName::Recheck),
        ..args()
    });
    assert_eq!(
        bench.answer(&asked, TicketAnswer::SignedOut).said(),
        ["onStatusUpdate Logged out"]
    );
    assert_eq!(bench.state(), "waiting");
    assert_eq!(
        bench.poll(&polled, claimed(Some("T"))).said(),
        ["onStatusUpdate Logged in"]
    );
}

#[test]
fn a_claim_whose_ticket_is_for_the_challenge_of_before_asks_for_another() {
    let (mut bench, polled) = Bench::waiting();
    let (number, _) = polled.polls[0];
    bench.login.claim(number, bench.now).unwrap();
    bench.render(Args {
        challenge: "C2".to_owned(),
        command: command("1", CommandName::Recheck),
        ..args()
    });
    let asked = bench.send(Input::HandoffAnswered(number, claimed(Some("T1"))));
    assert!(asked.events.is_empty(), "nobody can redeem T1");
    assert_eq!(asked.tickets[0].1.challenge, "C2");
    let told = bench.answer(&asked, session("r1"));
    assert_eq!(told.events[0].challenge, "C2");
}
