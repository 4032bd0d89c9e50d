//! Lists of classes and objects, by the folders of a tenant's part of the bucket.

use std::collections::VecDeque;

use futures_util::{StreamExt, TryStreamExt, stream};

use super::Inspection;
use super::answers::{ClassItem, ObjectItem, ObjectPage};
use crate::cluster::object_in_lock_file;
use crate::error::{Error, ErrorKind, Result};
use crate::id::{Tenant, class_at, class_segment, id_segments_begin, is_class_name};
use crate::limits::{
    COUNTED_KEYS_MAX, LISTED_AT_ONCE, LISTED_FOLDERS_FACTOR, LISTED_OBJECTS_MAX, STORE_PAGE_MAX,
};
use crate::log::{newest_key, object_of};
use crate::millis;
use crate::rollup::is_rollup;
use crate::store::{Bucket as _, Names};
use crate::tenants::TenantBucket;

/// Which objects are listed.
///
/// ```
/// # use dotdo_core::testing::examples::{dotdo, with_object};
/// # with_object(async |engine, object| {
/// use dotdo::engine::ObjectQuery;
///
/// let query = ObjectQuery {
///     class: Some("Shop".to_owned()),
///     prefix: "no".to_owned(),
///     limit: 10,
///     size: true,
///     ..ObjectQuery::default()
/// };
/// let page = engine.inspection().objects(object.tenant(), &query).await?;
/// assert_eq!(page.items[0].id, "north");
/// assert!(page.items[0].bytes > Some(0));
/// # Ok(())
/// # });
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ObjectQuery {
    /// The class; `None` for all classes.
    pub class: Option<String>,
    /// How the ids begin; empty for all.
    pub prefix: String,
    /// Where to continue ([`ObjectPage::next`]).
    pub after: Option<String>,
    /// Maximum number of objects, at most 1,000.
    pub limit: usize,
    /// Whether to count the keys and bytes of each, which takes a listing of all that it has.
    pub size: bool,
}

impl Inspection {
    /// The classes of which `tenant` has objects, by name.
    ///
    /// # Errors
    ///
    /// Those of the store; `Gone` when the tenant is closed.
    pub async fn classes(&self, tenant: &Tenant) -> Result<Vec<ClassItem>> {
        let bucket = self.runtime().tenants.bucket(tenant)?;
        let segments = bucket.admit(class_segments(&bucket)).await?;
        let app = &self.runtime().app;
        let mut items: Vec<ClassItem> = segments
            .iter()
            .filter_map(|segment| class_at(segment))
            .filter(|class| !is_rollup(class))
            .map(|class| ClassItem { registered: app.check_class(&class).is_ok(), class })
            .collect();
        items.sort_by(|a, b| a.class.cmp(&b.class));
        Ok(items)
    }

    /// A page of the objects of `tenant`. Two requests to the store for each object at most, and
    /// one more for each thousand keys of it if its size is asked for.
    ///
    /// # Errors
    ///
    /// `Invalid` for a query that makes no sense; those of the store; `Gone` when the tenant is
    /// closed.
    pub async fn objects(&self, tenant: &Tenant, query: &ObjectQuery) -> Result<ObjectPage> {
        let limit = query.limit.clamp(1, LISTED_OBJECTS_MAX);
        if let Some(class) = query.class.as_deref().filter(|class| !is_class_name(class)) {
            return Err(Error::invalid(format!("expected a class name, got {class:?}")));
        }
        let bucket = self.runtime().tenants.bucket(tenant)?;
        let stored = |class: String| self.runtime().app.names().stored(&class).to_owned();
        let query = &ObjectQuery { class: query.class.clone().map(stored), ..query.clone() };
        bucket.admit(page(&bucket, query, limit)).await
    }
}

/// Where a page begins: the class, and the id after which; both as segments of keys.
#[derive(Default)]
struct Cursor {
    class: Option<String>,
    id: Option<String>,
}

impl Cursor {
    /// # Errors
    ///
    /// `Invalid` for what no page has ended with.
    fn parse(text: Option<&str>) -> Result<Self> {
        let Some(text) = text else { return Ok(Self::default()) };
        let is_segment = |segment: &str| {
            !segment.is_empty()
                && segment
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        };
        match text.split_once('/') {
            Some((class, "")) if is_segment(class) => {
                Ok(Self { class: Some(class.to_owned()), id: None })
            }
            Some((class, id)) if is_segment(class) && is_segment(id) => {
                Ok(Self { class: Some(class.to_owned()), id: Some(id.to_owned()) })
            }
            _ => {
                Err(Error::invalid("expected `after` to be the `next` of a page, got another text"))
            }
        }
    }
}

