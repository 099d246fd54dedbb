// SPDX-License-Identifier: GPL-2.0
//! The model without a kernel: one is imagined that does whatever the model expects.

use fastrand::Rng;
use fuzz::{
    call::Outcome,
    generate,
    model::{Descriptors, Model, Setting},
    operation::{
        Access, Actor, Grace, Importer, Mapping, Means, Open, Operation, Patience, Sequence, Step,
    },
};
use nix::errno::Errno;
use selftests::support::Filesystem;

fn setting(filesystem: Filesystem) -> Setting {
    Setting {
        filesystem,
        descriptors: [Descriptors::default(); 3],
        arena: 1 << 32,
        device: 3,
        pipe: 4,
        memlock: 48,
    }
}

fn model() -> Model {
    Model::new(setting(Filesystem::Ext4))
}

/// Does a step as the model wants it; false when it must fail.
fn succeeds(model: &mut Model, step: Step, value: u64) -> bool {
    let plan = model.plan(step).expect("the step means something");
    let outcome = Outcome {
        value,
        ..Outcome::default()
    };
    if !plan.expected.allows(&outcome) {
        return false;
    }
    model.done(step.0, plan.effect, &outcome).unwrap();
    true
}

fn fails(model: &mut Model, step: Step, errno: Errno) -> bool {
    let plan = model.plan(step).expect("the step means something");
    let outcome = Outcome::of(Err(errno));
    if !plan.expected.allows(&outcome) {
        return false;
    }
    model.done(step.0, plan.effect, &outcome).unwrap();
    true
}

fn acquire(policy: u8, pages: u8) -> Operation {
    Operation::Acquire {
        file: 1,
        open: Open::Both,
        first: 0,
        pages,
        policy,
        grace: Grace::Long,
        grant: false,
        unaligned: false,
    }
}

fn punch(first: u8) -> Operation {
    Operation::Break {
        file: 1,
        means: Means::Punch,
        first,
        pages: 0,
        patience: Patience::ComesBack,
    }
}

const PIN: Operation = Operation::Pin {
    handle: 0,
    slot: 1,
    first: 2,
    pages: 2,
    marked: false,
    unaligned: false,
};

use Actor::{Partner, Worker};

#[test]
fn a_break_stands_until_it_is_answered() {
    let mut model = model();
    assert!(succeeds(&mut model, Step(Worker, acquire(0, 8)), 10));
    assert!(succeeds(&mut model, Step(Worker, PIN), 100));
    assert!(fails(&mut model, Step(Partner, punch(2)), Errno::EAGAIN));
    assert!(!succeeds(&mut model.clone(), Step(Partner, punch(2)), 0));
    assert!(fails(&mut model, Step(Worker, punch(2)), Errno::EDEADLK));
    assert!(succeeds(&mut model, Step(Worker, UNPIN), 0));
    assert!(succeeds(&mut model, Step(Partner, punch(2)), 0));
    // Whoever pins anew does not yield any more.
    assert!(succeeds(&mut model, Step(Worker, PIN), 101));
    assert!(fails(&mut model, Step(Partner, punch(5)), Errno::EAGAIN));
}

#[test]
fn what_is_beside_a_lease_passes() {
    let mut model = model();
    assert!(succeeds(&mut model, Step(Worker, acquire(3, 8)), 10));
    assert!(fails(&mut model, Step(Worker, punch(7)), Errno::ETXTBSY));
    assert!(succeeds(&mut model, Step(Worker, punch(8)), 0));
    assert!(succeeds(
        &mut model,
        Step(Worker, Operation::Close { handle: 0 }),
        0
    ));
    assert!(succeeds(&mut model, Step(Partner, punch(7)), 0));
}

#[test]
fn pins_need_a_shared_mapping_of_leased_pages() {
    let mut model = model();
    assert!(succeeds(&mut model, Step(Worker, acquire(3, 3)), 10));
    assert!(!succeeds(&mut model.clone(), Step(Worker, PIN), 100));
    assert!(fails(&mut model, Step(Worker, PIN), Errno::ENXIO));
    let map = Operation::Map {
        slot: 0,
        file: 1,
        first: 0,
        pages: 3,
        kind: Mapping::Private,
    };
    assert!(succeeds(&mut model, Step(Worker, map), 0));
    let Operation::Pin {
        handle,
        marked,
        unaligned,
        ..
    } = PIN
    else {
        unreachable!()
    };
    let private = Operation::Pin {
        handle,
        slot: 3,
        first: 0,
        pages: 1,
        marked,
        unaligned,
    };
    assert!(fails(&mut model, Step(Worker, private), Errno::EFAULT));
}

