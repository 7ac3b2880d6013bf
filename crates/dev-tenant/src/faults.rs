//! Switches that make the tenant misbehave, for tests of relying parties.
//!
//! A section applies until it is reset, or to the next `times` requests that it touches.
//! The honest code asks for its section and never knows who set it.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// All faults; the default is a well-behaved tenant.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FaultPlan {
    /// Every answer is 503.
    pub down: bool,
    /// Milliseconds of delay by endpoint (`discovery`, `jwks`, `authorize`, `login`, `token`,
    /// `revoke`, `userinfo`, `logout`; `*` for all).
    pub slow_ms: BTreeMap<String, u64>,
    /// The metadata document.
    pub discovery: EndpointFault,
    /// The key set.
    pub jwks: EndpointFault,
    /// The token endpoint.
    pub token: TokenFault,
    /// Userinfo.
    pub userinfo: EndpointFault,
    /// The revocation endpoint.
    pub revoke: EndpointFault,
    /// The authorization response.
    pub authorize: AuthorizeFault,
    /// Pages that people see.
    pub pages: PageFault,
    /// How ID tokens are made.
    pub id_token: SigningFault,
    /// How JWT access tokens are made.
    pub access_token: SigningFault,
    /// How logout tokens are made.
    pub logout_token: SigningFault,
}

/// Faults of an endpoint that answers JSON.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches, independent of each other"
)]
pub struct EndpointFault {
    /// Answer with this status and an error body.
    pub status: Option<u16>,
    /// Answer 200 with an HTML page.
    pub html: bool,
    /// Never answer.
    pub hang: bool,
    /// Answer 200 with JSON that breaks off.
    pub malformed: bool,
    /// Discovery only: another issuer.
    pub wrong_issuer: bool,
    /// Key set only: no keys.
    pub empty: bool,
    /// Merge patch on the honest answer.
    pub body: Map<String, Value>,
    /// For how many requests; for ever when absent.
    pub times: Option<u32>,
}

/// Faults of the token endpoint.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches, independent of each other"
)]
pub struct TokenFault {
    /// Only for requests of this `grant_type`.
    pub grant_type: Option<String>,
    /// Status; 403 for `error` when absent.
    pub status: Option<u16>,
    /// Answer 200 with an HTML page.
    pub html: bool,
    /// Never answer.
    pub hang: bool,
    /// OAuth error code, for instance `invalid_grant`.
    pub error: Option<String>,
    /// `Retry-After` header of an error.
    pub retry_after: Option<u32>,
    /// No `id_token` member.
    pub omit_id_token: bool,
    /// No `refresh_token` member.
    pub omit_refresh_token: bool,
    /// Another `token_type`.
    pub token_type: Option<String>,
    /// Another `expires_in`, of any JSON type.
    pub expires_in: Option<Value>,
    /// Merge patch on the honest answer.
    pub body: Map<String, Value>,
    /// For how many requests; for ever when absent.
    pub times: Option<u32>,
}

/// Faults of the authorization response.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuthorizeFault {
    /// Answer at once with this error.
    pub error: Option<String>,
    /// Its `error_description`.
    pub error_description: Option<String>,
    /// No `iss` parameter (RFC 9207), although metadata promises it.
    pub omit_iss: bool,
    /// Another `iss`.
    pub wrong_iss: Option<String>,
    /// No `state`.
    pub omit_state: bool,
    /// Another `state`.
    pub wrong_state: Option<String>,
    /// For how many responses; for ever when absent.
    pub times: Option<u32>,
}

/// Headers of pages.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PageFault {
    /// Value of `Cross-Origin-Opener-Policy`, for instance `same-origin`.
    pub coop: Option<String>,
    /// Send it only on the answer of `/authorize`, not on the pages after it.
    pub coop_one_hop: bool,
}

/// How a token is spoilt.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "switches, independent of each other"
)]
pub struct SigningFault {
    /// Merge patch on the claims (null removes).
    pub claims: Map<String, Value>,
    /// Merge patch on the header.
    pub header: Map<String, Value>,
    /// `alg: none`, no signature.
    pub alg_none: bool,
    /// A flipped bit.
    pub bad_signature: bool,
    /// Signed by a key that was never published, under the published `kid`.
    pub wrong_key: bool,
    /// Signed with HS256 and this secret, under the published `kid`.
    pub hs256_secret: Option<String>,
    /// Signed with ES256 and a key that was never published, under the published `kid`.
    pub es256: bool,
    /// A nonce of our own making.
    pub wrong_nonce: bool,
    /// For how many tokens; for ever when absent.
    pub times: Option<u32>,
}

