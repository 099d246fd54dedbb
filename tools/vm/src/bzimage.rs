// SPDX-License-Identifier: GPL-2.0

//! What is inside a bzImage; see Documentation/arch/x86/boot.rst of the kernel.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context, Result};

/// The ELF note with the entry point that QEMU can start a decompressed kernel at: sizes of name and description, type
/// `XEN_ELFNOTE_PHYS32_ENTRY`, name.
const PVH_NOTES: [&[u8]; 2] = [
    b"\x04\0\0\0\x04\0\0\0\x12\0\0\0Xen\0",
    b"\x04\0\0\0\x08\0\0\0\x12\0\0\0Xen\0",
];

/// The compressions of a kernel that we can undo: how the data begins, and the program.
const COMPRESSIONS: &[(&[u8], &str)] = &[
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x1f\x8b", "gzip"),
];

/// The release string at `kernel_version`.
#[must_use]
pub fn release(image: &[u8]) -> Option<String> {
    header_magic(image)?;
    let offset = u16::from_le_bytes(image.get(0x20e..0x210)?.try_into().ok()?);
    let text = image.get(usize::from(offset) + 0x200..)?;
    let end = text.iter().position(|&byte| byte == 0 || byte == b' ')?;
    String::from_utf8(text[..end].to_vec()).ok()
}

/// The compressed kernel.
fn payload(image: &[u8]) -> Option<&[u8]> {
    header_magic(image)?;
    let sectors = usize::from(*image.get(0x1f1)?);
    let code = (if sectors == 0 { 4 } else { sectors } + 1) * 512;
    let offset = u32::from_le_bytes(image.get(0x248..0x24c)?.try_into().ok()?) as usize;
    let length = u32::from_le_bytes(image.get(0x24c..0x250)?.try_into().ok()?) as usize;
    image.get(code + offset..)?.get(..length)
}

fn header_magic(image: &[u8]) -> Option<()> {
    (image.get(0x202..0x206)? == b"HdrS").then_some(())
}

/// The kernel in a form that boots without the seconds that an emulator needs for decompressing it: the ELF file, kept
/// in `cache`, when it has a PVH entry; otherwise the image as it is.
///
/// # Errors
///
/// When the cache cannot be written.
pub fn quick_to_boot(image: &Path, cache: &Path) -> Result<PathBuf> {
    let modified = fs::metadata(image)
        .and_then(|metadata| metadata.modified())
        .with_context(|| format!("{}", image.display()))?;
    let kept = cache.join(format!(
        "vmlinux{}",
        image.display().to_string().replace('/', "_")
    ));
    if fs::metadata(&kept)
        .and_then(|metadata| metadata.modified())
        .ok()
        != Some(modified)
    {
        let elf = decompressed(&fs::read(image)?)
            .filter(|elf| has_pvh_entry(elf))
            .unwrap_or_default();
        let mut file = tempfile::NamedTempFile::new_in(cache)?;
        file.write_all(&elf)?;
        file.as_file().set_modified(modified)?;
        file.persist(&kept)?;
    }
    // An empty file says that it was tried in vain.
    Ok(if fs::metadata(&kept)?.len() > 0 {
        kept
    } else {
        image.to_owned()
    })
}

fn has_pvh_entry(elf: &[u8]) -> bool {
    PVH_NOTES
        .iter()
        .any(|note| elf.windows(note.len()).any(|window| window == *note))
}

fn decompressed(image: &[u8]) -> Option<Vec<u8>> {
    let payload = payload(image)?.to_vec();
    let (_, program) = COMPRESSIONS
        .iter()
        .find(|(magic, _)| payload.starts_with(magic))?;
    let mut child = Command::new(program)
        .arg("-dc")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut input = child.stdin.take()?;
    let feeder = thread::spawn(move || input.write_all(&payload));
    // The size follows the compressed data, at which the programs complain after having written everything.
    let output = child.wait_with_output().ok()?.stdout;
    let _ = feeder.join();
    output.starts_with(b"\x7fELF").then_some(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image() -> Vec<u8> {
        let mut image = vec![0; 0x800];
        image[0x202..0x206].copy_from_slice(b"HdrS");
        image
    }

    #[test]
    fn the_release_is_in_the_setup_header() {
        let mut image = image();
        image[0x20e..0x210].copy_from_slice(&0x100u16.to_le_bytes());
        image[0x300..0x310].copy_from_slice(b"7.3.4+deb13 (us)");
        assert_eq!(release(&image).as_deref(), Some("7.3.4+deb13"));
        assert_eq!(release(&[0; 0x400]), None);
    }

    #[test]
    fn the_payload_is_behind_the_setup_code() {
        let mut image = image();
        image[0x1f1] = 1;
        image[0x248] = 0x10;
        image[0x24c] = 4;
        image[0x410..0x414].copy_from_slice(b"data");
        assert_eq!(payload(&image), Some(&b"data"[..]));
        image[0x24f] = 0xff;
        assert_eq!(payload(&image), None);
    }

    #[test]
    fn entry_notes_are_seen() {
        assert!(has_pvh_entry(
            b"\x7fELF....\x04\0\0\0\x08\0\0\0\x12\0\0\0Xen\0...."
        ));
        assert!(!has_pvh_entry(b"\x7fELF....Xen\0"));
    }
}
