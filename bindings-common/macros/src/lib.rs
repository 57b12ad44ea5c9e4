//! `#[barrier]`, which puts the panic barrier around the exported functions of a binding.
//!
//! It stands above the attribute that exports, on a function or on an `impl` block:
//!
//! ```text
//! #[barrier]
//! #[pymethods]
//! impl NativeClient { … }
//! ```
//!
//! Functions return their binding's `Result`, so that a panic can be an error. What does not return
//! one is changed to return one; with `#[barrier(default)]` it returns the default value of its type
//! after a panic instead. The module `crate::barrier` of the binding has what the code refers to:
//! `Result`, `sync`, `future`, and `or_default`.

use proc_macro::TokenStream;
use quote::quote;
use syn::{ImplItem, Item, ReturnType, Signature, Type, parse_quote};

/// Puts the panic barrier around a function, or around each function of an `impl` block.
#[proc_macro_attribute]
pub fn barrier(arguments: TokenStream, item: TokenStream) -> TokenStream {
    let plain = match arguments.to_string().as_str() {
        "" => Plain::Result,
        "default" => Plain::Default,
        other => {
            let message = format!("barrier takes nothing or `default`, not `{other}`");
            return quote!(compile_error!(#message);).into();
        }
    };
    let mut item = syn::parse_macro_input!(item as Item);
    match &mut item {
        Item::Fn(function) => wrap(&mut function.sig, &mut function.block, plain),
        Item::Impl(block) => {
            for item in &mut block.items {
                if let ImplItem::Fn(function) = item {
                    wrap(&mut function.sig, &mut function.block, plain);
                }
            }
        }
        _ => return quote!(compile_error!("barrier is for functions and impl blocks");).into(),
    }
    quote!(#item).into()
}

/// What a function returns after a panic if it does not return a result.
#[derive(Clone, Copy)]
enum Plain {
    /// An error: its type becomes a result.
    Result,
    Default,
}

fn wrap(signature: &mut Signature, block: &mut syn::Block, plain: Plain) {
    // The garbage collector calls it at any time, and it must not touch the interpreter: pyo3 has a
    // barrier of its own there.
    if signature.ident == "__traverse__" {
        return;
    }
    let returned: Type = match &signature.output {
        ReturnType::Default => parse_quote!(()),
        ReturnType::Type(_, kind) => (**kind).clone(),
    };
    *block = match plain {
        _ if signature.asyncness.is_some() => {
            parse_quote!({ crate::barrier::future(async move #block).await })
        }
        _ if is_result(&returned) => {
            parse_quote!({ crate::barrier::sync(move || -> #returned #block) })
        }
        Plain::Default => parse_quote!({ crate::barrier::or_default(move || -> #returned #block) }),
        Plain::Result => {
            signature.output = parse_quote!(-> crate::barrier::Result<#returned>);
            // A closure in a closure, since the block may have a `return`.
            parse_quote!({ crate::barrier::sync(move || Ok((move || -> #returned #block)())) })
        }
    };
}

fn is_result(returned: &Type) -> bool {
    let Type::Path(path) = returned else { return false };
    path.path.segments.last().is_some_and(|last| last.ident == "Result" || last.ident == "PyResult")
}
