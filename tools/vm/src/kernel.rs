// SPDX-License-Identifier: GPL-2.0

//! The kernel to boot, and its modules.

use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{ensure, Context, Result};

use crate::bzimage;

/// Where a distribution keeps modules.
const MODULES: &str = "/usr/lib/modules";

/// The debug kernel that `scripts/setup --debug` makes.
const DEBUG: &str = "/usr/src/pinlease-debug/vmlinuz";

/// A kernel and where its modules are.
#[derive(Debug, Clone)]
pub struct Kernel {
    /// The bzImage.
    pub image: PathBuf,
    /// As `uname -r` says it.
    pub release: String,
    /// The directory with `modules.dep`; `None` if the kernel came without.
    pub modules: Option<PathBuf>,
}

impl Kernel {
    /// The environment's kernel.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn stock() -> Result<Self> {
        let release = fs::read_to_string("/etc/pinlease/release")
            .context("not inside the environment of scripts/setup")?;
        let modules = Path::new(MODULES).join(release.trim());
        Self::at(&modules.join("vmlinuz"))
    }

    /// The kernel of that name, `stock` or `debug`, or in that file.
    ///
    /// # Errors
    ///
    /// As [`Kernel::at`]; or there is no debug kernel yet.
    pub fn called(name: &Path) -> Result<Self> {
        match name.to_str() {
            Some("stock") => Self::stock(),
            Some("debug") => {
                Self::at(Path::new(DEBUG)).context("make it first: scripts/setup --debug")
            }
            _ => Self::at(name),
        }
    }

    /// The kernel in a file. Its modules are beside it: in the same directory, or in `lib/modules/RELEASE` there, as
    /// `make modules_install INSTALL_MOD_PATH=…` puts them.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is no bzImage.
    pub fn at(image: &Path) -> Result<Self> {
        let bytes =
            fs::read(image).with_context(|| format!("reading the kernel {}", image.display()))?;
        let release = bzimage::release(&bytes)
            .with_context(|| format!("{} is no bzImage", image.display()))?;
        let directory = image.parent().unwrap_or(Path::new("."));
        let modules = [
            directory.to_owned(),
            directory.join("lib/modules").join(&release),
            Path::new(MODULES).join(&release),
        ]
        .into_iter()
        .find(|candidate| candidate.join("modules.dep").exists());
        Ok(Self {
            image: image.to_owned(),
            release,
            modules,
        })
    }

    /// Whether the modules are not where the guest's file tree has them anyway.
    #[must_use]
    pub fn needs_module_share(&self) -> bool {
        self.modules
            .as_ref()
            .is_some_and(|modules| *modules != Path::new(MODULES).join(&self.release))
    }

    /// The decompressed files of `names` and of all they depend on, in the order of loading. A name that is not among
    /// the modules is left out: it is built in, or its absence will show itself.
    ///
    /// # Errors
    ///
    /// When a module cannot be read.
    pub fn load_order(&self, names: &[&str]) -> Result<Vec<Module>> {
        let Some(directory) = &self.modules else {
            return Ok(Vec::new());
        };
        let dependencies = fs::read_to_string(directory.join("modules.dep"))?;
        load_order(&dependencies, names)
            .into_iter()
            .map(|path| {
                let content = decompressed(&directory.join(path))
                    .with_context(|| format!("reading the module {path}"))?;
                Ok(Module {
                    name: module_name(path),
                    content,
                })
            })
            .collect()
    }
}

/// A kernel module, ready for insmod.
#[derive(Debug, Clone)]
pub struct Module {
    /// With underscores.
    pub name: String,
    /// The ELF file.
    pub content: Vec<u8>,
}

fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.split(".ko").next().unwrap_or(file).replace('-', "_")
}

/// Reads `modules.dep`, whose lines give a module and all that it needs, the most basic last.
fn load_order<'a>(dependencies: &'a str, names: &[&str]) -> Vec<&'a str> {
    let entries: HashMap<String, (&str, &str)> = dependencies
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(path, needs)| (module_name(path), (path, needs)))
        .collect();
    let mut seen = HashSet::new();
    names
        .iter()
        .filter_map(|name| entries.get(&name.replace('-', "_")))
        .flat_map(|(path, needs)| needs.split_whitespace().rev().chain([*path]))
        .filter(|path| seen.insert(*path))
        .collect()
}

fn decompressed(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(OsStr::to_str) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        Some("gz") => "gzip",
        _ => return Ok(fs::read(path)?),
    };
    let output = Command::new(program).arg("-dc").arg(path).output()?;
    ensure!(
        output.status.success(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/net/9p/9pnet.ko.xz:
kernel/net/9p/9pnet_virtio.ko.xz: kernel/net/9p/9pnet.ko.xz
kernel/fs/netfs/netfs.ko.xz:
kernel/fs/9p/9p.ko.xz: kernel/fs/netfs/netfs.ko.xz kernel/net/9p/9pnet.ko.xz
kernel/drivers/md/dm-mod.ko.xz: kernel/drivers/dax/dax.ko.xz
";

    #[test]
    fn dependencies_come_first_and_once() {
        assert_eq!(
            load_order(DEP, &["9pnet_virtio", "9p"]),
            [
                "kernel/net/9p/9pnet.ko.xz",
                "kernel/net/9p/9pnet_virtio.ko.xz",
                "kernel/fs/netfs/netfs.ko.xz",
                "kernel/fs/9p/9p.ko.xz"
            ]
        );
    }

    #[test]
    fn dashes_are_underscores_and_what_is_built_in_is_left_out() {
        assert_eq!(
            load_order(DEP, &["dm_mod", "virtio_pci"]),
            [
                "kernel/drivers/dax/dax.ko.xz",
                "kernel/drivers/md/dm-mod.ko.xz"
            ]
        );
        assert_eq!(module_name("kernel/drivers/md/dm-mod.ko.xz"), "dm_mod");
    }
}
