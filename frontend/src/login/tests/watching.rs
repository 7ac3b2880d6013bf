//! The watch: one while somebody who looks is signed in, and what its end leads to.

use crate::login::{HandoffAnswer, Input, LogoutAnswer, Notice, Phase, TicketAnswer, WatchAnswer};
use shared::auth::SignedIn;
use shared::component::CommandName;

use super::harness::{Bench, Outcome, args, away, command, session, session_of};

const AGAIN: WatchAnswer = WatchAnswer::Again {
    retry_after_s: None,
};

/// Signed in, with what the last input led to.
fn signed_in() -> (Bench, Outcome) {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    let settled = bench.answer(&asked, session("r1"));
    (bench, settled)
}

/// Signed in without any cookie, by a handoff that brought the key `K`.
fn signed_in_by_handoff() -> (Bench, Outcome) {
    let (mut bench, polled) = Bench::waiting();
    let claimed = SignedIn {
        sign_out_key: Some("K".to_owned()),
        ..session_of("r1", Some("T"))
    };
    let settled = bench.poll(&polled, HandoffAnswer::Claimed(claimed));
    (bench, settled)
}

#[test]
fn a_signed_in_frame_watches_its_session_once() {
    let (mut bench, settled) = signed_in();
    let (number, after) = settled.watches[0];
    assert_eq!(after, 0);
    let request = bench.login.watch(number, bench.now).unwrap();
    assert_eq!(
        (request.reference.as_str(), request.sign_out_key),
        ("r1", None)
    );
    // Whatever else happens while it is held.
    assert!(bench.render(args()).watches.is_empty());
    let asked = bench.render(shared::component::Args {
        command: command("1", CommandName::Recheck),
        ..args()
    });
    assert!(asked.watches.is_empty());
    let answered = bench.answer(&asked, session("r1"));
    assert!(answered.watches.is_empty() && answered.watches_stopped == 0);
}

#[test]
fn a_frame_without_cookies_watches_with_its_key() {
    let (mut bench, settled) = signed_in_by_handoff();
    let request = bench.login.watch(settled.watches[0].0, bench.now).unwrap();
    assert_eq!(request.sign_out_key.as_deref(), Some("K"));
}

#[test]
fn nobody_else_watches() {
    let mut bench = Bench::new();
    assert!(bench.render(args()).watches.is_empty());
    assert!(Bench::waiting().1.watches.is_empty());
    let mut bench = Bench::new();
    bench.now.hidden = true;
    let asked = bench.render(args());
    assert!(bench.answer(&asked, session("r1")).watches.is_empty());
    bench.now.hidden = false;
    assert_eq!(bench.send(Input::VisibilityChanged).watches.len(), 1);
}

#[test]
fn a_page_that_is_hidden_gives_its_watch_up_and_looks_first_when_it_is_seen_again() {
    let (mut bench, settled) = signed_in();
    bench.now.hidden = true;
    assert_eq!(bench.send(Input::VisibilityChanged).watches_stopped, 1);
    assert!(bench.login.watch(settled.watches[0].0, bench.now).is_none());
    bench.pass(61_000);
    bench.now.hidden = false;
    let seen = bench.send(Input::VisibilityChanged);
    assert_eq!((seen.tickets.len(), seen.watches.len()), (1, 0));
    assert_eq!(bench.answer(&seen, session("r1")).watches.len(), 1);
}

#[test]
fn the_end_of_the_session_is_looked_up_announced_and_said() {
    let (mut bench, settled) = signed_in();
    let looked = bench.watched(&settled, 90_000, WatchAnswer::Ended);
    assert!(looked.events.is_empty(), "a watch is a hint, no more");
    assert_eq!((looked.tickets.len(), looked.watches.len()), (1, 0));
    let told = bench.answer(&looked, TicketAnswer::SignedOut);
    assert_eq!(told.said(), ["onStatusUpdate Logged out"]);
    let notice = Some(Notice::SessionEnded);
    assert_eq!(*bench.phase(), Phase::SignedOut { notice });
    assert!(told.watches.is_empty());
}

// Where the cookie is refused, a look at it says nothing; but the session's own end does.
#[test]
fn a_frame_without_cookies_believes_the_end_of_its_own_session() {
    let (mut bench, settled) = signed_in_by_handoff();
    let looked = bench.watched(&settled, 1_000, WatchAnswer::Ended);
    let told = bench.answer(&looked, TicketAnswer::SignedOut);
    assert_eq!(told.said(), ["onStatusUpdate Logged out"]);
    assert_eq!(bench.state(), "signed-out");
}

#[test]
fn another_session_of_this_browser_is_watched_in_place_of_the_one_that_ended() {
    let (mut bench, settled) = signed_in();
    let looked = bench.watched(&settled, 1_000, WatchAnswer::Ended);
    let settled = bench.answer(&looked, session("r2"));
    assert_eq!(settled.said(), ["onStatusUpdate Logged in"]);
    let request = bench.login.watch(settled.watches[0].0, bench.now);
    assert_eq!(request.unwrap().reference, "r2");
}

