//! Bodies that have come in: how much memory all of them take together.

use axum::body::{Body, Bytes};
use http_body_util::BodyExt as _;
use tokio::sync::{Semaphore, SemaphorePermit};

/// Most bytes of a too long body that are taken in before it is refused.
const FORGIVEN: usize = 8 * 1024 * 1024;

/// Most bytes of a body that is small.
const SMALL: usize = 64 * 1024;

/// The room for all bodies that are held at once.
pub(crate) struct Bodies {
    room: Semaphore,
    /// Where small bodies alone find room when the others have taken theirs.
    reserve: Semaphore,
    /// Most bytes of one body.
    most: usize,
}

/// A body that is held takes this room.
#[derive(Debug, Default)]
pub(crate) struct Held<'a> {
    room: Option<SemaphorePermit<'a>>,
    reserve: Option<SemaphorePermit<'a>>,
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
    /// Room for `room` bytes, `most` of one body, a quarter of it for small bodies alone; beside that at least one body
    /// of `most` bytes fits.
    pub(crate) fn new(room: usize, most: usize) -> Bodies {
        let reserve = room / 4;
        let room = (room - reserve).max(most).min(Semaphore::MAX_PERMITS);
        Bodies { room: Semaphore::new(room), reserve: Semaphore::new(reserve), most }
    }

    /// Takes in a body, and its room until the second value is dropped. `told` is the length that its sender told. The
    /// memory it takes, and so its room, is at most twice what has come, and never more than what was told: one who
    /// says that he will send much keeps nobody out.
    pub(crate) async fn hold(
        &self,
        mut body: Body,
        told: Option<usize>,
    ) -> Result<(Bytes, Held<'_>), Unheld> {
        let (mut bytes, mut held) = (Vec::new(), Held::default());
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|_| Unheld::Broken)?.into_data() else { continue };
            if data.len() > self.most - bytes.len() {
                return Err(Unheld::TooLong);
            }
            let needed = bytes.len() + data.len();
            if needed > bytes.capacity() {
                let wanted = (2 * bytes.capacity()).min(told.unwrap_or(self.most)).min(self.most).max(needed);
                self.enlarge(&mut held, bytes.capacity(), wanted).ok_or(Unheld::NoRoom)?;
                bytes.reserve_exact(wanted - bytes.len());
            }
            bytes.extend_from_slice(&data);
        }
        Ok((bytes.into(), held))
    }

    /// Lets a body that has `before` bytes of room have `after`. What was small and is so no longer leaves the reserve.
    fn enlarge<'a>(&'a self, held: &mut Held<'a>, before: usize, after: usize) -> Option<()> {
        let is_in_reserve = held.reserve.is_some();
        let more = u32::try_from(if is_in_reserve { after } else { after - before }).ok()?;
        match self.room.try_acquire_many(more) {
            Ok(more) => {
                held.reserve = None;
                add(&mut held.room, more);
            }
            Err(_) if after <= SMALL => {
                let all = u32::try_from(after - if is_in_reserve { before } else { 0 }).ok()?;
                add(&mut held.reserve, self.reserve.try_acquire_many(all).ok()?);
                held.room = None;
            }
            Err(_) => return None,
        }
        Some(())
    }
}

fn add<'a>(held: &mut Option<SemaphorePermit<'a>>, more: SemaphorePermit<'a>) {
    match held {
        Some(held) => held.merge(more),
        None => *held = Some(more),
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
    use http_body::Frame;
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    /// A body that comes in pieces of these lengths.
    struct Pieces(VecDeque<usize>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;
        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|length| Ok(Frame::data(vec![b'x'; length].into()))))
        }
    }

    /// What comes of a body that comes in these pieces.
    fn hold<'a>(
        bodies: &'a Bodies,
        pieces: &[usize],
        told: Option<usize>,
    ) -> Result<(Bytes, Held<'a>), Unheld> {
        let body = Body::new(Pieces(pieces.iter().copied().collect()));
        let Poll::Ready(held) = pin!(bodies.hold(body, told)).poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("the body is there")
        };
        held
    }

    fn free(bodies: &Bodies) -> (usize, usize) {
        (bodies.room.available_permits(), bodies.reserve.available_permits())
    }

    const LARGE: usize = 2 * SMALL;

    #[test]
    fn bodies_take_room_until_they_are_dropped() {
        let bodies = Bodies::new(4 * SMALL, LARGE);
        let all = free(&bodies);
        assert_eq!(all, (3 * SMALL, SMALL));
        let (bytes, first) = hold(&bodies, &[LARGE], None).unwrap();
        assert_eq!(bytes.len(), LARGE);
        assert_eq!(hold(&bodies, &[SMALL + 1], None).unwrap_err(), Unheld::NoRoom);
        assert_eq!(hold(&bodies, &[], None).unwrap().0, "");
        drop(first);
        assert_eq!(hold(&bodies, &[LARGE, 1], None).unwrap_err(), Unheld::TooLong);
        hold(&bodies, &[LARGE], None).unwrap();
        assert_eq!(free(&bodies), all);
    }

    #[test]
    fn small_bodies_find_room_when_large_ones_have_taken_theirs() {
        let bodies = Bodies::new(4 * SMALL, LARGE);
        let all = free(&bodies);
        let large = [hold(&bodies, &[LARGE], None).unwrap(), hold(&bodies, &[SMALL - 10], None).unwrap()];
        let small = hold(&bodies, &[5, 10, 10], Some(25)).unwrap();
        assert_eq!(free(&bodies), (10, SMALL - 25), "what outgrew the room has moved to the reserve");
        assert_eq!(hold(&bodies, &[20, SMALL], None).unwrap_err(), Unheld::NoRoom, "small no longer");
        assert_eq!(free(&bodies), (10, SMALL - 25));
        assert_eq!(hold(&bodies, &[SMALL - 24], None).unwrap_err(), Unheld::NoRoom);
        let rest = hold(&bodies, &[SMALL - 25], None).unwrap();
        assert_eq!(free(&bodies), (10, 0));
        drop((large, small, rest));
        assert_eq!(free(&bodies), all);
    }

    #[test]
    fn a_body_takes_the_memory_that_it_has_room_for() {
        let bodies = Bodies::new(4 * SMALL, LARGE);
        let (all, _) = free(&bodies);
        let pieces = [1000; 100];
        for (told, most) in [(Some(100_000), 100_000), (Some(LARGE), 128_000), (None, 128_000)] {
            let (bytes, held) = hold(&bodies, &pieces, told).unwrap();
            assert_eq!(bytes.len(), 100_000);
            let taken = all - free(&bodies).0;
            assert!((100_000..=most).contains(&taken), "{taken} for {told:?}");
            let memory: Vec<u8> = bytes.into();
            assert!(memory.capacity() <= taken, "{} in {taken}", memory.capacity());
            drop(held);
        }
        let (_, held) = hold(&bodies, &[10], Some(LARGE)).unwrap();
        assert_eq!(free(&bodies).0, all - 10, "who says much and sends little takes little");
        drop(held);
    }
}
