// SPDX-License-Identifier: GPL-2.0

//! Pins as dma-bufs: devices whose drivers know nothing of leases write into the file.
//!
//! A dma-buf uses a pin as a [driver](crate::attach) does, and is revoked as one: whoever maps its
//! descriptor gets no page any more, importers that can be invalidated unmap, and the pin is let go of
//! when nothing has its pages. Importers that cannot be invalidated, and mappings of the kernel
//! (`vmap`), stay as long as they like: the lease is draining until they are gone. Under the policy
//! *revoke* there are none such.
//!
//! What is written through a dma-buf needs no marking, whoever writes it: pages are
//! [re-armed](crate::rearm) as long as they are pinned.
//!
//! Lock order: the [handle](crate::sys::dma_buf::Handle) of the dma-buf, its reservation, `state`;
//! `state` in the mmap lock of a process, too. The users of a pin are a leaf.

use crate::{
    gup::PinnedPages,
    lease::Lease,
    pin::{HeldPin, User},
    policy::{
        lease_state::Policy,
        range::{PageRange, PAGE_SIZE},
    },
    sys::{
        clock,
        dma_buf::{self, Attached, Direction, Exported, Exporter, Handle, Wanted},
        dma_table::{DeviceTable, KernelMapping, TableKey},
        file::FileExt,
        log,
        scratch::Scratch,
        wait_queue::WaitQueue,
    },
};
use core::{
    ptr::NonNull,
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
};
use kernel::{new_mutex, prelude::*, sync::Arc, sync::Mutex};

/// How many dma-bufs have pages of a lease.
pub(crate) struct Exports(AtomicU32);

