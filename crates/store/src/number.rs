//! Numbers as columns hold them.

use sqlx::{Any, Database, Encode, Type, any::AnyTypeInfo, encode::IsNull, error::BoxDynError};

use crate::StoreError;

/// A number that may be absent, to be bound to a DOUBLE PRECISION column.
///
/// A bare `Option<f64>` will not do: sqlx 0.9 calls an absent one `float4` before PostgreSQL, which prepares the statement
/// so, and the same statement then fails for every number that is there. An absent `f32` it calls `float8`.
pub(crate) struct Real(pub Option<f64>);

impl Type<Any> for Real {
    fn type_info() -> AnyTypeInfo {
        <f64 as Type<Any>>::type_info()
    }
}

impl Encode<'_, Any> for Real {
    fn encode_by_ref(&self, buffer: &mut <Any as Database>::ArgumentBuffer) -> Result<IsNull, BoxDynError> {
        match self.0 {
            Some(value) => Encode::<Any>::encode_by_ref(&value, buffer),
            None => Encode::<Any>::encode_by_ref(&None::<f32>, buffer),
        }
    }
}

/// A count out of a BIGINT.
pub(crate) fn count(table: &'static str, number: i64) -> Result<u32, StoreError> {
    u32::try_from(number).map_err(|error| StoreError::corrupt(table, error))
}

/// The same, where there may be none.
pub(crate) fn count_some(table: &'static str, number: Option<i64>) -> Result<Option<u32>, StoreError> {
    number.map(|number| count(table, number)).transpose()
}
