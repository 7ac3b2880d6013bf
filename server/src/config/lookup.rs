//! Where settings come from: the environment, over a `.env` file, over defaults of
//! `--dev`. Injected as a value, so that tests never touch the process environment.

use std::collections::BTreeMap;
use std::path::Path;

use super::Problem;

/// Names and values, already merged. Later layers lose against earlier ones.
#[derive(Default, Clone)]
pub struct Lookup {
    values: BTreeMap<String, String>,
}

impl Lookup {
    /// The process environment.
    #[must_use]
    pub fn environment() -> Self {
        Self {
            values: std::env::vars().collect(),
        }
    }

    /// Given values, for tests and `--dev`.
    pub fn of<N: Into<String>, V: Into<String>>(values: impl IntoIterator<Item = (N, V)>) -> Self {
        Self {
            values: values
                .into_iter()
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
        }
    }

    /// Adds what `lower` has and this has not. An empty value counts as absent.
    #[must_use]
    pub fn over(mut self, lower: Self) -> Self {
        self.values.retain(|_, value| !value.trim().is_empty());
        for (name, value) in lower.values {
            // `NAME_FILE` of a higher layer replaces `NAME` of a lower one.
            if !self.values.contains_key(&format!("{name}_FILE")) {
                self.values.entry(name).or_insert(value);
            }
        }
        self
    }

    /// The value of `name`, trimmed; `None` if absent or empty.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&str> {
        self.values
            .get(name)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    }

    /// A secret: the value of `NAME`, or the content of the file that `NAME_FILE` names.
    pub(super) fn secret(&self, name: &'static str) -> Result<Option<String>, Problem> {
        let file_name = format!("{name}_FILE");
        match (self.value(name), self.value(&file_name)) {
            (Some(_), Some(_)) => Err(Problem::new(
                name,
                format!("is set together with {file_name}: set one of the two"),
            )),
            (Some(value), None) => Ok(Some(value.to_owned())),
            (None, None) => Ok(None),
            (None, Some(path)) => match std::fs::read_to_string(Path::new(path)) {
                Ok(content) if content.trim().is_empty() => Err(Problem::new(
                    name,
                    format!("the file that {file_name} names is empty"),
                )),
                Ok(content) => Ok(Some(content.trim().to_owned())),
                Err(error) => Err(Problem::new(
                    name,
                    format!(
                        "the file that {file_name} names cannot be read ({})",
                        error.kind()
                    ),
                )),
            },
        }
    }
}

/// Parses the text of a `.env` file: `NAME=value`, `export`, single or double quotes, and
/// comments after values, as the 2022 files have them. A line that is no setting is named.
///
/// # Errors
/// One [`Problem`] for each line that cannot be read.
pub fn parse_env_file(text: &str) -> Result<Lookup, Vec<Problem>> {
    let mut values = BTreeMap::new();
    let mut problems = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        match line
            .split_once('=')
            .and_then(|(name, value)| Some((plain_name(name.trim())?, unquote(value.trim())?)))
        {
            Some((name, value)) => {
                values.insert(name, value);
            }
            // The content stays out of the message: it may be a secret.
            None => problems.push(Problem::new(
                ".env",
                format!(
                    "line {} is not NAME=value (or a quote is not closed)",
                    index + 1
                ),
            )),
        }
    }
    if problems.is_empty() {
        Ok(Lookup { values })
    } else {
        Err(problems)
    }
}

fn plain_name(name: &str) -> Option<String> {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    plain.then(|| name.to_owned())
}

fn unquote(value: &str) -> Option<String> {
    for quote in ['\'', '"'] {
        if let Some(rest) = value.strip_prefix(quote) {
            let (inner, after) = rest.split_once(quote)?;
            let after = after.trim();
            return (after.is_empty() || after.starts_with('#')).then(|| inner.to_owned());
        }
    }
    let end = value.find(" #").unwrap_or(value.len());
    Some(value[..end].trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_2022_env_file() {
        let lookup = parse_env_file(
            "# Auth0\nAUTH0_SECRET='YouWillNeverGuessThisSecretKey32' # any 32 characters\n\
             AUTH0_ALGORITHMS=['RS256']\nexport AUTH0_CLIENT_ID=\"abc\"\n\
             NEXT_PUBLIC_CORS_ORIGINS=['http://localhost:3001', 'http://localhost:8888']\nEMPTY=\n",
        )
        .unwrap();
        assert_eq!(
            lookup.value("AUTH0_SECRET"),
            Some("YouWillNeverGuessThisSecretKey32")
        );
        assert_eq!(lookup.value("AUTH0_ALGORITHMS"), Some("['RS256']"));
        assert_eq!(lookup.value("AUTH0_CLIENT_ID"), Some("abc"));
        assert_eq!(lookup.value("EMPTY"), None);
    }

    #[test]
    fn names_the_line_it_cannot_read_and_not_its_content() {
        let problems = parse_env_file("A=1\nAUTH0_SECRET='never closed\nnonsense")
            .err()
            .unwrap();
        let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(lines.len(), 2);
        assert!(lines[0].contains("line 2") && !lines[0].contains("never closed"));
    }

    #[test]
    fn a_higher_layer_wins() {
        let merged = Lookup::of([("A", "1"), ("B", " "), ("S_FILE", "/x")]).over(Lookup::of([
            ("A", "2"),
            ("B", "2"),
            ("S", "lower"),
        ]));
        assert_eq!(
            (merged.value("A"), merged.value("B")),
            (Some("1"), Some("2"))
        );
        assert_eq!(merged.value("S"), None);
    }
}
