// SPDX-License-Identifier: GPL-2.0

//! Copying pages, as a whole and as snapshots do it.

use crate::{bindings, stopwatch};
use kernel::{
    alloc::flags::__GFP_NOWARN,
    page::{Page, PAGE_SIZE},
    prelude::*,
};

/// Copies as `wanted` says. May sleep. Errors: `EINVAL`, `ENOMEM`, `EINTR`.
pub(crate) fn run(mut wanted: bindings::pinbench_copy) -> Result<bindings::pinbench_copy> {
    if !(1..=u64::from(bindings::PINBENCH_MOST_COPIED)).contains(&wanted.pages) {
        return Err(EINVAL);
    }
    let (pages, repeat) = (wanted.pages as usize, wanted.repeat);
    wanted.elapsed_ns = match u32::try_from(wanted.way) {
        Ok(bindings::PINBENCH_COPY_MEMORY) => memory(pages, repeat),
        Ok(bindings::PINBENCH_COPY_PAGES) => {
            let target = list(pages)?;
            let source = list(pages)?;
            stopwatch::repeat(repeat, || {
                copy(&source, &target);
                Ok(())
            })
        }
        Ok(bindings::PINBENCH_COPY_ALLOCATED) => {
            let source = list(pages)?;
            stopwatch::repeat(repeat, || {
                copy(&source, &list(pages)?);
                Ok(())
            })
        }
        _ => Err(EINVAL),
    }?;
    Ok(wanted)
}

fn memory(pages: usize, repeat: u64) -> Result<u64> {
    let source = KVVec::from_elem(0x5a_u8, pages * PAGE_SIZE, GFP_KERNEL)?;
    let mut target = KVVec::from_elem(0_u8, pages * PAGE_SIZE, GFP_KERNEL)?;
    stopwatch::repeat(repeat, || {
        target.copy_from_slice(&source);
        // Else the compiler might leave out copies that nobody looks at.
        core::hint::black_box(&mut target);
        Ok(())
    })
}

/// So many pages, which are allocated one by one. Errors: `ENOMEM`.
fn list(pages: usize) -> Result<KVVec<Page>> {
    // As snapshots do: without waiting.
    let flags = GFP_NOWAIT | __GFP_NOWARN;
    let mut list = KVVec::with_capacity(pages, GFP_KERNEL)?;
    for _ in 0..pages {
        list.push(Page::alloc_page(flags)?, GFP_KERNEL)?;
    }
    Ok(list)
}

/// Copies page by page. As `memcpy_page()`, a static inline.
fn copy(source: &[Page], target: &[Page]) {
    for (source, target) in source.iter().zip(target) {
        // SAFETY: The pages are valid, and mapped until `kunmap_local`, in the reverse order.
        unsafe {
            let to = bindings::kmap_local_page(target.as_ptr());
            let from = bindings::kmap_local_page(source.as_ptr());
            from.cast::<u8>()
                .copy_to_nonoverlapping(to.cast::<u8>(), PAGE_SIZE);
            bindings::kunmap_local(from);
            bindings::kunmap_local(to);
        }
    }
}
