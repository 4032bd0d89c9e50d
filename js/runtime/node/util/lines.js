// How the parts of a shown value are put into lines.

const CONTROL = /\u001b\[[0-9;]*m/g;
const widthOf = (ctx, text) => (ctx.colors ? text.replace(CONTROL, '') : text).length;

/** In columns, if the parts are many and about as long. */
function grouped(ctx, output, value) {
  const count = ctx.maxArrayLength < output.length ? output.length - 1 : output.length;
  const widths = output.slice(0, count).map((text) => widthOf(ctx, text));
  const total = widths.reduce((sum, width) => sum + width + 2, 0);
  const widest = Math.max(0, ...widths);
  const column = widest + 2;
  if (column * 3 + ctx.indentation >= ctx.breakLength || (total / column <= 5 && widest > 6)) return output;
  const bias = Math.sqrt(column - total / output.length);
  const biased = Math.max(column - 3 - bias, 1);
  const columns = Math.min(Math.round(Math.sqrt(2.5 * biased * count) / biased), Math.floor((ctx.breakLength - ctx.indentation) / column), ctx.compact * 4, 15);
  if (columns <= 1) return output;
  const columnWidths = Array.from({ length: columns }, (_, at) => {
    let most = 0;
    for (let row = at; row < count; row += columns) most = Math.max(most, widths[row]);
    return most + 2;
  });
  const isNumeric = value !== undefined && output.every((_, at) => typeof value[at] === 'number' || typeof value[at] === 'bigint');
  const lines = [];
  for (let at = 0; at < count; at += columns) {
    const end = Math.min(at + columns, count);
    const cells = output.slice(at, end).map((text, index) => {
      const isLast = at + index === end - 1;
      const padding = columnWidths[index] + text.length - widths[at + index];
      if (isNumeric) return isLast ? text.padStart(padding - 2) : `${text}, `.padStart(padding);
      return isLast ? text : `${text}, `.padEnd(padding);
    });
    lines.push(cells.join(''));
  }
  if (count < output.length) lines.push(output[count]);
  return lines;
}

function fits(ctx, output, start, base) {
  let total = output.length + start;
  if (total + output.length > ctx.breakLength) return false;
  for (const text of output) {
    total += widthOf(ctx, text);
    if (total > ctx.breakLength) return false;
  }
  return base === '' || !base.includes('\n');
}

/** The parts within braces: in one line if they are short and not deep, or each in its own. */
export function fitted(ctx, parts, { base, braces, kind, depth, value }) {
  const before = base ? `${base} ` : '';
  let output = parts;
  if (ctx.compact === true) {
    if (fits(ctx, output, 0, base)) return `${braces[0]}${base ? ` ${base}` : ''} ${output.join(', ')} ${braces[1]}`;
    const indentation = `\n${' '.repeat(ctx.indentation)}`;
    return `${base ? `${base} ` : ''}${braces[0]}${base === '' && braces[0].length === 1 ? ' ' : `${base ? ` ${base}` : ''}\n${indentation}  `}${output.join(`,${indentation}  `)} ${braces[1]}`;
  }
  if (typeof ctx.compact === 'number' && ctx.compact >= 1) {
    const count = output.length;
    if (kind === 'list' && count > 6) output = grouped(ctx, output, value);
    if (ctx.depthNow - depth < ctx.compact && count === output.length) {
      const start = output.length + ctx.indentation + braces[0].length + base.length + 10;
      if (fits(ctx, output, start, base)) {
        const joined = output.join(', ');
        if (!joined.includes('\n')) return `${before}${braces[0]} ${joined} ${braces[1]}`;
      }
    }
  }
  const indentation = `\n${' '.repeat(ctx.indentation)}`;
  return `${before}${braces[0]}${indentation}  ${output.join(`,${indentation}  `)}${indentation}${braces[1]}`;
}
