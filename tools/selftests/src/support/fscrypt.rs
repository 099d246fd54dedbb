// SPDX-License-Identifier: GPL-2.0
//! Encrypted folders: `include/uapi/linux/fscrypt.h`.

use std::{fs::File, os::fd::AsRawFd, path::Path};

use anyhow::{Context, Result};
use nix::{errno::Errno, request_code_read, request_code_readwrite};

const KEY_BYTES: usize = 64;
const IDENTIFIER_BYTES: usize = 16;
const IDENTIFIER: u32 = 2;

/// `struct fscrypt_add_key_arg` with a key.
#[repr(C)]
struct AddKey {
    kind: u32,
    reserved: u32,
    identifier: [u8; IDENTIFIER_BYTES],
    rest: [u8; IDENTIFIER_BYTES],
    raw_size: u32,
    key_id: u32,
    flags: u32,
    reserved_too: [u32; 7],
    raw: [u8; KEY_BYTES],
}

/// `struct fscrypt_policy_v2`.
#[repr(C)]
struct PolicyV2 {
    version: u8,
    contents: u8,
    names: u8,
    flags: u8,
    unit: u8,
    reserved: [u8; 3],
    identifier: [u8; IDENTIFIER_BYTES],
}

/// How the contents of files are encrypted: `FSCRYPT_MODE_…`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Cipher {
    /// AES-256-XTS: each piece of a page is read once.
    AesXts = 1,
    /// Adiantum: a page is read twice, so that one that changes meanwhile
    /// becomes garbage.
    Adiantum = 9,
}

impl Cipher {
    /// `FSCRYPT_MODE_…` of names that goes with it.
    fn of_names(self) -> u8 {
        match self {
            // AES-256-CBC-CTS
            Self::AesXts => 4,
            Self::Adiantum => Self::Adiantum as u8,
        }
    }
}

/// Makes files that will be created in an empty folder be encrypted.
///
/// # Errors
///
/// The filesystem or the kernel does not know encryption.
pub fn encrypt(folder: &Path, cipher: Cipher) -> Result<()> {
    let folder = File::open(folder)?;
    let mut key = AddKey {
        kind: IDENTIFIER,
        reserved: 0,
        identifier: [0; IDENTIFIER_BYTES],
        rest: [0; IDENTIFIER_BYTES],
        raw_size: KEY_BYTES as u32,
        key_id: 0,
        flags: 0,
        reserved_too: [0; 7],
        raw: std::array::from_fn(|index| index as u8),
    };
    let header = size_of::<AddKey>() - KEY_BYTES;
    // SAFETY: the kernel reads and writes the structure, and reads the key after it.
    let added = unsafe {
        libc::ioctl(
            folder.as_raw_fd(),
            request_code_readwrite!(b'f', 23, header),
            &raw mut key,
        )
    };
    Errno::result(added).context("adding a key for encryption")?;
    let policy = PolicyV2 {
        version: 2,
        contents: cipher as u8,
        names: cipher.of_names(),
        flags: 0,
        unit: 0,
        reserved: [0; 3],
        identifier: key.identifier,
    };
    // The number has the size of the first version.
    // SAFETY: the kernel reads a policy of the version that it says.
    let set = unsafe {
        libc::ioctl(
            folder.as_raw_fd(),
            request_code_read!(b'f', 19, 12),
            &raw const policy,
        )
    };
    Errno::result(set)
        .context("making a folder encrypted")
        .map(drop)
}
