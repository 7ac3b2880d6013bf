//! A room in which frames wait for something of theirs, bounded whoever comes (D25): by
//! what they wait for, by client address, and in all.
//!
//! It must not know what they wait for: it wakes them, and they look for themselves.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use session_store::Notice;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, broadcast};

use crate::client_address::network;
use crate::metrics::Tally;

/// When everybody has to look, so many do at a time.
const LOOKS_AT_ONCE: usize = 16;

/// How many may wait at once.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    /// For one thing.
    pub(super) of_one_key: usize,
    /// From one client address.
    pub(super) of_one_client: usize,
    /// Together.
    pub(super) in_all: usize,
}

/// The room. Clones are the same.
pub(super) struct Room<K> {
    seats: Arc<Mutex<Seats<K>>>,
    looks: Arc<Semaphore>,
    limits: Limits,
    turned_away: Tally,
}

struct Seats<K> {
    by_key: HashMap<K, Vec<Arc<Bell>>>,
    by_client: HashMap<IpAddr, usize>,
    taken: usize,
}

/// Wakes one who waits. A ring is kept until it is heard: none is lost between two looks.
#[derive(Default)]
struct Bell {
    ring: Notify,
    superseded: AtomicBool,
}

/// A place in the room; leaving it, in whatever way, gives it back.
pub(super) struct Seat<K: Copy + Eq + Hash> {
    room: Room<K>,
    key: K,
    client: IpAddr,
    bell: Arc<Bell>,
}

/// Why one who waits is woken.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Call {
    /// Something may have happened.
    Look,
    /// Another took this place.
    GiveUp,
}

impl<K> Clone for Room<K> {
    fn clone(&self) -> Self {
        Self {
            seats: Arc::clone(&self.seats),
            looks: Arc::clone(&self.looks),
            limits: self.limits,
            turned_away: self.turned_away.clone(),
        }
    }
}

impl<K: Copy + Eq + Hash> Room<K> {
    pub(super) fn new(limits: Limits, turned_away: Tally) -> Self {
        let seats = Seats {
            by_key: HashMap::new(),
            by_client: HashMap::new(),
            taken: 0,
        };
        Self {
            seats: Arc::new(Mutex::new(seats)),
            looks: Arc::new(Semaphore::new(LOOKS_AT_ONCE)),
            limits,
            turned_away,
        }
    }

    /// A seat beside the others; `None` if there is none left for this client or thing.
    pub(super) fn sit_down(&self, key: K, client: IpAddr) -> Option<Seat<K>> {
        let mut seats = self.lock();
        let of_key = seats.by_key.get(&key).map_or(0, Vec::len);
        let free = of_key < self.limits.of_one_key && seats.has_room(network(client), self);
        if !free {
            self.turned_away.count();
            return None;
        }
        Some(self.seat(&mut seats, key, client))
    }

    /// A seat in place of whoever has one for this thing: those are told to give up.
    pub(super) fn supersede(&self, key: K, client: IpAddr) -> Option<Seat<K>> {
        let mut seats = self.lock();
        let older = seats.by_key.remove(&key).unwrap_or_default();
        if older.is_empty() && !seats.has_room(network(client), self) {
            self.turned_away.count();
            return None;
        }
        for bell in older {
            bell.superseded.store(true, Ordering::Release);
            bell.ring.notify_one();
        }
        Some(self.seat(&mut seats, key, client))
    }

    fn seat(&self, seats: &mut Seats<K>, key: K, client: IpAddr) -> Seat<K> {
        let (bell, client) = (Arc::<Bell>::default(), network(client));
        seats.by_key.entry(key).or_default().push(Arc::clone(&bell));
        *seats.by_client.entry(client).or_default() += 1;
        seats.taken += 1;
        Seat {
            room: self.clone(),
            key,
            client,
            bell,
        }
    }

