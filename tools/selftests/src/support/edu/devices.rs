// SPDX-License-Identifier: GPL-2.0
//! The devices, and what an IOMMU makes of them.

use std::{ffi::CString, fs, path::PathBuf, time::Duration};

use anyhow::{ensure, Context as _, Result};
use nix::errno::Errno;

use crate::{
    harness::{skip, Context},
    support::{modules, proc::wait_for},
};

const PCI: &str = "/sys/bus/pci/devices";

/// Vendor and device.
const ID: [&str; 2] = ["0x1234", "0x11e8"];

/// What stands between the devices and memory.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Domain {
    /// What the machine has.
    AsBooted,
    /// Nothing: there is no IOMMU, or it lets everything pass.
    Passthrough,
    /// An IOMMU that forgets what was unmapped at once.
    Strict,
    /// One that forgets it later; the default.
    Lazy,
}

impl Domain {
    /// As the groups of the IOMMU know it.
    fn name(self) -> &'static str {
        match self {
            Self::AsBooted => "auto",
            Self::Passthrough => "identity",
            Self::Strict => "DMA",
            Self::Lazy => "DMA-FQ",
        }
    }
}

/// The loaded driver and its devices; dropping it unloads the driver.
#[derive(Debug)]
#[must_use = "dropping it unloads the driver"]
pub struct Edus {
    addresses: Vec<String>,
}

impl Edus {
    /// Gives all devices that no other driver has to samples/edu; skips the test
    /// if there are less than `least`, or not the IOMMU that it needs.
    ///
    /// # Errors
    ///
    /// [`Skip`](crate::harness::Skip), or a module cannot be loaded.
    pub fn load(context: &Context, domain: Domain, least: usize, parameters: &str) -> Result<Self> {
        modules::ensure_pinlease(&context.modules)?;
        modules::unload_when_unused("edu")?;
        let addresses = find()?;
        if addresses.len() < least {
            return skip(format!(
                "needs {least} of QEMU's edu (scripts/vm --edu={least})"
            ));
        }
        let edus = Self { addresses };
        edus.set_domain(domain)?;
        let parameters = CString::new(parameters)?;
        modules::load_with(&context.modules, "edu", &parameters)?;
        Ok(edus)
    }

    /// As many as QEMU's devices have, and none of what a driver must not do.
    ///
    /// # Errors
    ///
    /// As [`Edus::load`].
    pub fn usual(context: &Context, domain: Domain, least: usize) -> Result<Self> {
        Self::load(context, domain, least, "dma_bits=40")
    }

    /// What a driver must not do can be had.
    ///
    /// # Errors
    ///
    /// As [`Edus::load`].
    pub fn rogue(context: &Context, domain: Domain) -> Result<Self> {
        Self::load(context, domain, 1, "dma_bits=40 rogue=1")
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.addresses.len()
    }

    /// The name of the device at an address that a driver told.
    ///
    /// # Errors
    ///
    /// It is none of them.
    pub fn name(&self, address: u32) -> Result<&str> {
        let (bus, slot, function) = (address >> 8, (address >> 3) & 31, address & 7);
        let end = format!("{bus:02x}:{slot:02x}.{function}");
        let mut names = self.addresses.iter().map(String::as_str);
        names
            .find(|name| name.ends_with(&end))
            .with_context(|| format!("no device {end}"))
    }

    fn set_domain(&self, domain: Domain) -> Result<()> {
        for address in &self.addresses {
            let group = PathBuf::from(PCI).join(address).join("iommu_group/type");
            if !group.exists() {
                if matches!(domain, Domain::AsBooted | Domain::Passthrough) {
                    continue;
                }
                return skip("needs an IOMMU");
            }
            fs::write(&group, domain.name())
                .with_context(|| format!("{}: {}", group.display(), domain.name()))?;
            let kind = fs::read_to_string(&group)?;
            ensure!(
                domain == Domain::AsBooted || kind.trim() == domain.name(),
                "the IOMMU has {kind} instead of {domain:?}"
            );
        }
        Ok(())
    }
}

impl Drop for Edus {
    fn drop(&mut self) {
        let unloaded = modules::unload_when_unused("edu");
        if let Err(error) = unloaded.and_then(|()| self.set_domain(Domain::AsBooted)) {
            eprintln!("edu stays as it is: {error:#}");
        }
    }
}

/// The devices that have no driver.
fn find() -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(PCI)? {
        let entry = entry?;
        let read = |name| fs::read_to_string(entry.path().join(name)).unwrap_or_default();
        let is_one = [read("vendor").trim(), read("device").trim()] == ID;
        if is_one && !entry.path().join("driver").exists() {
            found.push(entry.file_name().to_string_lossy().into_owned());
        }
    }
    found.sort();
    Ok(found)
}

/// Takes a device from its driver.
///
/// # Errors
///
/// The driver does not have it.
pub fn unbind(name: &str) -> Result<()> {
    fs::write("/sys/bus/pci/drivers/edu/unbind", name).context("unbind")
}

/// Gives it back.
///
/// # Errors
///
/// The driver does not want it.
pub fn bind(name: &str) -> Result<()> {
    fs::write("/sys/bus/pci/drivers/edu/bind", name).context("bind")
}

/// Unplugs a device, as far as the kernel is concerned.
///
/// # Errors
///
/// There is none.
pub fn unplug(name: &str) -> Result<()> {
    let path = PathBuf::from(PCI).join(name);
    fs::write(path.join("remove"), "1").context("remove")?;
    ensure!(!path.exists(), "{name} is still there");
    Ok(())
}

/// Plugs all in again.
///
/// # Errors
///
/// The bus cannot be scanned, or this device is not found.
pub fn plug_in(name: &str) -> Result<()> {
    fs::write("/sys/bus/pci/rescan", "1").context("rescan")?;
    let driver = PathBuf::from(PCI).join(name).join("driver");
    let found = || Ok(driver.exists());
    wait_for(
        "the driver has the device again",
        Duration::from_secs(10),
        found,
    )
    .map(drop)
}

/// What the module's parameter `dma_bits` made of a machine without an IOMMU.
///
/// # Errors
///
/// It could not be loaded at all, otherwise than without a device.
pub fn is_refused() -> Result<bool> {
    match super::Edu::open() {
        Ok(_) => Ok(false),
        Err(Errno::ENODEV) => Ok(true),
        Err(other) => Err(other).context("opening /dev/edu"),
    }
}
