// SPDX-License-Identifier: GPL-2.0
//! dma-bufs of pins: EXPORT, importers, and what becomes of them when their lease ends.

use std::os::fd::RawFd;

use nix::errno::Errno;
use pinlease::uapi;

use super::{Effect, Engine, EngineState, Life, Model, Plan};
use crate::{
    call::Call,
    expected::Expected,
    operation::{Access, Actor, Importer, Operation, PAGE},
};

/// That many are enough.
const BUFFERS: usize = 8;

/// A dma-buf.
#[derive(Clone, Debug)]
pub struct Buffer {
    pub(crate) key: u32,
    pub(crate) actor: Actor,
    /// `None`: it is closed, but an engine has it.
    pub(crate) fd: Option<RawFd>,
    pub(crate) lease: u32,
    pub(crate) pin: u64,
    pub(crate) pages: u64,
    pub(crate) revoked: bool,
}

impl Model {
    fn buffer(&self, actor: Actor, number: u8) -> Option<(RawFd, &Buffer)> {
        let open = |buffer: &Buffer| buffer.actor == actor && buffer.fd.is_some();
        let buffer = &self.buffers[Self::nth(&self.buffers, open, number)?];
        Some((buffer.fd?, buffer))
    }

    pub(super) fn plan_export(&self, actor: Actor, operation: Operation) -> Option<Plan> {
        let Operation::Export {
            handle,
            pin,
            first,
            pages,
            access,
            unaligned,
        } = operation
        else {
            return None;
        };
        let (fd, lease) = self.handle(actor, handle)?;
        if self.buffers.len() >= BUFFERS {
            return None;
        }
        let pin = match lease.pins.len() {
            0 => None,
            count => Some(&lease.pins[usize::from(pin) % count]),
        };
        let (first, count) = (u64::from(first), u64::from(pages));
        let has = pin.map_or(0, |pin| pin.pages.end - pin.pages.start);
        let outside = pin.is_some() && (first >= has || first + count > has);
        let mut expected = lease.valid_unless(&[
            (unaligned || access == Access::Unknown, Errno::EINVAL),
            (pin.is_none(), Errno::ENOENT),
            (outside, Errno::ENXIO),
        ]);
        if lease.life != Life::Valid {
            expected = expected.or(Errno::ENOENT);
        }
        let call = Call::Export {
            fd,
            open_flags: match access {
                Access::Write => libc::O_RDWR,
                Access::Read => libc::O_RDONLY,
                Access::Unknown => libc::O_WRONLY,
            } as u32,
            pin: pin.map_or(u64::MAX >> 1, |pin| pin.id),
            offset: first * PAGE + u64::from(unaligned) * 512,
            length: count * PAGE,
        };
        let buffer = Buffer {
            key: 0,
            actor,
            fd: None,
            lease: lease.key,
            pin: pin.map_or(0, |pin| pin.id),
            pages: if count == 0 {
                has.saturating_sub(first)
            } else {
                count
            },
            revoked: false,
        };
        Some(Plan::new(call, expected, Effect::Exported(buffer)))
    }

    pub(super) fn plan_close_buffer(&self, actor: Actor, buffer: u8) -> Option<Plan> {
        let (fd, _) = self.buffer(actor, buffer)?;
        let effect = Effect::BufferClosed(actor, fd);
        Some(Plan::new(Call::Close { fd }, Expected::SUCCESS, effect))
    }

    /// The beginning or the end of an access by the processor.
    pub(super) fn plan_access(&self, actor: Actor, buffer: u8, end: bool) -> Option<Plan> {
        let (fd, buffer) = self.buffer(actor, buffer)?;
        // The beginning waits until a device has written that has a fence: perhaps for ever.
        if !end && self.importers(buffer.key).any(|engine| engine.runs) {
            return None;
        }
        let expected = match (end, buffer.revoked) {
            (true, _) => Expected::SUCCESS,
            (false, true) => Expected::failure(&[Errno::ENODEV]),
            (false, false) => self.unless_revoked(buffer, Expected::SUCCESS),
        };
        let call = Call::Access { fd, end };
        Some(Plan::new(call, expected, Effect::Nothing))
    }

