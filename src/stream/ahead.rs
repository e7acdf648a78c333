//! The thread that works ahead of a stream's caller: it fills rooms, which come back to it when they are free.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender, TryRecvError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::turns::Turns;
use crate::error::{Error, Result};

/// What a stream's thread does: cuts blocks into tasks, and does each in a room.
pub(super) trait Producer: Send + 'static {
    /// Memory that a task fills. There is a fixed number of rooms.
    type Room: Send + 'static;
    /// A part of a block, at least one to a block.
    type Task: Send + 'static;

    /// The parts of a block, in the order in which they are to be done.
    fn tasks(&mut self, block: usize) -> Result<Vec<Self::Task>>;

    /// Does one of them. Reads in small steps, and gives up between two when it is no longer wanted.
    fn fill(&mut self, task: &Self::Task, room: &mut Self::Room, wanted: &Wanted) -> Result<()>;

    /// Called when all blocks have had their turn.
    fn end_of_pass(&mut self) -> Result<()>;
}

/// Whether anybody still waits for what is being done.
pub(crate) struct Wanted {
    current: Arc<AtomicU64>,
    epoch: u64,
}

impl Wanted {
    /// An error, which nobody will see, when nobody does.
    pub fn check(&self) -> Result<()> {
        if self.current.load(Ordering::Acquire) == self.epoch {
            Ok(())
        } else {
            Err(Error::usage("the stream went elsewhere"))
        }
    }
}

enum Command<R> {
    Room(R),
    Seek { epoch: u64, turn: usize },
    Stop,
}

/// What the thread has to say.
pub(super) enum Event<P: Producer> {
    /// A task is done; `last` when it was the last of its block.
    Filled {
        block: usize,
        task: P::Task,
        room: P::Room,
        last: bool,
    },
    /// It could not go on, and does nothing until it is sent elsewhere.
    Failed(Error),
    /// There are no more blocks.
    End,
}

/// Gives rooms back to the thread, from wherever they were held.
pub(super) struct Rooms<R>(Sender<Command<R>>);

impl<R> Clone for Rooms<R> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R> Rooms<R> {
    pub fn give(&self, room: R) {
        // A thread that has ended needs no room.
        let _ = self.0.send(Command::Room(room));
    }
}

/// The caller's end of the thread. Dropping it stops the thread and waits for it: at most for the step it is in.
pub(super) struct Ahead<P: Producer> {
    rooms: Rooms<P::Room>,
    events: Receiver<(u64, Event<P>)>,
    current: Arc<AtomicU64>,
    epoch: u64,
    thread: Option<JoinHandle<()>>,
}

impl<P: Producer> Ahead<P> {
    /// Starts the thread, which begins at once.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] when the system gives no thread.
    pub fn start(
        producer: P,
        turns: Turns,
        rooms: impl IntoIterator<Item = P::Room>,
    ) -> Result<Self> {
        let (sender, commands) = mpsc::channel();
        let (said, events) = mpsc::channel();
        let current = Arc::new(AtomicU64::new(0));
        let worker = Worker {
            producer,
            turns,
            commands,
            events: said,
            rooms: rooms.into_iter().collect(),
            wanted: Wanted {
                current: Arc::clone(&current),
                epoch: 0,
            },
            turn: Some(0),
            block: 0,
            tasks: VecDeque::new(),
        };
        let thread = thread::Builder::new()
            .name("voxload stream".to_owned())
            .spawn(move || worker.run())
            .map_err(|error| Error::io(&error, 0))?;
        Ok(Self {
            rooms: Rooms(sender),
            events,
            current,
            epoch: 0,
            thread: Some(thread),
        })
    }

    /// A way for rooms to come back.
    pub fn rooms(&self) -> &Rooms<P::Room> {
        &self.rooms
    }

    /// Has the thread go on with another turn; what it said before is forgotten.
    pub fn seek(&mut self, turn: usize) {
        self.epoch += 1;
        self.current.store(self.epoch, Ordering::Release);
        let epoch = self.epoch;
        // A thread that has ended by a panic is told of by `next_event`.
        let _ = self.rooms.0.send(Command::Seek { epoch, turn });
    }

