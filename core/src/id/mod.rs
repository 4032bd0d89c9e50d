//! Identities: whose an object is, which class it has, and its id; and their keys in the bucket.

mod names;
mod object;
mod tenant;

pub(crate) use names::{CLASS_DELETED, ClassNames};
pub use object::{CLASS_BYTES_MAX, ID_BYTES_MAX, ObjectId, is_class_name};
pub(crate) use object::{class_at, class_segment, id_segments_begin};
pub use tenant::{TENANT_NAME_BYTES_MAX, Tenant, TenantClaims};

/// Maximum length of the key segment of an id, an organisation or a tenant, in bytes; most file
/// systems allow 255.
const SEGMENT_BYTES_MAX: usize = 200;
