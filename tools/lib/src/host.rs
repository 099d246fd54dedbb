// SPDX-License-Identifier: GPL-2.0
//! What the system tells about the module, without a lease.

use std::{fs, io, path::Path};

/// The module's version; `None`: it is not loaded.
pub fn module_version() -> Option<String> {
    let module = Path::new("/sys/module/pinlease");
    module.exists().then(|| {
        let version = fs::read_to_string(module.join("version"));
        version.map_or_else(|_| "unknown".into(), |text| text.trim().into())
    })
}

/// The kernel functions that are redirected, by pinlease or by a livepatch:
/// ftrace does not tell these two apart.  Empty when nothing is leased.
///
/// # Errors
///
/// tracefs is not mounted, or may not be read.
pub fn redirected_functions() -> io::Result<Vec<String>> {
    let text = fs::read_to_string("/sys/kernel/tracing/enabled_functions")?;
    Ok(redirected(&text))
}

/// Lines look like `folio_mkclean (1) R I D   tramp: … ->handler`; `I` stands
/// for IPMODIFY.
fn redirected(text: &str) -> Vec<String> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            words
                // "[MODULE]", then "(USERS)".
                .skip_while(|word| !word.starts_with('('))
                .skip(1)
                .take_while(|word| word.len() == 1)
                .any(|word| word == "I")
                .then(|| name.into())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::redirected;

    #[test]
    fn flags() {
        let text = "folio_mkclean (1) R I     \ttramp: 0xffffffffc0000000 (handler+0x0/0x10)\n\
                    vfs_read (2)  \n\
                    ext4_sync_file [ext4] (1)   I     M \ttramp: 0xffffffffc0000000\n\
                    bpf_prog_I (1)    D M \tdirect-->bpf_trampoline_1\n";
        assert_eq!(redirected(text), ["folio_mkclean", "ext4_sync_file"]);
    }
}
