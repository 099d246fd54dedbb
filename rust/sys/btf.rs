// SPDX-License-Identifier: GPL-2.0

//! Layouts of private structures, from the type information (BTF) of the running kernel.
//!
//! A header of another filesystem version would lie; BTF describes the code that is loaded.
//!
//! C header: [`include/linux/btf.h`](srctree/include/linux/btf.h)

use super::symbol;
use crate::{bindings, hook::call};
use core::sync::atomic::{AtomicUsize, Ordering};
use kernel::prelude::*;

/// The type information of the kernel or of one module.
struct Btf(*mut bindings::btf);

impl Btf {
    /// Finds a type of that name and kind. Errors: `ENOENT`.
    fn find(name: &CStr, kind: u32) -> Result<(Self, u32)> {
        let mut btf = core::ptr::null_mut();
        // SAFETY: `name` is a string, `btf` gets a reference.
        let id = unsafe { bindings::bpf_find_btf_id(name.as_char_ptr(), kind, &mut btf) };
        match u32::try_from(id) {
            Ok(id) if id != 0 => Ok((Self(btf), id)),
            _ => Err(ENOENT),
        }
    }

    /// Bit offset and type of each member of the structure `id`.
    fn members(&self, id: u32) -> Result<KVec<(u32, u32)>> {
        // SAFETY: We hold a reference to the type information.
        let structure = unsafe { bindings::btf_type_by_id(self.0, id) };
        if structure.is_null() {
            return Err(ENOENT);
        }
        let mut members = KVec::new();
        // SAFETY: The type exists as long as our reference, and `find` made sure of its kind.
        let (count, first) = unsafe {
            (
                bindings::pinlease_btf_vlen(structure),
                bindings::pinlease_btf_members(structure),
            )
        };
        for index in 0..count as usize {
            // SAFETY: A structure is followed by so many members.
            let member = unsafe { first.add(index) };
            // SAFETY: As above.
            let (bits, id) = unsafe {
                (
                    bindings::pinlease_btf_member_bit_offset(structure, member),
                    (*member).type_,
                )
            };
            members.push((bits, id), GFP_KERNEL)?;
        }
        Ok(members)
    }
}

impl Btf {
    /// Bytes in the structure `id`; 0 for anything else.
    fn size_of(&self, id: u32) -> usize {
        const KIND_SHIFT: u32 = 24;
        const KIND_MASK: u32 = 0x1f;
        // SAFETY: We hold a reference to the type information.
        let Some(structure) = (unsafe { bindings::btf_type_by_id(self.0, id).as_ref() }) else {
            return 0;
        };
        if structure.info >> KIND_SHIFT & KIND_MASK != bindings::BTF_KIND_STRUCT {
            return 0;
        }
        // SAFETY: A structure has a size here.
        unsafe { structure.__bindgen_anon_1.size as usize }
    }
}

impl Drop for Btf {
    fn drop(&mut self) {
        // bpf_find_btf_id() is exported, what gives its reference back is not.
        if let Ok(btf_put) = symbol::address_of(c"btf_put") {
            // SAFETY: `void btf_put(struct btf *)`, and the reference is ours.
            unsafe { call::function(btf_put, &[self.0 as usize]) };
        }
    }
}

/// Where the members of `struct btrfs_bio` are that pinlease touches.
#[derive(Clone, Copy)]
pub(crate) struct BtrfsBioLayout {
    /// Bytes to `end_io`.
    pub(crate) end_io: usize,
    /// Bytes to `private`.
    pub(crate) private: usize,
    /// Bytes to `bio`.
    pub(crate) bio: usize,
}

impl BtrfsBioLayout {
    /// Of the btrfs that is loaded. Errors: `ENOENT` without BTF or with another structure.
    ///
    /// `end_io` is the only `btrfs_bio_end_io_t`, `private` the pointer after it, and `bio` comes
    /// last, as the bio set that allocates both demands. (Types of the module may be twins of the
    /// kernel's, so that `bio` is told by its size and not by its type.)
    pub(crate) fn of_running_kernel() -> Result<Self> {
        let (btf, id) = Btf::find(c"btrfs_bio", bindings::BTF_KIND_STRUCT)?;
        let (_, end_io) = Btf::find(c"btrfs_bio_end_io_t", bindings::BTF_KIND_TYPEDEF)?;
        let members = btf.members(id)?;
        let end_io = members
            .iter()
            .position(|&(_, id)| id == end_io)
            .ok_or(ENOENT)?;
        let private = members.get(end_io + 1).ok_or(ENOENT)?;
        let bio = members.last().ok_or(ENOENT)?;
        let bytes = |&(bits, _): &(u32, u32)| bits as usize / 8;
        let (end_io, private) = (bytes(&members[end_io]), bytes(private));
        if private != end_io + size_of::<usize>()
            || btf.size_of(bio.1) != size_of::<bindings::bio>()
        {
            return Err(ENOENT);
        }
        let bio = bytes(bio);
        Ok(Self {
            end_io,
            private,
            bio,
        })
    }
}

/// Bytes from the start of a filesystem's own inode, a structure with that name, to the `struct
/// inode` in it; told by its size, which nothing else in there has. May sleep.
///
/// Errors: `ENOENT` without BTF or with another structure.
fn offset_of_inode(name: &CStr) -> Result<usize> {
    let (btf, id) = Btf::find(name, bindings::BTF_KIND_STRUCT)?;
    let members = btf.members(id)?;
    let mut inodes = members
        .iter()
        .filter(|&&(_, id)| btf.size_of(id) == size_of::<bindings::inode>());
    match (inodes.next(), inodes.next()) {
        (Some(&(bits, _)), None) => Ok(bits as usize / 8),
        _ => Err(ENOENT),
    }
}

/// Where the `struct inode` is in a filesystem's own inodes. Lives in a static.
pub(crate) struct InodeOffset {
    /// The filesystem's structure.
    name: &'static CStr,
    /// Bytes before it and one more; 0: not known.
    offset: AtomicUsize,
}

impl InodeOffset {
    pub(crate) const fn new(name: &'static CStr) -> Self {
        Self {
            name,
            offset: AtomicUsize::new(0),
        }
    }

    /// Asks the filesystem that is loaded. May sleep. Errors: `ENOENT`.
    pub(crate) fn learn(&self) -> Result {
        if self.offset.load(Ordering::Relaxed) == 0 {
            let offset = offset_of_inode(self.name)?;
            self.offset.store(offset + 1, Ordering::Relaxed);
        }
        Ok(())
    }

    /// `None` before it was learnt.
    pub(crate) fn get(&self) -> Option<usize> {
        self.offset.load(Ordering::Relaxed).checked_sub(1)
    }
}
