//! Reading ahead: a [`Producer`] splits blocks into tasks and fills a piece of memory for each, on its own thread or in
//! calls of the consumer. The consumer returns the memory when it is free again.

use std::iter::Peekable;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::task::{Context, Poll};
#[cfg(not(target_family = "wasm"))]
use std::thread::JoinHandle;

use crate::core::error::{Error, Result};
#[cfg(not(target_family = "wasm"))]
use crate::core::scope::Scope;
#[cfg(not(target_family = "wasm"))]
use crate::read::wait::{self, Closer, Mailbox};
use crate::read::wait::{MaybeSend, RunOn};

/// Reads blocks (frames or slabs), each split into tasks that fit a piece of memory.
pub(crate) trait Producer {
    /// Memory that a task fills. There is a fixed number of pieces.
    type Memory;
    /// A part of a block.
    type Task;
    /// The tasks of a block, in order.
    type Tasks: Iterator<Item = Self::Task>;

    /// The block of a turn, and its tasks; `None` after the last turn.
    fn begin(&mut self, turn: usize) -> Result<Option<(usize, Self::Tasks)>>;

    /// Does one task. Long work must call [`Epoch::check`] from time to time.
    fn fill(&mut self, task: &Self::Task, memory: &mut Self::Memory, epoch: &Epoch) -> Result<()>;
}

/// Identifies the seek that a producer works for. It is over when there is a later seek.
pub(crate) struct Epoch {
    current: Arc<AtomicU64>,
    number: u64,
}

impl Epoch {
    /// Returns an error if there was a later seek, so that the data is no longer needed. The consumer discards this
    /// error.
    pub(crate) fn check(&self) -> Result<()> {
        if self.current.load(Ordering::Acquire) == self.number {
            Ok(())
        } else {
            Err(Error::usage("the stream went elsewhere"))
        }
    }
}

enum Command<M> {
    Memory(M),
    Seek {
        epoch: u64,
        turn: usize,
    },
    #[cfg(not(target_family = "wasm"))]
    Stop,
}

/// Memory that a task has filled.
pub(crate) struct Filled<P: Producer> {
    pub block: usize,
    pub task: P::Task,
    pub memory: P::Memory,
    /// Whether it is the last part of its block.
    pub last: bool,
}

/// An event from a producer.
pub(crate) enum Event<P: Producer> {
    Filled(Filled<P>),
    /// A task failed. The producer does nothing until a seek.
    Failed(Error),
    /// There are no more blocks.
    End,
}

/// Returns memory to the producer, from any thread.
pub(crate) struct Pool<M>(Sender<Command<M>>);

impl<M> Clone for Pool<M> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<M> Pool<M> {
    pub(crate) fn give(&self, memory: M) {
        // Fails only if the producer has ended and needs no memory.
        let _ = self.0.send(Command::Memory(memory));
    }
}

/// The consumer's side of a producer. Dropping it stops the producer's thread.
pub(crate) struct Ahead<P: Producer> {
    pool: Pool<P::Memory>,
    current: Arc<AtomicU64>,
    epoch: u64,
    side: Side<P>,
}

enum Side<P: Producer> {
    Caller(Box<Worker<P>>),
    #[cfg(not(target_family = "wasm"))]
    Thread {
        events: Arc<Mailbox<(u64, Event<P>)>>,
        thread: Option<JoinHandle<()>>,
        /// Whether dropping waits for the thread, which ends after its current step.
        is_joined: bool,
    },
}

impl<P: Producer> Ahead<P> {
    /// A producer that works in calls of [`Self::poll_event`].
    pub(crate) fn in_caller(producer: P, memory: impl IntoIterator<Item = P::Memory>) -> Self {
        let (pool, current, worker) = Worker::new(producer, memory);
        Self {
            pool,
            current,
            epoch: 0,
            side: Side::Caller(Box::new(worker)),
        }
    }