/// The switchboard. Shared by all handles of one tenant.
#[derive(Debug, Default)]
pub struct Faults {
    plan: Mutex<FaultPlan>,
}

impl Faults {
    /// Changes the plan: `faults.set(|plan| plan.down = true)`.
    pub fn set(&self, change: impl FnOnce(&mut FaultPlan)) {
        change(&mut self.lock());
    }

    /// Back to a well-behaved tenant.
    pub fn reset(&self) {
        *self.lock() = FaultPlan::default();
    }

    /// The plan in force.
    #[must_use]
    pub fn plan(&self) -> FaultPlan {
        self.lock().clone()
    }

    /// Replaces the sections that `sections` names; null resets one.
    ///
    /// # Errors
    /// What `serde` says of an unknown section or field; the plan is unchanged then.
    pub fn replace_sections(
        &self,
        sections: Map<String, Value>,
    ) -> Result<FaultPlan, serde_json::Error> {
        let mut plan = self.lock();
        let mut whole = serde_json::to_value(&*plan)?;
        if let Some(object) = whole.as_object_mut() {
            for (name, section) in sections {
                // Not a deep merge patch: nulls inside `claims` mean "remove that claim".
                if section.is_null() {
                    object.remove(&name);
                } else {
                    object.insert(name, section);
                }
            }
        }
        *plan = serde_json::from_value(whole)?;
        Ok(plan.clone())
    }

    /// The fault for this use of one section, counted against its `times`.
    pub(crate) fn take<S: Section>(&self, section: impl FnOnce(&mut FaultPlan) -> &mut S) -> S {
        take(section(&mut self.lock()))
    }

    /// The token endpoint's fault, if it is meant for this grant type.
    pub(crate) fn take_token(&self, grant_type: &str) -> TokenFault {
        let mut plan = self.lock();
        match &plan.token.grant_type {
            Some(only) if only != grant_type => TokenFault::default(),
            _ => take(&mut plan.token),
        }
    }

    fn lock(&self) -> MutexGuard<'_, FaultPlan> {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A part of the plan that counts its uses.
pub(crate) trait Section: Clone + Default {
    fn times(&mut self) -> &mut Option<u32>;
}

fn take<S: Section>(section: &mut S) -> S {
    let fault = section.clone();
    if let Some(times) = section.times() {
        *times = times.saturating_sub(1);
        if *times == 0 {
            *section = S::default();
        }
    }
    fault
}

macro_rules! counted {
    ($($section:ty),*) => {$(
        impl Section for $section {
            fn times(&mut self) -> &mut Option<u32> {
                &mut self.times
            }
        }
    )*};
}
counted!(EndpointFault, TokenFault, AuthorizeFault, SigningFault);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn sections(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn a_fault_with_times_ends_by_itself() {
        let faults = Faults::default();
        faults.set(|plan| {
            plan.jwks.empty = true;
            plan.jwks.times = Some(2);
        });
        let uses: Vec<bool> = (0..3)
            .map(|_| faults.take(|plan| &mut plan.jwks).empty)
            .collect();
        assert_eq!(uses, [true, true, false]);
    }

    #[test]
    fn a_token_fault_can_be_for_one_grant_type_only() {
        let faults = Faults::default();
        faults.set(|plan| {
            plan.token.grant_type = Some("refresh_token".to_owned());
            plan.token.html = true;
        });
        assert!(!faults.take_token("authorization_code").html);
        assert!(faults.take_token("refresh_token").html);
    }

    #[test]
    fn sections_are_replaced_one_by_one_and_keep_nulls_inside_claims() {
        let faults = Faults::default();
        faults
            .replace_sections(sections(&json!({"down": true})))
            .unwrap();
        let plan = faults
            .replace_sections(sections(&json!({"id_token": {"claims": {"nonce": null}}})))
            .unwrap();
        assert!(plan.down);
        assert_eq!(plan.id_token.claims.get("nonce"), Some(&Value::Null));
        assert!(
            !faults
                .replace_sections(sections(&json!({"down": null})))
                .unwrap()
                .down
        );
    }

    #[test]
    fn an_unknown_fault_changes_nothing() {
        let faults = Faults::default();
        assert!(
            faults
                .replace_sections(sections(&json!({"down": true, "dwon": true})))
                .is_err()
        );
        assert!(!faults.plan().down);
    }
}