    /// What the thread has said, waiting up to `wait` for it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] when the thread has panicked, in a source of the caller's.
    pub fn next_event(&self, wait: Duration) -> Result<Option<Event<P>>> {
        loop {
            let said = if wait.is_zero() {
                self.events.try_recv().map_err(|error| match error {
                    TryRecvError::Empty => RecvTimeoutError::Timeout,
                    TryRecvError::Disconnected => RecvTimeoutError::Disconnected,
                })
            } else {
                self.events.recv_timeout(wait)
            };
            match said {
                Ok((epoch, event)) if epoch == self.epoch => return Ok(Some(event)),
                Ok((_, Event::Filled { room, .. })) => self.rooms.give(room),
                Ok((_, Event::Failed(_) | Event::End)) => {}
                Err(RecvTimeoutError::Timeout) => return Ok(None),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::usage("the thread that reads ahead has panicked"));
                }
            }
        }
    }
}

impl<P: Producer> Drop for Ahead<P> {
    fn drop(&mut self) {
        self.current.store(u64::MAX, Ordering::Release);
        let _ = self.rooms.0.send(Command::Stop);
        if let Some(thread) = self.thread.take() {
            // Its panic, if any, was told of where it mattered.
            let _ = thread.join();
        }
    }
}

/// The thread's own side.
struct Worker<P: Producer> {
    producer: P,
    turns: Turns,
    commands: Receiver<Command<P::Room>>,
    events: Sender<(u64, Event<P>)>,
    rooms: Vec<P::Room>,
    wanted: Wanted,
    /// The next turn to begin; `None` when there is nothing to do until a seek.
    turn: Option<usize>,
    /// The block that the tasks are of.
    block: usize,
    tasks: VecDeque<P::Task>,
}

impl<P: Producer> Worker<P> {
    fn run(mut self) {
        loop {
            let idle = self.turn.is_none() && self.tasks.is_empty();
            let stuck = !self.tasks.is_empty() && self.rooms.is_empty();
            let command = if idle || stuck {
                self.commands.recv().map_err(|_| TryRecvError::Disconnected)
            } else {
                self.commands.try_recv()
            };
            match command {
                Ok(Command::Room(room)) => self.rooms.push(room),
                Ok(Command::Seek { epoch, turn }) => {
                    self.wanted.epoch = epoch;
                    self.turn = Some(turn);
                    self.tasks.clear();
                }
                Ok(Command::Stop) | Err(TryRecvError::Disconnected) => return,
                Err(TryRecvError::Empty) => {
                    if let Err(error) = self.step() {
                        self.turn = None;
                        self.tasks.clear();
                        self.say(Event::Failed(error));
                    }
                }
            }
        }
    }

    /// Begins a block, or does a task.
    fn step(&mut self) -> Result<()> {
        let Some(task) = self.tasks.pop_front() else {
            return self.begin_block();
        };
        let Some(mut room) = self.rooms.pop() else {
            self.tasks.push_front(task);
            return Ok(());
        };
        if let Err(error) = self.producer.fill(&task, &mut room, &self.wanted) {
            self.rooms.push(room);
            return Err(error);
        }
        let event = Event::Filled {
            block: self.block,
            task,
            room,
            last: self.tasks.is_empty(),
        };
        self.say(event);
        Ok(())
    }

    fn begin_block(&mut self) -> Result<()> {
        let Some(turn) = self.turn else {
            return Ok(());
        };
        if turn > 0 && self.turns.ends_pass(turn - 1) {
            self.producer.end_of_pass()?;
        }
        match self.turns.block(turn) {
            Some(block) => {
                self.turn = Some(turn + 1);
                self.block = block;
                self.tasks = self.producer.tasks(block)?.into();
            }
            None => {
                self.turn = None;
                self.say(Event::End);
            }
        }
        Ok(())
    }

    fn say(&self, event: Event<P>) {
        // Nobody listens when the stream is being dropped; the next command is to stop.
        let _ = self.events.send((self.wanted.epoch, event));
    }
}
