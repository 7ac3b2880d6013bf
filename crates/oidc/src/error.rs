//! Error codes that a provider may answer with. A code is untrusted text: what is not
//! known is cleaned before anybody logs or shows it.

use std::fmt;

macro_rules! oauth_error_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)+) => {
        /// `error` of an authorization or token response.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub enum OAuthErrorCode {
            $($(#[$doc])* $variant,)+
            /// Any other, cut to 64 characters of `[A-Za-z0-9_.-]`.
            Other(String),
        }

        impl OAuthErrorCode {
            /// Reads a code as the provider sent it.
            #[must_use]
            pub fn parse(code: &str) -> Self {
                match code {
                    $($name => Self::$variant,)+
                    other => Self::Other(sanitized(other)),
                }
            }

            /// The code's registered name.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $name,)+
                    Self::Other(name) => name,
                }
            }
        }
    };
}

oauth_error_codes! {
    /// RFC 6749 §4.1.2.1: the person or the provider's policy said no.
    AccessDenied = "access_denied",
    /// RFC 6749 §4.1.2.1 and §5.2.
    InvalidRequest = "invalid_request",
    /// RFC 6749 §5.2: client authentication failed.
    InvalidClient = "invalid_client",
    /// RFC 6749 §5.2: the code or the refresh token is of no use any more.
    InvalidGrant = "invalid_grant",
    /// RFC 6749 §4.1.2.1 and §5.2.
    InvalidScope = "invalid_scope",
    /// RFC 6749 §4.1.2.1 and §5.2.
    UnauthorizedClient = "unauthorized_client",
    /// RFC 6749 §5.2.
    UnsupportedGrantType = "unsupported_grant_type",
    /// RFC 6749 §4.1.2.1.
    UnsupportedResponseType = "unsupported_response_type",
    /// RFC 6749 §4.1.2.1.
    ServerError = "server_error",
    /// RFC 6749 §4.1.2.1.
    TemporarilyUnavailable = "temporarily_unavailable",
    /// RFC 8707 §2.
    InvalidTarget = "invalid_target",
    /// OpenID Connect Core §3.1.2.6.
    LoginRequired = "login_required",
    /// OpenID Connect Core §3.1.2.6.
    ConsentRequired = "consent_required",
    /// OpenID Connect Core §3.1.2.6.
    InteractionRequired = "interaction_required",
    /// OpenID Connect Core §3.1.2.6.
    AccountSelectionRequired = "account_selection_required",
    /// OpenID Connect Unmet Authentication Requirements §2.
    UnmetAuthenticationRequirements = "unmet_authentication_requirements",
    /// Auth0: the tenant asks for a second factor.
    MfaRequired = "mfa_required",
}

impl fmt::Display for OAuthErrorCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Codes are words in lower case (RFC 6749 §11.4). What is none is not repeated: a provider
/// in disorder may put anything there, a token too, and codes go into the log.
fn sanitized(code: &str) -> String {
    let is_word = |byte: u8| byte.is_ascii_lowercase() || b"_-.".contains(&byte);
    if (1..=64).contains(&code.len()) && code.bytes().all(is_word) {
        code.to_owned()
    } else {
        "(no code)".to_owned()
    }
}

/// Provider's prose for people: printable, on one line, at most 256 characters. Still
/// untrusted: escape it where it is shown.
pub(crate) fn sanitized_description(description: &str) -> String {
    description
        .chars()
        .map(|character| {
            if character.is_whitespace() {
                ' '
            } else {
                character
            }
        })
        .filter(|character| !character.is_control() && !is_invisible(*character))
        .take(256)
        .collect()
}

/// Bidirectional overrides and zero-width characters can make a sentence read as another.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_codes_round_trip() {
        assert_eq!(
            OAuthErrorCode::parse("invalid_grant"),
            OAuthErrorCode::InvalidGrant
        );
        assert_eq!(OAuthErrorCode::InvalidGrant.to_string(), "invalid_grant");
    }

    #[test]
    fn unknown_codes_are_kept_if_they_look_like_codes() {
        for code in ["too_many_attempts", "com.example.busy", "not-now"] {
            assert_eq!(OAuthErrorCode::parse(code).as_str(), code);
        }
        for other in [
            "<script>alert(1)</script>\r\nSet-Cookie: a=b",
            "eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmF0dXJl",
            &"x".repeat(65),
            "",
        ] {
            assert_eq!(
                OAuthErrorCode::parse(other).as_str(),
                "(no code)",
                "{other}"
            );
        }
    }

    #[test]
    fn descriptions_stay_on_one_line_without_overrides() {
        assert_eq!(sanitized_description("a\r\nb\u{202e}c\u{0}d"), "a  bcd");
        assert_eq!(sanitized_description(&"ü".repeat(900)).chars().count(), 256);
    }
}
