/**
 * What `use` makes of a value: at once if the value is there, otherwise a promise. Awaiting a value that is there costs
 * an async function a turn of the microtask queue.
 */
export function whenReady<Value, Result>(
  value: Value | Promise<Value>,
  use: (value: Value) => Result | Promise<Result>,
): Result | Promise<Result> {
  return value instanceof Promise ? value.then(use) : use(value)
}
