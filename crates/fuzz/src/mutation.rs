//! Inputs for the short run: changes of the seeds, the same ones at each run.

/// Pieces that parsers stumble over, put in at random places.
const MORSELS: &[&str] = &[
    "%00",
    "%2f",
    "%5c",
    "%0d%0a",
    "\r\n",
    "\0",
    "//",
    "\\",
    "/..",
    "@",
    "#",
    "?",
    "&",
    "=",
    ";",
    "..",
    ".",
    "\"",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "-1",
    "1e309",
    "0",
    "\u{feff}",
    "\u{2028}",
    "é",
    "\t",
    " ",
    "==",
    "A",
    "none",
    "state=",
    "code=",
    "error=x",
    "iss=",
    "https://evil.test",
    "javascript:",
    "{state}",
    "{code}",
    "{session}",
    "9223372036854775808",
];

/// A stream of numbers with a seed: splitmix64, which needs no crate and never repeats soon.
pub struct Numbers(u64);

impl Numbers {
    /// The stream of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number below `bound`, which is not zero.
    pub fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        usize::try_from(mixed % bound as u64).unwrap_or(0)
    }
}

/// One to four changes of one of the seeds.
#[must_use]
pub fn mutated(seeds: &[Vec<u8>], numbers: &mut Numbers, longest: usize) -> Vec<u8> {
    let mut input = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(4) {
        change(&mut input, seeds, numbers);
    }
    input.truncate(longest);
    input
}

fn change(input: &mut Vec<u8>, seeds: &[Vec<u8>], numbers: &mut Numbers) {
    let place = numbers.below(input.len() + 1);
    let length = numbers.below(input.len() - place + 1);
    match numbers.below(7) {
        0 if place < input.len() => input[place] ^= 1 << numbers.below(8),
        1 if place < input.len() => input[place] = any_byte(numbers),
        2 => drop(input.drain(place..place + length)),
        3 => {
            let again = input[place..place + length].to_vec();
            drop(input.splice(place..place, again));
        }
        4 => {
            let other = &seeds[numbers.below(seeds.len())];
            let from = numbers.below(other.len() + 1);
            input.truncate(place);
            input.extend_from_slice(&other[from..]);
        }
        5 => input.insert(place, any_byte(numbers)),
        _ => {
            let morsel = MORSELS[numbers.below(MORSELS.len())];
            drop(input.splice(place..place, morsel.bytes()));
        }
    }
}

fn any_byte(numbers: &mut Numbers) -> u8 {
    u8::try_from(numbers.below(256)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_inputs_again_and_they_differ() {
        let seeds = [b"one seed".to_vec(), b"another".to_vec()];
        let inputs = |seed| {
            let mut numbers = Numbers::new(seed);
            let some = (0..200).map(|_| mutated(&seeds, &mut numbers, 20));
            some.collect::<Vec<_>>()
        };
        assert_eq!(inputs(1), inputs(1));
        assert_ne!(inputs(1), inputs(2));
        let mut distinct = inputs(1);
        distinct.sort();
        distinct.dedup();
        assert!(distinct.len() > 150, "{}", distinct.len());
        assert!(distinct.iter().all(|input| input.len() <= 20));
    }
}
