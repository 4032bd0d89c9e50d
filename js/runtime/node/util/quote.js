// Texts in quotes, as Node shows them.

const NAMED = { '\b': '\\b', '\t': '\\t', '\n': '\\n', '\f': '\\f', '\r': '\\r', '\\': '\\\\' };

function escape(letter) {
  if (NAMED[letter]) return NAMED[letter];
  const unit = letter.charCodeAt(0);
  return unit > 0xff ? `\\u${unit.toString(16)}` : `\\x${unit.toString(16).toUpperCase().padStart(2, '0')}`;
}

/** In the quotes that `text` has none of, if there are such. */
export function quoted(text) {
  let quote = "'";
  if (text.includes("'")) {
    if (!text.includes('"')) quote = '"';
    else if (!text.includes('`') && !text.includes('${')) quote = '`';
  }
  const inner = text
    .replace(/[\x00-\x1f\\\x7f-\x9f]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g, escape);
  return quote + (quote === "'" ? inner.replaceAll("'", "\\'") : inner) + quote;
}
