//! JSON that can be read in one way only: an object with a repeated member is refused at
//! any depth. `serde_json` keeps the last one silently, another reader keeps the first.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Number, Value};

use crate::verification::TokenFault;

/// Marks the error among serde's texts.
const DUPLICATE: &str = "duplicate member";

/// Parses exactly one object; nothing may follow it. Nesting is limited by `serde_json`
/// to 128 levels.
pub(crate) fn parse_object(json: &[u8]) -> Result<Map<String, Value>, TokenFault> {
    match serde_json::from_slice(json) {
        Ok(StrictValue(Value::Object(object))) => Ok(object),
        Err(error) if error.to_string().starts_with(DUPLICATE) => Err(TokenFault::DuplicateMember),
        Ok(_) | Err(_) => Err(TokenFault::NotAJsonObject),
    }
}

struct StrictValue(Value);

impl<'de> Deserialize<'de> for StrictValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(StrictVisitor).map(Self)
    }
}

struct StrictVisitor;

impl<'de> Visitor<'de> for StrictVisitor {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number out of range"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(StrictValue(value)) = sequence.next_element()? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some((name, StrictValue(value))) = members.next_entry::<String, _>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom(DUPLICATE));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn repeated_members_are_refused_at_any_depth() {
        for json in [
            r#"{"a":1,"a":1}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"\u0062":2}]}"#,
        ] {
            assert_eq!(
                parse_object(json.as_bytes()),
                Err(TokenFault::DuplicateMember),
                "{json}"
            );
        }
    }

    #[test]
    fn anything_but_one_object_is_refused() {
        let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        for json in [
            "",
            "[]",
            "null",
            "\"x\"",
            "1",
            "{",
            "{}{}",
            "{} x",
            "{/**/}",
            "{\"a\":NaN}",
            "\u{feff}{}",
            "{\"a\":1e999}",
            "{\"a\":\"\\ud800\"}",
            &deep,
        ] {
            let shown: String = json.chars().take(20).collect();
            assert_eq!(
                parse_object(json.as_bytes()),
                Err(TokenFault::NotAJsonObject),
                "{shown}"
            );
        }
        assert_eq!(
            parse_object(b"{\"a\":\"\xff\"}"),
            Err(TokenFault::NotAJsonObject)
        );
    }

    proptest! {
        #[test]
        fn what_serde_json_writes_is_read_the_same(text in ".*", number: i64, flag: bool) {
            let value = serde_json::json!({"t": text, "n": [number, null, {"f": flag}]});
            let parsed = parse_object(value.to_string().as_bytes()).unwrap();
            prop_assert_eq!(Value::Object(parsed), value);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes: Vec<u8>) {
            let _ = parse_object(&bytes);
        }
    }
}