    /// A producer that works at this site. A thread starts to work at once.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Io`] if the thread cannot be spawned.
    pub(crate) fn start(
        run_on: RunOn,
        producer: P,
        memory: impl IntoIterator<Item = P::Memory>,
    ) -> Result<Self>
    where
        P: MaybeSend + 'static,
        P::Memory: MaybeSend,
        P::Task: MaybeSend,
        P::Tasks: MaybeSend,
    {
        match run_on {
            RunOn::Caller => Ok(Self::in_caller(producer, memory)),
            #[cfg(not(target_family = "wasm"))]
            RunOn::Thread => {
                let (pool, current, worker) = Worker::new(producer, memory);
                let events = Arc::new(Mailbox::default());
                let closer = Closer(Arc::clone(&events));
                let scope = Scope::current();
                let work = move || scope.enter(|| worker.run(&closer.0));
                let thread = wait::spawn("voxload stream", work)?;
                Ok(Self {
                    pool,
                    current,
                    epoch: 0,
                    side: Side::Thread {
                        events,
                        thread: Some(thread),
                        is_joined: false,
                    },
                })
            }
        }
    }

    /// The same, but dropping it waits for the thread.
    pub(crate) fn joined(mut self) -> Self {
        #[cfg(not(target_family = "wasm"))]
        if let Side::Thread { is_joined, .. } = &mut self.side {
            *is_joined = true;
        }
        #[cfg(target_family = "wasm")]
        let _ = &mut self;
        self
    }

    /// The pool to which memory is returned.
    pub(crate) fn pool(&self) -> &Pool<P::Memory> {
        &self.pool
    }

    /// Continues with another turn. Earlier events are discarded.
    pub(crate) fn seek(&mut self, turn: usize) {
        self.epoch += 1;
        self.current.store(self.epoch, Ordering::Release);
        let epoch = self.epoch;
        // If the thread has panicked, `poll_event` returns an error.
        let _ = self.pool.0.send(Command::Seek { epoch, turn });
    }

    /// The next event. A producer in the caller does its work in this call, as long as there is free memory.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] if the producer's thread has panicked, for example in the caller's own source.
    pub(crate) fn poll_event(&mut self, cx: &Context<'_>) -> Poll<Result<Event<P>>> {
        #[cfg(target_family = "wasm")]
        let _ = cx;
        match &mut self.side {
            Side::Caller(worker) => match worker.next_event() {
                Some(event) => Poll::Ready(Ok(event)),
                // Whatever frees memory (such as a completed map) wakes the caller.
                None => Poll::Pending,
            },
            #[cfg(not(target_family = "wasm"))]
            Side::Thread { events, .. } => loop {
                return match events.poll_take(cx) {
                    Poll::Ready(Some((epoch, event))) if epoch == self.epoch => {
                        Poll::Ready(Ok(event))
                    }
                    Poll::Ready(Some((_, Event::Filled(filled)))) => {
                        self.pool.give(filled.memory);
                        continue;
                    }
                    Poll::Ready(Some((_, Event::Failed(_) | Event::End))) => continue,
                    Poll::Ready(None) => Poll::Ready(Err(Error::usage(
                        "the thread that reads ahead has panicked",
                    ))),
                    Poll::Pending => Poll::Pending,
                };
            },
        }
    }

    /// Stops the producer and waits for its thread, which ends after its current step.
    #[cfg(feature = "gpu")]
    pub(crate) async fn stop(self) {
        self.current.store(u64::MAX, Ordering::Release);
        #[cfg(not(target_family = "wasm"))]
        if let Side::Thread { events, .. } = &self.side {
            let _ = self.pool.0.send(Command::Stop);
            // The thread closes the mailbox when it ends.
            while std::future::poll_fn(|cx| events.poll_take(cx))
                .await
                .is_some()
            {}
        }
    }

    /// Whether [`Self::poll_event`] itself reads.
    #[cfg(feature = "gpu")]
    pub(crate) fn is_in_caller(&self) -> bool {
        matches!(self.side, Side::Caller(_))
    }
}

impl<P: Producer> Drop for Ahead<P> {
    fn drop(&mut self) {
        self.current.store(u64::MAX, Ordering::Release);
        #[cfg(not(target_family = "wasm"))]
        if let Side::Thread {
            thread, is_joined, ..
        } = &mut self.side
        {
            let _ = self.pool.0.send(Command::Stop);
            if let Some(thread) = thread.take().filter(|_| *is_joined) {
                // A panic of the thread was reported by `poll_event`.
                let _ = thread.join();
            }
        }
    }
}

