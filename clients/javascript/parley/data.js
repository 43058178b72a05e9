/**
 * Custom data of docs/protocol.md: what a message may carry beside its text, or instead of it.
 *
 * Only what JSON carries without loss between all languages, so that the other side gets what was sent.
 */

/** A JSON object. @typedef {{ [name: string]: unknown }} Data */

const MAX_DATA_BYTES = 2 * 1024; // in UTF-8, as JSON without spaces
const MAX_DATA_DEPTH = 32; // objects and lists within each other, the data itself included

/** Whether a message may carry this, whatever its size: a later server may take more. @param {unknown} value */
export function isData(value) {
  return problem(value) === null;
}

/**
 * What keeps the server from taking data, in words, or null.
 *
 * @param {unknown} data
 */
export function dataProblem(data) {
  const wrong = problem(data);
  if (wrong) return wrong;
  const size = new TextEncoder().encode(JSON.stringify(data)).length;
  return size > MAX_DATA_BYTES ? `The data has ${size} bytes of JSON, and the limit is ${MAX_DATA_BYTES}.` : null;
}

/** @param {unknown} data */
function problem(data) {
  if (!isPlain(data) || !Object.keys(data).length) return "The data of a message must be an object that is not empty.";
  return problemIn(data, 1);
}

/**
 * @param {unknown} value
 * @param {number} depth
 * @returns {string | null}
 */
function problemIn(value, depth) {
  if (value === null || typeof value === "boolean") return null;
  if (typeof value === "string") return value.isWellFormed() ? null : "The data contains a broken character.";
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return null;
    return `A number in data must be whole, and at most ${Number.MAX_SAFE_INTEGER}; pass any other number as a string.`;
  }
  const isList = Array.isArray(value);
  if (!isList && !isPlain(value)) return "Data may only contain objects, lists, strings, whole numbers, true, false and null.";
  if (depth > MAX_DATA_DEPTH) return `The data has more than ${MAX_DATA_DEPTH} nested objects and lists.`;
  const wrongKey = isList ? null : first(Object.keys(value), keyProblem);
  return wrongKey ?? first(isList ? Array.from(value) : Object.values(value), (one) => problemIn(one, depth + 1));
}

/** @param {string} key */
function keyProblem(key) {
  if (key === "__proto__") return "'__proto__' cannot be a key in data: it can change an object's prototype.";
  return problemIn(key, 0);
}

/**
 * @template T
 * @param {T[]} values
 * @param {(value: T) => string | null} problemOf
 */
function first(values, problemOf) {
  for (const value of values) {
    const found = problemOf(value);
    if (found) return found;
  }
  return null;
}

/** Whether JSON makes nothing else of it. @param {unknown} value @returns {value is Data} */
function isPlain(value) {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return false;
  const makesItsOwn = "toJSON" in value && typeof value.toJSON === "function";
  return isOfNoClass(value) && !makesItsOwn;
}

/** Whether it is a literal, of any realm: a frame and a test's window each have an `Object` of their own. */
function isOfNoClass(/** @type {object} */ value) {
  const prototype = Object.getPrototypeOf(value);
  if (prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, "isPrototypeOf");
}
