// What the JavaScript client says of data: of JSON texts from the standard input, and of values that JSON has not.

import { runInNewContext } from "node:vm";

import { dataProblem, isData } from "../../clients/javascript/parley/data.js";
import { ChatClient } from "../../clients/javascript/parley/chat-client.js";

let input = "";
for await (const part of process.stdin) input += part;
const asked = JSON.parse(input);

const loop = {};
loop.loop = loop;
class Order {
  number = 17;
}
const inAnotherRealm = {
  "an object": "({ order: { number: 17 }, list: [{}] })",
  "an object of JSON": `JSON.parse('{"order":{"number":17}}')`,
  "an object without a prototype": "Object.assign(Object.create(null), { a: 1 })",
};
const notJsonThere = {
  "a date": "({ a: new Date(0) })",
  "a map": "({ a: new Map() })",
  "a value of a class": "new (class Order { number = 17 })()",
  "what makes another JSON of itself": "({ a: { toJSON: () => 1.5 } })",
  "a function": "({ a: () => 1 })",
};
class OfNothing extends null {}
const NOT_JSON = {
  undefined: { a: undefined },
  "not a number": { a: NaN },
  infinity: { a: Infinity },
  "a big integer": { a: 1n },
  "a function": { a: () => 1 },
  "a symbol": { a: Symbol("a") },
  "a date": { a: new Date(0) },
  "a map": { a: new Map([[1, 2]]) },
  "a value of a class": { a: new Order() },
  "a value of a class, itself": new Order(),
  "a value of a class that extends nothing": Object.assign(Object.create(OfNothing.prototype), { a: 1 }),
  "what makes another JSON of itself": { a: { toJSON: () => 1.5 } },
  "a list with a hole": { a: [, 1] },
  "itself within itself": loop,
};

const client = new ChatClient({ address: () => "ws://127.0.0.1:9", WebSocket: class {} });

/** Why the client does not queue the data; null if it does. */
function refusal(data) {
  try {
    client.send("bob", "hi", { data });
    return null;
  } catch (error) {
    return `${error.code}: ${error.message}`;
  }
}

/** Whether what the application goes on doing with its own data changes what is sent. */
function isChangedLater() {
  const data = { order: { number: 17 } };
  client.send("carol", "", { data });
  data.order.number = 18;
  return client.entries("carol").at(-1).data.order.number !== 17;
}

const polluting = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}');
refusal(polluting);
refusal(JSON.parse('{"constructor":{"prototype":{"polluted":1}}}'));

console.log(
  JSON.stringify({
    texts: asked.map((text) => [isData(JSON.parse(text)), dataProblem(JSON.parse(text)), refusal(JSON.parse(text))]),
    not_json: Object.fromEntries(Object.entries(NOT_JSON).map(([name, value]) => [name, [isData(value), refusal(value)]])),
    other_realm: Object.entries(inAnotherRealm).map(([name, code]) => [name, refusal(runInNewContext(code))]),
    not_json_there: Object.entries(notJsonThere).map(([name, code]) => [name, refusal(runInNewContext(code))]),
    none: [refusal(null), refusal(undefined), refusal(0), refusal("")],
    is_changed_later: isChangedLater(),
    polluted: {}.polluted ?? null,
  }),
);
