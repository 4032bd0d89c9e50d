declare namespace Cloudflare {
  interface Env {
    MY_DURABLE_OBJECT: DurableObjectNamespace<import('./src/index').MyDurableObject>;
  }
}
interface Env extends Cloudflare.Env {}
