//! Shortens the names by which program and glue know each other.
//!
//! wasm-bindgen gives each function that the program imports a descriptive name with a
//! hash, and it stands in both files, where nobody reads it: some 3 KB of the page's
//! budget. Only imports are renamed; exports are the public face of the module.

use std::collections::HashMap;

use wasm_bindgen_cli_support::Output;

/// What stood there, and what stands there now.
pub(super) struct ShortNames(HashMap<String, String>);

impl ShortNames {
    /// Renames the imports of the program.
    pub(super) fn give(output: &mut Output) -> Self {
        let module = output.wasm_mut();
        let exported: Vec<String> = module
            .exports
            .iter()
            .map(|export| export.name.clone())
            .collect();
        let mut names = HashMap::new();
        for import in module.imports.iter_mut() {
            if import.name.starts_with("__wb") && !exported.contains(&import.name) {
                let next = format!("_{}", names.len());
                let short = names.entry(import.name.clone()).or_insert(next);
                import.name.clone_from(short);
            }
        }
        Self(names)
    }

    /// Renames the same in the glue, whole words only.
    pub(super) fn apply(&self, glue: &str) -> String {
        let is_word = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '$');
        let mut renamed = String::with_capacity(glue.len());
        let mut rest = glue;
        while let Some(start) = rest.find(is_word) {
            let (before, from) = rest.split_at(start);
            let end = from.find(|letter| !is_word(letter)).unwrap_or(from.len());
            let (word, after) = from.split_at(end);
            renamed.push_str(before);
            renamed.push_str(self.0.get(word).map_or(word, String::as_str));
            rest = after;
        }
        renamed.push_str(rest);
        renamed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_are_renamed_and_nothing_else() {
        let names = [("__wbg_new_1", "_0"), ("__wbg_new_12", "_1")];
        let names = names.map(|(long, short)| (long.to_owned(), short.to_owned()));
        let names = ShortNames(HashMap::from(names));
        assert_eq!(
            names.apply("{__wbg_new_1:f(),__wbg_new_12:g(),x__wbg_new_1:h} é"),
            "{_0:f(),_1:g(),x__wbg_new_1:h} é"
        );
        assert_eq!(names.apply("__wbg_new_12"), "_1");
    }
}
