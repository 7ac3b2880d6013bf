//! One file a property, or a family of them.

pub(crate) mod bodies;
pub(crate) mod callback;
pub(crate) mod component;
pub(crate) mod documents;
pub(crate) mod frame;
pub(crate) mod login_cookie;
pub(crate) mod logout;
pub(crate) mod return_to;
pub(crate) mod session_cookie;
pub(crate) mod tokens;

/// The input with `{name}` replaced by what is true now: values that nobody guesses, so that
/// inputs get past the first check.
fn filled_in(input: &str, values: &[(&str, &str)]) -> String {
    let mut text = input.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{name}}}"), value);
    }
    text
}
