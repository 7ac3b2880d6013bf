//! Who runs on which core. On a small machine the scheduler's moods are larger than what is
//! measured: the server gets the first core, the generator and all others the second.

use std::ffi::OsStr;
use std::process::Command;
use std::thread;

use crate::process;

/// Pins programs, where there are two cores and util-linux.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cores {
    pinned: bool,
}

impl Cores {
    pub(super) fn of_this_machine() -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Self {
            pinned: cores >= 2 && process::find_program("taskset").is_some(),
        }
    }

    /// A program that is measured. Its runtime sees one core, and starts that many threads.
    pub(super) fn server(self, program: &OsStr) -> Command {
        self.on("0", program)
    }

    /// A program that makes the load, or that the measured one needs.
    pub(super) fn load(self, program: &OsStr) -> Command {
        self.on("1", program)
    }

    pub(super) fn remark(self) -> String {
        if self.pinned {
            "server sections: the measured server is pinned to core 0, generator, provider and Redis to core 1; \
             browser sections use all cores"
                .to_owned()
        } else {
            "nothing is pinned (one core, or no taskset): ratios waver more".to_owned()
        }
    }

    fn on(self, core: &str, program: &OsStr) -> Command {
        if !self.pinned {
            return Command::new(program);
        }
        let mut command = Command::new("taskset");
        command.args(["--cpu-list", core]).arg(program);
        command
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_program_is_the_last_word_of_its_command() {
        let command = Cores { pinned: true }.server("/bin/true".as_ref());
        assert_eq!(process::display(&command), "taskset --cpu-list 0 /bin/true");
        let command = Cores { pinned: false }.load("/bin/true".as_ref());
        assert_eq!(process::display(&command), "/bin/true");
    }
}
