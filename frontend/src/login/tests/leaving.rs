//! Logout, by the person and by Python: sticky until a click.

use crate::login::{HandoffAnswer, Input, LogoutAnswer, Notice, Phase, TicketAnswer};
use shared::auth::SignedIn;
use shared::component::{Args, CommandName, KnownState};

use super::harness::{Bench, args, away, command, known, session, session_of};

fn logged_out(url: Option<&str>, window_open: bool) -> Input {
    let answer = LogoutAnswer::Done {
        logout_url: url.map(str::to_owned),
    };
    Input::LogoutAnswered {
        answer,
        window_open,
    }
}

fn refused() -> TicketAnswer {
    TicketAnswer::Refused {
        code: "invalid_request".to_owned(),
    }
}

fn python_logout() -> Args {
    Args {
        challenge: "C2".to_owned(),
        known: known(KnownState::SignedOut, None),
        command: command("1", CommandName::Logout),
        ..args()
    }
}

#[test]
fn a_logout_click_ends_the_session_first_and_announces_then() {
    let mut bench = Bench::signed_in();
    let clicked = bench.send(Input::LogoutClicked);
    assert_eq!((clicked.logouts.len(), clicked.events.len()), (1, 0));
    assert_eq!(bench.state(), "signed-in");
    assert!(bench.send(Input::LogoutClicked).is_quiet(), "once");
    let told = bench.send(logged_out(None, false));
    assert_eq!(told.said(), ["onStatusUpdate Logged out"]);
    assert_eq!(*bench.phase(), Phase::SignedOut { notice: None });
}

#[test]
fn a_provider_page_that_no_window_shows_is_offered_as_a_link() {
    let mut bench = Bench::signed_in();
    bench.send(Input::LogoutClicked);
    bench.send(logged_out(Some("https://idp.example/end"), false));
    let link = Notice::FinishAtProvider("https://idp.example/end".to_owned());
    assert_eq!(*bench.phase(), Phase::SignedOut { notice: Some(link) });

    let mut bench = Bench::signed_in();
    bench.send(Input::LogoutClicked);
    bench.send(logged_out(Some("https://idp.example/end"), true));
    assert_eq!(*bench.phase(), Phase::SignedOut { notice: None });
}

#[test]
fn a_logout_that_failed_leaves_the_person_signed_in_and_says_so() {
    let mut bench = Bench::signed_in();
    bench.send(Input::LogoutClicked);
    let answer = LogoutAnswer::Failed;
    let told = bench.send(Input::LogoutAnswered {
        answer,
        window_open: false,
    });
    assert!(told.is_quiet());
    let Phase::SignedIn(person) = bench.phase() else {
        panic!("{:?}", bench.phase())
    };
    assert_eq!(
        (person.leaving, &person.notice),
        (false, &Some(Notice::LogoutFailed))
    );
    assert_eq!(bench.send(Input::LogoutClicked).logouts.len(), 1);
}

#[test]
fn after_a_logout_nothing_but_a_click_signs_in_again() {
    let mut bench = Bench::signed_out_by_click();
    bench.pass(3_600_000);
    assert!(bench.send(Input::VisibilityChanged).is_quiet());
    assert!(bench.send(Input::RetryClicked).is_quiet());
    let rechecked = bench.render(Args {
        command: command("9", CommandName::Recheck),
        ..args()
    });
    assert!(
        rechecked.tickets.is_empty(),
        "another tab's cookie must not sign in here"
    );
    assert_eq!(rechecked.said(), ["onStatusUpdate Logged out"]);
    let polled = bench.click_login(true);
    let told = bench.poll(
        &polled,
        HandoffAnswer::Claimed(session_of("r2", Some("T2"))),
    );
    assert_eq!(told.said(), ["onStatusUpdate Logged in"]);
    bench.pass(61_000);
    assert_eq!(
        bench.send(Input::VisibilityChanged).tickets.len(),
        1,
        "no longer sticky"
    );
}

#[test]
fn a_cancelled_click_leaves_the_logout_sticky() {
    let mut bench = Bench::signed_out_by_click();
    bench.click_login(true);
    bench.pass(3_000);
    bench.send(Input::CancelClicked);
    bench.pass(61_000);
    assert!(bench.send(Input::VisibilityChanged).is_quiet());
}

