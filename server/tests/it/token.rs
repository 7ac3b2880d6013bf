//! `/api/auth/token`: fresh access tokens, one refresh at a time, and what a refresh ends or
//! does not.

use std::time::Duration;

use dev_tenant::{Api, FaultPlan};
use http::StatusCode;
use serde_json::{Map, Value, json};
use tokio::task::JoinSet;

use crate::harness::{Answer, Fault, SignedIn, World, eventually, unverified_claims};

const OTHER_API: &str = "https://other.example.org/api";

/// Access tokens live five minutes; a second API may be asked for.
async fn world() -> World {
    world_with(&[]).await
}

async fn world_with(changes: &[(&str, &str)]) -> World {
    let mut settings = vec![("EXTRA_AUDIENCES", OTHER_API)];
    settings.extend(changes);
    World::with_tenant(&settings, |mut sheet| {
        sheet.apis[0].token_seconds = 300;
        sheet.apis.push(Api {
            identifier: OTHER_API.to_owned(),
            name: "Other".to_owned(),
            rbac: false,
            ..sheet.apis[0].clone()
        });
        sheet.clients[0].refresh_tokens.extra_audiences = vec![OTHER_API.to_owned()];
        sheet
    })
    .await
}

fn refreshes(world: &World) -> u64 {
    world.tenant.journal().token_requests_of("refresh_token")
}

fn claims(patch: &Value) -> Map<String, Value> {
    patch.as_object().unwrap().clone()
}

#[tokio::test]
async fn a_token_that_lives_long_enough_comes_from_the_cache() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world.tenant.reset_journal();
    world.clock.advance(240);
    let token = someone.host.token(someone.grant()).await.ok();
    let names: Vec<_> = token.as_object().unwrap().keys().collect();
    assert_eq!(
        names,
        [
            "access_token",
            "expires_at",
            "permissions",
            "roles",
            "scope"
        ]
    );
    assert_eq!(token["access_token"], someone.redeemed["access_token"]);
    assert_eq!(token["roles"], json!(["admin", "analyst"]));
    assert!(
        world.tenant.journal().requests.is_empty(),
        "{:?}",
        world.tenant.journal().requests
    );
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed_and_the_new_one_is_cached() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(241);
    let token = someone.host.token(someone.grant()).await.ok();
    assert_ne!(token["access_token"], someone.redeemed["access_token"]);
    assert_eq!(token["expires_at"], world.clock.seconds() + 300);
    let again = someone.host.token(someone.grant()).await.ok();
    assert_eq!(again, token);
    assert_eq!(refreshes(&world), 1);
    // Rotation: the second refresh uses the token of the first.
    world.clock.advance(300);
    someone.host.token(someone.grant()).await.ok();
    assert_eq!(refreshes(&world), 2);
}

#[tokio::test]
async fn min_ttl_renews_earlier_and_has_bounds() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    let with = async |min_ttl: i64| {
        let body = json!({ "grant": someone.grant(), "min_ttl": min_ttl });
        someone.host.token_with(body).await
    };
    world.clock.advance(100);
    with(200).await.ok();
    with(0).await.ok();
    assert_eq!(refreshes(&world), 0);
    with(201).await.ok();
    assert_eq!(refreshes(&world), 1);
    for out_of_bounds in [-1, 301, i64::MAX, i64::MIN] {
        with(out_of_bounds).await.assert(400, "invalid_request");
    }
    with(300).await.ok();
}

// The provider gives shorter tokens than the host wants: no refresh in a loop, no failure.
#[tokio::test]
async fn a_token_that_is_shorter_than_min_ttl_is_given_all_the_same() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world
        .tenant
        .faults()
        .set(|plan| plan.token.expires_in = Some(json!(30)));
    world.clock.advance(300);
    let token = someone.host.token(someone.grant()).await.ok();
    assert_eq!(token["expires_at"], world.clock.seconds() + 30);
    assert_eq!(refreshes(&world), 1);
}

