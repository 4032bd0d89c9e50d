// The module `cloudflare:email`, which libraries import whether or not they send anything.
import { missing } from 'dotdo:host';

export class EmailMessage {
  constructor() {
    missing('EmailMessage', 'send mail by fetch to a service that does');
  }
}
