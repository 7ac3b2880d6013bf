//! Programs that run side by side until one of them dies or the person stops them all.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::Write as _;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow, bail};
use rustix::process::Signal;

use crate::context::Context;
use crate::interrupt::signal_group;
use crate::process;
use crate::readiness::Probe;

/// Lines kept of each program, shown when it dies.
const KEPT_LINES: usize = 40;
/// How often a starting program is asked, and a stop request is looked for.
const TICK: Duration = Duration::from_millis(100);
/// How long a program may take to end by itself.
const GRACE: Duration = Duration::from_secs(8);

/// The running programs. Dropping it stops them.
pub(crate) struct Services<'a> {
    context: &'a Context,
    running: Vec<Service>,
    exits: Receiver<Exit>,
    exited: Sender<Exit>,
}

struct Service {
    name: &'static str,
    group: u32,
    probe: Option<Probe>,
    tail: Arc<Mutex<VecDeque<String>>>,
    readers: Vec<JoinHandle<()>>,
}

struct Exit {
    group: u32,
    status: std::io::Result<ExitStatus>,
}

impl<'a> Services<'a> {
    pub(crate) fn new(context: &'a Context) -> Self {
        let (exited, exits) = mpsc::channel();
        Self {
            context,
            running: Vec::new(),
            exits,
            exited,
        }
    }

    /// Starts a program. Its lines go to `target/xtask-logs/<name>.log`, with `echo` to
    /// the screen as well.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(crate) fn start(
        &mut self,
        name: &'static str,
        command: &mut Command,
        probe: Option<Probe>,
        echo: bool,
    ) -> anyhow::Result<()> {
        let mut child = process::spawn(self.context, command)
            .with_context(|| format!("cannot start the {name}"))?;
        let tail = Arc::new(Mutex::new(VecDeque::with_capacity(KEPT_LINES)));
        let log = Arc::new(self.log_file(name)?);
        let streams: [Option<Box<dyn std::io::Read + Send>>; 2] = [
            child.stdout.take().map(|stream| Box::new(stream) as _),
            child.stderr.take().map(|stream| Box::new(stream) as _),
        ];
        let readers = streams
            .into_iter()
            .map(|stream| {
                let (tail, log) = (Arc::clone(&tail), Arc::clone(&log));
                let progress = self.context.progress.clone();
                thread::spawn(move || {
                    process::each_line(stream, |line| {
                        if echo {
                            progress.say(format_args!("{name}: {line}"));
                        }
                        // A full disk must not take the programs down.
                        let _unwritten = writeln!(&*log, "{line}");
                        remember(&tail, line);
                    });
                })
            })
            .collect();
        self.running.push(Service {
            name,
            group: child.id(),
            probe,
            tail,
            readers,
        });
        self.announce_exit(child);
        Ok(())
    }

    /// Waits until every program is ready.
    ///
    /// # Errors
    /// When one dies, the deadline passes, or a stop was asked.
    pub(crate) fn wait_ready(&mut self, deadline: Duration) -> anyhow::Result<()> {
        let start = Instant::now();
        loop {
            let waiting = self
                .running
                .iter()
                .find(|service| service.probe.is_some_and(|probe| !probe.is_ready()));
            let Some(waiting) = waiting else {
                return Ok(());
            };
            if start.elapsed() > deadline {
                bail!(
                    "the {} was not ready after {} s; its last lines:\n{}",
                    waiting.name,
                    deadline.as_secs(),
                    waiting.last_lines()
                );
            }
            self.tick()?;
        }
    }

    /// Runs until `finished` has something, or the deadline passes.
    ///
    /// # Errors
    /// When a program ends by itself, or a stop was asked.
    pub(crate) fn run_until<T>(
        &mut self,
        deadline: Duration,
        mut finished: impl FnMut() -> Option<T>,
    ) -> anyhow::Result<Option<T>> {
        let start = Instant::now();
        while start.elapsed() < deadline {
            if let Some(result) = finished() {
                return Ok(Some(result));
            }
            self.tick()?;
        }
        Ok(None)
    }

    /// Returns when a stop was asked.
    ///
    /// # Errors
    /// When a program ends by itself: says which, with its last lines.
    pub(crate) fn wait_for_stop(&mut self) -> anyhow::Result<()> {
        while !self.context.interrupt.requested() {
            let event = self.tick();
            // The signal ends the programs too: their deaths are then no news.
            if !self.context.interrupt.requested() {
                event?;
            }
        }
        Ok(())
    }

    /// The process of a running program.
    pub(crate) fn process(&self, name: &str) -> Option<u32> {
        let service = self.running.iter().find(|service| service.name == name)?;
        Some(service.group)
    }

    /// Ends one program and its children, and leaves the others.
    pub(crate) fn stop_one(&mut self, name: &str) {
        let (chosen, others) = std::mem::take(&mut self.running)
            .into_iter()
            .partition(|service| service.name == name);
        self.running = chosen;
        self.stop();
        self.running = others;
    }

    /// Ends all programs and their children, first kindly.
    pub(crate) fn stop(&mut self) {
        for service in &self.running {
            signal_group(service.group, Signal::TERM);
        }
        let start = Instant::now();
        while !self.running.is_empty() {
            match self
                .exits
                .recv_timeout(GRACE.saturating_sub(start.elapsed()))
            {
                Ok(exit) => drop(self.bury(exit.group)),
                Err(_) => break,
            }
        }
        for service in self.running.drain(..) {
            self.context.progress.say(format_args!(
                "the {} did not stop by itself within {} s and is killed",
                service.name,
                GRACE.as_secs()
            ));
            signal_group(service.group, Signal::KILL);
            self.context.interrupt.release(service.group);
        }
    }

    /// Looks once for a death or a stop request.
    fn tick(&mut self) -> anyhow::Result<()> {
        match self.exits.recv_timeout(TICK) {
            Ok(exit) => Err(self.obituary(exit)),
            Err(RecvTimeoutError::Timeout) if self.context.interrupt.requested() => {
                Err(anyhow!("stopped"))
            }
            Err(_) => Ok(()),
        }
    }

    fn obituary(&mut self, exit: Exit) -> anyhow::Error {
        if self.context.interrupt.requested() {
            self.bury(exit.group);
            return anyhow!("stopped");
        }
        let ending = match exit.status {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        match self.bury(exit.group) {
            Some(mut service) => {
                // Its streams are closed: what it said last is complete after this.
                for reader in service.readers.drain(..) {
                    let _panicked = reader.join();
                }
                anyhow!(
                    "the {} ended by itself ({ending}); its last lines:\n{}",
                    service.name,
                    service.last_lines()
                )
            }
            None => anyhow!("an unknown program ended ({ending})"),
        }
    }

    /// Forgets a program that has ended, and ends what it left behind.
    fn bury(&mut self, group: u32) -> Option<Service> {
        signal_group(group, Signal::KILL);
        self.context.interrupt.release(group);
        let index = self
            .running
            .iter()
            .position(|service| service.group == group)?;
        Some(self.running.swap_remove(index))
    }

    fn log_file(&self, name: &str) -> anyhow::Result<File> {
        let folder = self.context.workspace.logs();
        fs::create_dir_all(&folder)?;
        let path = folder.join(format!("{}.log", name.replace(' ', "-")));
        File::create(&path).with_context(|| format!("cannot write {}", path.display()))
    }

    fn announce_exit(&self, mut child: Child) {
        let exited = self.exited.clone();
        thread::spawn(move || {
            let group = child.id();
            let status = child.wait();
            // Nobody listens after a stop.
            let _nobody = exited.send(Exit { group, status });
        });
    }
}

