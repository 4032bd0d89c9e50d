//! Compiles the modules of the runtime (`runtime/`) to bytecode, as compiling their texts would be most
//! of a realm's start (`docs/design/0035-javascript.md`). The engine that writes it is that of the
//! program, in the same version.
//!
//! Without its text a function of the runtime looks like one of the engine's (`[native code]`). The
//! places in stacks stay.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;
use std::rc::Rc;
use std::{env, fs};

use rquickjs::loader::{ImportAttributes, Loader, Resolver};
use rquickjs::module::{Declared, Module, WriteOptions, WriteOptionsEndianness};
use rquickjs::{CatchResultExt, Context, Ctx, Error, Runtime};

include!("src/modules/table.rs");

/// The modules of the runtime name each other as the table does.
struct Names;

impl Resolver for Names {
    fn resolve<'js>(
        &mut self,
        _: &Ctx<'js>,
        _: &str,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<String> {
        Ok(name.to_owned())
    }
}

/// Compiles what is loaded, and keeps its bytecode by its name.
#[derive(Clone, Default)]
struct Compiler {
    compiled: Rc<RefCell<BTreeMap<String, Vec<u8>>>>,
}

impl Loader for Compiler {
    fn load<'js>(
        &mut self,
        ctx: &Ctx<'js>,
        name: &str,
        _: Option<ImportAttributes<'js>>,
    ) -> rquickjs::Result<Module<'js, Declared>> {
        let known = MODULES.iter().find(|(ours, _)| *ours == name);
        let (_, file) = known.ok_or_else(|| Error::new_loading(name))?;
        let text = fs::read(Path::new("runtime").join(file))
            .map_err(|cause| Error::new_loading_message(name, cause.to_string()))?;
        let module = Module::declare(ctx.clone(), name, text)?;
        let endianness = match env::var("CARGO_CFG_TARGET_ENDIAN").as_deref() {
            Ok("big") => WriteOptionsEndianness::Big,
            _ => WriteOptionsEndianness::Little,
        };
        let options = WriteOptions { endianness, strip_source: true, ..WriteOptions::default() };
        let bytes = module.write(options)?;
        self.compiled.borrow_mut().insert(name.to_owned(), bytes);
        Ok(module)
    }
}

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=runtime");
    println!("cargo:rerun-if-changed=src/modules/table.rs");
    let compiler = Compiler::default();
    let runtime = Runtime::new().expect("memory for an engine");
    runtime.set_loader(Names, compiler.clone());
    let context = Context::full(&runtime).expect("memory for a realm");
    for (name, _) in MODULES {
        // One that another imports is there already.
        let is_there = compiler.compiled.borrow().contains_key(*name);
        let compiled = context.with(|ctx| match is_there {
            true => Ok(()),
            false => compiler
                .clone()
                .load(&ctx, name, None)
                .catch(&ctx)
                .map_err(|error| error.to_string())
                .map(drop),
        });
        compiled.unwrap_or_else(|error| panic!("cannot compile {name}: {error}"));
    }
    write(&compiler.compiled.borrow());
}

/// Writes the bytecode, and the text of a slice of all names and theirs.
fn write(compiled: &BTreeMap<String, Vec<u8>>) {
    let folder = env::var("OUT_DIR").expect("cargo says where to write");
    let folder = Path::new(&folder);
    let mut table = "&[\n".to_owned();
    for (at, (name, _)) in MODULES.iter().enumerate() {
        let file = folder.join(format!("{at}.bytecode"));
        fs::write(&file, &compiled[*name]).expect("the folder is writable");
        writeln!(table, "    ({name:?}, include_bytes!({file:?})),").expect("a text takes more");
    }
    table.push_str("]\n");
    fs::write(folder.join("modules.rs"), table).expect("the folder is writable");
}
