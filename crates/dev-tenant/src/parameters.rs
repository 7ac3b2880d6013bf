//! Request parameters of the OAuth endpoints, read by the rules of RFC 6749 §3.1.

use std::collections::BTreeMap;

/// Parameters of one request; none twice, none empty.
#[derive(Debug, Clone, Default)]
pub(crate) struct Parameters(BTreeMap<String, String>);

/// A parameter came twice, or the text was no form.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) String);

impl Parameters {
    pub(crate) fn parse(encoded: &str) -> Result<Self, Malformed> {
        let pairs: Vec<(String, String)> =
            serde_urlencoded::from_str(encoded).map_err(|error| Malformed(error.to_string()))?;
        let mut parameters = BTreeMap::new();
        for (name, value) in pairs {
            // "Parameters sent without a value MUST be treated as if they were omitted."
            if value.is_empty() {
                continue;
            }
            if parameters.contains_key(&name) {
                return Err(Malformed(format!(
                    "parameter {name} appears more than once"
                )));
            }
            parameters.insert(name, value);
        }
        Ok(Self(parameters))
    }

    pub(crate) fn find(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn owned(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }

    pub(crate) fn all(&self) -> &BTreeMap<String, String> {
        &self.0
    }
}

/// Splits a space-separated list, without repetitions.
pub(crate) fn words(list: Option<&str>) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in list.unwrap_or_default().split_ascii_whitespace() {
        if !words.iter().any(|known| known == word) {
            words.push(word.to_owned());
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_parameter_is_refused_and_an_empty_one_omitted() {
        assert!(Parameters::parse("a=1&a=2").is_err());
        let parameters = Parameters::parse("a=&b=2").unwrap();
        assert_eq!(parameters.find("a"), None);
        assert_eq!(parameters.find("b"), Some("2"));
    }
}
