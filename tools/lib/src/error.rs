// SPDX-License-Identifier: GPL-2.0
//! What can go wrong, and for each case one line that says what to do.

use nix::errno::Errno;
use thiserror::Error;

/// Defines one error enum: a variant per documented errno and `Other`.
macro_rules! errors {
    ($(#[$doc:meta])* $name:ident, $what:literal {
        $($errno:ident => $variant:ident: $line:literal,)*
    }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
        #[non_exhaustive]
        pub enum $name {
            $(
                #[doc = concat!("`", stringify!($errno), "`: ", $line, ".")]
                #[error("{}: {}", $what, $line)]
                $variant,
            )*
            /// An errno that `pinlease.h` does not document for this command.
            #[error("{}: unexpected: {}", $what, .0.desc())]
            Other(Errno),
        }

        impl $name {
            /// The errno behind it.
            pub fn errno(self) -> Errno {
                match self {
                    $(Self::$variant => Errno::$errno,)*
                    Self::Other(errno) => errno,
                }
            }
        }

        impl From<Errno> for $name {
            fn from(errno: Errno) -> Self {
                match errno {
                    $(Errno::$errno => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }
    };
}

errors! {
    /// Opening `/dev/pinlease` failed.
    OpenError, "cannot open /dev/pinlease" {
        ENOENT => NotLoaded: "the module is not loaded; run 'modprobe pinlease' as root",
        ENXIO => Stale: "the node is stale; remove it and load the module again",
        ENODEV => Gone: "the module is being unloaded; load it again",
        EACCES => Denied: "permission denied; ask the administrator for access to the device node",
        EMFILE => TooManyFiles: "too many open files; raise RLIMIT_NOFILE or close some",
    }
}

errors! {
    /// Acquiring a lease failed.
    AcquireError, "cannot lease" {
        EBADF => NotWritable: "the file is not open for reading and writing; open it O_RDWR",
        EINVAL => BadRange: "not a regular file, or the range is empty, overflows or does not begin on a page, or the module is too old for a grant",
        ENXIO => BeyondEnd: "the range reaches beyond the end of the file; extend the file first",
        EACCES => NotOwner: "the file belongs to someone else; run as its owner or with CAP_LEASE",
        EOPNOTSUPP => Unsupported: "this filesystem, its mode or this policy cannot be leased (a grant never with revoke); the kernel's debug log says which",
        EBUSY => HookTaken: "a livepatch or BPF program holds a function that must be hooked; see the kernel log",
        ESHUTDOWN => Quiesced: "the administrator lets no new leases in; 'pinlease quiesce --end' as root allows them again",
        EPERM => GraceTooLong: "the grace is longer than the module's parameter grace_max_ms; shorten it or run with CAP_SYS_RESOURCE",
        EAGAIN => Breaking: "a conflicting operation is waiting or under way, or a lease of the file is being broken; try again",
        EINTR => Interrupted: "interrupted by a signal; try again",
        EDQUOT => TooManyLeases: "the user has as many leases as the administrator allows; close some",
        ENOMEM => NoMemory: "no memory; or, with a grant, RLIMIT_MEMLOCK would be exceeded by eight bytes for each page",
        EMFILE => TooManyFiles: "too many open files; raise RLIMIT_NOFILE or close some",
        ENFILE => TooManyFilesInSystem: "the system has too many open files; raise fs.file-max",
        EFAULT => BadAddress: "the argument is not readable",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOTTY => NotPinlease: "the device node is not pinlease's",
    }
}

errors! {
    /// Pinning failed.
    PinError, "cannot pin" {
        EINVAL => Misaligned: "address and length must be multiples of the page size, and not 0",
        EFAULT => NotShared: "the memory is not one mapping, MAP_SHARED and PROT_WRITE",
        EAGAIN => Breaking: "a conflicting operation is waiting or under way; try again",
        ENODEV => Withdrawn: "the lease is withdrawn; close it and acquire a new one",
        ENXIO => OutsideLease: "the memory maps another file or reaches outside of the lease or of the file",
        ENOMEM => NoMemory: "RLIMIT_MEMLOCK would be exceeded, or no memory; raise 'ulimit -l'",
        EDQUOT => Quota: "the lease has as many pins as it may have, or the disk quota is exhausted",
        EIO => Io: "the filesystem reports an I/O error; see the kernel log",
        ENOSPC => NoSpace: "no space left on the filesystem for the pages to be written",
        EINTR => Interrupted: "interrupted by a signal; try again",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOTTY => NotLease: "the file descriptor is not a lease",
    }
}

errors! {
    /// Unpinning failed.
    UnpinError, "cannot unpin" {
        EINVAL => Invalid: "a field is not as the module wants it",
        ENOENT => NoSuchPin: "no such pin; it was released before",
        ENODEV => Withdrawn: "the lease is withdrawn; close it and acquire a new one",
        ENOMEM => NoMemory: "no memory; the pin stays",
        EBUSY => InUse: "a driver is using the pin, a dma-buf has it, or the filesystem is frozen; detach, close or thaw it first",
        ENOSPC => NoSpace: "unpinned, but no space is left for what the device wrote; free some and write it again",
        EDQUOT => Quota: "unpinned, but the disk quota leaves no room for what the device wrote",
        EIO => Io: "unpinned, but the filesystem reports an I/O error; see the kernel log",
        EFAULT => BadAddress: "the argument is not readable",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOTTY => NotLease: "the file descriptor is not a lease",
    }
}

errors! {
    /// Making a dma-buf failed.
    ExportError, "cannot export" {
        EINVAL => Misaligned: "offset and length must be multiples of the page size",
        ENOENT => NoSuchPin: "no such pin; it was released before",
        ENXIO => OutsidePin: "the range reaches outside of the pin",
        ENODEV => Withdrawn: "the pin is being released, or the lease is withdrawn; acquire a new one",
        ENOMEM => NoMemory: "no memory",
        EMFILE => TooManyFiles: "too many open files; raise RLIMIT_NOFILE or close some",
        ENFILE => TooManyFilesInSystem: "the system has too many open files; raise fs.file-max",
        EFAULT => BadAddress: "the argument is not readable",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOTTY => NotLease: "the file descriptor is not a lease, or the module is older than this program",
    }
}

errors! {
    /// Marking bytes as written failed.
    MarkError, "cannot mark" {
        EINVAL => BadRange: "the range is empty or overflows",
        ENXIO => OutsideLease: "the range reaches outside of the lease",
        ENODEV => Withdrawn: "the lease is withdrawn; close it and acquire a new one",
        EBUSY => Frozen: "the filesystem is frozen; mark again after the thaw",
        ENOSPC => NoSpace: "no space left on the filesystem for what the device wrote",
        EDQUOT => Quota: "the disk quota leaves no room for what the device wrote",
        EIO => Io: "the filesystem reports an I/O error; see the kernel log",
        EFAULT => BadAddress: "the argument is not readable",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOTTY => NotLease: "the file descriptor is not a lease",
    }
}

errors! {
    /// Asking for a lease's state failed.
    QueryError, "cannot query" {
        EINVAL => Invalid: "a field is not as the module wants it",
        EFAULT => BadAddress: "the argument is not writable",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOTTY => NotLease: "the file descriptor is not a lease",
    }
}

errors! {
    /// Shrinking a lease failed.
    ShrinkError, "cannot shrink" {
        EINVAL => BadRange: "the new range is empty, overflows or does not begin on a page",
        ENXIO => OutsideLease: "the new range reaches outside of the lease; a lease can only shrink",
        EBUSY => Pinned: "a pin, one's own or with a grant anybody's, has pages outside of the new range; unpin it first",
        ENODEV => Withdrawn: "the lease is withdrawn; close it and acquire a new one",
        EFAULT => BadAddress: "the argument is not readable",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOTTY => NotLease: "the file descriptor is not a lease, or the module is older than this program",
    }
}

errors! {
    /// Reading events from a lease or a watch failed.
    ReadError, "cannot read events" {
        EAGAIN => WouldBlock: "there is none; poll before",
        EINTR => Interrupted: "interrupted by a signal; try again",
        EINVAL => NoEvents: "the module is older than this program and reports none; update it",
        EBADMSG => NotEvents: "what was read is no event; the file descriptor is neither a lease nor a watch",
        EFAULT => BadAddress: "the buffer is not writable",
    }
}

errors! {
    /// Listing leases failed.
    ListError, "cannot list leases" {
        EINVAL => Invalid: "a field is not as the module wants it",
        EFAULT => BadAddress: "the argument is not writable",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOMEM => NoMemory: "no memory",
        ENOTTY => Unsupported: "the module is older than this program and cannot; update it",
    }
}

errors! {
    /// Keeping leases out, or letting them in again, failed.
    QuiesceError, "cannot quiesce" {
        EPERM => Denied: "permission denied; run as root",
        EINVAL => Invalid: "a field is not as the module wants it",
        EFAULT => BadAddress: "the argument is not writable",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOTTY => Unsupported: "the module is older than this program and cannot; update it",
    }
}

errors! {
    /// Beginning to watch failed.
    WatchError, "cannot watch" {
        EMFILE => TooManyFiles: "too many open files; raise RLIMIT_NOFILE or close some",
        ENFILE => TooManyFilesInSystem: "the system has too many open files; raise fs.file-max",
        ENOMEM => NoMemory: "no memory",
        EINVAL => Invalid: "a field is not as the module wants it",
        EFAULT => BadAddress: "the argument is not readable",
        E2BIG => TooNew: "the module is older than this program and lacks what was asked for; update it",
        ENOTTY => Unsupported: "the module is older than this program and cannot; update it",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every errno that the header documents for a command has a variant.
    macro_rules! documented {
        ($name:ident: $($errno:ident)*) => {$(
            let error = $name::from(Errno::$errno);
            assert!(!matches!(error, $name::Other(_)), "{error}");
            assert_eq!(error.errno(), Errno::$errno);
        )*};
    }

    #[test]
    fn documented_errnos_have_a_variant() {
        documented!(AcquireError: EBADF EINVAL ENXIO EACCES EOPNOTSUPP EBUSY EPERM EAGAIN EINTR
            EDQUOT ENOMEM EMFILE ENFILE);
        documented!(PinError: EINVAL EFAULT ENXIO ENOMEM EDQUOT EAGAIN ENODEV ENOSPC EIO EINTR);
        documented!(UnpinError: ENOENT ENODEV EBUSY ENOMEM ENOSPC EDQUOT EIO);
        documented!(MarkError: EINVAL ENXIO ENODEV EBUSY ENOSPC EDQUOT EIO);
        documented!(ExportError: EINVAL ENOENT ENXIO ENODEV ENOMEM EMFILE ENFILE);
        documented!(ShrinkError: EINVAL ENXIO EBUSY ENODEV);
        documented!(ReadError: EAGAIN EINVAL EINTR);
        documented!(WatchError: EMFILE ENFILE ENOMEM);
    }

    #[test]
    fn messages_are_one_line() {
        let text = PinError::from(Errno::ENOMEM).to_string();
        assert!(text.starts_with("cannot pin: RLIMIT_MEMLOCK"));
        assert!(!text.contains('\n'));
        let text = PinError::from(Errno::ELOOP).to_string();
        assert!(text.starts_with("cannot pin: unexpected: "));
    }
}
