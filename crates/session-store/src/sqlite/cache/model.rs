//! The cache against a file that changes under it, in any order of events: what it answers is
//! what the file holds.
//!
//! One thing is left out: that between a commit of ours and our look after it another process
//! dies in the middle of writing the header, a third repairs it (which begins the count anew)
//! and commits just as often as brings the count back to one more than ours was.

use proptest::prelude::*;

use super::{Committing, ReadCache, Touched};
use crate::sqlite::file::FileState;
use crate::sqlite::wal_index::Header;
use crate::store::{SessionId, StoredSession};

/// What can happen to a file and its cache, in steps between which anything else may.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Somebody wants a session.
    Ask(usize),
    /// A reader (of two) looks at the state, reads, and keeps what it read. A torn look
    /// has the count of the state and else nothing of it.
    Look {
        reader: usize,
        torn: bool,
    },
    Read {
        reader: usize,
        id: usize,
    },
    Keep {
        reader: usize,
    },
    /// The writer takes the lock and looks; commits; looks again, or dies.
    Lock(usize),
    Commit,
    Settle {
        torn: bool,
    },
    Die,
    /// Another process commits, begins the log anew, repairs the index after a crash.
    Foreign(usize),
    Restart,
    Recover,
    /// The file is replaced, by one whose header may be as it was.
    Replace {
        same_header: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let id = 0..2usize;
    let reader = 0..2usize;
    prop_oneof![
        6 => id.clone().prop_map(Step::Ask),
        4 => (reader.clone(), prop::bool::weighted(0.1))
            .prop_map(|(reader, torn)| Step::Look { reader, torn }),
        4 => (reader.clone(), id.clone()).prop_map(|(reader, id)| Step::Read { reader, id }),
        4 => reader.prop_map(|reader| Step::Keep { reader }),
        3 => id.clone().prop_map(Step::Lock),
        3 => Just(Step::Commit),
        3 => prop::bool::weighted(0.1).prop_map(|torn| Step::Settle { torn }),
        1 => Just(Step::Die),
        2 => id.prop_map(Step::Foreign),
        1 => Just(Step::Restart),
        1 => Just(Step::Recover),
        1 => any::<bool>().prop_map(|same_header| Step::Replace { same_header }),
    ]
}

/// The file as it is.
struct File {
    turn: u64,
    commits: u32,
    salt: u8,
    salts: u8,
    versions: [i64; 2],
}

impl File {
    fn state(&self) -> FileState {
        FileState::of(self.turn, Header::of(self.commits, self.salt))
    }

    /// A look while somebody writes the header.
    fn seen(&mut self, torn: bool) -> FileState {
        if !torn {
            return self.state();
        }
        self.salts += 1;
        FileState::of(self.turn, Header::of(self.commits, self.salts))
    }

    fn commit(&mut self, id: usize) {
        self.versions[id] += 1;
        self.commits = self.commits.wrapping_add(1);
    }

    fn new_log(&mut self) {
        self.salts += 1;
        self.salt = self.salts;
    }
}

/// A reader between its steps: what it saw, and then what it read.
type Reading = Option<(FileState, Option<StoredSession>)>;

/// A writer between its steps: what it changes, and whether it has committed.
type Writing<'a> = Option<(Committing<'a>, usize, bool)>;

fn stored(file: &File, id: usize) -> StoredSession {
    StoredSession {
        id: SessionId([u8::try_from(id).unwrap(); 16]),
        version: file.versions[id],
        sealed: Vec::new(),
        expires_at: 0,
        ended: None,
    }
}

fn write<'a>(cache: &'a ReadCache, file: &mut File, writing: &mut Writing<'a>, step: Step) {
    match (step, writing.take()) {
        (Step::Lock(id), None) => {
            *writing = Some((cache.about_to_commit(Some(file.state())), id, false));
        }
        (Step::Commit, Some((committing, id, false))) => {
            file.commit(id);
            *writing = Some((committing, id, true));
        }
        (Step::Settle { torn }, Some((committing, id, true))) => {
            let touched = Touched::Session(stored(file, id).id);
            committing.settle(touched, Some(file.seen(torn)));
        }
        // Dropped: the transaction rolls back, or its end is never seen.
        (Step::Die, _) => {}
        (_, unchanged) => *writing = unchanged,
    }
}

fn read(cache: &ReadCache, file: &mut File, readers: &mut [Reading; 2], step: Step) {
    match step {
        Step::Look { reader, torn } => readers[reader] = Some((file.seen(torn), None)),
        Step::Read { reader, id } => {
            if let Some((_, read @ None)) = &mut readers[reader] {
                *read = Some(stored(file, id));
            }
        }
        Step::Keep { reader } => {
            if let Some((state, Some(read))) = readers[reader].take() {
                cache.keep_session(state, &read);
            }
        }
        _ => {}
    }
}

fn others(file: &mut File, step: Step) {
    match step {
        Step::Foreign(id) => file.commit(id),
        Step::Restart => file.new_log(),
        Step::Recover => {
            file.commits = 0;
            file.new_log();
        }
        _ => {}
    }
}

fn play(steps: Vec<Step>) -> Result<usize, TestCaseError> {
    let cache = ReadCache::new();
    let mut file = File {
        turn: 0,
        commits: u32::MAX - 2,
        salt: 0,
        salts: 0,
        versions: [0; 2],
    };
    let mut writing = None;
    let mut readers = [None, None];
    let mut hits = 0;
    for step in steps {
        let locked = matches!(&writing, Some((_, _, false)));
        let idle = writing.is_none();
        match step {
            Step::Ask(id) => {
                let asked = stored(&file, id);
                if let Some(kept) = cache.session(file.state(), asked.id) {
                    prop_assert_eq!(kept.version, asked.version);
                    hits += 1;
                }
            }
            // It is opened anew when no thread is at work on it.
            Step::Replace { same_header } if idle => {
                file.turn += 1;
                readers = [None, None];
                file.versions = file.versions.map(|version| version + 100);
                if !same_header {
                    file.new_log();
                }
            }
            Step::Foreign(_) | Step::Restart if !locked => others(&mut file, step),
            Step::Recover if idle => others(&mut file, step),
            _ => {
                write(&cache, &mut file, &mut writing, step);
                read(&cache, &mut file, &mut readers, step);
            }
        }
    }
    Ok(hits)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_order_of_events_makes_an_answer_old(
        steps in prop::collection::vec(step(), 1..80)
    ) {
        play(steps)?;
    }
}

#[test]
fn the_events_above_lead_to_answers() {
    let ask_after_a_commit = vec![
        Step::Look {
            reader: 0,
            torn: false,
        },
        Step::Read { reader: 0, id: 0 },
        Step::Keep { reader: 0 },
        Step::Ask(0),
        Step::Lock(1),
        Step::Commit,
        Step::Ask(0),
        Step::Settle { torn: false },
        Step::Ask(0),
        Step::Ask(1),
    ];
    assert_eq!(play(ask_after_a_commit).unwrap(), 2);
}
