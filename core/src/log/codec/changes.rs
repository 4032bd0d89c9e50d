//! The changes of transactions, to bytes and back.

use minicbor::data::{Tag, Type};
use minicbor::decode::Error;
use minicbor::encode::Write;
use minicbor::{Decoder, Encoder};

use crate::change::{Changes, Row, RowKey, Schema, SchemaKind, SchemaObject, TableChanges, Value};

/// Marks a byte string that SQLite holds as text although it is not UTF-8.
const TAG_RAW_TEXT: Tag = Tag::new(65_001);

pub(super) type Out<'a, W> = Encoder<&'a mut W>;
pub(super) type Written<W> = Result<(), minicbor::encode::Error<<W as Write>::Error>>;

pub(super) fn changes_out<W: Write>(out: &mut Out<'_, W>, changes: &Changes) -> Written<W> {
    out.begin_map()?;
    if let Some(schema) = &changes.schema {
        out.u8(0)?.array(schema.objects.len() as u64)?;
        for object in &schema.objects {
            schema_object_out(out, object)?;
        }
    }
    if !changes.renames.is_empty() {
        out.u8(1)?.array(changes.renames.len() as u64)?;
        for (from, to) in &changes.renames {
            out.array(2)?.str(from)?.str(to)?;
        }
    }
    if !changes.tables.is_empty() {
        out.u8(2)?.array(changes.tables.len() as u64)?;
        for table in &changes.tables {
            table_out(out, table)?;
        }
    }
    if let Some(sequences) = &changes.sequences {
        out.u8(3)?.map(sequences.len() as u64)?;
        for (table, value) in sequences {
            out.str(table)?.i64(*value)?;
        }
    }
    if let Some(version) = changes.user_version {
        out.u8(4)?.i32(version)?;
    }
    if let Some(id) = changes.application_id {
        out.u8(5)?.i32(id)?;
    }
    out.end()?;
    Ok(())
}

fn schema_object_out<W: Write>(out: &mut Out<'_, W>, object: &SchemaObject) -> Written<W> {
    let kind = match object.kind {
        SchemaKind::Table => 0,
        SchemaKind::Index => 1,
        SchemaKind::View => 2,
        SchemaKind::Trigger => 3,
    };
    out.array(4)?.u8(kind)?.str(&object.name)?.str(&object.table)?;
    match &object.sql {
        Some(sql) => out.str(sql)?,
        None => out.null()?,
    };
    Ok(())
}

fn table_out<W: Write>(out: &mut Out<'_, W>, table: &TableChanges) -> Written<W> {
    out.begin_map()?.u8(0)?.str(&table.table)?;
    if table.rewritten {
        out.u8(1)?.bool(true)?;
    }
    if !table.deletes.is_empty() {
        out.u8(2)?.array(table.deletes.len() as u64)?;
        for key in &table.deletes {
            key_out(out, key)?;
        }
    }
    if !table.upserts.is_empty() {
        out.u8(3)?.array(table.upserts.len() as u64)?;
        for row in &table.upserts {
            row_out(out, row)?;
        }
    }
    out.end()?;
    Ok(())
}

fn key_out<W: Write>(out: &mut Out<'_, W>, key: &RowKey) -> Written<W> {
    match key {
        RowKey::Rowid(rowid) => {
            out.i64(*rowid)?;
        }
        RowKey::Primary(values) => {
            out.array(values.len() as u64)?;
            for value in values {
                value_out(out, value)?;
            }
        }
    }
    Ok(())
}

fn row_out<W: Write>(out: &mut Out<'_, W>, row: &Row) -> Written<W> {
    out.array(1 + row.values.len() as u64)?;
    match row.rowid {
        Some(rowid) => out.i64(rowid)?,
        None => out.null()?,
    };
    row.values.iter().try_for_each(|value| value_out(out, value))
}

fn value_out<W: Write>(out: &mut Out<'_, W>, value: &Value) -> Written<W> {
    match value {
        Value::Null => out.null()?,
        Value::Integer(value) => out.i64(*value)?,
        Value::Real(value) => out.f64(*value)?,
        Value::Blob(bytes) => out.bytes(bytes)?,
        Value::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => out.str(text)?,
            Err(_) => out.tag(TAG_RAW_TEXT)?.bytes(bytes)?,
        },
    };
    Ok(())
}