    /// Permission to look, for as long as it is held: the store is not asked by all at once.
    pub(super) async fn look(&self) -> Option<SemaphorePermit<'_>> {
        // It is never closed: without a permit nobody would be worse off than with all.
        self.looks.acquire().await.ok()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.lock().taken
    }

    /// Wakes those whom the store's notices concern, as long as there are any.
    pub(super) async fn listen(
        self,
        mut notices: broadcast::Receiver<Notice>,
        concerns: impl Fn(Notice) -> Option<K>,
    ) {
        loop {
            match notices.recv().await {
                // Some notices are lost: everybody looks for themselves.
                Ok(Notice::Missed) | Err(broadcast::error::RecvError::Lagged(_)) => {
                    let seats = self.lock();
                    ring(seats.by_key.values().flatten());
                }
                Ok(notice) => {
                    if let Some(key) = concerns(notice) {
                        let seats = self.lock();
                        ring(seats.by_key.get(&key).into_iter().flatten());
                    }
                }
                Err(broadcast::error::RecvError::Closed) => return,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seats<K>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn ring<'a>(bells: impl Iterator<Item = &'a Arc<Bell>>) {
    bells.for_each(|bell| bell.ring.notify_one());
}

impl<K: Copy + Eq + Hash> Seats<K> {
    fn has_room(&self, client: IpAddr, room: &Room<K>) -> bool {
        let of_client = self.by_client.get(&client).copied().unwrap_or_default();
        self.taken < room.limits.in_all && of_client < room.limits.of_one_client
    }
}

impl<K: Copy + Eq + Hash> Seat<K> {
    /// Waits until there is something to look at.
    pub(super) async fn called(&self) -> Call {
        self.bell.ring.notified().await;
        if self.bell.superseded.load(Ordering::Acquire) {
            Call::GiveUp
        } else {
            Call::Look
        }
    }
}

impl<K: Copy + Eq + Hash> Drop for Seat<K> {
    fn drop(&mut self) {
        let mut seats = self.room.lock();
        if let Some(bells) = seats.by_key.get_mut(&self.key) {
            bells.retain(|bell| !Arc::ptr_eq(bell, &self.bell));
            if bells.is_empty() {
                seats.by_key.remove(&self.key);
            }
        }
        if let Some(count) = seats.by_client.get_mut(&self.client) {
            *count -= 1;
            if *count == 0 {
                seats.by_client.remove(&self.client);
            }
        }
        seats.taken -= 1;
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;
    use crate::metrics::Metrics;
    use crate::metrics::labels::Limit;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn room() -> Room<u8> {
        let limits = Limits {
            of_one_key: 2,
            of_one_client: 3,
            in_all: 4,
        };
        Room::new(limits, Metrics::new().limit(Limit::Watchers))
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn seats_are_bounded_by_thing_by_client_and_in_all() {
        let room = room();
        let first = room.sit_down(1, HERE).unwrap();
        let second = room.sit_down(1, HERE).unwrap();
        assert!(room.sit_down(1, address("192.0.2.1")).is_none());
        let third = room.sit_down(2, HERE).unwrap();
        assert!(room.sit_down(3, HERE).is_none());
        let fourth = room.sit_down(3, address("192.0.2.1")).unwrap();
        assert!(room.sit_down(4, address("192.0.2.2")).is_none());
        assert_eq!(room.len(), 4);
        drop((first, second, third, fourth));
        assert_eq!(room.len(), 0);
        let seats = room.lock();
        assert!(seats.by_key.is_empty() && seats.by_client.is_empty());
    }

    #[test]
    fn one_ipv6_network_is_one_client() {
        let room = room();
        let seats: Vec<_> = (1..4_u8)
            .map(|key| room.sit_down(key, address(&format!("2001:db8::{key}"))))
            .collect();
        assert!(seats.iter().all(Option::is_some));
        assert!(room.sit_down(9, address("2001:db8::ffff")).is_none());
        assert!(room.sit_down(9, address("2001:db8:0:1::1")).is_some());
    }

    // E48: a second spelling of an address is no second client.
    #[test]
    fn an_address_of_ipv4_in_ipv6_form_is_the_same_client() {
        let room = room();
        let seats: Vec<_> = (1..4_u8).map(|key| room.sit_down(key, HERE)).collect();
        assert!(seats.iter().all(Option::is_some));
        assert!(room.sit_down(9, address("::ffff:127.0.0.1")).is_none());
        assert!(room.sit_down(9, address("::ffff:192.0.2.1")).is_some());
    }

    #[test]
    fn the_newest_takes_the_place_of_the_older_whatever_the_caps() {
        let room = room();
        let _others = [room.sit_down(2, HERE), room.sit_down(3, HERE)];
        let older = room.supersede(1, HERE).unwrap();
        let newer = room.supersede(1, HERE).unwrap();
        assert_eq!(older.called().now_or_never(), Some(Call::GiveUp));
        drop(older);
        assert_eq!(newer.called().now_or_never(), None);
        assert!(room.supersede(4, HERE).is_none());
        assert_eq!(room.len(), 3);
    }

    #[tokio::test]
    async fn a_notice_wakes_those_it_concerns_and_a_missed_one_wakes_all() {
        let room = room();
        let (notices, heard) = broadcast::channel(1);
        let concerns = |notice| match notice {
            Notice::SessionEnded(id) => Some(id.0[0]),
            _ => None,
        };
        tokio::spawn(room.clone().listen(heard, concerns));
        let (one, two) = (
            room.sit_down(1, HERE).unwrap(),
            room.sit_down(2, HERE).unwrap(),
        );
        let ended = |number| Notice::SessionEnded(session_store::SessionId([number; 16]));
        notices.send(ended(1)).unwrap();
        assert_eq!(one.called().await, Call::Look);
        assert_eq!(two.called().now_or_never(), None);
        notices.send(Notice::Missed).unwrap();
        assert_eq!(
            (one.called().await, two.called().await),
            (Call::Look, Call::Look)
        );
        // Two at once are more than the channel holds: the listener lags behind.
        notices.send(ended(7)).unwrap();
        notices.send(ended(8)).unwrap();
        assert_eq!(
            (one.called().await, two.called().await),
            (Call::Look, Call::Look)
        );
    }
}