#[test]
fn an_answer_on_the_way_during_a_logout_does_not_sign_in_again() {
    let mut bench = Bench::signed_in();
    let asked = bench.render(Args {
        command: command("1", CommandName::Recheck),
        ..args()
    });
    bench.send(Input::LogoutClicked);
    bench.send(logged_out(None, false));
    assert!(bench.answer(&asked, session("r1")).is_quiet());
    assert_eq!(bench.state(), "signed-out");
}

#[test]
fn a_check_that_began_during_a_logout_does_not_sign_in_again() {
    // Found by the fuzzer: the check of a session whose time is over, begun after the click.
    let mut bench = Bench::signed_in();
    bench.send(Input::LogoutClicked);
    let asked = bench.send(Input::SessionLapsed);
    assert_eq!(asked.tickets.len(), 1);
    bench.send(logged_out(None, false));
    let late = bench.answer(&asked, session("r2"));
    assert!(late.is_quiet(), "{:?}", late.said());
    assert_eq!(bench.state(), "signed-out");
}

#[test]
fn a_check_that_is_answered_during_a_logout_does_not_undo_the_click() {
    // The answers of the two requests may come in either order.
    for (answer, state) in [
        (session("r2"), "signed-in"),
        (TicketAnswer::SignedOut, "signed-out"),
        (away(), "signed-in"),
        (refused(), "error"),
    ] {
        let mut bench = Bench::signed_in();
        bench.send(Input::LogoutClicked);
        let asked = bench.send(Input::SessionLapsed);
        bench.answer(&asked, answer);
        assert_eq!(bench.state(), state);
        assert!(bench.send(Input::LogoutClicked).is_quiet(), "once");
        bench.send(logged_out(Some("https://idp.example/end"), false));
        let link = Notice::FinishAtProvider("https://idp.example/end".to_owned());
        assert_eq!(*bench.phase(), Phase::SignedOut { notice: Some(link) });
        bench.pass(61_000);
        assert!(bench.send(Input::VisibilityChanged).is_quiet(), "{state}");
        let recheck = Args {
            command: command("1", CommandName::Recheck),
            ..args()
        };
        let told = bench.render(recheck);
        assert!(told.tickets.is_empty(), "{state}");
        assert_eq!(told.said(), ["onStatusUpdate Logged out"]);
    }
}

#[test]
fn a_logout_that_failed_after_a_check_was_answered_can_be_tried_again() {
    let mut bench = Bench::signed_in();
    bench.send(Input::LogoutClicked);
    let asked = bench.send(Input::SessionLapsed);
    let told = bench.answer(&asked, session("r2"));
    assert_eq!(told.said(), ["onStatusUpdate Logged in"]);
    bench.send(Input::LogoutAnswered {
        answer: LogoutAnswer::Failed,
        window_open: false,
    });
    let Phase::SignedIn(person) = bench.phase() else {
        panic!("{:?}", bench.phase())
    };
    assert_eq!(person.notice, Some(Notice::LogoutFailed));
    let asked = bench.send(Input::SessionLapsed);
    bench.answer(&asked, session("r2"));
    assert_eq!(bench.send(Input::LogoutClicked).logouts.len(), 1);
}

#[test]
fn a_login_click_after_a_logout_click_is_not_undone_by_the_logouts_answer() {
    let mut bench = Bench::signed_in();
    bench.send(Input::LogoutClicked);
    let asked = bench.send(Input::SessionLapsed);
    bench.answer(&asked, TicketAnswer::SignedOut);
    let polled = bench.click_login(true);
    assert!(bench.send(logged_out(None, false)).is_quiet());
    assert_eq!(bench.state(), "waiting");
    let claimed = HandoffAnswer::Claimed(session_of("r2", Some("T2")));
    let told = bench.poll(&polled, claimed);
    assert_eq!(told.said(), ["onStatusUpdate Logged in"]);
}

#[test]
fn pythons_logout_is_obeyed_once_without_an_echo() {
    let mut bench = Bench::signed_in();
    let obeyed = bench.render(python_logout());
    assert_eq!(
        (obeyed.logouts.len(), obeyed.events.len()),
        (1, 0),
        "Python knows"
    );
    assert_eq!(bench.state(), "signed-out");
    assert!(bench.render(python_logout()).is_quiet());
    assert!(
        bench
            .send(logged_out(Some("https://idp.example/end"), false))
            .is_quiet()
    );
    assert_eq!(
        *bench.phase(),
        Phase::SignedOut { notice: None },
        "there was no click"
    );
}