#[tokio::test]
async fn an_audience_or_scope_that_cannot_be_had_is_refused_without_asking_the_provider() {
    let world = world().await;
    let someone = world.signed_in("grace").await;
    world.tenant.reset_journal();
    for audience in ["https://evil.test/api", "", "http://oe.streamlit.app/api/"] {
        let body = json!({ "grant": someone.grant(), "audience": audience });
        someone
            .host
            .token_with(body)
            .await
            .assert(400, "audience_not_allowed");
    }
    for scope in [
        "write:solve",
        "read:chart write:solve",
        "admin",
        "",
        "\u{0}",
    ] {
        let body = json!({ "grant": someone.grant(), "scope": scope });
        someone
            .host
            .token_with(body)
            .await
            .assert(400, "scope_not_granted");
    }
    assert!(world.tenant.journal().requests.is_empty());
}

#[tokio::test]
async fn tokens_are_cached_by_audience_and_scope() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    let own = json!({ "grant": someone.grant(), "audience": dev_tenant::API_IDENTIFIER });
    let own = someone.host.token_with(own).await.ok();
    assert_eq!(own["access_token"], someone.redeemed["access_token"]);
    let thinner = claims(&json!({ "name": null, "email": null, "picture": null }));
    world
        .tenant
        .faults()
        .set(|plan| plan.id_token.claims = thinner);
    let narrow = json!({ "grant": someone.grant(), "scope": "read:chart openid" });
    let narrow = someone.host.token_with(narrow).await.ok();
    let reordered = json!({ "grant": someone.grant(), "scope": "openid read:chart" });
    assert_eq!(someone.host.token_with(reordered).await.ok(), narrow);
    assert_eq!(unverified_claims(&narrow)["scope"], "openid read:chart");
    let other = json!({ "grant": someone.grant(), "audience": OTHER_API });
    let first = someone.host.token_with(other.clone()).await.ok();
    assert!(
        unverified_claims(&first)["aud"]
            .to_string()
            .contains(OTHER_API)
    );
    assert_eq!(someone.host.token_with(other).await.ok(), first);
    assert_eq!(refreshes(&world), 2);
    // An ID token for a narrower scope tells less: the person stays who they are.
    let session = someone.host.session(someone.grant()).await.ok();
    assert_eq!(session["user"], someone.redeemed["user"]);
    world.tenant.faults().reset();
    // The login's own token is still there.
    assert_eq!(
        someone.host.token(someone.grant()).await.ok()["access_token"],
        own["access_token"]
    );
}

// However many kinds of token an app asks for, the session keeps the person's permissions.
#[tokio::test]
async fn many_kinds_of_token_do_not_push_the_logins_own_out() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    let scopes = ["openid", "profile", "email", "read:chart", "read:export"];
    for first in scopes {
        for second in scopes.iter().filter(|second| **second > first) {
            let body = json!({ "grant": someone.grant(), "scope": format!("{first} {second}") });
            someone.host.token_with(body).await.ok();
        }
        let body = json!({ "grant": someone.grant(), "audience": OTHER_API, "scope": first });
        someone.host.token_with(body).await.ok();
    }
    world.clock.advance(290);
    someone.host.token(someone.grant()).await.ok();
    for first in scopes {
        let body = json!({ "grant": someone.grant(), "scope": first });
        someone.host.token_with(body).await.ok();
    }
    let session = someone.host.session(someone.grant()).await.ok();
    assert_eq!(session["permissions"].as_array().unwrap().len(), 5);
    let before = refreshes(&world);
    someone.host.token(someone.grant()).await.ok();
    assert_eq!(refreshes(&world), before, "the own token is cached");
}

// E34
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_requests_at_two_replicas_make_one_refresh() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    let replica = world.restarted(&[]);
    world.clock.advance(250);
    world.tenant.faults().set(|plan| {
        plan.slow_ms.insert("token".into(), 20);
    });
    let mut requests = JoinSet::new();
    for number in 0..100 {
        let at = if number % 2 == 0 { &world } else { &replica };
        let (host, grant) = (someone.host.before(at), someone.grant().to_owned());
        requests.spawn(async move { host.token(&grant).await });
    }
    let tokens: Vec<_> = requests.join_all().await.iter().map(Answer::ok).collect();
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(refreshes(&world), 1);
}

