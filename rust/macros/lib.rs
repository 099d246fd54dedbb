// SPDX-License-Identifier: GPL-2.0

//! `#[hook]`: turns a Rust function into the replacement of a kernel function.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as TokenStream2;
use quote::quote;
use syn::{parse::Parse, parse::ParseStream, parse_macro_input, Error, FnArg, Ident, ItemFn};
use syn::{LitStr, Pat, Result, ReturnType, Token, Type};

/// What a hook replaces.
enum Target {
    /// An exported function that `crate::bindings` declares.
    Function(Ident),
    /// A function found by name when the hook is installed.
    Symbol(LitStr),
    /// A member of the leased file's `struct file_operations`.
    FileOperation(Ident),
    /// A member of the leased inode's `struct inode_operations`.
    InodeOperation(Ident),
    /// A member of its mapping's `struct address_space_operations`.
    MappingOperation(Ident),
}

struct Arguments {
    target: Target,
    filesystem: Option<LitStr>,
}

impl Parse for Arguments {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut target = None;
        let mut filesystem = None;
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![=]>()?;
            match key.to_string().as_str() {
                "function" => target = Some(Target::Function(input.parse()?)),
                "symbol" => target = Some(Target::Symbol(input.parse()?)),
                "file_operation" => target = Some(Target::FileOperation(input.parse()?)),
                "inode_operation" => target = Some(Target::InodeOperation(input.parse()?)),
                "mapping_operation" => target = Some(Target::MappingOperation(input.parse()?)),
                "filesystem" => filesystem = Some(input.parse()?),
                _ => return Err(Error::new(key.span(), "unknown argument of #[hook]")),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        let target = target.ok_or_else(|| {
            input.error(
                "#[hook] needs function, symbol, file_operation, inode_operation or \
                 mapping_operation",
            )
        })?;
        Ok(Self { target, filesystem })
    }
}

/// Replaces a kernel function by the function below.
///
/// ```ignore
/// #[hook(function = folio_mkclean)]
/// fn mkclean(original: Original, folio: &Folio) -> c_int {
///     original.call(folio)
/// }
/// ```
///
/// One per module. It defines, beside the function:
/// - `Original`, which calls what was replaced, with the same arguments;
/// - `HOOK`, for the hook table.
///
/// Each argument type implements `HookArg`, the return type `HookReturn`; they say what the C
/// side is. Where a C declaration exists (function, and the operations) a
/// difference from it does not compile. Keys: `function = NAME`, `symbol = "NAME"`,
/// `file_operation = MEMBER`, `inode_operation = MEMBER`, `mapping_operation = MEMBER`, and `filesystem = "TYPE"` for what
/// only that filesystem needs.
#[proc_macro_attribute]
pub fn hook(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let arguments = parse_macro_input!(arguments as Arguments);
    let function = parse_macro_input!(item as ItemFn);
    expand(arguments, function)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn expand(arguments: Arguments, function: ItemFn) -> Result<TokenStream2> {
    let (names, types) = parameters(&function)?;
    let wrapped = &function.sig.ident;
    let output: Type = match &function.sig.output {
        ReturnType::Default => syn::parse_quote!(()),
        ReturnType::Type(_, ty) => (**ty).clone(),
    };
    let raw_function = quote! {
        unsafe extern "C" fn(#(<#types as crate::hook::HookArg>::Raw),*)
            -> <#output as crate::hook::HookReturn>::Raw
    };
    let (name, source) = source(&arguments.target, &raw_function);
    let filesystem = match &arguments.filesystem {
        Some(filesystem) => quote!(Some(#filesystem)),
        None => quote!(None),
    };

    Ok(quote! {
        #function

        /// Calls what this hook replaced.
        pub(crate) struct Original(&'static crate::hook::Slot);

        impl Original {
            /// Calls the original with these arguments.
            fn call(&self, #(#names: #types),*) -> #output {
                let registers = [#(crate::hook::HookArg::into_register(#names)),*];
                // SAFETY: The slot's target is the function with this signature, and the
                // arguments are valid as their types say.
                let result = unsafe { crate::hook::call::original(self.0, &registers) };
                <#output as crate::hook::HookReturn>::from_register(result)
            }
        }

        /// # Safety
        ///
        /// Entered in place of the original, with its arguments.
        unsafe extern "C" fn replacement<const SLOT: usize>(
            #(#names: <#types as crate::hook::HookArg>::Raw),*
        ) -> <#output as crate::hook::HookReturn>::Raw {
            let _running = HOOK.enter();
            // SAFETY: These are the arguments that the caller gave to the original.
            let result = #wrapped(
                Original(HOOK.slot(SLOT)),
                #(unsafe { <#types as crate::hook::HookArg>::from_raw(#names) }),*
            );
            crate::hook::HookReturn::into_raw(result)
        }

        /// This hook, for the table in `crate::hook`.
        pub(crate) static HOOK: crate::hook::Hook = crate::hook::Hook::new(
            #name,
            #source,
            #filesystem,
            [
                replacement::<0> as *const (),
                replacement::<1> as *const (),
                replacement::<2> as *const (),
                replacement::<3> as *const (),
            ],
        );
    })
}

/// The names and types of the arguments after `original`.
fn parameters(function: &ItemFn) -> Result<(Vec<Ident>, Vec<Type>)> {
    let mut names = Vec::new();
    let mut types = Vec::new();
    for argument in function.sig.inputs.iter().skip(1) {
        let FnArg::Typed(argument) = argument else {
            return Err(Error::new_spanned(argument, "a hook is not a method"));
        };
        let Pat::Ident(name) = &*argument.pat else {
            return Err(Error::new_spanned(
                &argument.pat,
                "a hook's argument is a name",
            ));
        };
        names.push(name.ident.clone());
        types.push((*argument.ty).clone());
    }
    if names.len() > 6 {
        return Err(Error::new_spanned(
            &function.sig.inputs,
            "only what fits the six argument registers can be hooked",
        ));
    }
    Ok((names, types))
}

/// The hook's name and where its target is found.
fn source(target: &Target, raw_function: &TokenStream2) -> (String, TokenStream2) {
    match target {
        Target::Function(name) => (
            name.to_string(),
            quote! {
                crate::hook::Source::Function({
                    const TARGET: #raw_function = crate::bindings::#name;
                    TARGET as *const ()
                })
            },
        ),
        Target::Symbol(name) => {
            let symbol = name.value();
            let c_name = std::ffi::CString::new(symbol.clone()).expect("a symbol has no NUL");
            let literal = proc_macro2::Literal::c_string(&c_name);
            (symbol, quote!(crate::hook::Source::Symbol(#literal)))
        }
        Target::FileOperation(member) => operation("FileOperation", member, raw_function),
        Target::InodeOperation(member) => operation("InodeOperation", member, raw_function),
        Target::MappingOperation(member) => operation("MappingOperation", member, raw_function),
    }
}

/// A member of a table of operations.
fn operation(table: &str, member: &Ident, raw_function: &TokenStream2) -> (String, TokenStream2) {
    let table = Ident::new(table, member.span());
    let source = quote! {
        crate::hook::Source::#table(|operations| {
            let member: Option<#raw_function> = operations.#member;
            member.map(|function| function as *const ())
        })
    };
    (member.to_string(), source)
}
