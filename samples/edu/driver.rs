// SPDX-License-Identifier: GPL-2.0

//! The PCI driver: takes devices into service, and out of it.

use crate::{
    engine::Engine, engines::Listed, hardware::Hardware, mapping::BoundDevice, module_parameters,
    registers::Registers,
};
use kernel::{
    device::Core,
    dma::{Device as _, DmaMask},
    irq::{Flags, IrqReturn, ThreadedHandler, ThreadedIrqReturn, ThreadedRegistration},
    pci::{self, IrqType, IrqTypes, IrqVectorRegistration, Vendor},
    prelude::*,
    sync::Arc,
};

/// QEMU's id for devices of its own, which is not among those of the kernel.
// SAFETY: `Vendor` is a transparent `u16` of any value.
const VENDOR: Vendor = unsafe { core::mem::transmute::<u16, Vendor>(0x1234) };
const DEVICE: u32 = 0x11e8;

/// A device in service. Fields are dropped in this order: what nobody can use any more sends no
/// interrupts.
#[pin_data]
pub(crate) struct Service<'bound> {
    listed: Listed,
    #[pin]
    _interrupts: ThreadedRegistration<'bound, Interrupts>,
    _vectors: KBox<IrqVectorRegistration<'bound>>,
}

/// Tells the engine of the device's interrupts.
pub(crate) struct Interrupts(Arc<Engine>);

impl ThreadedHandler for Interrupts {
    fn handle(&self) -> ThreadedIrqReturn {
        match self.0.registers.take_interrupt() {
            true => ThreadedIrqReturn::WakeThread,
            false => ThreadedIrqReturn::None,
        }
    }

    fn handle_threaded(&self) -> IrqReturn {
        self.0.on_interrupt();
        IrqReturn::Handled
    }
}

kernel::pci_device_table!(
    TABLE,
    <Edu as pci::Driver>::IdInfo,
    [(pci::DeviceId::from_id(VENDOR, DEVICE), ())]
);

pub(crate) struct Edu;

impl pci::Driver for Edu {
    type IdInfo = ();
    type Data<'bound> = Service<'bound>;
    const ID_TABLE: pci::IdTable<()> = &TABLE;

    fn probe<'bound>(
        device: &'bound pci::Device<Core<'_>>,
        _info: Option<&'bound ()>,
    ) -> impl PinInit<Service<'bound>, Error> + 'bound {
        pin_init::pin_init_scope(move || {
            let mask = DmaMask::try_new(module_parameters::dma_bits.value())?;
            device.enable_device_mem()?;
            // SAFETY: Nothing is mapped for the device yet.
            unsafe { device.dma_set_mask_and_coherent(mask) }?;
            // SAFETY: `unbind` drops it, and all mappings.
            let bound = unsafe { BoundDevice::new(device.into()) };
            if !bound.reaches_memory() {
                dev_err!(
                    device,
                    "does not reach all memory: needs an IOMMU, swiotlb, or more dma_bits\n"
                );
                return Err(EIO);
            }
            device.set_master();
            let engine = Engine::new(
                Registers::map(device)?,
                device.dev_id(),
                Hardware::new(device.as_ref(), bound)?,
            )?;
            let types = IrqTypes::default().with(IrqType::Msi).with(IrqType::Intx);
            let vectors = KBox::new(device.alloc_irq_vectors(1, 1, types)?, GFP_KERNEL)?;
            let vectors_ptr: *const IrqVectorRegistration<'bound> = &raw const *vectors;
            // SAFETY: The box is dropped after the registration, which is all that borrows it.
            let request = unsafe { &*vectors_ptr }.index(0)?.into();
            Ok(try_pin_init!(Service {
                _vectors: vectors,
                // SAFETY: It is part of the driver's data, which is dropped.
                _interrupts <- unsafe {
                    ThreadedRegistration::new(
                        request,
                        Flags::SHARED,
                        c"edu",
                        Ok::<_, Error>(Interrupts(engine.clone())),
                    )
                },
                // The last, when all of it works.
                listed: Listed::new(engine)?,
            }))
        })
    }

    /// The data is dropped after this, when the DMA API is not to be used for the device any more.
    fn unbind<'bound>(_device: &'bound pci::Device<Core<'_>>, this: Pin<&Service<'bound>>) {
        this.listed.retire();
    }
}