const EXPORT: Operation = Operation::Export {
    handle: 0,
    pin: 0,
    first: 0,
    pages: 0,
    access: Access::Write,
    unaligned: false,
};

const UNPIN: Operation = Operation::Unpin {
    handle: 0,
    pin: 0,
    unknown: false,
};

/// A model in which an engine has imported a pin of a lease.
fn imported(policy: u8, kind: Importer) -> Model {
    let mut model = model();
    assert!(succeeds(&mut model, Step(Worker, acquire(policy, 8)), 10));
    assert!(succeeds(&mut model, Step(Worker, PIN), 100));
    assert!(succeeds(&mut model, Step(Worker, EXPORT), 11));
    assert!(succeeds(&mut model, Step(Worker, Operation::Engine), 12));
    let import = Operation::Import {
        engine: 0,
        buffer: 0,
        kind,
    };
    assert!(succeeds(&mut model, Step(Worker, import), 0));
    model
}

#[test]
fn a_dma_buf_keeps_its_pin() {
    let mut model = imported(0, Importer::Revocable);
    assert!(fails(&mut model, Step(Worker, UNPIN), Errno::EBUSY));
    let close = Operation::CloseBuffer { buffer: 0 };
    assert!(succeeds(&mut model, Step(Worker, close), 0));
    // The engine has it still.
    assert!(fails(&mut model, Step(Worker, UNPIN), Errno::EBUSY));
    let close = Operation::CloseEngine { engine: 0 };
    assert!(succeeds(&mut model, Step(Worker, close), 0));
    assert!(succeeds(&mut model, Step(Worker, UNPIN), 0));
}

#[test]
fn a_closed_lease_waits_for_importers_that_keep_their_pages() {
    let close = Step(Worker, Operation::Close { handle: 0 });
    let write = Operation::DeviceWrite {
        engine: 0,
        first: 0,
        pages: 1,
    };
    let write = Step(Worker, write);

    let mut revoked = imported(0, Importer::Revocable);
    assert!(succeeds(&mut revoked, close, 0));
    assert!(fails(&mut revoked, write, Errno::ENODEV));
    assert!(!fails(
        &mut revoked.clone(),
        Step(Partner, punch(2)),
        Errno::EAGAIN
    ));

    let mut kept = imported(0, Importer::Static);
    assert!(succeeds(&mut kept, close, 0));
    assert!(succeeds(&mut kept, write, 0));
    assert!(fails(&mut kept, Step(Partner, punch(2)), Errno::EAGAIN));
}

#[test]
fn what_must_be_revocable_is_not_given_to_others() {
    let mut model = imported(1, Importer::Revocable);
    assert!(succeeds(&mut model, Step(Worker, Operation::Engine), 13));
    let import = Operation::Import {
        engine: 1,
        buffer: 0,
        kind: Importer::Static,
    };
    assert!(fails(&mut model, Step(Worker, import), Errno::EOPNOTSUPP));
}

/// Whatever comes of the calls, as long as it is expected, the next ones can be planned, and what
/// is left is known.
#[test]
fn the_model_goes_on() {
    let mut rng = Rng::with_seed(1);
    let mut changed = 0;
    for round in 0..300 {
        let mut model = Model::new(setting(Filesystem::ALL[round % 3]));
        let mut done = Sequence::default();
        for number in 0..200 {
            let step = generate::step(&mut rng, &model);
            let Some(plan) = model.plan(step) else {
                continue;
            };
            done.0.push(step);
            let value = 1000 + number;
            let possible = (0..128)
                .map(|errno| Outcome {
                    errno,
                    value,
                    queried: None,
                })
                .filter(|outcome| plan.expected.allows(outcome));
            let possible: Vec<_> = possible.collect();
            let outcome = possible[rng.usize(..possible.len())];
            if let Ok(true) = model.done(step.0, plan.effect, &outcome) {
                changed += 1;
            }
        }
        let text = serde_json::to_string(&done).unwrap();
        assert_eq!(serde_json::from_str::<Sequence>(&text).unwrap(), done);
    }
    assert!(changed > 300 * 50, "{changed}");
}
