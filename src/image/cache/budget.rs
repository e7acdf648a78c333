//! Byte budgets for the caches of images.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use crate::core::array::StoredArray;
#[cfg(feature = "gpu")]
use crate::device::array::UntypedArray;

/// A limit on the bytes of computed values that images cache, on the host and on devices. Several images can share one.
///
/// If a new array would exceed it, the least recently used arrays are evicted, but never edited ones. Arrays and
/// buffers that callers hold stay valid. An array that does not fit even then is returned, but not cached.
#[derive(Clone)]
pub struct Budget(Arc<Shared>);

struct Shared {
    host_bytes: u64,
    device_bytes: u64,
    slots: Mutex<Vec<Weak<Slot>>>,
    /// Incremented at each use, to find the least recently used array.
    clock: AtomicU64,
    hits: AtomicU64,
    misses: AtomicU64,
    evictions: AtomicU64,
}

/// The counters of a [`Budget`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct BudgetUsage {
    /// Bytes cached on the host now.
    pub host_bytes: u64,
    /// Bytes cached on devices now.
    pub device_bytes: u64,
    /// Requests answered from a cache.
    pub hits: u64,
    /// Requests that had to be computed.
    pub misses: u64,
    /// Arrays evicted to make room for others.
    pub evictions: u64,
}

/// A cached array. The image owns the slot; the budget has a weak reference, and can empty it.
#[derive(Debug)]
pub(crate) struct Slot {
    content: Mutex<Option<Content>>,
    used: AtomicU64,
}

/// The content of a slot.
#[derive(Debug)]
pub(crate) enum Content {
    /// Unedited values on the host.
    Host(StoredArray),
    /// The size in bytes of edited values on the host. The image itself holds the values.
    Edited(u64),
    /// Values on a device.
    #[cfg(feature = "gpu")]
    Device(UntypedArray),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Host,
    #[cfg(feature = "gpu")]
    Device,
}

impl Content {
    fn side(&self) -> Side {
        match self {
            Self::Host(_) | Self::Edited(_) => Side::Host,
            #[cfg(feature = "gpu")]
            Self::Device(_) => Side::Device,
        }
    }

    fn bytes(&self) -> u64 {
        match self {
            Self::Host(array) => array.as_bytes().len() as u64,
            Self::Edited(bytes) => *bytes,
            #[cfg(feature = "gpu")]
            Self::Device(array) => array.size_bytes(),
        }
    }

    /// Whether it can be evicted without losing an edit.
    fn is_clean(&self) -> bool {
        match self {
            Self::Host(_) => true,
            Self::Edited(_) => false,
            #[cfg(feature = "gpu")]
            Self::Device(array) => !array.is_modified(),
        }
    }
}

impl Slot {
    /// The content; `None` after eviction.
    pub(crate) fn content(&self) -> MutexGuard<'_, Option<Content>> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bytes_on(&self, side: Side) -> u64 {
        let content = self.content();
        let there = content.as_ref().filter(|content| content.side() == side);
        there.map_or(0, Content::bytes)
    }

    /// When it was last used, if it is on this side and can be evicted.
    fn idle_since(&self, side: Side) -> Option<u64> {
        let content = self.content();
        let content = content.as_ref()?;
        (content.side() == side && content.is_clean()).then(|| self.used.load(Ordering::Relaxed))
    }
}

impl Budget {
    /// A budget of this many bytes on the host, and this many on devices.
    pub fn new(host_bytes: u64, device_bytes: u64) -> Self {
        Self(Arc::new(Shared {
            host_bytes,
            device_bytes,
            slots: Mutex::default(),
            clock: AtomicU64::new(0),
            hits: AtomicU64::new(0),
            misses: AtomicU64::new(0),
            evictions: AtomicU64::new(0),
        }))
    }

    /// No limit, only counters: the default of an image.
    pub fn unlimited() -> Self {
        Self::new(u64::MAX, u64::MAX)
    }

    /// The counters, and the bytes cached now.
    pub fn usage(&self) -> BudgetUsage {
        let live = live(&mut self.slots());
        let kept = |side| live.iter().map(|slot| slot.bytes_on(side)).sum();
        BudgetUsage {
            host_bytes: kept(Side::Host),
            #[cfg(feature = "gpu")]
            device_bytes: kept(Side::Device),
            #[cfg(not(feature = "gpu"))]
            device_bytes: 0,
            hits: self.0.hits.load(Ordering::Relaxed),
            misses: self.0.misses.load(Ordering::Relaxed),
            evictions: self.0.evictions.load(Ordering::Relaxed),
        }
    }

    /// Counts a request that this slot answered.
    pub(crate) fn hit(&self, slot: &Slot) {
        slot.used.store(self.now(), Ordering::Relaxed);
        self.0.hits.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts a request that no cache answered.
    pub(crate) fn miss(&self) {
        self.0.misses.fetch_add(1, Ordering::Relaxed);
    }

    /// Makes room for the content and returns a slot for it; `None` if it does not fit. Edited values are always
    /// admitted.
    pub(crate) fn admit(&self, content: Content) -> Option<Arc<Slot>> {
        let (side, bytes) = (content.side(), content.bytes());
        let limit = match side {
            Side::Host => self.0.host_bytes,
            #[cfg(feature = "gpu")]
            Side::Device => self.0.device_bytes,
        };
        // The lock is held from here on, so that two concurrent calls cannot exceed the limit together.
        let mut slots = self.slots();
        let live = live(&mut slots);
        let used = || live.iter().map(|slot| slot.bytes_on(side)).sum::<u64>();
        while used().saturating_add(bytes) > limit {
            let idle = |slot: &Arc<Slot>| Some((slot.idle_since(side)?, Arc::clone(slot)));
            match live.iter().filter_map(idle).min_by_key(|(since, _)| *since) {
                Some((_, oldest)) => {
                    *oldest.content() = None;
                    self.0.evictions.fetch_add(1, Ordering::Relaxed);
                }
                None if content.is_clean() => return None,
                None => break,
            }
        }
        let slot = Arc::new(Slot {
            content: Mutex::new(Some(content)),
            used: AtomicU64::new(self.now()),
        });
        slots.push(Arc::downgrade(&slot));
        Some(slot)
    }

    fn now(&self) -> u64 {
        self.0.clock.fetch_add(1, Ordering::Relaxed)
    }

    fn slots(&self) -> MutexGuard<'_, Vec<Weak<Slot>>> {
        self.0.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::unlimited()
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("host_bytes", &self.0.host_bytes)
            .field("device_bytes", &self.0.device_bytes)
            .field("usage", &self.usage())
            .finish()
    }
}

/// The slots that images still hold. Removes the others from the list.
fn live(slots: &mut Vec<Weak<Slot>>) -> Vec<Arc<Slot>> {
    let mut live = Vec::with_capacity(slots.len());
    slots.retain(|slot| match slot.upgrade() {
        Some(slot) => {
            live.push(slot);
            true
        }
        None => false,
    });
    live
}
