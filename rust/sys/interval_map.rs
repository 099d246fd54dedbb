// SPDX-License-Identifier: GPL-2.0

//! A map whose values lie on ranges of pages: found by key, or by what their range overlaps, both
//! in logarithmic time. Ranges may overlap.
//!
//! C: `lib/interval_tree.c`

use crate::{bindings, policy::range::PageRange};
use core::{marker::PhantomData, mem::MaybeUninit, ptr::NonNull};
use kernel::{
    prelude::*,
    rbtree::{RBTree, RBTreeNodeReservation},
};

/// A value on its range; at the start is the node of the interval tree.
#[repr(C)]
struct Node<V> {
    node: bindings::interval_tree_node,
    range: PageRange,
    value: V,
}

/// The map.
///
/// # Invariants
///
/// The pointers in `keys` are of nodes that the map owns, from `KBox::into_raw`; `root` is the
/// interval tree of just these, each at its `range`.
pub(crate) struct IntervalMap<K, V> {
    root: bindings::rb_root_cached,
    keys: RBTree<K, NonNull<Node<V>>>,
    _owns: PhantomData<KBox<Node<V>>>,
}

// SAFETY: The pointers lead to nodes that the map owns.
unsafe impl<K: Send, V: Send> Send for IntervalMap<K, V> {}
// SAFETY: As above; without `&mut` nothing changes.
unsafe impl<K: Sync, V: Sync> Sync for IntervalMap<K, V> {}

/// Memory for a value that will be inserted.
pub(crate) struct Room<K, V> {
    node: KBox<MaybeUninit<Node<V>>>,
    place: RBTreeNodeReservation<K, NonNull<Node<V>>>,
}

impl<K, V> Room<K, V> {
    /// May sleep. Errors: `ENOMEM`.
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            node: KBox::new_uninit(GFP_KERNEL)?,
            place: RBTreeNodeReservation::new(GFP_KERNEL)?,
        })
    }
}

impl<K: Ord + Copy, V> IntervalMap<K, V> {
    pub(crate) fn new() -> Self {
        // INVARIANT: Both are empty.
        Self {
            root: bindings::rb_root_cached::default(),
            keys: RBTree::new(),
            _owns: PhantomData,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// Inserts; what had the key before is replaced.
    pub(crate) fn insert(&mut self, room: Room<K, V>, key: K, range: PageRange, value: V) {
        self.remove(&key);
        let node = Node {
            node: bindings::interval_tree_node::default(),
            range,
            value,
        };
        // SAFETY: A box is not null.
        let node = unsafe { NonNull::new_unchecked(KBox::into_raw(KBox::write(room.node, node))) };
        self.enter(node);
        // INVARIANT: The node is ours and in the interval tree.
        self.keys.insert(room.place.into_node(key, node));
    }

    /// Puts an owned node into the interval tree.
    fn enter(&mut self, node: NonNull<Node<V>>) {
        let node = node.as_ptr();
        // SAFETY: The node is valid and in no tree; `interval_tree_node` is its first field.
        unsafe {
            (*node).node.start = (*node).range.first() as c_ulong;
            (*node).node.last = ((*node).range.end() - 1) as c_ulong;
            bindings::interval_tree_insert(node.cast(), &mut self.root);
        }
    }

    /// Takes a node out of the interval tree.
    fn leave(&mut self, node: NonNull<Node<V>>) {
        // SAFETY: By the invariant it is in this tree.
        unsafe { bindings::interval_tree_remove(node.as_ptr().cast(), &mut self.root) };
    }

    /// Takes a value out.
    pub(crate) fn remove(&mut self, key: &K) -> Option<V> {
        let node = self.keys.remove(key)?;
        self.leave(node);
        // SAFETY: By the invariant it is from `KBox::into_raw`, and nothing points to it any more.
        Some(KBox::into_inner(unsafe { KBox::from_raw(node.as_ptr()) }).value)
    }

    /// Moves a value to another range. No memory is needed.
    pub(crate) fn set_range(&mut self, key: &K, range: PageRange) {
        if let Some(&node) = self.keys.get(key) {
            self.leave(node);
            // SAFETY: By the invariant the node is ours, and `self` is borrowed mutably.
            unsafe { (*node.as_ptr()).range = range };
            self.enter(node);
        }
    }

    pub(crate) fn get(&self, key: &K) -> Option<(PageRange, &V)> {
        self.keys.get(key).map(|&node| Self::parts(node))
    }

    pub(crate) fn get_mut(&mut self, key: &K) -> Option<(PageRange, &mut V)> {
        self.keys.get(key).map(|&node| Self::parts_mut(node))
    }

    /// All values, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (PageRange, &V)> {
        self.keys.values().map(|&node| Self::parts(node))
    }

    /// All values, by key.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (PageRange, &mut V)> {
        self.keys.values().map(|&node| Self::parts_mut(node))
    }

