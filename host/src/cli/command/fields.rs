//! The names of a command's fields, as its derive of `Deserialize` asks for them.

use serde::de::value::{Error, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Error as _, IntoDeserializer as _,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

/// The names of the fields of a variant of an enum; none where the enum is not read as derived.
pub(super) fn of<T: DeserializeOwned>(variant: &str) -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // It reads nothing, so that it always fails.
    let _ = T::deserialize(Asked {
        variant,
        fields: &mut fields,
    });
    fields
}

/// Keeps which fields are asked for.
struct Asked<'a> {
    variant: &'a str,
    fields: &'a mut &'static [&'static str],
}

fn nothing<T>() -> Result<T, Error> {
    Err(Error::custom("there is nothing to read"))
}

impl<'de> Deserializer<'de> for Asked<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Error> {
        nothing()
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_enum(self)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

impl<'de> EnumAccess<'de> for Asked<'_> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Error> {
        let name: StrDeserializer<'_, Error> = self.variant.into_deserializer();
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de> VariantAccess<'de> for Asked<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        nothing()
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, Error> {
        nothing()
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, Error> {
        nothing()
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Error> {
        *self.fields = fields;
        nothing()
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn are_those_of_the_declaration() {
        #[derive(Deserialize)]
        #[expect(dead_code, reason = "only its shape counts")]
        enum Ask {
            LightUp {
                watts: u32,
                #[serde(rename = "zone_name", default)]
                zone: String,
            },
            PutOut {},
            Dim,
        }
        assert_eq!(of::<Ask>("LightUp"), ["watts", "zone_name"]);
        for none in ["PutOut", "Dim", "Sell"] {
            assert_eq!(of::<Ask>(none), [""; 0], "{none}");
        }
        assert_eq!(of::<String>("LightUp"), [""; 0]);
    }
}
