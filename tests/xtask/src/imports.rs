//! What a WebAssembly module asks of its host, read from its import section.
//!
//! Follows the binary format of the core specification, version 2, section 5.5. It reads sections,
//! not code.

use std::fmt;

/// One thing that a module imports.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Import {
    pub(crate) module: String,
    pub(crate) name: String,
}

/// The imports and exports of a module.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Border {
    pub(crate) imports: Vec<Import>,
    pub(crate) exports: Vec<String>,
}

impl Border {
    /// Reads a module.
    ///
    /// # Errors
    ///
    /// The bytes are not a module, or use a kind of import that this reader does not know.
    pub(crate) fn parse(module: &[u8]) -> Result<Self, NotAModule> {
        let body = module
            .strip_prefix(b"\0asm\x01\0\0\0")
            .ok_or(NotAModule { at: 0 })?;
        let mut reader = Reader {
            rest: body,
            length: module.len(),
        };
        let mut border = Self::default();
        while !reader.rest.is_empty() {
            let section = reader.byte()?;
            let size = reader.number()?;
            let mut content = Reader {
                rest: reader.take(size)?,
                ..reader
            };
            match section {
                IMPORTS => {
                    for _ in 0..content.number()? {
                        border.imports.push(content.import()?);
                    }
                }
                EXPORTS => {
                    for _ in 0..content.number()? {
                        border.exports.push(content.name()?);
                        content.byte()?;
                        content.number()?;
                    }
                }
                _ => {}
            }
        }
        Ok(border)
    }
}

impl fmt::Display for Import {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}` of `{}`", self.name, self.module)
    }
}

/// The bytes could not be read as a module.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct NotAModule {
    at: usize,
}

impl fmt::Display for NotAModule {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "not a WebAssembly module that can be read, near byte {}",
            self.at
        )
    }
}

impl std::error::Error for NotAModule {}

#[derive(Clone, Copy)]
struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    fn here(&self) -> NotAModule {
        NotAModule {
            at: self.length.saturating_sub(self.rest.len()),
        }
    }

    fn take(&mut self, count: u32) -> Result<&'a [u8], NotAModule> {
        let (taken, rest) = self
            .rest
            .split_at_checked(count as usize)
            .ok_or_else(|| self.here())?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, NotAModule> {
        Ok(self.take(1)?[0])
    }

    /// An unsigned LEB128 integer of at most 32 bits; of larger ones, which only limits hold, the low bits.
    fn number(&mut self) -> Result<u32, NotAModule> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte & 0x80 == 0 {
                return Ok(value as u32);
            }
        }
        Err(self.here())
    }

    fn name(&mut self) -> Result<String, NotAModule> {
        let length = self.number()?;
        let here = self.here();
        String::from_utf8(self.take(length)?.to_vec()).map_err(|_| here)
    }

    fn import(&mut self) -> Result<Import, NotAModule> {
        let import = Import {
            module: self.name()?,
            name: self.name()?,
        };
        match self.byte()? {
            FUNCTION => {
                self.number()?;
            }
            TABLE => {
                self.byte()?;
                self.limits()?;
            }
            MEMORY => self.limits()?,
            GLOBAL | TAG => {
                self.byte()?;
                self.byte()?;
            }
            _ => return Err(self.here()),
        }
        Ok(import)
    }

    fn limits(&mut self) -> Result<(), NotAModule> {
        let flags = self.byte()?;
        self.number()?;
        if flags & 1 != 0 {
            self.number()?;
        }
        Ok(())
    }
}

const IMPORTS: u8 = 2;
const EXPORTS: u8 = 7;
const FUNCTION: u8 = 0;
const TABLE: u8 = 1;
const MEMORY: u8 = 2;
const GLOBAL: u8 = 3;
const TAG: u8 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_each_kind_of_import_and_each_export() {
        let mut module = b"\0asm\x01\0\0\0".to_vec();
        let imports = b"\x04\
            \x03env\x01f\x00\x05\
            \x03env\x01t\x01\x70\x00\x01\
            \x03env\x01m\x02\x01\x01\xff\x01\
            \x03env\x01g\x03\x7f\x00";
        module.extend([2, imports.len() as u8]);
        module.extend(imports);
        let exports = b"\x01\x03run\x00\x00";
        module.extend([7, exports.len() as u8]);
        module.extend(exports);

        let border = Border::parse(&module).expect("the module is whole");
        let names: Vec<&str> = border.imports.iter().map(|i| i.name.as_str()).collect();
        assert_eq!(names, ["f", "t", "m", "g"]);
        assert_eq!(border.imports[0].to_string(), "`f` of `env`");
        assert_eq!(border.exports, ["run"]);
    }

    #[test]
    fn refuses_what_is_no_module() {
        assert!(Border::parse(b"").is_err());
        assert!(Border::parse(b"\0asm\x0d\0\x01\0").is_err());
        assert!(Border::parse(b"\0asm\x01\0\0\0\x02\x05\x01").is_err());
    }

    #[test]
    fn takes_an_empty_module() {
        assert_eq!(Border::parse(b"\0asm\x01\0\0\0"), Ok(Border::default()));
    }
}