    /// The values from `key` on, by key.
    pub(crate) fn starting_at(&self, key: &K) -> impl Iterator<Item = (K, PageRange, &V)> {
        let (first, mut last) = (*key, None);
        core::iter::from_fn(move || {
            let cursor = self.keys.cursor_lower_bound(&last.unwrap_or(first))?;
            let (&key, &node) = match last {
                None => cursor.current(),
                Some(_) => cursor.peek_next()?,
            };
            last = Some(key);
            let (range, value) = Self::parts(node);
            Some((key, range, value))
        })
    }

    /// The values that have a page of `range`, by first page.
    pub(crate) fn overlapping(&self, range: PageRange) -> impl Iterator<Item = (PageRange, &V)> {
        self.nodes(range).map(|node| Self::parts(node))
    }

    /// The values that have a page of `range`, by first page.
    pub(crate) fn overlapping_mut(
        &mut self,
        range: PageRange,
    ) -> impl Iterator<Item = (PageRange, &mut V)> {
        self.nodes(range).map(|node| Self::parts_mut(node))
    }

    /// Whether a value has a page of `range`.
    pub(crate) fn overlaps(&self, range: PageRange) -> bool {
        self.nodes(range).next().is_some()
    }

    fn nodes(&self, range: PageRange) -> impl Iterator<Item = NonNull<Node<V>>> {
        let (first, last) = (range.first() as c_ulong, (range.end() - 1) as c_ulong);
        let root = core::ptr::from_ref(&self.root).cast_mut();
        let mut before: Option<NonNull<Node<V>>> = None;
        core::iter::from_fn(move || {
            let found = match before {
                // SAFETY: The tree is borrowed as long as the iterator; searching only reads.
                None => unsafe { bindings::interval_tree_iter_first(root, first, last) },
                // SAFETY: As above, and the node is still in it.
                Some(node) => unsafe {
                    bindings::interval_tree_iter_next(node.as_ptr().cast(), first, last)
                },
            };
            // By the invariant, and as it is its first field, a `Node`.
            before = NonNull::new(found.cast());
            before
        })
    }

    fn parts<'a>(node: NonNull<Node<V>>) -> (PageRange, &'a V) {
        // SAFETY: By the invariant the node is valid; callers borrow the map as long as `'a`.
        let node = unsafe { node.as_ref() };
        (node.range, &node.value)
    }

    fn parts_mut<'a>(node: NonNull<Node<V>>) -> (PageRange, &'a mut V) {
        let node = node.as_ptr();
        // SAFETY: By the invariant the node is valid; callers borrow the map mutably as long as
        // `'a`, and get each node once.
        unsafe { ((*node).range, &mut (*node).value) }
    }
}

impl<K, V> Drop for IntervalMap<K, V> {
    fn drop(&mut self) {
        for &node in self.keys.values() {
            // SAFETY: By the invariant it is from `KBox::into_raw`; the trees are not used again.
            drop(unsafe { KBox::from_raw(node.as_ptr()) });
        }
    }
}