// Ended says the one answer, signed in the other, or none comes: no loop of requests.
#[test]
fn an_end_that_the_check_does_not_confirm_is_not_watched_for_in_a_hurry() {
    let mut pauses = Vec::new();
    let (mut bench, mut settled) = signed_in();
    for _ in 0..10 {
        let looked = bench.watched(&settled, 10, WatchAnswer::Ended);
        settled = bench.answer(&looked, away());
        pauses.push(settled.watches[0].1 / 1_000);
    }
    assert_eq!(pauses, [2, 5, 11, 22, 44, 89, 178, 178, 178, 178]);
    assert_eq!(bench.state(), "signed-in");
}

#[test]
fn a_logout_stops_the_watch_and_one_that_failed_begins_another() {
    let (mut bench, _) = signed_in();
    assert_eq!(bench.send(Input::LogoutClicked).watches_stopped, 1);
    let failed = bench.send(Input::LogoutAnswered {
        answer: LogoutAnswer::Failed,
        window_open: false,
    });
    assert_eq!(failed.watches.len(), 1);
}

#[test]
fn again_is_after_a_pause_that_differs_from_frame_to_frame() {
    let (mut bench, settled) = signed_in();
    let again = bench.watched(&settled, 1_000, AGAIN);
    let pause = again.watches[0].1;
    assert!((1_000..=5_000).contains(&pause), "{pause}");
    assert!(again.is_quiet() && bench.state() == "signed-in");
    let busy = WatchAnswer::Again {
        retry_after_s: Some(120),
    };
    let busy = bench.watched(&again, 10, busy);
    assert!(busy.watches[0].1 >= 120_000);
    let endless = WatchAnswer::Again {
        retry_after_s: Some(u32::MAX),
    };
    let pause = bench.watched(&busy, 10, endless).watches[0].1;
    assert!((600_000..=3_000_000).contains(&pause), "{pause}");
    let mut pauses: Vec<_> = ["aa", "ab", "zz", "-_"]
        .map(|prefix| crate::login::Login::new(prefix.to_owned()).pause(1_000, 0, 4))
        .to_vec();
    pauses.dedup();
    assert_eq!(pauses.len(), 4, "{pauses:?}");
    assert!(pauses.iter().all(|pause| (1_000..=5_000).contains(pause)));
}

#[test]
fn network_trouble_backs_off_to_minutes_changes_nothing_and_a_long_watch_forgets_it() {
    let (mut bench, mut asked) = signed_in();
    let mut pauses = Vec::new();
    for _ in 0..9 {
        asked = bench.watched(&asked, 60_000, WatchAnswer::Unreachable);
        assert!(asked.is_quiet());
        pauses.push(asked.watches[0].1);
    }
    assert!((1_000..=2_000).contains(&pauses[0]), "{pauses:?}");
    assert!(pauses.is_sorted() && pauses[8] > 120_000 && pauses[8] <= 300_000);
    assert_eq!(bench.state(), "signed-in");
    let cut = bench.watched(&asked, 600_000, WatchAnswer::Unreachable);
    assert_eq!(cut.watches[0].1, pauses[0]);
}

#[test]
fn an_answer_to_a_watch_that_was_given_up_is_nothing() {
    let (mut bench, settled) = signed_in();
    let number = settled.watches[0].0;
    bench.now.hidden = true;
    bench.send(Input::VisibilityChanged);
    for answer in [WatchAnswer::Ended, AGAIN, WatchAnswer::Unreachable] {
        let late = bench.send(Input::Watched(number, answer));
        assert!(late.is_quiet() && late.watches.is_empty());
    }
}

// A store or a companion that is away for a moment: an error, never "signed out".
#[test]
fn a_frame_in_trouble_asks_again_by_itself_a_few_times_and_tells_the_host_once() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    let busy = TicketAnswer::Unreachable {
        retry_after_s: Some(30),
    };
    let mut told = bench.answer(&asked, busy);
    assert_eq!(told.events.len(), 1);
    assert!(told.retries[0].1 >= 30_000, "{:?}", told.retries);
    let mut asked_again = 0;
    for _ in 0..10 {
        let Some((number, _)) = told.retries.first() else {
            break;
        };
        let asked = bench.send(Input::RetryDue(*number));
        assert_eq!(
            bench.state(),
            "error",
            "the words stay until there is an answer"
        );
        asked_again += asked.tickets.len();
        let late = bench.send(Input::TicketLate(asked.tickets[0].0));
        assert!(late.events.is_empty(), "the host knows of the trouble");
        told = bench.answer(&asked, away());
        assert!(told.events.is_empty());
    }
    assert_eq!(asked_again, 5);
    bench.now.hidden = true;
    bench.send(Input::VisibilityChanged);
    bench.now.hidden = false;
    let seen = bench.send(Input::VisibilityChanged);
    let back = bench.answer(&seen, session("r1"));
    assert_eq!(back.said(), ["onStatusUpdate Logged in"]);
}

#[test]
fn a_retry_that_is_late_or_of_a_page_that_nobody_sees_is_not_made() {
    let mut bench = Bench::new();
    let asked = bench.render(args());
    let told = bench.answer(&asked, away());
    let due = told.retries[0].0;
    bench.now.hidden = true;
    assert!(bench.send(Input::RetryDue(due)).is_quiet());
    bench.now.hidden = false;
    let clicked = bench.send(Input::RetryClicked);
    assert!(
        bench.send(Input::RetryDue(due)).is_quiet(),
        "the click asks"
    );
    bench.answer(&clicked, session("r1"));
    assert!(bench.send(Input::RetryDue(due)).is_quiet());
}