// A02, A03: no two people can ever share a result.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_refreshes_of_several_people_never_mix() {
    let world = world().await;
    let mut people = Vec::new();
    for username in ["ada", "grace", "linus", "ada"] {
        people.push((format!("auth0|{username}"), world.signed_in(username).await));
    }
    world.clock.advance(290);
    world.tenant.faults().set(|plan| {
        plan.slow_ms.insert("token".into(), 20);
    });
    let mut requests = JoinSet::new();
    for _ in 0..10 {
        for (subject, someone) in &people {
            let (host, grant, subject) = (
                someone.host.clone(),
                someone.grant().to_owned(),
                subject.clone(),
            );
            requests.spawn(async move { (subject, host.token(&grant).await.ok()) });
        }
    }
    for (subject, token) in requests.join_all().await {
        assert_eq!(unverified_claims(&token)["sub"], subject.as_str());
    }
    assert_eq!(refreshes(&world), 4);
}

#[tokio::test]
async fn a_refused_refresh_token_ends_the_session_with_the_reason() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world.tenant.revoke_refresh_tokens_of("ada");
    world.clock.advance(290);
    for answer in [
        someone.host.token(someone.grant()).await,
        someone.host.token(someone.grant()).await,
        someone.host.session(someone.grant()).await,
    ] {
        answer.assert(401, "session_ended");
        assert_eq!(answer.json()["reason"], "refresh_refused");
    }
    assert_eq!(refreshes(&world), 1);
    someone
        .browser
        .ticket(&someone.host)
        .await
        .assert(401, "not_authenticated");
    assert_eq!(
        someone.browser.open("/api/auth/me").await.status,
        StatusCode::UNAUTHORIZED
    );
}

#[tokio::test]
async fn a_person_who_is_blocked_at_the_provider_is_out_at_the_next_refresh() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world.tenant.change_user("ada", |user| user.blocked = true);
    world.clock.advance(290);
    someone
        .host
        .token(someone.grant())
        .await
        .assert(401, "session_ended");
}

async fn asked_with(fault: impl FnOnce(&mut FaultPlan)) -> (World, SignedIn, Answer) {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(301);
    world.tenant.faults().set(fault);
    let answer = someone.host.token(someone.grant()).await;
    (world, someone, answer)
}

// A22, E36, G12: trouble at the provider, or a mistake of ours, is no word about the person.
#[tokio::test]
async fn what_is_no_refusal_of_the_refresh_token_keeps_the_session() {
    let faults: [(&str, u16, Fault); 9] = [
        ("down", 503, |plan| plan.down = true),
        ("500", 503, |plan| plan.token.status = Some(500)),
        ("429", 503, |plan| plan.token.status = Some(429)),
        ("500 with invalid_grant", 503, |plan| {
            plan.token.status = Some(500);
            plan.token.error = Some("invalid_grant".into());
        }),
        ("invalid_client", 502, |plan| {
            plan.token.error = Some("invalid_client".into());
        }),
        ("unauthorized_client", 502, |plan| {
            plan.token.error = Some("unauthorized_client".into());
        }),
        ("invalid_scope", 502, |plan| {
            plan.token.error = Some("invalid_scope".into());
        }),
        ("HTML", 502, |plan| plan.token.html = true),
        ("another type", 502, |plan| {
            plan.token.token_type = Some("mac".into());
        }),
    ];
    for (what, status, fault) in faults {
        let (world, someone, answer) = asked_with(fault).await;
        let code = if status == 502 {
            "provider_error"
        } else {
            "provider_unavailable"
        };
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (status, code.into()),
            "{what}"
        );
        someone.host.session(someone.grant()).await.ok();
        world.tenant.faults().reset();
        // Within the provider's reuse interval, in case it rotated before it failed.
        world.clock.advance(5);
        someone.host.token(someone.grant()).await.ok();
    }
}

#[tokio::test]
async fn a_token_endpoint_that_never_answers_keeps_the_session() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(301);
    world.tenant.faults().set(|plan| plan.token.hang = true);
    let (host, grant) = (someone.host.clone(), someone.grant().to_owned());
    let asking = tokio::spawn(async move { host.token(&grant).await });
    eventually(async || refreshes(&world) == 1).await;
    // From here on nothing can happen but deadlines: time jumps to the next one.
    tokio::time::pause();
    asking.await.unwrap().assert(503, "provider_unavailable");
    someone.host.session(someone.grant()).await.ok();
}

#[tokio::test]
async fn while_the_provider_is_down_a_token_that_still_lives_is_used_to_its_end() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world.tenant.faults().set(|plan| plan.down = true);
    world.clock.advance(299);
    let token = someone.host.token(someone.grant()).await.ok();
    assert_eq!(token["access_token"], someone.redeemed["access_token"]);
    world.clock.advance(1);
    someone
        .host
        .token(someone.grant())
        .await
        .assert(503, "provider_unavailable");
}

