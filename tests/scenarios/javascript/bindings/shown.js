/** A value as JSON has it. */
export const shown = (value) =>
  JSON.parse(JSON.stringify(value, (_, item) => {
    if (item === undefined) return 'undefined';
    if (item instanceof Map) return ['Map', ...item];
    if (item instanceof ArrayBuffer) return ['ArrayBuffer', ...new Uint8Array(item)];
    if (ArrayBuffer.isView(item)) return [item.constructor.name, ...item];
    if (item instanceof ReadableStream) return 'ReadableStream';
    return item;
  }) ?? '"undefined"');

export async function outcome(work) {
  try {
    return { value: shown(await work()) };
  } catch (error) {
    return { error: error.name, message: error.message };
  }
}

/** What several attempts come to. */
export const all = (works) => Promise.all(works.map((work) => outcome(work)));

export const text = (count) => 'x'.repeat(count);
export const bytes = (...values) => Uint8Array.from(values);
