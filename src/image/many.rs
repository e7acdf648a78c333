//! [`load_many`]: many files, read ahead by threads of their own, in order and in bounded memory.

use std::any::Any;
use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::DataobjImage;
use crate::core::array::HostArray;
use crate::core::error::{Error, ErrorKind, Result};
use crate::core::float::Value;
use crate::core::options::LoadOptions;
use crate::core::scope::{self, Scope};
use crate::core::threads::{self, Threads};
#[cfg(feature = "gpu")]
use crate::device::{DeviceArray, Gpu};
use crate::plan::index::Index;
use crate::read::proxy::ArrayProxy;

/// Bytes of values that are read ahead, unless [`Many::ahead`] says otherwise.
const AHEAD_BYTES: u64 = 1 << 30;

/// Files that are queued for each thread, so that a thread finds work without waiting for the caller.
const FILES_PER_THREAD: usize = 4;

/// How often a waiting [`Volumes`] looks whether it was cancelled.
const TICK: Duration = Duration::from_millis(10);

/// A file to read, whole or a part of it.
#[derive(Debug, Clone)]
#[must_use]
pub struct FileRequest {
    path: PathBuf,
    index: Option<Index>,
}

impl FileRequest {
    /// All voxels of this file, or those of [`Many::index`].
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            index: None,
        }
    }

    /// Only the voxels that an index selects.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Index`] if it cannot be parsed.
    pub fn index(mut self, index: impl TryInto<Index, Error: Into<Error>>) -> Result<Self> {
        self.index = Some(index.try_into().map_err(Into::into)?);
        Ok(self)
    }
}

macro_rules! from_paths {
    ($($path:ty)*) => {
        $(impl From<$path> for FileRequest {
            fn from(path: $path) -> Self {
                Self::new(path)
            }
        })*
    };
}

from_paths!(&str &Path &PathBuf String PathBuf);

/// Many files to read. Made by [`load_many`].
#[must_use]
pub struct Many {
    requests: Box<dyn Iterator<Item = FileRequest> + Send>,
    index: Option<Index>,
    options: LoadOptions,
    ahead: u64,
    threads: Option<usize>,
}

/// Reads many files in the order given, several at a time, each by one thread: faster than one after the other by all
/// threads, because the parts of a file that one thread alone can read overlap.
///
/// ```no_run
/// # fn main() -> voxload::Result<()> {
/// // The same crop of every file, as f32.
/// let files = ["sub-01.nii.gz", "sub-02.nii.gz"];
/// for volume in voxload::load_many(files).index("[8:72, 8:72, 4:36]")?.read::<f32>()? {
///     let volume = volume?;
///     println!("{:?} of {:?}", volume.values.shape(), volume.image.shape());
/// }
/// # Ok(()) }
/// ```
///
/// The iterator of files may have no end, as in a training loop. It is advanced by [`Volumes::next`], in the caller's
/// thread.
pub fn load_many<I>(files: I) -> Many
where
    I: IntoIterator<Item: Into<FileRequest> + 'static, IntoIter: Send + 'static>,
{
    Many {
        requests: Box::new(files.into_iter().map(Into::into)),
        index: None,
        options: LoadOptions::new(),
        ahead: AHEAD_BYTES,
        threads: None,
    }
}

impl Many {
    /// The part to read of files that have no index of their own.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Index`] if it cannot be parsed.
    pub fn index(mut self, index: impl TryInto<Index, Error: Into<Error>>) -> Result<Self> {
        self.index = Some(index.try_into().map_err(Into::into)?);
        Ok(self)
    }

    /// How the files are opened. [`LoadOptions::threads`] is that of the images, not of the reading here.
    pub fn options(mut self, options: LoadOptions) -> Self {
        self.options = options;
        self
    }

    /// The most bytes of values that are read or held before the caller takes them; 1 GiB by default. A file with more is
    /// read when its turn comes, alone.
    pub fn ahead(mut self, bytes: u64) -> Self {
        self.ahead = bytes;
        self
    }

    /// The number of files to read at the same time; by default the number of threads of a read
    /// ([`Threads::count`]).
    pub fn threads(mut self, count: usize) -> Self {
        self.threads = Some(count);
        self
    }

    /// Values in host memory, scaled, in this type.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Usage`] for no threads, [`crate::ErrorKind::Io`] when the system does not give them.
    pub fn read<T: Value>(self) -> Result<Volumes<HostArray<T>>> {
        self.start(size_of::<T>(), |values| values.read())
    }

