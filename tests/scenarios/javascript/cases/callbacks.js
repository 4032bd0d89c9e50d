// Functions and objects of RpcTarget that the worker passes to objects, case by case.
import { DurableObject, RpcTarget } from 'cloudflare:workers';

class Tally extends RpcTarget {
  #sum = 0;

  constructor(sum = 0) {
    super();
    this.#sum = sum;
  }

  get sum() {
    return this.#sum;
  }

  add(by) {
    this.#sum += by;
    return this.#sum;
  }

  async addLater(by) {
    await scheduler.wait(1);
    return this.add(by);
  }

  child(sum) {
    return new Tally(sum);
  }

  fail() {
    throw new RangeError('from the worker');
  }
}

const errorOf = async (work) => {
  try {
    return await work();
  } catch (error) {
    return [error.name, error.message];
  }
};

const cases = {
  async calls_a_function(stub) {
    return stub.twice((value) => value * 10, 4);
  },
  async calls_a_function_that_awaits(stub) {
    return stub.twice(async (value) => {
      await scheduler.wait(2);
      return value + 1;
    }, 1);
  },
  async calls_a_function_with_many_values(stub) {
    return stub.spread((...values) => values.map((value) => value?.constructor?.name ?? String(value)), [1, 'a', null, undefined, new Date(0), new Map(), [1]]);
  },
  async calls_methods_of_a_target(stub) {
    const tally = new Tally(1);
    return [await stub.count(tally, 3), tally.sum];
  },
  async calls_methods_that_await(stub) {
    const tally = new Tally();
    return [await stub.countLater(tally, 3), tally.sum];
  },
  async reads_a_field_of_a_target(stub) {
    return stub.sumOf(new Tally(7));
  },
  async gets_an_error_of_a_function(stub) {
    return stub.caught((value) => {
      throw new TypeError(`no ${value}`);
    });
  },
  async passes_on_an_error_of_a_function(stub) {
    return errorOf(() => stub.twice(() => {
      throw new RangeError('not caught');
    }, 1));
  },
  async gets_an_error_of_a_target(stub) {
    return stub.caughtOf(new Tally());
  },
  async has_an_error_of_its_own(stub) {
    return errorOf(() => stub.throws(() => 1));
  },
  async has_no_such_method(stub) {
    return errorOf(() => stub.nowhere(() => 1));
  },
  async calls_what_a_target_has_not(stub) {
    return stub.missing(new Tally());
  },
  async keeps_the_order(stub) {
    const seen = [];
    await stub.inOrder((value) => { seen.push(value); });
    return seen;
  },
  async calls_back_into_the_object(stub) {
    return stub.twice(async (value) => (await stub.increment()) + value, 100);
  },
  async sees_what_was_written_before(stub) {
    return stub.writeAndTell(async () => stub.stored());
  },
  async passes_two(stub) {
    return stub.both((value) => value + 1, new Tally(10));
  },
  async passes_the_same_twice(stub) {
    const seen = [];
    const tell = (value) => seen.push(value);
    return [await stub.tellBoth(tell, tell), seen];
  },
  async passes_them_within_values(stub) {
    return stub.within({ list: [(value) => `got ${value}`], more: { tally: new Tally(3) } });
  },
  async gets_a_value_and_calls_it_side_by_side(stub) {
    const tally = new Tally();
    const sums = await stub.sideBySide(tally, 5);
    return [sums.sort((one, other) => one - other), tally.sum];
  },
  async passes_on_to_another_object(stub) {
    return stub.passOn('another', (value) => `heard ${value}`);
  },
  async gives_an_object_what_that_gives_back(stub) {
    const given = await stub.wrap((value) => value * 2);
    return typeof given;
  },
  async two_calls_at_a_time(stub) {
    return Promise.all([stub.twice((value) => value + 1, 1), stub.twice((value) => value + 2, 1)]);
  },
};

export class Cases extends DurableObject {
  async twice(work, value) {
    return [await work(value), await work(value + 1)];
  }

  spread(work, values) {
    return work(...values);
  }

  async count(tally, times) {
    const sums = [];
    for (let by = 1; by <= times; by++) sums.push(await tally.add(by));
    return sums;
  }

  async countLater(tally, times) {
    const sums = [];
    for (let by = 1; by <= times; by++) sums.push(await tally.addLater(by));
    return sums;
  }

  async sumOf(tally) {
    return await tally.sum;
  }

  caught(work) {
    return errorOf(() => work('luck'));
  }

  caughtOf(tally) {
    return errorOf(() => tally.fail());
  }

  throws() {
    throw new SyntaxError('of the object');
  }

  missing(tally) {
    return errorOf(() => tally.subtract(1));
  }

  async inOrder(tell) {
    const told = [];
    for (let value = 0; value < 5; value++) told.push(tell(value));
    await Promise.all(told);
  }

  async increment() {
    const count = ((await this.ctx.storage.get('count')) ?? 0) + 1;
    await this.ctx.storage.put('count', count);
    return count;
  }

  async writeAndTell(tell) {
    await this.ctx.storage.put('stored', 'before');
    return tell();
  }

  stored() {
    return this.ctx.storage.get('stored');
  }

  async both(work, tally) {
    return [await work(1), await tally.add(1)];
  }

  async tellBoth(one, other) {
    await one('one');
    await other('other');
    return 'told';
  }

  async within({ list, more }) {
    return [await list[0]('it'), await more.tally.add(1)];
  }

  sideBySide(tally, times) {
    return Promise.all(Array.from({ length: times }, () => tally.addLater(1)));
  }

  async passOn(name, work) {
    return this.env.CASES.getByName(name).hear(work);
  }

  hear(work) {
    return work('from afar');
  }

  wrap(work) {
    return (value) => work(value);
  }
}

export default {
  async fetch(request, env) {
    const name = new URL(request.url).pathname.split('/').at(-1);
    if (name === 'names') return Response.json(Object.keys(cases));
    if (!cases[name]) return new Response(`no case: ${name}`, { status: 404 });
    return Response.json({ value: await errorOf(() => cases[name](env.CASES.getByName(name))) });
  },
};