#[test]
fn pythons_logout_during_the_persons_keeps_the_link_that_a_click_asked_for() {
    let mut bench = Bench::signed_in();
    bench.send(Input::LogoutClicked);
    bench.render(python_logout());
    let told = bench.send(logged_out(Some("https://idp.example/end"), false));
    assert!(told.is_quiet());
    let link = Notice::FinishAtProvider("https://idp.example/end".to_owned());
    assert_eq!(*bench.phase(), Phase::SignedOut { notice: Some(link) });
}

#[test]
fn pythons_logout_ends_a_login_under_way() {
    let (mut bench, polled) = Bench::waiting();
    let obeyed = bench.render(python_logout());
    assert_eq!(obeyed.stops, 1);
    let late = HandoffAnswer::Claimed(session_of("r1", Some("T")));
    assert!(
        bench
            .send(Input::HandoffAnswered(polled.polls[0].0, late))
            .is_quiet()
    );
    assert_eq!(bench.state(), "signed-out");
}

#[test]
fn a_remount_after_pythons_logout_stays_signed_out_without_a_request() {
    let mut bench = Bench::new();
    let mounted = bench.render(python_logout());
    assert!(
        mounted.is_quiet(),
        "the cookie may belong to another tab's login by now"
    );
    assert_eq!(bench.state(), "signed-out");
}

#[test]
fn a_remount_after_a_newer_login_does_not_obey_the_old_logout() {
    let mut bench = Bench::new();
    let mounted = bench.render(Args {
        known: known(KnownState::SignedIn, Some("r2")),
        ..python_logout()
    });
    assert_eq!((mounted.logouts.len(), mounted.tickets.len()), (0, 1));
    let answered = bench.answer(&mounted, TicketAnswer::SignedIn(session_of("r2", None)));
    assert!(answered.is_quiet());
    assert_eq!(bench.state(), "signed-in");
}

#[test]
fn a_frame_without_cookies_signs_out_with_the_key_that_its_handoff_brought() {
    let (mut bench, polled) = Bench::waiting();
    let claimed = SignedIn {
        sign_out_key: Some("K".to_owned()),
        ..session_of("r1", Some("T"))
    };
    bench.poll(&polled, HandoffAnswer::Claimed(claimed));
    let clicked = bench.send(Input::LogoutClicked);
    assert_eq!(clicked.logouts, [Some("K".to_owned())]);
    bench.send(logged_out(None, false));
    let polled = bench.click_login(true);
    bench.poll(&polled, HandoffAnswer::Claimed(session_of("r2", Some("T"))));
    assert_eq!(
        bench.send(Input::LogoutClicked).logouts,
        [None],
        "not the old session's key"
    );
}

#[test]
fn a_later_ticket_of_the_same_session_keeps_the_key_and_of_another_drops_it() {
    for (reference, key) in [("r1", Some("K".to_owned())), ("r2", None)] {
        let (mut bench, polled) = Bench::waiting();
        let claimed = SignedIn {
            sign_out_key: Some("K".to_owned()),
            ..session_of("r1", Some("T"))
        };
        bench.poll(&polled, HandoffAnswer::Claimed(claimed));
        let asked = bench.render(Args {
            command: command("1", CommandName::Recheck),
            ..args()
        });
        bench.answer(&asked, session(reference));
        assert_eq!(bench.send(Input::LogoutClicked).logouts, [key]);
    }
}

#[test]
fn a_frame_without_cookies_stays_signed_in_when_it_comes_back_to_sight() {
    let (mut bench, polled) = Bench::waiting();
    bench.poll(&polled, HandoffAnswer::Claimed(session_of("r1", Some("T"))));
    bench.pass(61_000);
    let asked = bench.send(Input::VisibilityChanged);
    assert!(bench.answer(&asked, TicketAnswer::SignedOut).is_quiet());
    assert_eq!(bench.state(), "signed-in");
    // Python, which asks with its grant, is believed.
    let ended = Args {
        known: known(KnownState::SignedOut, None),
        ..args()
    };
    let asked = bench.render(ended);
    bench.answer(&asked, TicketAnswer::SignedOut);
    assert_eq!(bench.state(), "signed-out");
}