    /// Values on a device, scaled, in this type.
    ///
    /// # Errors
    /// As [`Self::read`].
    #[cfg(feature = "gpu")]
    pub fn read_gpu<T: crate::Float>(self, gpu: &Gpu) -> Result<Volumes<DeviceArray<T>>> {
        let gpu = gpu.clone();
        self.start(size_of::<T>(), move |values| values.read_gpu(&gpu))
    }

    fn start<A: Send + 'static>(
        self,
        element: usize,
        read: impl Fn(&ArrayProxy) -> Result<A> + Send + Sync + 'static,
    ) -> Result<Volumes<A>> {
        let count = self.threads.unwrap_or_else(threads::count);
        if count == 0 {
            return Err(Error::usage("reading by no threads"));
        }
        let shared = Arc::new(Shared {
            state: Mutex::default(),
            changed: Condvar::new(),
            ready: Condvar::new(),
            reader: Reader {
                read: Box::new(read),
                element: element as u64,
                options: self.options,
                index: self.index,
            },
            ahead: self.ahead,
        });
        let scope = Scope::current().without_pool();
        // Each reader is the only thread of a pool, so that nothing of a read is handed to another thread.
        let mut readers = vec![Threads::new(1)?];
        readers.extend((1..count).map_while(|_| Threads::new(1).ok()));
        for reader in &readers {
            let (shared, scope) = (Arc::clone(&shared), scope.clone());
            reader.spawn(move || scope.enter(|| shared.run()));
        }
        let mut volumes = Volumes {
            requests: Some(self.requests),
            shared,
            queue: count * FILES_PER_THREAD,
            asked: 0,
            given: 0,
            readers,
        };
        volumes.ask();
        Ok(volumes)
    }
}

impl fmt::Debug for Many {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Many")
            .field("index", &self.index)
            .field("ahead", &self.ahead)
            .field("threads", &self.threads)
            .finish_non_exhaustive()
    }
}

/// A file that was read.
#[derive(Debug)]
#[non_exhaustive]
pub struct Volume<A> {
    /// The image: its header, its affine, and its voxels for other reads. The values are not in its cache.
    pub image: DataobjImage,
    /// The values that were asked for.
    pub values: A,
}

/// The files of [`load_many`], in order: an iterator of `Result<Volume<_>>`. A file that cannot be read is an error in its
/// place, and the next ones follow. Dropped, it begins no other file; those that are being read are read to their end by
/// their threads.
pub struct Volumes<A> {
    /// `None` when there are no more.
    requests: Option<Box<dyn Iterator<Item = FileRequest> + Send>>,
    shared: Arc<Shared<A>>,
    /// The most files that have been asked for and not given.
    queue: usize,
    asked: u64,
    given: u64,
    readers: Vec<Threads>,
}

impl<A> Volumes<A> {
    /// Gives the readers more files.
    fn ask(&mut self) {
        while self.asked - self.given < self.queue as u64
            && let Some(requests) = &mut self.requests
        {
            let Some(request) = requests.next() else {
                self.requests = None;
                break;
            };
            self.shared.state().waiting.push_back((self.asked, request));
            self.asked += 1;
            // Not one: that may wait for room.
            self.shared.changed.notify_all();
        }
    }

