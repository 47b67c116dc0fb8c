//! Bodies that have come in: how much memory all of them take together.

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Most bytes of a too long body that are taken in before it is refused.
const FORGIVEN: usize = 8 * 1024 * 1024;

/// The room for all bodies that are held at once.
pub(crate) struct Bodies {
    room: Semaphore,
    /// Most bytes of one body.
    most: usize,
}

/// Why a body is not held.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unheld {
    /// It is longer than one may be.
    TooLong,
    /// The others leave no room for it.
    NoRoom,
    /// The sender did not send all of it.
    Broken,
}

impl Bodies {
    /// Room for `room` bytes, `most` of one body; at least one body of that length fits.
    pub(crate) fn new(room: usize, most: usize) -> Bodies {
        Bodies { room: Semaphore::new(room.max(most).min(Semaphore::MAX_PERMITS)), most }
    }

    /// Takes in a body, and its room until the second value is dropped. Only what has come takes room: one who says
    /// that he will send much keeps nobody out.
    pub(crate) async fn hold(&self, mut body: Body) -> Result<(Bytes, Option<SemaphorePermit<'_>>), Unheld> {
        let (mut bytes, mut held) = (Vec::new(), None::<SemaphorePermit<'_>>);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unheld::Broken)?.into_data() else { continue };
            if data.len() > self.most - bytes.len() {
                return Err(Unheld::TooLong);
            }
            let more = u32::try_from(data.len()).map_err(|_| Unheld::TooLong)?;
            let more = self.room.try_acquire_many(more).map_err(|_| Unheld::NoRoom)?;
            match &mut held {
                Some(held) => held.merge(more),
                None => held = Some(more),
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes.into(), held))
    }
}

/// Takes in a body and forgets it, as far as it is worth the while.
pub(crate) async fn discard(mut body: Body) {
    let mut left = FORGIVEN;
    while let Some(Ok(frame)) = body.frame().await {
        let length = frame.data_ref().map_or(0, Bytes::len);
        if length >= left {
            return;
        }
        left -= length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    fn hold<'a>(
        bodies: &'a Bodies,
        text: &'static str,
    ) -> Result<(Bytes, Option<SemaphorePermit<'a>>), Unheld> {
        let Poll::Ready(held) =
            pin!(bodies.hold(Body::from(text))).poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("the body is there")
        };
        held
    }

    #[test]
    fn bodies_take_room_until_they_are_dropped() {
        let bodies = Bodies::new(5, 3);
        let (bytes, first) = hold(&bodies, "abc").unwrap();
        assert_eq!(bytes, "abc");
        assert_eq!(hold(&bodies, "def").unwrap_err(), Unheld::NoRoom);
        let (_, second) = hold(&bodies, "de").unwrap();
        assert_eq!(hold(&bodies, "").unwrap().0, "");
        assert_eq!(hold(&bodies, "f").unwrap_err(), Unheld::NoRoom);
        drop(first);
        assert_eq!(hold(&bodies, "fghi").unwrap_err(), Unheld::TooLong);
        hold(&bodies, "fgh").unwrap();
        drop(second);
        assert_eq!(bodies.room.available_permits(), 5);
    }
}
