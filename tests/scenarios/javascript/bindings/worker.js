// What Cloudflare's bindings do, case by case. The same file runs on miniflare, whose answers are in
// ../bindings.json (`record` beside this writes it), and here.
import { kvCases } from './kv.js';
import { d1Cases } from './d1.js';
import { r2Cases } from './r2.js';
import { heard, queueCases } from './queues.js';
import { outcome } from './shown.js';

const kinds = { kv: kvCases, d1: d1Cases, r2: r2Cases, queue: queueCases };

export default {
  async fetch(request, env) {
    const { pathname } = new URL(request.url);
    if (pathname === '/names') {
      return Response.json(Object.entries(kinds).flatMap(([kind, cases]) => Object.keys(cases).map((name) => `${kind}/${name}`)));
    }
    const [, kind, name] = pathname.split('/');
    if (!kinds[kind]?.[name]) return new Response(`no case: ${pathname}`, { status: 404 });
    return Response.json(await outcome(() => kinds[kind][name](env)));
  },

  queue: heard,

  async scheduled(controller, env) {
    await env.KV.put('cron', JSON.stringify([controller.cron, typeof controller.scheduledTime, Object.prototype.toString.call(controller)]));
  },
};
