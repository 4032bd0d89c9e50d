// The classes of what goes by reference, which bundles name; `rpc.js` has what they do.

/** A class whose objects go by reference. */
export class RpcTarget {}

/** The class of stubs. */
export class RpcStub {
  constructor() {
    throw new TypeError('Illegal constructor');
  }
}

/** The class of what calls of stubs return: promises, whose members may be called before they are there. */
export class RpcPromise {
  constructor() {
    throw new TypeError('Illegal constructor');
  }
}