    pub(super) fn plan_import(
        &self,
        actor: Actor,
        engine: u8,
        buffer: u8,
        kind: Importer,
    ) -> Option<Plan> {
        let engine = self.engine(actor, engine)?;
        let (fd, buffer) = self.buffer(actor, buffer)?;
        let strict = self
            .lease(buffer.lease)
            .is_some_and(|lease| lease.policy == uapi::PINLEASE_POLICY_REVOKE);
        let revoked = matches!(engine.state, EngineState::Revoked);
        let taken = !matches!(engine.state, EngineState::Empty);
        let mut expected = Expected::unless(&[
            (buffer.revoked || revoked, Errno::ENODEV),
            (strict && kind == Importer::Static, Errno::EOPNOTSUPP),
            (taken, Errno::EBUSY),
        ]);
        expected = self.unless_revoked(buffer, expected);
        if self.is_doubtful(engine) {
            expected = expected.or(Errno::ENODEV);
        }
        let call = Call::Import {
            fd: engine.fd,
            buffer: fd,
            flags: match kind {
                Importer::Revocable => 0,
                Importer::Static => uapi::DMASIM_IMPORT_STATIC,
                Importer::Fenced => uapi::DMASIM_IMPORT_FENCED,
            },
        };
        let state = EngineState::Imported {
            buffer: buffer.key,
            pages: buffer.pages,
            kind,
        };
        let effect = Effect::Given(actor, engine.fd, state);
        Some(Plan::new(call, expected, effect))
    }

    /// As `expected`, but it may be revoked just then.
    fn unless_revoked(&self, buffer: &Buffer, expected: Expected) -> Expected {
        match self.lease(buffer.lease) {
            Some(lease) if lease.life != Life::Valid => expected.or(Errno::ENODEV),
            _ => expected,
        }
    }

    pub(super) fn exported(&mut self, buffer: Buffer, fd: RawFd) {
        let key = self.next_buffer;
        self.next_buffer += 1;
        self.buffers.push(Buffer {
            key,
            fd: Some(fd),
            ..buffer
        });
    }

    pub(super) fn buffer_closed(&mut self, actor: Actor, fd: RawFd) {
        let mut buffers = self.buffers.iter_mut();
        if let Some(buffer) = buffers.find(|buffer| buffer.actor == actor && buffer.fd == Some(fd))
        {
            buffer.fd = None;
        }
        self.drop_buffers();
    }

    /// Forgets those that nobody has any more.
    pub(super) fn drop_buffers(&mut self) {
        let engines = &self.engines;
        self.buffers.retain(|buffer| {
            let mut engines = engines.iter();
            buffer.fd.is_some() || engines.any(|engine| engine.imports(buffer.key).is_some())
        });
    }

    /// The lease has ended; true if something of it may still be pinned.
    pub(super) fn revoke_buffers(&mut self, lease: u32) -> bool {
        let mut stays = false;
        for buffer in self.buffers.iter_mut().filter(|one| one.lease == lease) {
            buffer.revoked = true;
            for engine in &mut self.engines {
                let Some(kind) = engine.imports(buffer.key) else {
                    continue;
                };
                // A fence is over when the pass is, a bit later.
                stays |= kind != Importer::Revocable;
                if kind != Importer::Static {
                    engine.state = EngineState::Revoked;
                }
            }
        }
        self.drop_buffers();
        stays
    }

    fn importers(&self, buffer: u32) -> impl Iterator<Item = &Engine> {
        let engines = self.engines.iter();
        engines.filter(move |engine| engine.imports(buffer).is_some())
    }

    /// dma-bufs that have pages of the lease.
    pub(super) fn exports(&self, lease: u32) -> u32 {
        let buffers = self.buffers.iter();
        buffers.filter(|buffer| buffer.lease == lease).count() as u32
    }
}

impl Engine {
    /// How it imports the dma-buf, if it does.
    fn imports(&self, buffer: u32) -> Option<Importer> {
        match self.state {
            EngineState::Imported {
                buffer: key, kind, ..
            } if key == buffer => Some(kind),
            _ => None,
        }
    }
}