// E35: the reply was lost after the provider rotated; inside its reuse interval the same
// token works once more.
#[tokio::test]
async fn a_refresh_whose_reply_is_lost_is_tried_once_more() {
    let (world, _, answer) = asked_with(|plan| {
        plan.token.status = Some(502);
        plan.token.times = Some(1);
    })
    .await;
    answer.ok();
    assert_eq!(refreshes(&world), 2);
}

#[tokio::test]
async fn without_a_refresh_token_the_person_signs_in_again() {
    let world = world_with(&[("AUTH0_SCOPE", "openid profile email read:chart")]).await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(290);
    // There is none to be had: what lives is given, whatever the wish.
    someone.host.token(someone.grant()).await.ok();
    world.clock.advance(10);
    let answer = someone.host.token(someone.grant()).await;
    answer.assert(401, "reauthentication_required");
    someone.host.session(someone.grant()).await.ok();
    assert_eq!(refreshes(&world), 0);
}

#[tokio::test]
async fn a_provider_that_wants_to_see_the_person_ends_nothing() {
    let (_world, someone, answer) =
        asked_with(|plan| plan.token.error = Some("mfa_required".into())).await;
    answer.assert(401, "reauthentication_required");
    someone.host.session(someone.grant()).await.ok();
}

// E37, B31, B32
#[tokio::test]
async fn a_refreshed_id_token_of_somebody_else_ends_the_session() {
    for patch in [
        json!({"sub": "auth0|linus"}),
        json!({"iss": "https://evil.test/"}),
        json!({"aud": "another-client"}),
        json!({"at_hash": "AAAAAAAAAAAAAAAAAAAAAA"}),
    ] {
        let (_world, someone, answer) =
            asked_with(|plan| plan.id_token.claims = claims(&patch)).await;
        answer.assert(401, "session_ended");
        assert_eq!(answer.json()["reason"], "refresh_refused", "{patch}");
        assert!(!answer.body.contains("access_token"));
        someone
            .browser
            .ticket(&someone.host)
            .await
            .assert(401, "not_authenticated");
    }
}

#[tokio::test]
async fn trouble_with_clocks_and_keys_at_a_refresh_ends_nobodys_session() {
    for patch in [json!({"iat": 1_900_000_000}), json!({"exp": 1_700_000_000})] {
        let (_world, someone, answer) =
            asked_with(|plan| plan.id_token.claims = claims(&patch)).await;
        answer.ok();
        someone.host.session(someone.grant()).await.ok();
    }
    let (_world, _someone, answer) = asked_with(|plan| plan.id_token.wrong_key = true).await;
    answer.ok();
}

#[tokio::test]
async fn a_changed_role_shows_after_the_next_refresh() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world
        .tenant
        .change_user("ada", |user| user.roles = vec!["viewer".into()]);
    world.clock.advance(290);
    someone.host.token(someone.grant()).await.ok();
    let session = someone.host.session(someone.grant()).await.ok();
    assert_eq!(session["roles"], json!(["viewer"]));
}

// E38: logout wins, and what the provider just gave does not live on.
#[tokio::test]
async fn a_sign_out_during_a_refresh_wins_and_the_new_refresh_token_is_revoked() {
    let world = world().await;
    let someone = world.signed_in("ada").await;
    world.clock.advance(290);
    world.tenant.faults().set(|plan| {
        plan.slow_ms.insert("token".into(), 4_000);
        // The provider misses that the old one is revoked: the refresh succeeds there.
        plan.revoke.status = Some(500);
        plan.revoke.times = Some(1);
    });
    let (host, grant) = (someone.host.clone(), someone.grant().to_owned());
    let refreshing = tokio::spawn(async move { host.token(&grant).await });
    eventually(async || world.tenant.journal().requests_to("token") == 2).await;
    someone.host.revoke(someone.grant()).await;
    // Only now the provider answers the refresh, however busy the machine is.
    assert!(!refreshing.is_finished());
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(4)).await;
    tokio::time::resume();
    let answer = refreshing.await.unwrap();
    answer.assert(401, "session_ended");
    eventually(async || world.tenant.journal().requests_to("revoke") == 2).await;
}