pub(super) fn changes_in(input: &mut Decoder<'_>) -> Result<Changes, Error> {
    let mut changes = Changes::default();
    each_field(input, |input, number| {
        match number {
            0 => changes.schema = Some(Schema { objects: list_in(input, schema_object_in)? }),
            1 => changes.renames = list_in(input, rename_in)?,
            2 => changes.tables = list_in(input, table_in)?,
            3 => {
                changes.sequences =
                    Some(input.map_iter::<String, i64>()?.collect::<Result<_, _>>()?)
            }
            4 => changes.user_version = Some(input.i32()?),
            5 => changes.application_id = Some(input.i32()?),
            _ => input.skip()?,
        }
        Ok(())
    })?;
    Ok(changes)
}

fn rename_in(input: &mut Decoder<'_>) -> Result<(String, String), Error> {
    expect_len(input.array()?, 2)?;
    Ok((input.str()?.to_owned(), input.str()?.to_owned()))
}

fn schema_object_in(input: &mut Decoder<'_>) -> Result<SchemaObject, Error> {
    expect_len(input.array()?, 4)?;
    let kind = match input.u8()? {
        0 => SchemaKind::Table,
        1 => SchemaKind::Index,
        2 => SchemaKind::View,
        3 => SchemaKind::Trigger,
        _ => return Err(Error::message("an unknown kind of schema object")),
    };
    let name = input.str()?.to_owned();
    let table = input.str()?.to_owned();
    let sql = if null_in(input)? { None } else { Some(input.str()?.to_owned()) };
    Ok(SchemaObject { kind, name, table, sql })
}

fn table_in(input: &mut Decoder<'_>) -> Result<TableChanges, Error> {
    let mut table = TableChanges {
        table: String::new(),
        rewritten: false,
        deletes: Vec::new(),
        upserts: Vec::new(),
    };
    each_field(input, |input, number| {
        match number {
            0 => table.table = input.str()?.to_owned(),
            1 => table.rewritten = input.bool()?,
            2 => table.deletes = list_in(input, key_in)?,
            3 => table.upserts = list_in(input, row_in)?,
            _ => input.skip()?,
        }
        Ok(())
    })?;
    Ok(table)
}

fn key_in(input: &mut Decoder<'_>) -> Result<RowKey, Error> {
    Ok(match input.datatype()? {
        Type::Array => RowKey::Primary(list_in(input, value_in)?),
        _ => RowKey::Rowid(input.i64()?),
    })
}

fn row_in(input: &mut Decoder<'_>) -> Result<Row, Error> {
    let len = input
        .array()?
        .filter(|len| *len > 0)
        .ok_or_else(|| Error::message("expected an array for a row"))?;
    let rowid = if null_in(input)? { None } else { Some(input.i64()?) };
    let values = (1..len).map(|_| value_in(input)).collect::<Result<_, _>>()?;
    Ok(Row { rowid, values })
}

fn value_in(input: &mut Decoder<'_>) -> Result<Value, Error> {
    Ok(match input.datatype()? {
        Type::Null => {
            input.null()?;
            Value::Null
        }
        Type::F64 => Value::Real(input.f64()?),
        Type::String => Value::Text(input.str()?.as_bytes().to_vec()),
        Type::Bytes => Value::Blob(input.bytes()?.to_vec()),
        Type::Tag => {
            if input.tag()? != TAG_RAW_TEXT {
                return Err(Error::message("an unknown tag"));
            }
            Value::Text(input.bytes()?.to_vec())
        }
        _ => Value::Integer(input.i64()?),
    })
}

/// Consumes a null, if the next item is one.
fn null_in(input: &mut Decoder<'_>) -> Result<bool, Error> {
    let null = input.datatype()? == Type::Null;
    if null {
        input.null()?;
    }
    Ok(null)
}

pub(super) fn expect_len(len: Option<u64>, wanted: u64) -> Result<(), Error> {
    if len == Some(wanted) {
        Ok(())
    } else {
        Err(Error::message(format!("expected an array of {wanted} items")))
    }
}

pub(super) fn list_in<'b, T>(
    input: &mut Decoder<'b>,
    item: impl Fn(&mut Decoder<'b>) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let len = input.array()?.ok_or_else(|| Error::message("expected a list with its length"))?;
    (0..len).map(|_| item(input)).collect()
}

/// Calls `field` for each field number of a map; it must take the value.
pub(super) fn each_field<'b>(
    input: &mut Decoder<'b>,
    mut field: impl FnMut(&mut Decoder<'b>, u32) -> Result<(), Error>,
) -> Result<(), Error> {
    if input.map()?.is_some() {
        return Err(Error::message("expected a map of indefinite length"));
    }
    while input.datatype()? != Type::Break {
        let number = input.u32()?;
        field(input, number)?;
    }
    input.skip()
}
