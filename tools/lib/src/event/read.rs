// SPDX-License-Identifier: GPL-2.0
//! read(2) on a lease or a watch.

use std::os::fd::BorrowedFd;

use nix::unistd::read;
use pinlease_uapi as uapi;

use super::{record::parse, Event};
use crate::ReadError;

/// Bytes that one read(2) may bring: no record is larger than a page, and many
/// of today's fit.
const MANY: usize = 16 << 10;

/// Largest record that a module may make.
const LARGEST: usize = 4096;

/// The next event.
pub fn read_event(fd: BorrowedFd<'_>) -> Result<Event, ReadError> {
    // A newer module's records are longer.  As long as the room doubles only
    // when not even one fits, two never do.
    let mut room = size_of::<uapi::pinlease_event>();
    loop {
        match read_into(fd, room) {
            Err(ReadError::NoEvents) if room < LARGEST => room *= 2,
            Err(error) => return Err(error),
            // The module returns at least one record; /dev/null does not.
            Ok(events) => return events.into_iter().next().ok_or(ReadError::NotEvents),
        }
    }
}

/// All events that are there, at least one.
pub fn read_events(fd: BorrowedFd<'_>) -> Result<Vec<Event>, ReadError> {
    let events = read_into(fd, MANY)?;
    if events.is_empty() {
        return Err(ReadError::NotEvents);
    }
    Ok(events)
}

fn read_into(fd: BorrowedFd<'_>, room: usize) -> Result<Vec<Event>, ReadError> {
    let mut buffer = vec![0; room];
    let length = read(fd, &mut buffer)?;
    parse(&buffer[..length])
}

#[cfg(test)]
mod tests {
    use std::{fs::File, os::fd::AsFd};

    use super::*;

    /// A socket of packets behaves like the module here, but for its EINVAL.
    fn packets() -> (std::os::fd::OwnedFd, std::os::fd::OwnedFd) {
        use nix::sys::socket::{socketpair, AddressFamily, SockFlag, SockType};
        socketpair(
            AddressFamily::Unix,
            SockType::SeqPacket,
            None,
            SockFlag::SOCK_NONBLOCK,
        )
        .unwrap()
    }

    #[test]
    fn one_and_many() {
        let (module, lease) = packets();
        assert_eq!(read_event(lease.as_fd()), Err(ReadError::WouldBlock));
        assert_eq!(read_events(lease.as_fd()), Err(ReadError::WouldBlock));
        let mut record = [0_u8; 96];
        record[0] = 96;
        nix::unistd::write(&module, &record).unwrap();
        assert!(read_event(lease.as_fd()).is_ok());
        nix::unistd::write(&module, &record.repeat(3)).unwrap();
        assert_eq!(read_events(lease.as_fd()).unwrap().len(), 3);
    }

    #[test]
    fn what_is_no_lease() {
        let null = File::open("/dev/null").unwrap();
        assert_eq!(read_event(null.as_fd()), Err(ReadError::NotEvents));
        assert_eq!(read_events(null.as_fd()), Err(ReadError::NotEvents));
        let zero = File::open("/dev/zero").unwrap();
        assert_eq!(read_event(zero.as_fd()), Err(ReadError::NotEvents));
        // Anonymous files without read(2), as an older module's leases are,
        // answer EINVAL whatever the size.
        let epoll = nix::sys::epoll::Epoll::new(nix::sys::epoll::EpollCreateFlags::empty());
        assert_eq!(
            read_event(epoll.unwrap().0.as_fd()),
            Err(ReadError::NoEvents)
        );
    }
}