async fn page(bucket: &TenantBucket, query: &ObjectQuery, limit: usize) -> Result<ObjectPage> {
    let Cursor { class, id: mut after } = Cursor::parse(query.after.as_deref())?;
    let mut classes: VecDeque<String> = match &query.class {
        Some(class) => VecDeque::from([class_segment(class)]),
        None => {
            let mut segments = class_segments(bucket).await?;
            segments.retain(|segment| !class_at(segment).is_some_and(|class| is_rollup(&class)));
            segments.into()
        }
    };
    if let Some(class) = class {
        while classes.front().is_some_and(|front| *front != class) {
            classes.pop_front();
        }
    }
    let begin = id_segments_begin(&query.prefix);
    let (mut items, mut looked_at) = (Vec::new(), 0);
    while let Some(class) = classes.front().cloned() {
        let wanted = (limit - items.len()).min(STORE_PAGE_MAX);
        let names = Names { begin: &begin, after: after.as_deref() };
        let folder = bucket.tenant().prefix().join("do").join(&class);
        let ids = bucket.list_folders(&folder, names, wanted).await?;
        looked_at += ids.len();
        let is_last = ids.len() < wanted;
        let last = ids.last().cloned();
        let look = |id: String| look(bucket, format!("{class}/{id}"), query.size);
        let found: Vec<Option<ObjectItem>> =
            stream::iter(ids).map(look).buffered(LISTED_AT_ONCE).try_collect().await?;
        let is_wanted = |item: &ObjectItem| item.id.starts_with(&query.prefix);
        items.extend(found.into_iter().flatten().filter(is_wanted));
        let is_full = items.len() >= limit || looked_at >= limit * LISTED_FOLDERS_FACTOR;
        if let Some(last) = last.as_ref().filter(|_| !is_last && is_full) {
            return Ok(ObjectPage { items, next: Some(format!("{class}/{last}")) });
        }
        after = last.filter(|_| !is_last);
        if is_last {
            classes.pop_front();
        }
        if is_full && !classes.is_empty() {
            let next = classes.front().map(|class| format!("{class}/"));
            return Ok(ObjectPage { items, next });
        }
    }
    Ok(ObjectPage { items, next: None })
}

/// The segments of the classes of which a tenant has objects, in the store's order.
async fn class_segments(bucket: &TenantBucket) -> Result<Vec<String>> {
    let (folder, mut segments) = (bucket.tenant().prefix().join("do"), Vec::new());
    loop {
        let after = segments.last().map(String::as_str);
        let page = bucket.list_folders(&folder, Names { begin: "", after }, STORE_PAGE_MAX).await?;
        let is_last = page.len() < STORE_PAGE_MAX;
        segments.extend(page);
        if is_last {
            segments.retain(|segment| class_at(segment).is_some());
            return Ok(segments);
        }
    }
}

/// The object with these key segments; `None` where there are no records, or nobody's, or where it was
/// deleted. The key of a long id has a hash instead of it: the object's own files name it, and
/// whether they are right is seen in the hash.
async fn look(bucket: &TenantBucket, segments: String, size: bool) -> Result<Option<ObjectItem>> {
    let tenant = bucket.tenant();
    let prefix = tenant.prefix().join("do").join(&segments);
    let folder = prefix.join("log");
    let Some((sequence, modified_ms)) = newest_key(bucket, &folder).await? else {
        return Ok(None);
    };
    let named = match object_of(bucket, &folder, sequence).await {
        Ok(Some((_, true)) | None) => return Ok(None),
        Ok(Some((object, false))) => Some(object),
        // It is an object all the same, and a verification says what is wrong.
        Err(error) if error.kind() == ErrorKind::Corrupt => None,
        Err(error) => return Err(error),
    };
    let object = match tenant.object_at(&segments).or(named) {
        Some(object) => Some(object),
        None => object_in_lock_file(bucket, &prefix).await,
    };
    let Some(object) = object.filter(|object| object.key_segments() == segments) else {
        tracing::debug!(%prefix, "no object has this prefix");
        return Ok(None);
    };
    let (mut bytes, mut keys) = (None, None);
    if size {
        let entries = bucket.list(&prefix, None, COUNTED_KEYS_MAX).await?;
        bytes = Some(entries.iter().map(|entry| entry.bytes).sum());
        keys = Some(entries.len() as u64);
    }
    Ok(Some(ObjectItem {
        class: object.class().to_owned(),
        id: object.id().to_owned(),
        sequence,
        written_at: millis::text(modified_ms),
        bytes,
        keys,
    }))
}