    /// Waits for the next file.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`] if the caller was cancelled; the file stays the next one.
    fn take(&mut self) -> Result<Outcome<A>> {
        let shared = &self.shared;
        let mut state = shared.state();
        loop {
            if let Some(done) = state.done.remove(&self.given) {
                self.given += 1;
                state.given = self.given;
                state.held -= done.bytes;
                drop(state);
                // One waits for room, another one for a file.
                shared.changed.notify_all();
                return Ok(done.outcome);
            }
            scope::check()?;
            let waited = shared.ready.wait_timeout(state, TICK);
            (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<A> Iterator for Volumes<A> {
    type Item = Result<Volume<A>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.ask();
        if self.given == self.asked {
            return None;
        }
        let outcome = match self.take() {
            Ok(outcome) => outcome,
            Err(cancelled) => return Some(Err(cancelled)),
        };
        self.ask();
        Some(outcome.unwrap_or_else(|panic| resume_unwind(panic)))
    }
}

impl<A> Drop for Volumes<A> {
    fn drop(&mut self) {
        self.shared.state().stopped = true;
        self.shared.changed.notify_all();
    }
}

impl<A> fmt::Debug for Volumes<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Volumes")
            .field("given", &self.given)
            .field("threads", &self.readers.len())
            .finish_non_exhaustive()
    }
}

/// What became of a file: a panic of the reader is the caller's.
type Outcome<A> = std::result::Result<Result<Volume<A>>, Box<dyn Any + Send>>;

/// What the caller and the readers share.
struct Shared<A> {
    state: Mutex<State<A>>,
    /// There is another file, more room, or an end.
    changed: Condvar,
    /// Another file has been read.
    ready: Condvar,
    reader: Reader<A>,
    /// The most bytes to hold.
    ahead: u64,
}

struct State<A> {
    /// Files that no reader has begun, and their numbers.
    waiting: VecDeque<(u64, FileRequest)>,
    /// Files that have been read, by number.
    done: BTreeMap<u64, Done<A>>,
    /// The number of the file that the caller waits for.
    given: u64,
    /// Bytes of values that are being read or have been.
    held: u64,
    stopped: bool,
}

struct Done<A> {
    bytes: u64,
    outcome: Outcome<A>,
}

impl<A> Default for State<A> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            done: BTreeMap::new(),
            given: 0,
            held: 0,
            stopped: false,
        }
    }
}

impl<A> Shared<A> {
    fn state(&self) -> MutexGuard<'_, State<A>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads files until there is an end.
    fn run(&self) {
        while let Some((number, request)) = self.begin() {
            let mut bytes = 0;
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                let opened = self.reader.open(&request)?;
                bytes = self.reserve(number, opened.bytes)?;
                opened.read()
            }));
            let mut state = self.state();
            if !matches!(outcome, Ok(Ok(_))) {
                state.held -= bytes;
                bytes = 0;
            }
            state.done.insert(number, Done { bytes, outcome });
            drop(state);
            self.ready.notify_all();
        }
    }

    /// The next file and its number; `None` at the end.
    fn begin(&self) -> Option<(u64, FileRequest)> {
        let mut state = self.state();
        while !state.stopped {
            if let Some(next) = state.waiting.pop_front() {
                return Some(next);
            }
            state = self.wait(state);
        }
        None
    }

    /// Waits until so many bytes may be read, or it is this file's turn. Returns the bytes.
    ///
    /// # Errors
    /// [`crate::ErrorKind::Cancelled`] at the end.
    fn reserve(&self, number: u64, bytes: u64) -> Result<u64> {
        let mut state = self.state();
        while state.held.saturating_add(bytes) > self.ahead && state.given != number {
            if state.stopped {
                return Err(ErrorKind::Cancelled.into());
            }
            state = self.wait(state);
        }
        state.held = state.held.saturating_add(bytes);
        Ok(bytes)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State<A>>) -> MutexGuard<'s, State<A>> {
        let waited = self.changed.wait(state);
        waited.unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is done with the voxels that are wanted of a file.
type Read<A> = Box<dyn Fn(&ArrayProxy) -> Result<A> + Send + Sync>;

/// How a file is read.
struct Reader<A> {
    read: Read<A>,
    /// Bytes of a value.
    element: u64,
    options: LoadOptions,
    index: Option<Index>,
}

/// A file whose header has been read.
struct Opened<'a, A> {
    image: DataobjImage,
    wanted: ArrayProxy,
    /// Bytes of the values to read.
    bytes: u64,
    reader: &'a Reader<A>,
    path: PathBuf,
}

impl<A> Reader<A> {
    fn open(&self, request: &FileRequest) -> Result<Opened<'_, A>> {
        let image = DataobjImage::from_filename(&request.path, &self.options)?;
        let all = image.dataobj().clone().with_threads(Threads::default());
        let wanted = match request.index.as_ref().or(self.index.as_ref()) {
            Some(index) => all
                .sliced(index.clone())
                .map_err(|error| error.at(&request.path))?,
            None => all,
        };
        Ok(Opened {
            bytes: wanted.voxels().saturating_mul(self.element),
            image,
            wanted,
            reader: self,
            path: request.path.clone(),
        })
    }
}

impl<A> Opened<'_, A> {
    fn read(self) -> Result<Volume<A>> {
        let values = (self.reader.read)(&self.wanted).map_err(|error| error.at(&self.path))?;
        Ok(Volume {
            image: self.image,
            values,
        })
    }
}