impl Drop for Services<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Service {
    fn last_lines(&self) -> String {
        let tail = self.tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.iter().fold(String::new(), |text, line| {
            text + "    "
                + line
                + "
"
        })
    }
}

fn remember(tail: &Mutex<VecDeque<String>>, line: &str) {
    let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
    if tail.len() == KEPT_LINES {
        tail.pop_front();
    }
    tail.push_back(line.to_owned());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_dies_is_named_with_its_last_words() {
        let context = Context::for_test();
        let mut services = Services::new(&context);
        let mut command = shell("echo 'no such setting' >&2; exit 2");
        services
            .start("test companion", &mut command, None, false)
            .unwrap();
        let message = services.wait_for_stop().unwrap_err().to_string();
        assert!(
            message.contains("the test companion ended by itself (exit status: 2)"),
            "{message}"
        );
        assert!(message.contains("no such setting"), "{message}");
    }

    #[test]
    fn stopping_ends_the_children_of_a_program_too() {
        let context = Context::for_test();
        let mut services = Services::new(&context);
        // The pipe closes when its last holder has gone: the grandchild holds it as well.
        let mut command = shell("sleep 600 & echo started; wait");
        services
            .start("test app", &mut command, None, false)
            .unwrap();
        let readers = std::mem::take(&mut services.running[0].readers);
        services.stop();
        for reader in readers {
            reader.join().unwrap();
        }
        assert!(services.running.is_empty());
    }

    #[test]
    fn stopping_one_leaves_the_others() {
        let context = Context::for_test();
        let mut services = Services::new(&context);
        for name in ["test one", "test other"] {
            let mut command = shell("exec sleep 600");
            services.start(name, &mut command, None, false).unwrap();
        }
        services.stop_one("test one");
        assert_eq!(services.process("test one"), None);
        assert!(services.process("test other").is_some());
    }

    #[test]
    fn a_program_that_never_gets_ready_is_named() {
        let context = Context::for_test();
        let mut services = Services::new(&context);
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        let probe = Probe { port, path: "/" };
        let mut command = shell("exec sleep 600");
        services
            .start("test API", &mut command, Some(probe), false)
            .unwrap();
        let error = services.wait_ready(Duration::ZERO).unwrap_err();
        assert!(error.to_string().contains("the test API was not ready"));
    }
}
