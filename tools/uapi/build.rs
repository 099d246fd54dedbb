// SPDX-License-Identifier: GPL-2.0
//! Generates the bindings from the C headers, which are the only place
//! where the structures and numbers are written down.

use std::{env, fmt::Write, path::PathBuf};

use anyhow::{Context, Result};

/// The headers, from this crate's folder.
const HEADERS: [&str; 4] = [
    "../../include/uapi/linux/pinlease.h",
    "../../samples/bench/pinbench.h",
    "../../samples/dmasim/dmasim.h",
    "../../samples/edu/edu.h",
];

/// Commands: their `_IOW(…)` macros are beyond bindgen, so that clang is made
/// to evaluate them as constants `<name>_NR`.
const COMMANDS: [&str; 27] = [
    "PINLEASE_IOC_ACQUIRE",
    "PINLEASE_IOC_PIN",
    "PINLEASE_IOC_UNPIN",
    "PINLEASE_IOC_MARK",
    "PINLEASE_IOC_QUERY",
    "PINLEASE_IOC_SHRINK",
    "PINLEASE_IOC_NEXT",
    "PINLEASE_IOC_WATCH",
    "PINLEASE_IOC_EXPORT",
    "PINLEASE_IOC_QUIESCE",
    "DMASIM_IOC_ATTACH",
    "DMASIM_IOC_PIN_RAW",
    "DMASIM_IOC_WRITE",
    "DMASIM_IOC_START",
    "DMASIM_IOC_STOP",
    "DMASIM_IOC_STATUS",
    "DMASIM_IOC_IMPORT",
    "EDU_IOC_ATTACH",
    "EDU_IOC_PIN_RAW",
    "EDU_IOC_START",
    "EDU_IOC_WAIT",
    "EDU_IOC_STOP",
    "EDU_IOC_STATUS",
    "PINBENCH_IOC_PIN",
    "PINBENCH_IOC_UNPIN",
    "PINBENCH_IOC_GUP",
    "PINBENCH_IOC_COPY",
];

fn main() -> Result<()> {
    let here = env::current_dir()?;
    let mut wrapper = String::new();
    for header in HEADERS {
        println!("cargo::rerun-if-changed={header}");
        writeln!(wrapper, "#include \"{}\"", here.join(header).display())?;
    }
    for name in COMMANDS {
        writeln!(wrapper, "static const unsigned int {name}_NR = {name};")?;
    }

    bindgen::Builder::default()
        .header_contents("wrapper.h", &wrapper)
        .allowlist_item("(pinlease|PINLEASE|pinbench|PINBENCH|dmasim|DMASIM|edu|EDU)_.*")
        .derive_default(true)
        .derive_eq(true)
        .generate_comments(false)
        .layout_tests(true)
        .use_core()
        .generate()
        .context("bindgen on the headers")?
        .write_to_file(PathBuf::from(env::var("OUT_DIR")?).join("bindings.rs"))
        .context("writing bindings.rs")
}
