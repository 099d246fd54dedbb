// SPDX-License-Identifier: GPL-2.0
//! Encrypted files (fscrypt, which of these filesystems ext4 has): the block
//! layer encrypts above `submit_bio()`.

use super::under_fire;
use crate::{
    harness::{skip, Context, TestResult},
    support::{
        fscrypt::{self, Cipher},
        Filesystem, Fill, Layer, RigOptions, Scratch,
    },
};

/// Garbage shows in the last 16 bytes of a page that changed while it was
/// encrypted.
pub fn adiantum(context: &Context) -> TestResult {
    check(context, Cipher::Adiantum, "")
}

/// Reads each page once.
pub fn aes_xts(context: &Context) -> TestResult {
    check(context, Cipher::AesXts, "")
}

/// The disk may encrypt, if it can; this one cannot.
pub fn inlinecrypt(context: &Context) -> TestResult {
    check(context, Cipher::Adiantum, "inlinecrypt")
}

fn check(context: &Context, cipher: Cipher, options: &'static str) -> TestResult {
    let filesystem = context.filesystem()?;
    if filesystem != Filesystem::Ext4 {
        return skip("of these only ext4 has encryption");
    }
    context.load_modules()?;
    let scratch = Scratch::with(context.device()?, filesystem, Layer::Plain, &[], options)?;
    let folder = scratch.dir().join("encrypted");
    std::fs::create_dir(&folder)?;
    fscrypt::encrypt(&folder, cipher)?;
    let options = RigOptions::new(context.side, context.pages, Fill::Written);
    let rig = options.build(&folder.join("f"))?;
    let outcome = under_fire(&rig, context)?;
    drop(rig.release());
    outcome.check(context.side)
}
