//! The numbers that the security catalogue has: a ledger that lost one must not pass.

use std::fmt;
use std::str::FromStr;

/// A row of the catalogue, like `D31`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Number {
    chapter: char,
    row: u8,
}

/// One letter of the catalogue.
pub(crate) struct Chapter {
    pub(crate) letter: char,
    pub(crate) title: &'static str,
    /// The catalogue leaves gaps between its sections.
    rows: &'static [(u8, u8)],
}

pub(crate) const CHAPTERS: &[Chapter] = &[
    chapter('A', "Known vulnerabilities of the peers", &[(1, 50)]),
    chapter(
        'B',
        "Relying-party modules of the OpenID Foundation, and ours",
        &[(1, 57), (60, 74)],
    ),
    chapter('C', "Bad tokens", &[(1, 66)]),
    chapter('D', "Browser", &[(1, 13), (20, 28), (30, 52)]),
    chapter(
        'E',
        "Faults",
        &[(1, 11), (15, 28), (30, 38), (40, 54), (60, 69)],
    ),
    chapter('G', "From the review of the design", &[(1, 15)]),
];

const fn chapter(letter: char, title: &'static str, rows: &'static [(u8, u8)]) -> Chapter {
    Chapter {
        letter,
        title,
        rows,
    }
}

impl Chapter {
    /// All its numbers, in order.
    pub(crate) fn numbers(&self) -> impl Iterator<Item = Number> {
        let chapter = self.letter;
        self.rows
            .iter()
            .flat_map(|&(first, last)| first..=last)
            .map(move |row| Number { chapter, row })
    }
}

impl Number {
    /// Whether `D`, `D3` or `D31` means it.
    pub(crate) fn begins_with(self, word: &str) -> bool {
        self.to_string().starts_with(&word.to_uppercase())
    }

    pub(crate) fn is_of(self, chapter: &Chapter) -> bool {
        self.chapter == chapter.letter
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{:02}", self.chapter, self.row)
    }
}

impl FromStr for Number {
    type Err = ();

    /// Only numbers that the catalogue has, written as it writes them.
    fn from_str(text: &str) -> Result<Self, ()> {
        CHAPTERS
            .iter()
            .flat_map(Chapter::numbers)
            .find(|number| number.to_string() == text)
            .ok_or(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_has_as_many_rows_as_it_had_when_it_was_read() {
        let counts: Vec<_> = CHAPTERS
            .iter()
            .map(|chapter| (chapter.letter, chapter.numbers().count()))
            .collect();
        assert_eq!(
            counts,
            [
                ('A', 50),
                ('B', 72),
                ('C', 66),
                ('D', 45),
                ('E', 59),
                ('G', 15)
            ]
        );
    }

    #[test]
    fn a_number_reads_as_the_catalogue_writes_it_and_not_otherwise() {
        let number: Number = "E07".parse().unwrap();
        assert_eq!(number.to_string(), "E07");
        assert!(number.begins_with("e") && number.begins_with("E0"));
        assert!(!number.begins_with("E1"));
        for unknown in ["E7", "B58", "D14", "F01", "e07", "E007", ""] {
            assert!(unknown.parse::<Number>().is_err(), "{unknown}");
        }
    }
}
