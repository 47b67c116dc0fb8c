//! How many requests are worked on at once, and how many may wait for their turn.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tokio::sync::{Semaphore, SemaphorePermit};

/// A room with so many places, and a queue of bounded length before it.
pub(crate) struct Crowd {
    places: Semaphore,
    size: usize,
    waiting: AtomicUsize,
    most_waiting: usize,
}

/// One that waits; he stops when this goes away.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

impl Crowd {
    pub(crate) fn new(size: usize, most_waiting: usize) -> Crowd {
        let size = size.clamp(1, Semaphore::MAX_PERMITS);
        Crowd { places: Semaphore::new(size), size, waiting: AtomicUsize::new(0), most_waiting }
    }

    /// A place, kept until it is dropped; `None` when too many wait already.
    pub(crate) async fn enter(&self) -> Option<SemaphorePermit<'_>> {
        if let Ok(place) = self.places.try_acquire() {
            return Some(place);
        }
        let before = self.waiting.fetch_add(1, Relaxed);
        let _waiting = Waiting(&self.waiting);
        if before >= self.most_waiting {
            return None;
        }
        self.places.acquire().await.ok()
    }

    /// Whether whoever came now would be sent away.
    pub(crate) fn is_full(&self) -> bool {
        self.places.available_permits() == 0 && self.waiting.load(Relaxed) >= self.most_waiting
    }

    /// How many are worked on, and how many wait.
    pub(crate) fn counts(&self) -> (usize, usize) {
        (self.size - self.places.available_permits().min(self.size), self.waiting.load(Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    #[test]
    fn who_finds_the_queue_full_is_sent_away() {
        let crowd = Crowd::new(1, 1);
        let mut context = Context::from_waker(Waker::noop());
        let Poll::Ready(first) = pin!(crowd.enter()).poll(&mut context) else { panic!("there is a place") };
        assert!(!crowd.is_full());
        let mut second = pin!(crowd.enter());
        assert!(second.as_mut().poll(&mut context).is_pending());
        assert_eq!(crowd.counts(), (1, 1));
        assert!(crowd.is_full());
        assert!(matches!(pin!(crowd.enter()).poll(&mut context), Poll::Ready(None)));
        assert_eq!(crowd.counts(), (1, 1));
        drop(first);
        assert!(matches!(second.as_mut().poll(&mut context), Poll::Ready(Some(_))));
    }
}