impl Exports {
    /// Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Arc<Self>> {
        Ok(Arc::new(Self(AtomicU32::new(0)), GFP_KERNEL)?)
    }

    pub(crate) fn count(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A dma-buf of pinned pages.
#[pin_data]
pub(crate) struct Export {
    #[pin]
    handle: Handle,
    /// Its pages in the file.
    range: PageRange,
    /// Whether only importers may come that can be invalidated.
    strict: bool,
    #[pin]
    state: Mutex<State>,
    /// How often something let go of the pages, and where a revoke waits for it.
    unmaps: AtomicU64,
    #[pin]
    unmapped: WaitQueue,
    exports: Arc<Exports>,
}

struct State {
    /// `None` once it has let go of it.
    pin: Option<Arc<HeldPin>>,
    /// Whether nobody gets the pages any more.
    revoked: bool,
    devices: KVec<Mapped>,
    kernel: Option<KernelMap>,
}

/// A device's view of the pages.
struct Mapped {
    table: KBox<DeviceTable<PinnedPages>>,
    revocable: bool,
}

/// The kernel's.
enum KernelMap {
    Pages(
        #[expect(dead_code, reason = "held for what dropping it does")] KernelMapping<PinnedPages>,
    ),
    /// It came after the revoke.
    Scratch(#[expect(dead_code, reason = "as above")] KernelMapping<Scratch>),
}

impl State {
    /// Whether anything has the pages.
    fn is_mapped(&self) -> bool {
        !self.devices.is_empty() || matches!(self.kernel, Some(KernelMap::Pages(_)))
    }

    /// Whether it does only because importers have not unmapped yet that were told to.
    fn will_be_unmapped(&self) -> bool {
        self.is_mapped()
            && !matches!(self.kernel, Some(KernelMap::Pages(_)))
            && self.devices.iter().all(|mapped| mapped.revocable)
    }

    /// Errors: `ENODEV` when it is revoked.
    fn pin(&self) -> Result<&Arc<HeldPin>> {
        match &self.pin {
            Some(pin) if !self.revoked => Ok(pin),
            _ => Err(ENODEV),
        }
    }
}

/// Nanoseconds that a revoke waits for importers to unmap.
const UNMAP_NS: u64 = 1_000_000_000;

/// Bytes of a name that debugfs shows, with the final 0 (`DMA_BUF_NAME_LEN`).
const NAME_LEN: usize = 32;

impl Export {
    /// Makes a dma-buf of `range`, which counts from the first page of the pin `id`; `length` 0: to
    /// its end. May sleep.
    ///
    /// Errors: those of `struct pinlease_export`.
    pub(crate) fn of_pin(
        lease: &Lease,
        id: u64,
        offset: u64,
        length: u64,
        access: u32,
    ) -> Result<Exported> {
        lease.valid_range()?;
        let pin = lease.find_pin(id)?;
        let range = part(pin.range(), offset, length)?;
        let strict = lease.policy == Policy::Revoke;
        let held = pin.clone();
        let export = Arc::pin_init(
            pin_init!(Self {
                handle <- Handle::new(),
                range,
                strict,
                state <- new_mutex!(State {
                    pin: Some(held),
                    revoked: false,
                    devices: KVec::new(),
                    kernel: None,
                }),
                unmaps: AtomicU64::new(0),
                unmapped <- WaitQueue::new(),
                exports: lease.exports.clone(),
            }),
            GFP_KERNEL,
        )?;
        let name = name(lease)?;
        export.exports.0.fetch_add(1, Ordering::Relaxed);
        let wanted = Wanted {
            size: range.length() as usize,
            access,
            kernel_maps: !strict,
            name: CStr::from_bytes_with_nul(&name).unwrap_or_default(),
        };
        let exported = dma_buf::export(&export, &wanted).inspect_err(|_| drop(export.let_go()))?;
        // When it fails, the release of the dma-buf lets go of the pin.
        pin.add_user(export)?;
        Ok(exported)
    }

    /// Nothing has the pages on its account any more. May sleep.
    fn let_go(&self) -> Option<Arc<HeldPin>> {
        let pin = self.state.lock().pin.take();
        if pin.is_some() {
            self.exports.0.fetch_sub(1, Ordering::Relaxed);
        }
        pin
    }

    /// Lets nobody have the pages any more, and tells who has them. May sleep.
    fn close(&self) {
        let close = || self.state.lock().revoked = true;
        let told = self.handle.with(|buffer| {
            buffer.invalidate(close);
            buffer.zap();
            self.wait_for_importers();
        });
        if told.is_none() {
            close();
        }
    }

    /// Waits for importers that were told to unmap; not for ever, and a signal interrupts: whoever
    /// revokes tries again. May sleep.
    fn wait_for_importers(&self) {
        let deadline = clock::now() + UNMAP_NS;
        loop {
            let seen = self.unmaps.load(Ordering::Acquire);
            if !self.state.lock().will_be_unmapped() {
                return;
            }
            let changed = || self.unmaps.load(Ordering::Acquire) != seen;
            if self.unmapped.wait(Some(deadline), changed).is_err() {
                return;
            }
        }
    }

    fn tell_unmapped(&self) {
        self.unmaps.fetch_add(1, Ordering::Release);
        self.unmapped.wake_all();
    }
}

impl User for Export {
    fn revoke(&self) -> bool {
        let revoked = self.state.lock().revoked;
        if !revoked {
            self.close();
        }
        // Who has no dma-buf has no fences.
        let idle = self.handle.with(|buffer| buffer.is_idle()).unwrap_or(true);
        if !idle || self.state.lock().is_mapped() {
            return false;
        }
        drop(self.let_go());
        true
    }
}

impl Exporter for Export {
    const NAME: &'static CStr = c"pinlease";

    fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Errors: `ENODEV` revoked, `EOPNOTSUPP` the policy is to revoke, and the importer could not be.
    fn attach(&self, attached: &Attached) -> Result {
        self.state.lock().pin()?;
        if self.strict && !attached.is_revocable() {
            log::importer(attached);
            return Err(EOPNOTSUPP);
        }
        Ok(())
    }

    /// Errors: `ENODEV`, `ENOMEM`, those of [`DeviceTable::new`].
    fn map(&self, attached: &Attached, direction: Direction) -> Result<TableKey> {
        // Whoever revokes holds the reservation, too: it stays as it is.
        let pin = self.state.lock().pin()?.clone();
        let pages = PinnedPages::of(&pin, self.range)?;
        let table = DeviceTable::new(pages, attached, direction)?;
        let key = table.key();
        let mapped = Mapped {
            table,
            revocable: attached.is_revocable(),
        };
        self.state.lock().devices.push(mapped, GFP_KERNEL)?;
        Ok(key)
    }

    fn unmap(&self, table: TableKey) {
        let mut state = self.state.lock();
        let place = state
            .devices
            .iter()
            .position(|mapped| mapped.table.key() == table);
        let unmapped = place.and_then(|place| state.devices.remove(place).ok());
        drop(state);
        // Before anybody learns of it: the pages are not the device's any more.
        drop(unmapped);
        self.tell_unmapped();
    }

    /// After a revoke it is memory that nobody reads. Errors: `ENOMEM`.
    fn kernel_map(&self) -> Result<NonNull<c_void>> {
        let pin = self.state.lock().pin().cloned();
        let (map, address) = match pin {
            Ok(pin) => {
                let mapping = KernelMapping::new(PinnedPages::of(&pin, self.range)?)?;
                let address = mapping.address();
                (KernelMap::Pages(mapping), address)
            }
            // The kernel warns about an error, and any user could bring that about.
            Err(_) => {
                let mapping = KernelMapping::new(Scratch::new(self.range.count())?)?;
                let address = mapping.address();
                (KernelMap::Scratch(mapping), address)
            }
        };
        self.state.lock().kernel = Some(map);
        Ok(address)
    }

    fn kernel_unmap(&self) {
        let map = self.state.lock().kernel.take();
        drop(map);
        self.tell_unmapped();
    }

    /// Errors: `ENODEV`.
    fn begin_cpu_access(&self, direction: Direction) -> Result {
        let state = self.state.lock();
        state.pin()?;
        for mapped in &state.devices {
            mapped.table.sync_for_cpu(direction);
        }
        Ok(())
    }

    fn end_cpu_access(&self, direction: Direction) {
        for mapped in &self.state.lock().devices {
            mapped.table.sync_for_device(direction);
        }
    }

    /// Errors: `ENODEV`.
    fn may_map(&self) -> Result {
        self.state.lock().pin().map(|_| ())
    }

    fn fault(&self, index: u64, insert: impl FnOnce(c_ulong) -> c_uint) -> Option<c_uint> {
        // Who revokes takes pages out of mappings after that, with nothing locked.
        let state = self.state.lock();
        let pin = state.pin().ok()?;
        let frame = pin.pages().frame(self.range.first() + index)?;
        Some(insert(frame))
    }

    fn release(this: Arc<Self>) {
        if let Some(pin) = this.let_go() {
            pin.remove_user(&*this);
        }
    }
}

/// `length` bytes (0: all) from `offset` of a pin. Errors: `EINVAL`, `ENXIO`.
fn part(pin: PageRange, offset: u64, length: u64) -> Result<PageRange> {
    if (offset | length) & (PAGE_SIZE - 1) != 0 || offset.checked_add(length).is_none() {
        return Err(EINVAL);
    }
    let length = match length {
        0 => pin.length().saturating_sub(offset),
        length => length,
    };
    if offset >= pin.length() || length > pin.length() - offset {
        return Err(ENXIO);
    }
    Ok(PageRange::aligned(pin.offset() + offset, length)?)
}

/// The name of the leased file, as much of it as fits, with a final 0. May sleep. Errors: `ENOMEM`.
fn name(lease: &Lease) -> Result<KVec<u8>> {
    let path = match lease.file().file().path() {
        Err(ENOMEM) => return Err(ENOMEM),
        // It has none that the caller could reach, or one that is too long.
        path => path.unwrap_or(KVec::new()),
    };
    let path = path.split(|&byte| byte == 0).next().unwrap_or_default();
    let last = path.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    let mut name = KVec::with_capacity(NAME_LEN, GFP_KERNEL)?;
    for &byte in last.iter().take(NAME_LEN - 1) {
        // It is printed line by line.
        name.push(if byte < b' ' { b'?' } else { byte }, GFP_KERNEL)?;
    }
    name.push(0, GFP_KERNEL)?;
    Ok(name)
}
