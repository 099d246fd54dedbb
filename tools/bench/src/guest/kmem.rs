// SPDX-License-Identifier: GPL-2.0
//! What memory pinlease keeps: by the tracepoints of the allocators, and the list of vmalloc areas.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{ensure, Context, Result};

const TRACING: &str = "/sys/kernel/tracing/instances/pinlease-bench";

const EVENTS: [&str; 4] = ["kmalloc", "kfree", "kmem_cache_alloc", "kmem_cache_free"];

/// Buffers of the trace, KiB for each processor.
const BUFFER: u32 = 64 << 10;

/// Listens to the allocators; dropping it ends that.
#[derive(Debug)]
pub(super) struct Kmem {
    vmalloc: u64,
}

impl Kmem {
    /// Begins.
    pub(super) fn listen() -> Result<Self> {
        let vmalloc = vmalloc()?;
        fs::create_dir(TRACING).context(TRACING)?;
        let this = Self { vmalloc };
        set("buffer_size_kb", BUFFER.to_string())?;
        // Addresses as they are, not hashed.
        set("options/hash-ptr", "0")?;
        for event in EVENTS {
            set(&format!("events/kmem/{event}/enable"), "1")?;
        }
        Ok(this)
    }

    /// Bytes that the module has allocated since then and has not freed.
    pub(super) fn kept(&self) -> Result<u64> {
        set("tracing_on", "0")?;
        let trace = fs::read_to_string(path("trace"))?;
        ensure!(
            !fs::read_to_string(path("per_cpu/cpu0/stats"))?
                .lines()
                .any(|line| line.starts_with("overrun:") && line != "overrun: 0"),
            "the trace is too long for its buffer"
        );
        let vmalloc = vmalloc()?.saturating_sub(self.vmalloc);
        set("tracing_on", "1")?;
        Ok(outstanding(&trace) + vmalloc)
    }
}

impl Drop for Kmem {
    fn drop(&mut self) {
        let _ = fs::remove_dir(TRACING);
    }
}

fn path(file: &str) -> PathBuf {
    Path::new(TRACING).join(file)
}

fn set(file: &str, value: impl AsRef<[u8]>) -> Result<()> {
    fs::write(path(file), value).with_context(|| file.to_owned())
}

/// Bytes in vmalloc areas that Rust code allocated.
fn vmalloc() -> Result<u64> {
    let text = fs::read_to_string("/proc/vmallocinfo")?;
    Ok(areas(&text))
}

/// Those of /proc/vmallocinfo: address range, bytes with a page of guard, caller, pages=N.
fn areas(text: &str) -> u64 {
    let of_rust = text.lines().filter(|line| is_ours(line));
    let pages = of_rust.filter_map(|line| {
        let pages = line
            .split_whitespace()
            .find_map(|word| word.strip_prefix("pages="))?;
        pages.parse::<u64>().ok()
    });
    pages.sum::<u64>() * 4096
}

/// Whether the caller is of the module: its own, or what Rust code allocates by; nothing else that
/// uses that is loaded.
fn is_ours(caller: &str) -> bool {
    ["[pinlease]", "rust_helper_", "kvrealloc_node_align"]
        .iter()
        .any(|known| caller.contains(known))
}

/// Bytes that were allocated by the module and not freed by anybody.
fn outstanding(trace: &str) -> u64 {
    let mut kept: HashMap<&str, u64> = HashMap::new();
    for line in trace.lines().filter(|line| !line.starts_with('#')) {
        let field = |name: &str| {
            line.split_whitespace()
                .find_map(|word| word.strip_prefix(name)?.strip_prefix('='))
        };
        let Some(pointer) = field("ptr") else {
            continue;
        };
        match field("bytes_alloc").and_then(|bytes| bytes.parse().ok()) {
            Some(bytes) if is_ours(line) => {
                kept.insert(pointer, bytes);
            }
            Some(_) => (),
            None => {
                kept.remove(pointer);
            }
        }
    }
    kept.values().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_freed_does_not_count() {
        let trace = "# tracer: nop\n\
            a-1 [000] ..... 1.0: kmalloc: call_site=rust_helper_krealloc+0x1/0x2 ptr=00000000a bytes_req=20 bytes_alloc=32 gfp_flags=GFP_KERNEL node=-1 accounted=false\n\
            a-1 [000] ..... 1.0: kmalloc: call_site=ext4_x+0x1/0x2 [ext4] ptr=00000000b bytes_req=20 bytes_alloc=32 gfp_flags=GFP_KERNEL node=-1 accounted=false\n\
            a-1 [000] ..... 1.0: kmalloc: call_site=rust_helper_krealloc+0x1/0x2 ptr=00000000c bytes_req=99 bytes_alloc=128 gfp_flags=GFP_KERNEL node=-1 accounted=false\n\
            a-1 [000] ..... 1.0: kfree: call_site=x+0x1/0x2 ptr=00000000a\n";
        assert_eq!(outstanding(trace), 128);
    }

    #[test]
    fn areas_are_summed() {
        let text = "0x0-0x1 20480 rust_helper_vrealloc+0x1/0x2 pages=4 vmalloc N0=4\n\
            0x2-0x3 8192 load_module+0x1/0x2 pages=1 vmalloc N0=1\n";
        assert_eq!(areas(text), 4 * 4096);
    }
}