/// The producer's side.
struct Worker<P: Producer> {
    producer: P,
    commands: Receiver<Command<P::Memory>>,
    memory: Vec<P::Memory>,
    epoch: Epoch,
    /// The next turn to begin; `None` if there is nothing to do until a seek.
    turn: Option<usize>,
    /// The block of the current tasks.
    block: usize,
    tasks: Option<Peekable<P::Tasks>>,
}

/// The result of a step.
enum Step<P: Producer> {
    Event(Event<P>),
    /// There is more to do.
    Done,
    /// There is nothing to do until the next command.
    Idle,
}

impl<P: Producer> Worker<P> {
    fn new(
        producer: P,
        memory: impl IntoIterator<Item = P::Memory>,
    ) -> (Pool<P::Memory>, Arc<AtomicU64>, Self) {
        let (sender, commands) = mpsc::channel();
        let current = Arc::new(AtomicU64::new(0));
        let worker = Self {
            producer,
            commands,
            memory: memory.into_iter().collect(),
            epoch: Epoch {
                current: Arc::clone(&current),
                number: 0,
            },
            turn: Some(0),
            block: 0,
            tasks: None,
        };
        (Pool(sender), current, worker)
    }

    #[cfg(not(target_family = "wasm"))]
    fn run(mut self, events: &Mailbox<(u64, Event<P>)>) {
        loop {
            let command = match self.commands.try_recv() {
                Ok(command) => command,
                Err(mpsc::TryRecvError::Disconnected) => return,
                Err(mpsc::TryRecvError::Empty) => match self.step() {
                    Step::Event(event) => {
                        events.put((self.epoch.number, event));
                        continue;
                    }
                    Step::Done => continue,
                    Step::Idle => match self.commands.recv() {
                        Ok(command) => command,
                        Err(_) => return,
                    },
                },
            };
            if matches!(command, Command::Stop) {
                return;
            }
            self.apply(command);
        }
    }

    fn next_event(&mut self) -> Option<Event<P>> {
        loop {
            while let Ok(command) = self.commands.try_recv() {
                self.apply(command);
            }
            match self.step() {
                Step::Event(event) => return Some(event),
                Step::Done => {}
                Step::Idle => return None,
            }
        }
    }

    fn apply(&mut self, command: Command<P::Memory>) {
        match command {
            Command::Memory(memory) => self.memory.push(memory),
            Command::Seek { epoch, turn } => {
                self.epoch.number = epoch;
                self.turn = Some(turn);
                self.tasks = None;
            }
            #[cfg(not(target_family = "wasm"))]
            Command::Stop => {}
        }
    }

    fn step(&mut self) -> Step<P> {
        self.try_step().unwrap_or_else(|error| {
            self.turn = None;
            self.tasks = None;
            Step::Event(Event::Failed(error))
        })
    }

    /// Begins a block or does a task.
    fn try_step(&mut self) -> Result<Step<P>> {
        if let Some(tasks) = &mut self.tasks
            && tasks.peek().is_some()
        {
            let Some(mut memory) = self.memory.pop() else {
                return Ok(Step::Idle);
            };
            let Some(task) = tasks.next() else {
                return Ok(Step::Done);
            };
            if let Err(error) = self.producer.fill(&task, &mut memory, &self.epoch) {
                self.memory.push(memory);
                return Err(error);
            }
            return Ok(Step::Event(Event::Filled(Filled {
                block: self.block,
                last: tasks.peek().is_none(),
                task,
                memory,
            })));
        }
        let Some(turn) = self.turn else {
            return Ok(Step::Idle);
        };
        match self.producer.begin(turn)? {
            Some((block, tasks)) => {
                self.turn = Some(turn + 1);
                self.block = block;
                self.tasks = Some(tasks.peekable());
                Ok(Step::Done)
            }
            None => {
                self.turn = None;
                self.tasks = None;
                Ok(Step::Event(Event::End))
            }
        }
    }
}
